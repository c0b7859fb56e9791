"""Prediction sets against their definition and the coverage that they promise."""

import numpy as np
import pytest

from leukoscope.evaluate.abstention import class_thresholds, prediction_sets


def drawn(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    scores = rng.gamma(1.0, size=(n, k)) + 1.5 * np.eye(k)[labels] * rng.random((n, 1))
    return labels, scores / scores.sum(axis=1, keepdims=True)


def test_the_threshold_is_numpys_quantile_with_the_finite_sample_correction() -> None:
    labels, probabilities = drawn(500, 3, 0)
    got = class_thresholds(labels, probabilities, 0.9)
    for index in range(3):
        scores = 1 - probabilities[labels == index, index]
        level = np.ceil((len(scores) + 1) * 0.9) / len(scores)
        assert got[index] == np.quantile(scores, level, method="inverted_cdf")


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_each_class_is_covered_as_promised(coverage: float) -> None:
    counts = np.array([100, 60, 24])
    calibration = np.repeat(range(3), counts)
    new = np.repeat(range(3), 200)
    labels = np.concatenate([calibration, new])
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        scores = rng.gamma(1.0, size=(len(labels), 3)) + np.eye(3)[labels] * [1.0, 2.0, 0.5]
        probabilities = scores / scores.sum(axis=1, keepdims=True)
        old, fresh = np.split(probabilities, [len(calibration)])
        sets = prediction_sets(fresh, class_thresholds(calibration, old, coverage))
        inside = sets[np.arange(len(new)), new]
        covered.append([inside[new == index].mean() for index in range(3)])
    # For continuous scores the mean coverage is known exactly.
    expected = np.ceil((counts + 1) * coverage) / (counts + 1)
    np.testing.assert_allclose(np.mean(covered, axis=0), expected, atol=0.01)


def test_too_few_images_keep_their_class_in_every_set() -> None:
    labels, probabilities = drawn(200, 3, 1)
    few = (labels != 2) | (np.cumsum(labels == 2) <= 18)
    thresholds = class_thresholds(labels[few], probabilities[few], 0.95)
    assert thresholds[2] == 1
    assert prediction_sets(probabilities, thresholds)[:, 2].all()
    enough = (labels != 2) | (np.cumsum(labels == 2) <= 19)
    assert class_thresholds(labels[enough], probabilities[enough], 0.95)[2] < 1


def test_an_absent_class_is_in_every_set() -> None:
    labels, probabilities = np.zeros(40, int), np.full((40, 2), [1.0, 0.0])
    thresholds = class_thresholds(labels, probabilities)
    np.testing.assert_array_equal(thresholds, [0, 1])
    assert prediction_sets(np.array([[1.0, 0.0], [0.9, 0.1]]), thresholds).tolist() == [
        [True, True],
        [False, True],
    ]


def test_the_rank_does_not_slip_by_rounding() -> None:
    labels = np.zeros(99, int)
    stated = np.linspace(0.99, 0.01, 99)  # the score of image i is 0.01 · (i + 1)
    got = class_thresholds(labels, np.stack([stated, 1 - stated], axis=1), 0.07)
    assert got[0] == pytest.approx(0.07)


def test_a_set_can_be_empty() -> None:
    assert not prediction_sets(np.array([[0.5, 0.5]]), np.array([0.1, 0.2])).any()


@pytest.mark.parametrize("coverage", [0.0, 1.0, 95.0])
def test_an_impossible_coverage_is_refused(coverage: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        class_thresholds(np.array([0]), np.array([[0.5, 0.5]]), coverage)


def test_thresholds_of_other_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="2 classes need 2 thresholds"):
        prediction_sets(np.full((1, 2), 0.5), np.ones(3))
