"""Odd pictures are found, and good ones are not called odd."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from leukoscope.audit.quality import measure, odd, warnings
from leukoscope.data.synthetic import draw

CLEAN = draw(per_class=15, size=96, seed=5, looks="same").pixels


def faults(pixels: np.ndarray) -> dict[str, list[int]]:
    return odd(measure(pixels, quiet=True))


def with_one(picture: np.ndarray) -> np.ndarray:
    pixels = CLEAN.copy()
    pixels[11] = picture
    return pixels


def test_good_pictures_are_not_odd() -> None:
    assert not any(faults(CLEAN).values())


@pytest.mark.parametrize(
    ("fault", "picture"),
    [
        ("one colour all over", np.zeros((96, 96, 3), np.uint8)),
        ("one colour all over", np.full((96, 96, 3), 255, np.uint8)),
        ("blurred", gaussian_filter(CLEAN[11], (4, 4, 0))),
        ("over-exposed", np.clip(CLEAN[11].astype(int) + 110, 0, 255).astype(np.uint8)),
        ("under-exposed", CLEAN[11] * (np.arange(96) < 40)[:, None, None].astype(np.uint8)),
        ("unlike the rest in colour", CLEAN[11][..., ::-1]),
    ],
)
def test_each_fault_is_found_where_it_is(fault: str, picture: np.ndarray) -> None:
    assert faults(with_one(picture))[fault] == [11]


def test_an_almost_empty_field_is_found() -> None:
    empty = np.full((96, 96, 3), (236, 232, 240), np.uint8)
    empty += np.random.default_rng(0).integers(0, 9, empty.shape, dtype=np.uint8)
    empty[20:40, 20:40] = (214, 190, 196)  # a red cell, no nucleus
    assert faults(with_one(empty))["almost empty"] == [11]


def test_the_worst_come_first() -> None:
    pixels = CLEAN.copy()
    pixels[3] = gaussian_filter(CLEAN[3], (3, 3, 0))
    pixels[9] = gaussian_filter(CLEAN[9], (9, 9, 0))
    assert faults(pixels)["blurred"] == [9, 3]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_few_pictures_are_no_fault(count: int) -> None:
    assert not any(faults(CLEAN[:count]).values())


def test_equal_pictures_are_not_odd() -> None:
    assert not any(faults(np.repeat(CLEAN[:1], 20, axis=0)).values())


@pytest.mark.parametrize(
    ("fault", "picture"),
    [
        ("one colour all over", np.full((96, 96, 3), 255, np.uint8)),
        ("blurred", gaussian_filter(CLEAN[11], (4, 4, 0))),
        ("over-exposed", np.clip(CLEAN[11].astype(int) + 110, 0, 255).astype(np.uint8)),
        ("under-exposed", CLEAN[11] * (np.arange(96) < 40)[:, None, None].astype(np.uint8)),
        ("almost empty", CLEAN[11][:24, :24].repeat(4, 0).repeat(4, 1)),
    ],
)
def test_a_picture_by_itself_is_warned_of(fault: str, picture: np.ndarray) -> None:
    assert fault in warnings(measure(picture[None], quiet=True))[0]


def test_good_pictures_need_no_warning() -> None:
    assert not any(warnings(measure(CLEAN, quiet=True)))
    assert warnings(measure(CLEAN[:0], quiet=True)) == []
