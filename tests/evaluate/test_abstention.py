"""Prediction sets against their definition and the coverage that they promise."""

import numpy as np
import pytest

from leukoscope.evaluate import scores
from leukoscope.evaluate.abstention import (
    class_thresholds,
    coverages,
    coverages_by_group,
    expected_coverage,
    expected_coverage_of_folds,
    prediction_sets,
    risk_coverage,
)
from leukoscope.evaluate.intervals import clopper_pearson, group_bootstrap
from leukoscope.evaluate.resampling import resample, units


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


SETS = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [0, 1], [1, 0]], dtype=bool)
TRUTH = np.array([0, 0, 0, 1, 1, 1])


def test_coverage_and_sizes_by_hand() -> None:
    made = resample(units(TRUTH, SETS.astype(float)))
    every, first, second = coverages(TRUTH, SETS, ("a", "b"), made)
    assert (every.name, every.n, every.coverage) == ("all", 6, 4 / 6)
    assert every.interval == clopper_pearson(4, 6)
    assert (first.coverage, first.size, first.single, first.empty) == (2 / 3, 1, 1 / 3, 1 / 3)
    assert (second.n, second.coverage, second.size, second.empty) == (3, 2 / 3, 1, 0)


def test_coverage_of_groups_draws_groups_anew() -> None:
    labels, probabilities = drawn(300, 3, 4)
    groups = [f"g{row % 30}" for row in range(300)]
    sets = prediction_sets(probabilities, np.array([0.5, 0.6, 0.7]))
    made = resample(units(labels, probabilities, groups))
    found = coverages(labels, sets, ("a", "b", "c"), made)[0]
    inside = sets[np.arange(300), labels].astype(float)
    assert found.interval == group_bootstrap(inside, groups)


def test_the_least_covered_group_comes_first() -> None:
    labels = np.zeros(30, int)
    sets = np.stack([np.arange(30) >= 15, np.ones(30, bool)], axis=1)
    groups = ["a"] * 12 + ["b"] * 12 + ["c"] * 6
    found = coverages_by_group(labels, sets, groups)
    assert [(one.name, one.coverage) for one in found] == [("a", 0.0), ("b", 9 / 12)]
    assert found[1].interval == clopper_pearson(9, 12)


def test_coverage_falls_into_the_expected_range() -> None:
    rng = np.random.default_rng(0)
    outside = 0
    low, high = expected_coverage(50, 80, 0.9)
    for _ in range(1000):
        calibration, new = np.sort(rng.random(50)), rng.random(80)
        outside += not low <= (new <= calibration[45]).mean() <= high  # the ⌈51 · 0.9⌉-th
    assert outside <= 65
    assert expected_coverage(10, 80, 0.95) == (1.0, 1.0)  # too few: the class is in every set


def test_the_expected_range_over_folds_is_that_of_drawn_folds() -> None:
    folds = [(50, 80), (30, 40), (8, 20)]  # eight are too few: always covered
    rng = np.random.default_rng(0)
    drawn_shares = (
        rng.binomial(80, rng.beta(46, 5, 20_000)) + rng.binomial(40, rng.beta(28, 3, 20_000)) + 20
    ) / 140
    found = expected_coverage_of_folds(folds, 0.9)
    assert found == pytest.approx(np.quantile(drawn_shares, (0.025, 0.975)), abs=1 / 140 + 1e-9)


def test_of_one_fold_the_expected_range_is_the_plain_one() -> None:
    for fold in ((50, 80), (18, 7), (19, 7)):
        assert expected_coverage_of_folds([fold]) == pytest.approx(expected_coverage(*fold))


def test_risk_at_full_coverage_is_the_error_rate() -> None:
    labels, probabilities = drawn(200, 3, 2)
    curve = risk_coverage(labels, probabilities)
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == (probabilities.argmax(axis=1) != labels).mean()
    assert (np.diff(curve.coverage) > 0).all()
    assert (np.diff(curve.certainty) < 0).all()
    for certainty, share, risk in list(zip(*vars_of(curve), strict=True))[::20]:
        answered = probabilities.max(axis=1) >= certainty
        assert share == answered.mean()
        wrong = (probabilities.argmax(axis=1) != labels)[answered]
        assert risk == pytest.approx(wrong.mean())
    steps = np.diff(curve.coverage, prepend=0)
    assert (curve.risk * steps).sum() == pytest.approx(scores.aurc(labels, probabilities).value)


def vars_of(curve: object) -> list[np.ndarray]:
    return [getattr(curve, name) for name in ("certainty", "coverage", "risk")]
