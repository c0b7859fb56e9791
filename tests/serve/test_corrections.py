"""Reviews become a samples.csv that a training takes."""

from dataclasses import replace
from pathlib import Path

import pytest
from colours import BLUE, GREEN, RED
from test_reviews import ONE

from leukoscope.data.samples import hashed, read_samples
from leukoscope.errors import DataError, UsageError
from leukoscope.serve.corrections import export
from leukoscope.serve.pictures import keep
from leukoscope.serve.reviews import Reviews


@pytest.fixture
def decided(tmp_path: Path, reviews: Reviews) -> dict[str, str]:
    """Names and hashes of three reviewed images, of which one is only skipped."""
    import hashlib

    found = {}
    for k, (name, content) in enumerate({"red": RED, "green": GREEN, "blue": BLUE}.items()):
        found[name] = hashlib.sha256(content).hexdigest()
        keep(tmp_path / "pictures", found[name], content)
        one = replace(ONE, id=str(k), sha256=found[name], patient=f"P{k}", label=name)
        reviews.add(replace(one, decision="skipped", label="") if name == "blue" else one)
    return found


def test_confirmed_and_corrected_images_are_written(
    tmp_path: Path, reviews: Reviews, decided: dict[str, str]
) -> None:
    reviews.add(
        replace(ONE, id="9", sha256=decided["red"], person="Ben", decision="corrected", label="Pro")
    )
    done = export(reviews, tmp_path / "pictures", tmp_path / "samples.csv")
    rows = {row.sha256: row for row in read_samples(tmp_path / "samples.csv")}
    assert (done.written, done.missing, done.disputed) == (2, 0, 1)
    assert {rows[decided[name]].label for name in ("red", "green")} == {"Pro", "green"}
    assert rows[decided["green"]].group == "P1"
    assert decided["blue"] not in rows
    hashed(list(rows.values()), tmp_path / "pictures")  # the files are the ones reviewed


def test_files_are_found_by_content_whatever_their_names(
    tmp_path: Path, reviews: Reviews, decided: dict[str, str]
) -> None:
    folder = tmp_path / "case 1"
    folder.mkdir()
    (folder / "smear.png").write_bytes(RED)
    (folder / "notes.txt").write_text("no picture")
    done = export(reviews, tmp_path / "case 1", tmp_path / "samples.csv")
    assert (done.written, done.missing) == (1, 1)
    assert read_samples(tmp_path / "samples.csv")[0].path == "smear.png"


def test_what_cannot_be_exported_is_said(tmp_path: Path, reviews: Reviews) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        export(reviews, tmp_path / "none", tmp_path / "samples.csv")
    with pytest.raises(DataError, match="no confirmed or corrected"):
        export(reviews, tmp_path, tmp_path / "samples.csv")
    reviews.add(ONE)
    with pytest.raises(DataError, match="None of the 1 reviewed images"):
        export(reviews, tmp_path, tmp_path / "samples.csv")
    assert not (tmp_path / "samples.csv").exists()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP"])
def test_a_kept_picture_has_a_name_that_says_its_kind(tmp_path: Path, kind: str) -> None:
    from colours import picture

    from leukoscope.data.images import SUFFIXES

    path = keep(tmp_path, "a" * 64, picture(kind=kind))
    assert path.suffix in SUFFIXES
    assert kind.lower()[:2] in path.suffix
