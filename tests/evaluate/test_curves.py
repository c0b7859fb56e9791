"""The curves' areas are the figures of the table."""

import numpy as np
import pytest
from sklearn import metrics as sk

from leukoscope.evaluate.curves import (
    mean_precision_recall,
    mean_roc,
    precision_recall_curve,
    roc_curve,
)
from leukoscope.evaluate.metrics import evaluate


def drawn(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(k, size=n - k)])
    scores = np.round(rng.gamma(1.0, size=(n, k)) + 2 * np.eye(k)[labels] * rng.random((n, 1)), 1)
    scores += 0.1
    return labels, scores / scores.sum(axis=1, keepdims=True)


def staircase(curve: tuple[np.ndarray, np.ndarray]) -> float:
    return float((np.diff(curve[0]) * curve[1][1:]).sum())


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_areas_are_auroc_and_average_precision(k: int, seed: int) -> None:
    labels, probabilities = drawn(80, k, seed)
    figures = evaluate(labels, probabilities, classes=[str(index) for index in range(k)])
    rates, found = roc_curve(labels, probabilities)
    assert np.trapezoid(found, rates) == pytest.approx(figures.auroc)
    curve = precision_recall_curve(labels, probabilities)
    assert staircase(curve) == pytest.approx(figures.average_precision)
    for x, y in ((rates, found), curve):
        assert (x[0], x[-1]) == (0, 1)
        assert (np.diff(x) >= 0).all()
        assert ((y >= 0) & (y <= 1)).all()


def test_binary_curves_are_those_of_scikit_learn() -> None:
    labels, probabilities = drawn(60, 2, 5)
    rates, found, _ = sk.roc_curve(labels, probabilities[:, 1])
    got = roc_curve(labels, probabilities)
    np.testing.assert_array_equal(got, (rates, found))
    precision, recall, _ = sk.precision_recall_curve(labels, probabilities[:, 1])
    points = set(zip(recall, precision, strict=True))
    curve = precision_recall_curve(labels, probabilities)
    assert set(zip(curve[0][1:], curve[1][1:], strict=True)) <= points


def test_row_order_changes_no_curve() -> None:
    labels, probabilities = drawn(60, 3, 7)
    order = np.random.default_rng(0).permutation(60)
    for curve in (roc_curve, precision_recall_curve):
        one, other = curve(labels, probabilities), curve(labels[order], probabilities[order])
        np.testing.assert_allclose(one, other)


def test_a_perfect_classifier_reaches_the_corner() -> None:
    labels = np.array([0, 1, 1])
    rates, found = roc_curve(labels, np.eye(2)[labels])
    assert found[rates == 0].max() == 1
    assert (precision_recall_curve(labels, np.eye(2)[labels])[1] == 1).all()


def test_mean_curves_have_the_mean_area() -> None:
    data = [drawn(50, 2, seed) for seed in range(3)]
    rocs = [roc_curve(*one) for one in data]
    rates, found = mean_roc(rocs)
    areas = [np.trapezoid(y, x) for x, y in rocs]
    assert np.trapezoid(found, rates) == pytest.approx(np.mean(areas))
    curves = [precision_recall_curve(*one) for one in data]
    mean = mean_precision_recall(curves)
    assert staircase(mean) == pytest.approx(np.mean([staircase(one) for one in curves]))


@pytest.mark.parametrize("curve", [roc_curve, precision_recall_curve])
def test_a_curve_without_one_class_is_refused(curve: object) -> None:
    with pytest.raises(ValueError, match="class 1 has none"):
        curve(np.array([0, 0]), np.array([[0.5, 0.5], [1, 0]]))  # type: ignore[operator]


@pytest.mark.parametrize("k", [2, 4])
def test_areas_over_folds_are_the_figures_over_folds(k: int) -> None:
    labels, probabilities = drawn(120, k, 3)
    folds = np.random.default_rng(0).choice(["1", "2"], 120, p=[0.3, 0.7]).tolist()
    classes = [str(index) for index in range(k)]
    figures = evaluate(labels, probabilities, classes=classes, folds=folds)
    rates, found = roc_curve(labels, probabilities, folds)
    assert np.trapezoid(found, rates) == pytest.approx(figures.auroc)
    curve = precision_recall_curve(labels, probabilities, folds)
    assert staircase(curve) == pytest.approx(figures.average_precision)
    with pytest.raises(ValueError, match="No fold has images both of class"):
        roc_curve(labels, probabilities, labels.astype(str).tolist())
