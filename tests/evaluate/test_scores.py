"""Scores against scikit-learn and the definition; influences against leaving groups out."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as sk

from leukoscope.evaluate import scores
from leukoscope.evaluate.comparisons import compare
from leukoscope.evaluate.intervals import Measured, linearised
from leukoscope.evaluate.metrics import evaluate, within_folds
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


def folded(n: int = 240, k: int = 3) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels, probabilities and folds; the networks of the folds differ in how certain they are."""
    labels, probabilities = drawn(n, k, seed=11)
    folds = np.random.default_rng(1).choice(["1", "2", "3"], n, p=[0.2, 0.3, 0.5])
    sharp = probabilities ** np.array([0.3, 1.0, 4.0])[folds.astype(int) - 1, None]
    return labels, sharp / sharp.sum(axis=1, keepdims=True), folds.tolist()


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_rankings_of_folds_are_the_mean_of_scikit_learns_over_folds(name: str) -> None:
    labels, probabilities, folds = folded()
    score = {"auroc": sk.roc_auc_score, "average_precision": sk.average_precision_score}[name]
    found = evaluate(labels, probabilities, classes=["a", "b", "c"], folds=folds)
    each, sizes = [], []
    for fold in "123":
        inside = np.array(folds) == fold
        sizes.append(inside.sum())
        each.append([score(labels[inside] == c, probabilities[inside, c]) for c in range(3)])
    assert getattr(found, name) == pytest.approx(np.average(each, axis=0, weights=sizes).mean())
    for place, one in enumerate(found.per_class):
        expected = np.average([row[place] for row in each], weights=sizes)
        assert getattr(one, name) == pytest.approx(expected)
    interval = found.intervals[name]
    assert 0 < interval.low < getattr(found, name) < interval.high < 1
    pooled = evaluate(labels, probabilities, classes=["a", "b", "c"])
    assert getattr(pooled, name) != pytest.approx(getattr(found, name), abs=0.005)
    assert (pooled.loss, pooled.accuracy, pooled.aurc) == (found.loss, found.accuracy, found.aurc)


def test_naming_the_commonest_class_ranks_nothing_in_any_fold() -> None:
    labels = np.array([0, 0, 0, 1, 1, 0, 0, 1, 1, 1])
    folds = ["1"] * 5 + ["2"] * 5
    shares = np.repeat([[0.4, 0.6], [0.6, 0.4]], 5, axis=0)  # of each fold's training images
    found = evaluate(labels, shares, classes=["a", "b"], folds=folds)
    assert found.auroc == 0.5
    assert found.average_precision == pytest.approx(0.5)
    assert evaluate(labels, shares, classes=["a", "b"]).auroc == pytest.approx(0.4)


def test_a_fold_of_one_class_ranks_nothing_and_is_counted() -> None:
    labels, probabilities, folds = folded()
    lacking = [
        "3" if c == 2 and fold == "1" else fold for c, fold in zip(labels, folds, strict=True)
    ]
    found = evaluate(labels, probabilities, classes=["a", "b", "c"], folds=lacking)
    assert (found.folds, [one.unranked for one in found.per_class]) == (3, [0, 0, 1])
    assert "c cannot be ranked in 1 of them" in within_folds(found)
    inside = [np.array(lacking) == fold for fold in "23"]
    expected = [sk.roc_auc_score(labels[i] == 2, probabilities[i, 2]) for i in inside]
    weights = [i.sum() for i in inside]
    assert found.per_class[2].auroc == pytest.approx(np.average(expected, weights=weights))
    nothing = evaluate(labels, probabilities, classes=["a", "b", "c"], folds=labels.astype(str))
    assert nothing.auroc is None


def test_a_single_fold_is_none() -> None:
    labels, probabilities, folds = folded()
    one = evaluate(labels, probabilities, classes=["a", "b", "c"], folds=["1"] * len(folds))
    assert one == evaluate(labels, probabilities, classes=["a", "b", "c"])


def test_the_interval_over_folds_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    truth, inside = 0.7602499, 0  # of two normal distributions one standard deviation apart
    for _ in range(200):
        labels, folds = rng.integers(2, size=150), rng.integers(3, size=150)
        score = rng.normal(size=150) + labels + 3 * folds  # each network has its own scale
        p = 1 / (1 + np.exp(-score / 4))
        units = Units(np.arange(150), 150, "images")
        found = scores.measure(labels, np.stack([1 - p, p], 1), ["a", "b"], units, folds=folds)
        interval = found["auroc"].interval
        assert interval is not None
        inside += interval.low <= truth <= interval.high
    assert 183 <= inside <= 198


def test_differences_rank_within_folds_too() -> None:
    labels, first, folds = folded()
    second = np.roll(first, 1, axis=0)
    names = ["a", "b", "c"]
    found = compare(labels, first, second, classes=names, folds=folds, resamples=50)
    one = next(one for one in found if one.figure == "auroc")
    assert one.first == evaluate(labels, first, classes=names, folds=folds).auroc
    assert one.second == evaluate(labels, second, classes=names, folds=folds).auroc
