"""The unchanged images have the figures of the test, and a change costs what it costs."""

import numpy as np
import pytest
from numpy.typing import NDArray
from red_or_blue import untrained

from leukoscope.data.perturbations import PERTURBATIONS, perturb
from leukoscope.evaluate.metrics import evaluate
from leukoscope.learn.calibration import calibrate
from leukoscope.learn.devices import fabric_for
from leukoscope.learn.prediction import predict
from leukoscope.learn.robustness import Grade, HeldOut, grades

FABRIC = fabric_for("float32")


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    return rng.integers(60, 180, (44, 32, 32, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def targets(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """What the classifier says of the unchanged images, but for every fourth one."""
    targets = predict(untrained(), pixels, fabric=FABRIC, quiet=True).argmax(axis=1)
    targets[::4] = 1 - targets[::4]
    return targets


@pytest.fixture(scope="module")
def measured(pixels: NDArray[np.uint8], targets: NDArray[np.int64]) -> list[Grade]:
    rows = {"train": np.arange(16), "validation": np.arange(16, 36)}
    ours, _ = calibrate(untrained(), pixels, targets, **rows, fabric=FABRIC, quiet=True)
    tested = HeldOut(ours, pixels[36:], targets[36:], ("",) * 8)
    return grades([tested], fabric=FABRIC, quiet=True)


def test_there_is_a_row_for_each_grade(measured: list[Grade]) -> None:
    expected = [("none", 0.0, 0)] + [
        (one.name, amount, one.severity(amount)) for one in PERTURBATIONS for amount in one.amounts
    ]
    assert [(row.change, row.amount, row.severity) for row in measured] == expected
    assert {row.n for row in measured} == {8}


def test_unchanged_images_have_the_figures_of_the_test(measured: list[Grade]) -> None:
    first = measured[0]
    assert first.accuracy == 0.75
    assert first.accuracy_low < 0.75 < first.accuracy_high
    assert first.novel is not None


def test_a_grade_is_the_figure_of_the_changed_images(
    pixels: NDArray[np.uint8], targets: NDArray[np.int64]
) -> None:
    plain = untrained()
    rows = grades([HeldOut(plain, pixels, targets, ("",) * 44)], fabric=FABRIC, quiet=True)
    balance = next(one for one in PERTURBATIONS if one.name == "white balance")
    changed = perturb(pixels, balance, 0.2)
    said = predict(plain, changed, fabric=FABRIC, quiet=True)
    figures = evaluate(targets, said, classes=("red", "blue"))
    row = next(row for row in rows if (row.change, row.amount) == ("white balance", 0.2))
    assert (row.accuracy, row.loss) == pytest.approx((figures.accuracy, figures.loss), abs=1e-6)
    assert row.balanced_accuracy == pytest.approx(figures.balanced_accuracy)
    assert row.novel is None  # it has not learned to say it
    assert len({row.loss for row in rows}) > 24  # little blur is none on so few pixels


def test_folds_are_judged_together(pixels: NDArray[np.uint8], targets: NDArray[np.int64]) -> None:
    parts = [slice(0, 20), slice(20, 44)]
    tested = [HeldOut(untrained(), pixels[p], targets[p], ("",) * len(targets[p])) for p in parts]
    whole = HeldOut(untrained(), pixels, targets, ("",) * 44)
    for ours, theirs in zip(
        grades(tested, fabric=FABRIC, quiet=True),
        grades([whole], fabric=FABRIC, quiet=True),
        strict=True,
    ):
        assert (ours.n, ours.accuracy) == (44, theirs.accuracy)
        assert ours.loss == pytest.approx(theirs.loss, abs=1e-5)


def test_intervals_are_over_groups_where_they_are_known(
    pixels: NDArray[np.uint8], targets: NDArray[np.int64]
) -> None:
    groups = tuple(f"scene {number // 11}" for number in range(44))
    row = grades([HeldOut(untrained(), pixels, targets, groups)], fabric=FABRIC, quiet=True)[0]
    figures = evaluate(
        targets,
        predict(untrained(), pixels, fabric=FABRIC, quiet=True),
        classes=("red", "blue"),
        groups=groups,
    )
    interval = figures.intervals["accuracy"]
    assert (row.accuracy_low, row.accuracy_high) == (interval.low, interval.high)
