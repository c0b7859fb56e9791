"""Scores against scikit-learn and the definition; influences against leaving groups out."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as sk

from leukoscope.evaluate import scores
from leukoscope.evaluate.intervals import Measured, linearised
from leukoscope.evaluate.metrics import evaluate
from leukoscope.evaluate.resampling import Units
from leukoscope.evaluate.scores import Figure

Scored = Callable[[np.ndarray, np.ndarray], Figure]


def drawn(n: int, k: int, seed: int, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(k, size=n - k)])
    given = rng.gamma(1.0, size=(n, k)) + 1.5 * np.eye(k)[labels] * rng.random((n, 1))
    if ties:
        given = np.round(given) + 1
    return labels, given / given.sum(axis=1, keepdims=True)


def auroc(labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    return scores.auroc(labels == 1, probabilities[:, 1])


def average_precision(labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    return scores.average_precision(labels == 1, probabilities[:, 1])


def aurc_by_definition(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> float:
    weights = np.ones(len(labels)) if weights is None else weights
    certainty, wrong = probabilities.max(axis=1), probabilities.argmax(axis=1) != labels
    risks = [np.average(wrong[certainty >= c], weights=weights[certainty >= c]) for c in certainty]
    return float(np.average(risks, weights=weights))


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("ties", [False, True])
def test_scores_are_those_of_scikit_learn(k: int, ties: bool) -> None:
    labels, probabilities = drawn(150, k, seed=k, ties=ties)
    positive, score = labels == 1, probabilities[:, 1]
    assert auroc(labels, probabilities).value == pytest.approx(sk.roc_auc_score(positive, score))
    assert average_precision(labels, probabilities).value == pytest.approx(
        sk.average_precision_score(positive, score)
    )
    assert scores.log_loss(labels, probabilities).value == pytest.approx(
        sk.log_loss(labels, probabilities)
    )
    truth, given = (positive, score) if k == 2 else (labels, probabilities)
    assert scores.brier(labels, probabilities).value == pytest.approx(
        sk.brier_score_loss(truth, given)
    )
    assert scores.aurc(labels, probabilities).value == pytest.approx(
        aurc_by_definition(labels, probabilities)
    )


@pytest.mark.parametrize(
    "score",
    [scores.log_loss, scores.brier, scores.aurc, auroc, average_precision],
    ids=["loss", "brier", "aurc", "auroc", "average precision"],
)
@pytest.mark.parametrize("ties", [False, True])
def test_the_influence_is_the_derivative_by_an_images_weight(score: Scored, ties: bool) -> None:
    labels, probabilities = drawn(60, 3, seed=5, ties=ties)
    found = score(labels, probabilities)
    assert found.influence.sum() == pytest.approx(0, abs=1e-12)
    step = 1e-5
    for row in range(0, 60, 7):
        moved = [
            _weighted(score, labels, probabilities, np.where(np.arange(60) == row, 1 + by, 1.0))
            for by in (step, -step)
        ]
        derivative = (moved[0] - moved[1]) / (2 * step)
        assert found.influence[row] == pytest.approx(derivative, abs=1e-8)


def _weighted(
    score: Scored, labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> float:
    positive = labels == 1
    if score is scores.aurc:
        return aurc_by_definition(labels, probabilities, weights)
    if score is auroc:
        return float(sk.roc_auc_score(positive, probabilities[:, 1], sample_weight=weights))
    if score is average_precision:
        return float(
            sk.average_precision_score(positive, probabilities[:, 1], sample_weight=weights)
        )
    if score is scores.log_loss:
        return float(sk.log_loss(labels, probabilities, sample_weight=weights))
    return float(sk.brier_score_loss(labels, probabilities, sample_weight=weights))


@pytest.mark.parametrize(
    "score",
    [scores.log_loss, scores.aurc, auroc, average_precision],
    ids=["loss", "aurc", "auroc", "average precision"],
)
def test_the_error_is_that_of_drawing_groups_one_by_one(score: Scored) -> None:
    labels, probabilities = drawn(600, 3, seed=1)
    groups = np.random.default_rng(0).integers(150, size=600)
    rows_of = [np.flatnonzero(groups == group) for group in range(150)]
    rng = np.random.default_rng(2)
    resampled = []
    for _ in range(400):
        rows = np.concatenate([rows_of[group] for group in rng.integers(150, size=150)])
        resampled.append(score(labels[rows], probabilities[rows]).value)
    influence = score(labels, probabilities).influence
    found = linearised(influence, np.zeros(600, int), Units(groups, 150, "groups"))
    assert found.error == pytest.approx(np.std(resampled), rel=0.12)


def test_a_certain_classifier_has_a_finite_loss() -> None:
    found = scores.log_loss(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert found.value == pytest.approx(scores.WORST_LOSS / 2)


def test_more_classes_give_the_mean_over_classes() -> None:
    labels, probabilities = drawn(200, 4, seed=9)
    found = scores.overall(labels, probabilities)
    assert found["auroc"] is not None
    assert found["auroc"].value == pytest.approx(
        sk.roc_auc_score(labels, probabilities, multi_class="ovr")
    )
    assert found["auroc"].influence.sum() == pytest.approx(0, abs=1e-12)
    without = scores.overall(labels[labels != 2], probabilities[labels != 2])
    assert (without["auroc"], without["average_precision"]) == (None, None)
    assert without["loss"] is not None


@pytest.mark.parametrize("groups", [None, [f"g{row % 9}" for row in range(60)]])
def test_separation_is_the_auroc_of_any_score(groups: list[str] | None) -> None:
    rng = np.random.default_rng(4)
    positive = np.arange(60) % 3 == 0
    score = rng.normal(size=60) + positive
    found = scores.separation(positive, 7 * score - 2, groups=groups)
    assert found.value == pytest.approx(sk.roc_auc_score(positive, score))
    p = 1 / (1 + np.exp(-score))
    figures = evaluate(
        positive.astype(np.int64), np.column_stack([1 - p, p]), classes=("a", "b"), groups=groups
    )
    expected = figures.intervals["auroc"]
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))
    assert found.interval.method == expected.method
    assert scores.separation(positive[positive], score[positive]) == Measured(None)
