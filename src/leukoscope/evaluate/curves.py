"""ROC and precision-recall curves whose areas are the table's figures.

With two classes the second is the positive one; with more, the curve is the mean over classes,
each held against the rest. The mean is taken so that its area is the mean of the areas.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from leukoscope.evaluate.inputs import Labels, Probabilities, check

Floats = NDArray[np.float64]
Curve = tuple[Floats, Floats]


def roc_curve(labels: Labels, probabilities: Probabilities) -> Curve:
    """False-positive rates, ascending, and the true-positive rates that go with them.

    The area under the straight lines between the points is AUROC.
    """
    curves = []
    for positive, score in _one_against_rest(labels, probabilities):
        rates = metrics.roc_curve(positive, score)
        curves.append((np.asarray(rates[0], np.float64), np.asarray(rates[1], np.float64)))
    return mean_roc(curves)


def precision_recall_curve(labels: Labels, probabilities: Probabilities) -> Curve:
    """Recalls, ascending from 0, and for each the precision at which it is first reached.

    It is a staircase: between two recalls the precision of the higher one holds, and the area
    under it is the average precision. Straight lines between the points would flatter.
    """
    curves = []
    for positive, score in _one_against_rest(labels, probabilities):
        precision, recall, _ = metrics.precision_recall_curve(positive, score)
        reached, first = np.unique(recall[::-1], return_index=True)
        height = precision[::-1][first]
        height[0] = height[1]  # at recall 0 nothing is called positive: precision is undefined
        curves.append((reached, height))
    return mean_precision_recall(curves)


def mean_roc(curves: Sequence[Curve]) -> Curve:
    """The curve whose height is the mean height of ROC curves, of several classes or seeds.

    Curves jump upwards where several points share a rate, so every rate is kept twice: before
    and after its jump.
    """
    if len(curves) == 1:
        return curves[0]
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    before, after = np.zeros_like(grid), np.zeros_like(grid)
    for x, y in curves:
        first = np.searchsorted(x, grid, side="left")
        last = np.searchsorted(x, grid, side="right") - 1
        between = np.interp(grid, x, y)
        own = x[first] == grid
        before += np.where(own, y[first], between) / len(curves)
        after += np.where(own, y[last], between) / len(curves)
    return np.repeat(grid, 2), np.stack([before, after], axis=1).ravel()


def mean_precision_recall(curves: Sequence[Curve]) -> Curve:
    """The staircase whose height is the mean height of precision-recall staircases."""
    if len(curves) == 1:
        return curves[0]
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    heights = [y[np.searchsorted(x, grid, side="left")] for x, y in curves]
    return grid, np.mean(heights, axis=0)


def _one_against_rest(
    labels: Labels, probabilities: Probabilities
) -> list[tuple[NDArray[np.bool_], Probabilities]]:
    classes = probabilities.shape[1] if probabilities.ndim == 2 else 0
    check(labels, probabilities, classes)
    absent = sorted(set(range(classes)) - set(labels.tolist()))
    if absent:
        raise ValueError(f"A curve needs images of every class; class {absent[0]} has none.")
    positives = [1] if classes == 2 else range(classes)
    return [(labels == index, probabilities[:, index]) for index in positives]
