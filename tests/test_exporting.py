"""Whoever has the exported folder and ONNX Runtime has the classifier's answers."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_scoring import CLASSES, calibrated, noise, png

from leukoscope.data import seen
from leukoscope.data.seen import Seen
from leukoscope.errors import DataError, UsageError
from leukoscope.exporting import EXAMPLE, Export, export, sentence
from leukoscope.learn.classifier import load
from leukoscope.learn.prediction import predict

README = Path(__file__).parents[1] / "README.md"
PIXELS = noise(6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("exporting") / "classifier"
    calibrated(0).save(place)
    (place / "README.md").write_text("# The card\n")
    seen.write(Seen({"0123456789abcdef": "train"}), place)
    return place


@pytest.fixture(scope="module")
def exported(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "out"
    export(Export(folder, out, quiet=True))
    return out


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a sub-folder for each class."""
    for number, pixels in enumerate(PIXELS):
        place = tmp_path / "pictures" / CLASSES[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.png").write_bytes(png(pixels))
    return tmp_path / "pictures"


def test_the_example_of_ten_lines_gives_the_answers(folder: Path, exported: Path) -> None:
    (exported / "field.png").write_bytes(png(PIXELS[0]))
    command = [sys.executable, "-W", "ignore", "-c", EXAMPLE]
    done = subprocess.run(command, cwd=exported, capture_output=True, text=True, check=True)
    (exported / "field.png").unlink()
    said = ast.literal_eval(done.stdout)
    expected = predict(load(folder), PIXELS[:1], quiet=True)[0].tolist()
    assert list(said) == list(CLASSES)
    assert list(said.values()) == pytest.approx(expected, abs=1e-4)


def test_the_readme_shows_that_example(exported: Path) -> None:
    assert len(EXAMPLE.splitlines()) <= 12
    for page in (README, exported / "README.md"):
        assert EXAMPLE in page.read_text(encoding="utf-8")


def test_a_folder_has_all_that_belongs_to_it(folder: Path, exported: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == [
        *("README.md", "config.json", "export.json", "model.onnx"),
        *("novelty.safetensors", "seen.csv"),
    ]
    record = json.loads((exported / "export.json").read_text())
    assert record["largest_difference_to_pytorch"] <= 1e-4
    assert seen.read(exported) == seen.read(folder)
    assert (exported / "README.md").read_text().startswith("# The card\n")


def test_int8_says_what_it_changes(folder: Path, pictures: Path, tmp_path: Path) -> None:
    given = Export(
        folder,
        tmp_path / "it.onnx",
        int8=True,
        calibrate=[str(pictures)],
        labelled=str(pictures),
        quiet=True,
    )
    change = export(given)["int8"]
    assert sorted(path.name for path in tmp_path.glob("*.onnx")) == ["it-int8.onnx", "it.onnx"]
    assert (change["images"], change["calibrated_on"]) == (6, "3 given images")
    assert 0 <= change["mean"] <= change["largest"] < 1
    assert "with int8" in sentence(change)


def test_wrong_calls_are_named(folder: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="are about --int8"):
        export(Export(folder, tmp_path / "out", labelled=str(pictures)))
    for name in CLASSES:
        (pictures / name).rename(pictures / f"no {name}")
    with pytest.raises(DataError, match="none of the classifier's classes"):
        export(Export(folder, tmp_path / "out", int8=True, labelled=str(pictures), quiet=True))
