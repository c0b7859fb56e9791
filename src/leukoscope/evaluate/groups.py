"""Whom does it fail? The figures of each group by itself, and of the worst one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leukoscope.evaluate import scores
from leukoscope.evaluate.inputs import Labels, Probabilities, check, number
from leukoscope.evaluate.intervals import CONFIDENCE, Interval, clopper_pearson

SMALLEST = 10  # images; the worst of many smaller groups is the unluckiest one


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """One group: a scene, session or patient."""

    name: str
    n: int
    accuracy: float
    interval: Interval  # of the accuracy on further images of this group
    loss: float
    brier: float
    of_class: tuple[int, ...]  # images of each class
    recall: tuple[float | None, ...]  # of each class; None without an image of it


def by_group(
    labels: Labels,
    probabilities: Probabilities,
    groups: Sequence[str],
    *,
    confidence: float = CONFIDENCE,
) -> tuple[GroupFigures, ...]:
    """Every group, the least accurate first; among equally accurate ones, the largest.

    There is no AUROC: most groups (patients, scenes) hold one class only.
    """
    k = probabilities.shape[1]
    check(labels, probabilities, k)
    numbers, names = number(groups, len(labels))
    size = np.bincount(numbers)
    hit = probabilities.argmax(axis=1) == labels
    right = np.bincount(numbers, weights=hit)
    loss, brier = (
        np.bincount(numbers, weights=figure.influence) * len(labels) / size + figure.value
        for figure in (
            scores.log_loss(labels, probabilities),
            scores.brier(labels, probabilities),
        )
    )
    cells = numbers * k + labels
    of_class = np.bincount(cells, minlength=len(names) * k).reshape(-1, k)
    right_of_class = np.bincount(cells, weights=hit, minlength=len(names) * k).reshape(-1, k)
    found = [
        GroupFigures(
            name=name,
            n=int(size[index]),
            accuracy=float(right[index] / size[index]),
            interval=clopper_pearson(int(right[index]), int(size[index]), confidence),
            loss=float(loss[index]),
            brier=float(brier[index]),
            of_class=tuple(int(n) for n in of_class[index]),
            recall=tuple(
                float(r / n) if n else None
                for r, n in zip(right_of_class[index], of_class[index], strict=True)
            ),
        )
        for index, name in enumerate(names)
    ]
    return tuple(sorted(found, key=lambda one: (one.accuracy, -one.n, one.name)))


def worst(groups: Sequence[GroupFigures], *, smallest: int = SMALLEST) -> GroupFigures | None:
    """The least accurate group of at least `smallest` images; None if no group has so many."""
    return next((one for one in groups if one.n >= smallest), None)
