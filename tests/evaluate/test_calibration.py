"""Temperatures against a planted truth, a plain search, and what they must not change."""

import itertools

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import norm
from sklearn.metrics import log_loss

from leukoscope.evaluate.calibration import (
    apply_temperature,
    by_group,
    expected_calibration_error,
    fit_temperature,
    measure,
    reliability,
)
from leukoscope.evaluate.intervals import clopper_pearson
from leukoscope.evaluate.resampling import resample, units


def overconfident(n: int, k: int, temperature: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from softmax(z), and the probabilities softmax(z · T) that were stated."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 2
    draws = rng.random((n, 1)) < softmax(logits, axis=1).cumsum(axis=1)
    return draws.argmax(axis=1), softmax(logits * temperature, axis=1)


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("planted", [0.4, 1.0, 3.0])
def test_the_planted_temperature_is_found(k: int, planted: float) -> None:
    labels, stated = overconfident(20_000, k, planted, seed=k)
    assert fit_temperature(labels, stated) == pytest.approx(planted, rel=0.05)


def test_no_temperature_of_a_fine_grid_suits_better() -> None:
    labels, stated = overconfident(400, 3, 2.5, seed=0)

    def loss(temperature: float) -> float:
        rows = softmax(np.log(stated) / temperature, axis=1)
        surprise = -np.log(rows[np.arange(400), labels]).sum()
        return float(surprise - norm(1, 0.25).logpdf(1 / temperature))

    found = fit_temperature(labels, stated)
    grid = np.geomspace(0.05, 20, 4000)
    assert found == pytest.approx(grid[np.argmin([loss(t) for t in grid])], rel=2e-3)
    assert log_loss(labels, apply_temperature(stated, found)) < log_loss(labels, stated)


def test_dividing_logits_is_the_same() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 4)) * 10
    got = apply_temperature(softmax(logits, axis=1), 1.7)
    np.testing.assert_allclose(got, softmax(logits / 1.7, axis=1), rtol=1e-9)


@pytest.mark.parametrize("temperature", [0.01, 0.5, 1.0, 7.0, 100.0])
def test_the_order_of_classes_stays(temperature: float) -> None:
    _, stated = overconfident(200, 4, 3.0, seed=5)
    got = apply_temperature(stated, temperature)
    np.testing.assert_array_equal(got.argmax(axis=1), stated.argmax(axis=1))
    np.testing.assert_allclose(got.sum(axis=1), 1)
    if temperature == 1:
        np.testing.assert_allclose(got, stated)


def test_a_perfect_validation_does_not_make_every_answer_certain() -> None:
    labels = np.array([0, 1] * 100)
    unsure = np.where(np.eye(2)[labels] == 1, 0.9, 0.1)
    got = apply_temperature(unsure, fit_temperature(labels, unsure))
    assert 0.95 < got[0, 0] < 201 / 202  # the rule of succession


def test_certain_errors_make_it_less_certain() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    certain = np.eye(2)[np.zeros(100, int)]  # zeros and ones, a tenth of them wrong
    got = apply_temperature(certain, fit_temperature(labels, certain))
    assert got[0, 0] == pytest.approx(91 / 102, abs=0.02)


def test_what_no_temperature_changes_keeps_1() -> None:
    assert fit_temperature(np.array([0, 1, 1]), np.full((3, 2), 0.5)) == pytest.approx(1)


def test_few_images_change_little_and_many_decide() -> None:
    few, many = (fit_temperature(*overconfident(n, 2, 2.0, seed=1)) for n in (5, 5000))
    assert abs(few - 1) < 0.35
    assert many == pytest.approx(2, rel=0.1)


def test_one_class_alone_and_one_image_have_a_finite_temperature() -> None:
    for n in (1, 30):
        found = fit_temperature(np.zeros(n, int), np.full((n, 2), [0.8, 0.2]))
        assert 0.01 <= found <= 100


def test_row_order_changes_nothing() -> None:
    labels, stated = overconfident(300, 3, 2.0, seed=3)
    order = np.random.default_rng(0).permutation(300)
    assert fit_temperature(labels[order], stated[order]) == pytest.approx(
        fit_temperature(labels, stated), rel=1e-6
    )


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="positive number"):
        apply_temperature(np.full((1, 2), 0.5), temperature)


