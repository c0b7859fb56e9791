"""A threshold is chosen on validation images and judged on others."""

import numpy as np
import pytest

from leukoscope.evaluate.intervals import clopper_pearson
from leukoscope.evaluate.operating import operate, threshold
from leukoscope.evaluate.resampling import resample, units


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1], rng.integers(2, size=n - 2)])
    score = 1 / (1 + np.exp(-rng.normal(2 * labels - 1)))
    return labels, np.stack([1 - score, score], axis=1)


@pytest.mark.parametrize("sensitivity", [0.5, 0.9, 0.99, 1.0])
def test_no_larger_threshold_is_as_sensitive(sensitivity: float) -> None:
    labels, probabilities = drawn(300, 0)
    found = threshold(labels, probabilities, sensitivity)
    positive = probabilities[labels == 1, 1]
    assert (positive >= found).mean() >= sensitivity
    assert (positive >= np.nextafter(found, 1)).mean() < sensitivity


def test_the_demanded_share_is_not_missed_by_rounding() -> None:
    score = np.arange(1, 101) / 101
    labels, probabilities = np.ones(100, int), np.stack([1 - score, score], axis=1)
    assert threshold(labels, probabilities, 0.07) == score[93]  # 7 of 100, not 8


def test_it_is_judged_on_the_test_images() -> None:
    validation, test = drawn(300, 1), drawn(200, 2)
    made = resample(units(*test))
    found = operate(validation, test, made, sensitivity=0.9)
    called = test[1][:, 1] >= found.threshold
    truth = test[0] == 1
    expected = {
        "sensitivity": (called & truth, truth),
        "specificity": (~called & ~truth, ~truth),
        "ppv": (called & truth, called),
        "npv": (~called & ~truth, ~called),
    }
    for name, (right, among) in expected.items():
        value, interval = found.test[name]
        assert value == pytest.approx(right.sum() / among.sum())
        assert interval == clopper_pearson(int(right.sum()), int(among.sum()))
    assert found.n_validation == validation[0].sum()
    assert 0.9 <= (found.validation["sensitivity"] or 0) < 0.91
    stated = operate(validation, test, made, sensitivity=0.9, prevalence=0.01)
    assert (stated.test["ppv"].value or 1) < (found.test["ppv"].value or 0)
    assert stated.test["sensitivity"] == found.test["sensitivity"]


def test_without_a_positive_validation_image_there_is_none() -> None:
    with pytest.raises(ValueError, match="needs images of the positive class"):
        threshold(np.array([0]), np.array([[0.5, 0.5]]), 0.99)
    with pytest.raises(ValueError, match="up to 1, not 99"):
        threshold(np.array([1]), np.array([[0.5, 0.5]]), 99)
    negative = np.array([1]), np.array([[0.5, 0.5]])
    test = drawn(20, 0)
    assert operate(negative, test, resample(units(*test))).validation["specificity"] is None
