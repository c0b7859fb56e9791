"""Hot places are coloured, cold ones stay grey, and a hostile name is only text."""

import numpy as np

from leukoscope.report.heatmaps import Explained, explanations, overlay
from leukoscope.report.style import png


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def test_nothing_is_grey_and_the_most_is_coloured() -> None:
    heat = np.zeros((32, 32), np.float32)
    heat[:16] = 1
    shown = overlay(picture(), heat).astype(int)
    assert shown.shape == (32, 32, 3)
    assert np.ptp(shown[16:], axis=2).max() == 0
    assert np.ptp(shown[:16], axis=2).min() > 80


def test_one_picture_and_several_are_drawn() -> None:
    heat, nowhere = np.full((32, 32), 0.5, np.float32), np.zeros((32, 32), bool)
    somewhere = nowhere.copy()
    somewhere[4:9, 4:9] = True
    one = Explained(
        picture(), heat, heat, somewhere, nowhere, "$\\frac{x.png", ("a\x00caption", "of two lines")
    )
    single, double = (png(explanations([one] * count), dpi=40) for count in (1, 2))
    assert single.startswith(b"\x89PNG")
    assert len(double) > 1.5 * len(single)
