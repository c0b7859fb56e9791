"""What the classifier looked at is drawn and counted for every picture that was named."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from test_scoring import CLASSES, classifier, noise, png

from leukoscope.audit.attention import read_attention
from leukoscope.errors import DataError, UsageError
from leukoscope.explanation import Explaining, explain, look
from leukoscope.learn.classifier import Classifier

SIZE = 64  # of a map of three places and more


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("explanation") / "classifier"
    small = classifier()
    Classifier(small.network, replace(small.config, size=SIZE)).save(place)
    return place


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures of one name in two folders."""
    for number, pixels in enumerate(noise(2, SIZE)):
        place = tmp_path / "pictures" / f"day{number}"
        place.mkdir(parents=True)
        (place / "field.png").write_bytes(png(pixels))
    return tmp_path / "pictures"


def run(folder: Path, pictures: Path, out: Path, target: str | None = None) -> int:
    return explain(Explaining(folder, [str(pictures)], out, target=target, quiet=True))


def height(file: Path) -> int:
    with Image.open(file) as image:
        return image.height


def test_one_png_shows_all_and_a_folder_has_one_each(
    folder: Path, pictures: Path, tmp_path: Path
) -> None:
    assert run(folder, pictures, tmp_path / "all.png") == 2
    assert run(folder, pictures, tmp_path / "each") == 2
    heights = [height(tmp_path / "all.png")]
    files = sorted((tmp_path / "each").iterdir())
    assert [file.name for file in files] == ["001-field.png", "002-field.png"]
    heights += map(height, files)
    assert heights[0] > max(heights[1:])


def test_a_csv_has_the_shares_of_each(folder: Path, pictures: Path, tmp_path: Path) -> None:
    assert run(folder, pictures, tmp_path / "attention.csv", target="Early") == 2
    rows = read_attention(tmp_path / "attention.csv")
    assert [Path(row.path).parent.name for row in rows] == ["day0", "day1"]
    assert {row.predicted for row in rows} == {"Early"}
    assert all(sum(row.attention.areas) == pytest.approx(1, abs=1e-5) for row in rows)


def test_looking_names_the_rows_it_was_given() -> None:
    small = classifier()
    deep = Classifier(small.network, replace(small.config, size=SIZE)).eval()
    images = [("a.png", "Benign"), ("b.png", "Pre")]
    rows = look(deep, images, noise(2, SIZE))
    assert [(row.path, row.label) for row in rows] == images
    assert {row.predicted for row in rows} <= set(CLASSES)


def test_what_cannot_be_explained_is_said(folder: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no class 'Erly'.* Did you mean Early\?"):
        run(folder, pictures, tmp_path / "all.png", target="Erly")
    (pictures / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="not a picture"):
        run(folder, pictures, tmp_path / "all.png")
    assert not (tmp_path / "all.png").exists()
    for number in range(20):
        (pictures / f"{number}.png").write_bytes(png(noise(1)[0]))
    with pytest.raises(UsageError, match="too many for one PNG"):
        run(folder, pictures, tmp_path / "all.png")
