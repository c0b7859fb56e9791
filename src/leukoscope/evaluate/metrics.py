"""Labels and probabilities to the figures of the comparison table.

A row's prediction is its most probable class; of equal ones the first. With two classes the second
is the positive one (`Benign`, `Malignant`: the disease); with more, each class is held against the
rest and the mean over classes is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from leukoscope.evaluate.intervals import (
    CONFIDENCE,
    Interval,
    clopper_pearson,
    group_bootstrap,
)

Labels = NDArray[np.integer]
Probabilities = NDArray[np.floating]
Counts = NDArray[np.int64]

_SUM_TOLERANCE = 1e-3
_OF_ALL = (
    *("loss", "accuracy", "precision", "recall", "f1"),
    *("precision_macro", "recall_macro", "f1_macro", "balanced_accuracy"),
    *("auroc", "average_precision"),
)
_OF_A_CLASS = ("precision", "recall", "specificity", "f1", "auroc", "average_precision")


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """The figures of one class held against all others; None where it has no image to judge by."""

    name: str
    n: int
    precision: float
    recall: float | None
    specificity: float | None
    f1: float
    auroc: float | None
    average_precision: float | None


@dataclass(frozen=True, slots=True)
class Metrics:
    """All figures of one classifier on one set of images.

    `precision`, `recall` and `f1` weigh each class by its number of images, so that `recall`
    equals `accuracy`; the macro ones weigh all classes alike. `loss` is the mean negative natural
    logarithm of the probability given to the true class. `confusion` has the true class in rows,
    the predicted one in columns. `intervals` is keyed `accuracy`, `recall:<class>`, ….
    """

    n: int
    classes: tuple[str, ...]
    loss: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    precision_macro: float
    recall_macro: float
    f1_macro: float
    balanced_accuracy: float
    auroc: float | None
    average_precision: float | None
    confusion: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassMetrics, ...]
    intervals: dict[str, Interval]

    def as_dict(self) -> dict[str, object]:
        """The figures for a JSON file, each as {"value": …} with its interval where one exists."""
        return {
            "n": self.n,
            "classes": list(self.classes),
            "confidence": CONFIDENCE,
            **{name: self._figure(getattr(self, name), name) for name in _OF_ALL},
            "confusion": [list(row) for row in self.confusion],
            "per_class": [self._class_as_dict(one) for one in self.per_class],
        }

    def _class_as_dict(self, one: ClassMetrics) -> dict[str, object]:
        figures = {
            name: self._figure(getattr(one, name), f"{name}:{one.name}") for name in _OF_A_CLASS
        }
        return {"name": one.name, "n": one.n, **figures}

    def _figure(self, value: float | None, key: str) -> dict[str, object]:
        interval = self.intervals.get(key)
        if interval is None:
            return {"value": value}
        return {
            "value": value,
            "low": interval.low,
            "high": interval.high,
            "method": interval.method,
        }


def check(labels: Labels, probabilities: Probabilities, classes: int) -> None:
    """Nothing, or a ValueError whose sentence names the first row that is wrong (from 1)."""
    if classes < 2:
        raise ValueError(f"At least two classes are needed, not {classes}.")
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"The labels must be one whole number per image, not {labels.dtype} {labels.shape}."
        )
    if len(labels) == 0:
        raise ValueError("There is no image to evaluate: the predictions are empty.")
    if probabilities.shape != (len(labels), classes):
        raise ValueError(
            f"{len(labels)} labels and {classes} classes need probabilities of shape "
            f"{(len(labels), classes)}, not {probabilities.shape}."
        )
    _first(
        ~np.isfinite(probabilities).all(axis=1), "has a probability that is not a number", labels
    )
    outside = ((probabilities < 0) | (probabilities > 1)).any(axis=1)
    _first(outside, "has a probability outside 0 to 1", labels)
    sums = probabilities.sum(axis=1, dtype=np.float64)
    _first(np.abs(sums - 1) > _SUM_TOLERANCE, "has probabilities that do not sum to one", labels)
    _first((labels < 0) | (labels >= classes), "has a label that is none of the classes", labels)


def evaluate(
    labels: Labels,
    probabilities: Probabilities,
    *,
    classes: Sequence[str],
    groups: Sequence[str] | None = None,
) -> Metrics:
    """All figures for N labels (class indices) and their N x K probabilities.

    With `groups` (a scene, session or patient per image) the intervals draw whole groups anew, see
    `group_bootstrap`; without, they are exact for independent images.

    Macro means go over the classes that occur among labels or predictions, as in scikit-learn; a
    class that is predicted but never true has recall 0 in `recall_macro`, and is left out of
    `balanced_accuracy`. AUROC and average precision are None as long as a class is absent.
    """
    if len(set(classes)) != len(classes):
        raise ValueError(f"The class names must differ: {', '.join(classes)}.")
    check(labels, probabilities, len(classes))
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    per_class = tuple(
        _of_class(name, confusion, index, labels == index, probabilities[:, index])
        for index, name in enumerate(classes)
    )
    support = confusion.sum(axis=1)
    occurs = (support + confusion.sum(axis=0)) > 0
    precisions = np.array([one.precision for one in per_class])
    recalls = np.array([one.recall or 0.0 for one in per_class])
    f1s = np.array([one.f1 for one in per_class])
    return Metrics(
        n=len(labels),
        classes=tuple(classes),
        loss=log_loss(labels, probabilities),
        accuracy=float(np.trace(confusion) / len(labels)),
        precision=float(np.average(precisions, weights=support)),
        recall=float(np.average(recalls, weights=support)),
        f1=float(np.average(f1s, weights=support)),
        precision_macro=float(precisions[occurs].mean()),
        recall_macro=float(recalls[occurs].mean()),
        f1_macro=float(f1s[occurs].mean()),
        balanced_accuracy=float(recalls[support > 0].mean()),
        auroc=_overall([one.auroc for one in per_class]),
        average_precision=_overall([one.average_precision for one in per_class]),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        per_class=per_class,
        intervals=_intervals(labels, predicted, classes, groups),
    )


def log_loss(labels: Labels, probabilities: Probabilities) -> float:
    """The mean of -ln p(true class); a probability of 0 counts as the smallest float64 step."""
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    tiny = np.finfo(np.float64).eps
    return float(-np.log(np.clip(given, tiny, 1 - tiny)).mean())


def _first(wrong: NDArray[np.bool_] | np.bool_, reason: str, labels: Labels) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"Row {row + 1} of {len(labels)} {reason} (its label is {labels[row]}).")


def _of_class(
    name: str,
    confusion: Counts,
    index: int,
    positive: NDArray[np.bool_],
    score: Probabilities,
) -> ClassMetrics:
    hits, n, called = _counts(confusion, index)
    others = int(confusion.sum()) - n
    both = n > 0 and others > 0
    return ClassMetrics(
        name=name,
        n=n,
        precision=hits / called if called else 0.0,
        recall=hits / n if n else None,
        specificity=(others - (called - hits)) / others if others else None,
        f1=2 * hits / (n + called) if n + called else 0.0,
        auroc=float(roc_auc_score(positive, score)) if both else None,
        average_precision=float(average_precision_score(positive, score)) if both else None,
    )


def _counts(confusion: Counts, index: int) -> tuple[int, int, int]:
    """Right calls of a class, its images, and all calls of it."""
    row, column = confusion[index].sum(), confusion[:, index].sum()
    return int(confusion[index, index]), int(row), int(column)


def _overall(values: list[float | None]) -> float | None:
    """The second class's value of two, the mean of more, None when a class has none."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return known[1] if len(known) == 2 else float(np.mean(known))


def _intervals(
    labels: Labels, predicted: Labels, classes: Sequence[str], groups: Sequence[str] | None
) -> dict[str, Interval]:
    units = None if groups is None else np.asarray(groups)

    def share(right: NDArray[np.bool_], among: NDArray[np.bool_]) -> Interval:
        if units is None:
            return clopper_pearson(int(right[among].sum()), int(among.sum()))
        return group_bootstrap(right[among].astype(np.float64), units[among])

    right = predicted == labels
    accuracy = share(right, np.ones(len(labels), bool))
    intervals = {"accuracy": accuracy, "recall": accuracy}  # the weighted recall is the accuracy
    for index, name in enumerate(classes):
        true, called = labels == index, predicted == index
        if true.any():
            intervals[f"recall:{name}"] = share(right, true)
        if called.any():
            intervals[f"precision:{name}"] = share(right, called)
        if not true.all():
            intervals[f"specificity:{name}"] = share(~called, ~true)
    return intervals
