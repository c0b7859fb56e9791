"""What is drawn is what its name says, and folders are found by their words."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukoscope.data import novelties
from leukoscope.data.novelties import FAR, NEAR, Folder
from leukoscope.errors import DataError, UsageError

FIELDS = np.random.default_rng(0).integers(100, 200, (5, 32, 32, 3)).astype(np.uint8)


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (40, 32), (number, 0, 0)).save(folder / f"{number:02d}.png")
    return folder


def test_drawn_pictures_repeat_themselves_and_fit_the_fields() -> None:
    made, again = novelties.drawn(FIELDS), novelties.drawn(FIELDS)
    assert [one.kind for one in made] == ["noise", "blank", "text"]
    for one, other in zip(made, again, strict=True):
        assert one.near_or_far == FAR
        assert one.pixels.shape[1:] == (32, 32, 3)
        assert one.pixels.dtype == np.uint8
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_blank_is_flat_and_text_is_dark_on_bright() -> None:
    _, blank, text = novelties.drawn(FIELDS)
    assert len(blank.pixels) == 20 + len(FIELDS)
    assert blank.pixels.std(axis=(1, 2)).max() < 4
    assert (np.percentile(text.pixels, 95, axis=(1, 2, 3)) >= 200).all()
    assert (text.pixels.min(axis=(1, 2, 3)) < 100).all()


def test_a_folder_is_named_by_its_word_or_by_itself(tmp_path: Path) -> None:
    pbc, holiday = pictures(tmp_path / "pbc", 1), pictures(tmp_path / "a=b", 1)
    assert novelties.folders([str(pbc)], [f"photographs={pbc}", str(holiday)]) == [
        Folder("pbc", NEAR, pbc),
        Folder("photographs", FAR, pbc),
        Folder("a=b", FAR, holiday),
    ]


def test_a_wrong_word_is_a_sentence(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "noise", 1)
    with pytest.raises(UsageError, match=r"cells=nowhere is no folder of pictures; give FOLDER or"):
        novelties.folders(["cells=nowhere"])
    with pytest.raises(UsageError, match="no folder of pictures"):
        novelties.folders([f"={folder}"])
    with pytest.raises(UsageError, match="two kinds named 'noise'"):
        novelties.folders([str(folder)])


def test_pictures_of_a_folder_are_fitted_and_not_too_many(tmp_path: Path) -> None:
    (folder,) = novelties.folders([str(pictures(tmp_path / "cells", 9))])
    assert novelties.read(folder, 16).pixels.shape == (9, 16, 16, 3)
    some = novelties.read(folder, 16, most=4).pixels[:, 0, 0, 0]
    assert len(some) == 4
    assert (np.diff(some.astype(int)) > 0).all()
    (folder.path / "wrong.png").write_text("no picture")
    with pytest.raises(DataError, match=r"wrong\.png is not a picture"):
        novelties.read(folder, 16)
