"""ROC and precision-recall curves whose areas are the table's figures.

With two classes the second is the positive one; with more, the curve is the mean over classes,
each held against the rest. Of several folds it is the mean over these, too, each weighted by its
images. The mean is taken so that its area is the mean of the areas.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from leukoscope.evaluate import scores
from leukoscope.evaluate.inputs import Labels, Probabilities, check, number

Floats = NDArray[np.float64]
Curve = tuple[Floats, Floats]


def roc_curve(
    labels: Labels, probabilities: Probabilities, folds: Sequence[str] | None = None
) -> Curve:
    """False-positive rates, ascending, and the true-positive rates that go with them.

    The area under the straight lines between the points is AUROC.
    """
    curves, weights = [], []
    for positive, score, weight in _one_against_rest(labels, probabilities, folds):
        weights.append(weight)
        rates = metrics.roc_curve(positive, score)
        curves.append((np.asarray(rates[0], np.float64), np.asarray(rates[1], np.float64)))
    return mean_roc(curves, weights)


def precision_recall_curve(
    labels: Labels, probabilities: Probabilities, folds: Sequence[str] | None = None
) -> Curve:
    """Recalls, ascending from 0, and for each the precision at which it is first reached.

    It is a staircase: between two recalls the precision of the higher one holds, and the area
    under it is the average precision. Straight lines between the points would flatter.
    """
    curves, weights = [], []
    for positive, score, weight in _one_against_rest(labels, probabilities, folds):
        weights.append(weight)
        precision, recall, _ = metrics.precision_recall_curve(positive, score)
        reached, first = np.unique(recall[::-1], return_index=True)
        height = precision[::-1][first]
        height[0] = height[1]  # at recall 0 nothing is called positive: precision is undefined
        curves.append((reached, height))
    return mean_precision_recall(curves, weights)


def mean_roc(curves: Sequence[Curve], weights: Sequence[float] | None = None) -> Curve:
    """The curve whose height is the mean height of ROC curves, of several classes, folds or seeds.

    `weights` sum to 1; without, all curves weigh alike.

    Curves jump upwards where several points share a rate, so every rate is kept twice: before
    and after its jump.
    """
    if len(curves) == 1:
        return curves[0]
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    before, after = np.zeros_like(grid), np.zeros_like(grid)
    for (x, y), weight in zip(curves, _shares(curves, weights), strict=True):
        first = np.searchsorted(x, grid, side="left")
        last = np.searchsorted(x, grid, side="right") - 1
        between = np.interp(grid, x, y)
        own = x[first] == grid
        before += weight * np.where(own, y[first], between)
        after += weight * np.where(own, y[last], between)
    return np.repeat(grid, 2), np.stack([before, after], axis=1).ravel()


def mean_precision_recall(curves: Sequence[Curve], weights: Sequence[float] | None = None) -> Curve:
    """The staircase whose height is the mean height of precision-recall staircases."""
    if len(curves) == 1:
        return curves[0]
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    heights = [y[np.searchsorted(x, grid, side="left")] for x, y in curves]
    return grid, np.average(heights, axis=0, weights=_shares(curves, weights))


def _shares(curves: Sequence[Curve], weights: Sequence[float] | None) -> Sequence[float]:
    return [1 / len(curves)] * len(curves) if weights is None else weights


def _one_against_rest(
    labels: Labels, probabilities: Probabilities, folds: Sequence[str] | None
) -> list[tuple[NDArray[np.bool_], Probabilities, float]]:
    """Of each class and fold which images are positive, their scores, and the weight of both."""
    classes = probabilities.shape[1] if probabilities.ndim == 2 else 0
    check(labels, probabilities, classes)
    absent = sorted(set(range(classes)) - set(labels.tolist()))
    if absent:
        raise ValueError(f"A curve needs images of every class; class {absent[0]} has none.")
    numbers = None if folds is None else number(folds, len(labels))[0]
    positives = [1] if classes == 2 else range(classes)
    found = []
    for index in positives:
        kept = scores.ranked(labels == index, numbers)
        if not kept:
            raise ValueError(f"No fold has images both of class {index} and of others.")
        n = sum(int(inside.sum()) for inside in kept) * len(positives)
        found += [
            (labels[inside] == index, probabilities[inside, index], int(inside.sum()) / n)
            for inside in kept
        ]
    return found
