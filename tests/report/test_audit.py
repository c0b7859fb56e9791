"""The outlines of a common area enclose the same cells in both pictures."""

import numpy as np
import pytest

from leukoscope.audit.duplicates import Overlap
from leukoscope.audit.registration import TURNS
from leukoscope.report.audit import outlines
from leukoscope.report.audit import turned as in_words


def turned(image: np.ndarray, turn: int) -> np.ndarray:
    return np.rot90(image[:, ::-1] if turn >= 4 else image, turn % 4)


def corners(image: np.ndarray, where: list[tuple[float, float]]) -> set[int]:
    """The values at the four corners, which lie on pixels."""
    side = len(image) - 1
    return {int(image[round(v * side), round(u * side)]) for u, v in where}


@pytest.mark.parametrize("turn", TURNS)
def test_the_corners_show_the_same_in_both(turn: str) -> None:
    # A slide of different numbers; b lies 30 right of and 20 above a, and is turned afterwards.
    slide = np.arange(200 * 200).reshape(200, 200)
    a, straight = slide[50:151, 50:151], slide[30:131, 80:181]
    number = TURNS.index(turn)
    (b,) = [
        one
        for quarters in range(4)
        for mirrored in (False, True)
        if np.array_equal(
            turned(one := np.rot90(straight[:, ::-1] if mirrored else straight, quarters), number),
            straight,
        )
    ][:1]
    overlap = Overlap("a", "b", 1.0, 30, -20, "overlap", turn, 1.0, 0.5)
    in_a, in_b = outlines(overlap, 100)
    assert corners(a, in_a) == corners(b, in_b)
    assert in_a == [(0.3, 0.0), (1.0, 0.0), (1.0, 0.8), (0.3, 0.8)]
    assert len(corners(a, in_a)) == 4


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        ("", ""),
        ("rot270", ", turned by 270°"),
        ("mirror", ", mirrored"),
        ("mirror-rot90", ", mirrored and turned by 90°"),
    ],
)
def test_a_turn_is_said_in_words(turn: str, said: str) -> None:
    assert in_words(turn) == said