def test_bad_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match="Row 1 of 1 has a probability outside"):
        fit_temperature(np.array([0]), np.array([[1.5, -0.5]]))
    with pytest.raises(ValueError, match="no image"):
        fit_temperature(np.array([], int), np.empty((0, 2)))


def error_by_loops(labels: np.ndarray, stated: np.ndarray, edges: np.ndarray) -> float:
    """Guo et al., equation 3, bin by bin: (low, high]."""
    certainty, right = stated.max(axis=1), stated.argmax(axis=1) == labels
    error = 0.0
    for low, high in itertools.pairwise(edges):
        inside = (certainty > low) & (certainty <= high)
        if inside.any():
            error += inside.mean() * abs(certainty[inside].mean() - right[inside].mean())
    return error


@pytest.mark.parametrize("k", [2, 4])
def test_both_errors_are_those_of_their_definition(k: int) -> None:
    labels, stated = overconfident(500, k, 2.0, seed=k)
    found = expected_calibration_error(labels, stated)
    assert found == pytest.approx(error_by_loops(labels, stated, np.linspace(0, 1, 16)))
    edges = np.quantile(stated.max(axis=1), np.linspace(0, 1, 16))
    edges[0] = 0
    found = expected_calibration_error(labels, stated, equal_mass=True)
    assert found == pytest.approx(error_by_loops(labels, stated, edges), abs=2e-3)


def test_bins_hold_their_images() -> None:
    labels, stated = overconfident(600, 3, 2.0, seed=0)
    made = resample(units(labels, stated))
    for equal_mass in (False, True):
        bins = reliability(labels, stated, made, bins=10, equal_mass=equal_mass)
        assert sum(one.n for one in bins) == 600
        error = sum(one.n * abs(one.certainty - one.accuracy) for one in bins) / 600
        assert error == pytest.approx(
            expected_calibration_error(labels, stated, bins=10, equal_mass=equal_mass)
        )
        for one in bins:
            assert one.low <= one.certainty <= one.high
            assert one.interval == clopper_pearson(round(one.accuracy * one.n), one.n)
    assert {one.n for one in bins} == {60}


def test_equal_certainties_are_never_parted() -> None:
    labels = np.array([0] * 70 + [1] * 30)
    stated = np.full((100, 2), [0.7, 0.3])
    bins = reliability(labels, stated, resample(units(labels, stated)), equal_mass=True)
    assert [one.n for one in bins] == [100]
    assert expected_calibration_error(labels, stated, equal_mass=True) == pytest.approx(0)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_interval_of_the_error_covers_the_truth(temperature: float) -> None:
    # Over-confident by a known temperature: the truth is the error on very many images.
    truth = expected_calibration_error(*overconfident(200_000, 2, temperature, seed=99))
    inside = 0
    for seed in range(60):
        labels, stated = overconfident(300, 2, temperature, seed=seed)
        made = resample(units(labels, stated), resamples=300, seed=seed)
        interval = measure(labels, stated, made)["ece"].interval
        assert interval is not None
        inside += interval.low <= truth <= interval.high
    assert inside >= 53  # of 60; binomial with 0.95: p 0.02


def test_groups_are_calibrated_each_by_itself() -> None:
    labels, stated = overconfident(100, 2, 1.0, seed=1)
    groups = ["good"] * 40 + ["bad"] * 40 + ["small"] * 20
    labels[40:80] = stated[40:80].argmin(axis=1)  # always wrong
    worst, other = by_group(labels, stated, groups, smallest=30)
    assert (worst.name, worst.n, other.name) == ("bad", 40, "good")
    assert worst.gap == pytest.approx(stated[40:80].max(axis=1).mean())
    assert other.ece == expected_calibration_error(labels[:40], stated[:40])


def test_groups_that_are_alike_do_not_make_the_calibration_error_certain() -> None:
    right = np.tile([True] * 8 + [False] * 2, 4)
    probabilities = np.tile([0.001, 0.999], (40, 1))
    names = np.repeat(list("abcd"), 10).tolist()
    found = measure(
        right.astype(np.int64),
        probabilities,
        resample(units(right.astype(np.int64), probabilities, names)),
    )["ece"]
    assert found.value == pytest.approx(0.199)
    assert found.interval is not None
    assert found.interval.high > 0.3
