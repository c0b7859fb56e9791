"""Labels and probabilities to the figures of the comparison table, each with its interval.

A row's prediction is its most probable class; of equal ones the first. With two classes the second
is the positive one (`Benign`, `Malignant`: the disease); with more, each class is held against the
rest and the mean over classes is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukoscope.evaluate import calibration, figures, resampling, scores
from leukoscope.evaluate.inputs import Labels, Numbers, Probabilities, binary, check, number
from leukoscope.evaluate.intervals import CONFIDENCE, Interval, Measured
from leukoscope.evaluate.resampling import RESAMPLES, Resamples

_OF_ALL = (
    *("loss", "accuracy", "precision", "recall", "f1"),
    *("precision_macro", "recall_macro", "f1_macro", "balanced_accuracy", "mcc"),
    *("auroc", "average_precision", "brier", "ece", "ece_equal_mass", "aurc"),
)
_OF_A_CLASS = ("precision", "recall", "specificity", "npv", "f1", "auroc", "average_precision")
_OF_TWO = {
    "sensitivity": "recall:{positive}",
    "specificity": "specificity:{positive}",
    "ppv": "precision:{positive}",
    "npv": "npv:{positive}",
    "f1": "f1:{positive}",
    **{name: name for name in ("accuracy", "balanced_accuracy", "mcc", "auroc")},
    **{name: name for name in ("average_precision", "loss", "brier")},
}


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """The figures of one class held against all others; None where it has no image to judge by."""

    name: str
    n: int
    precision: float
    recall: float | None
    specificity: float | None
    npv: float | None
    f1: float
    auroc: float | None
    average_precision: float | None
    unranked: int = 0  # folds without images both of it and of others: no AUROC there


@dataclass(frozen=True, slots=True)
class Binary:
    """The figures of one class, the negative, against all others together.

    `measured` holds `sensitivity`, `specificity`, `ppv`, `npv` and more. PPV and NPV are those at
    `prevalence`; without one, those of the test images, where `n_positive` of them were positive.
    """

    negative: str
    positive: str
    n_negative: int
    n_positive: int
    prevalence: float | None
    measured: dict[str, Measured]

    def as_dict(self) -> dict[str, object]:
        """The figures for a JSON file."""
        n = self.n_negative + self.n_positive
        return {
            "negative": self.negative,
            "positive": self.positive,
            "n_negative": self.n_negative,
            "n_positive": self.n_positive,
            "prevalence": self.n_positive / n if self.prevalence is None else self.prevalence,
            "prevalence_is": "of the test images" if self.prevalence is None else "stated",
            **{name: as_json(one) for name, one in self.measured.items()},
        }


@dataclass(frozen=True, slots=True)
class Metrics:
    """All figures of one classifier on one set of images.

    `precision`, `recall` and `f1` weigh each class by its number of images, so that `recall`
    equals `accuracy`; the macro ones weigh all classes alike. `loss` is the mean negative natural
    logarithm of the probability given to the true class. `confusion` has the true class in rows,
    the predicted one in columns. `intervals` is keyed `accuracy`, `recall:<class>`, ….
    `groups` counts the groups that the intervals draw anew; None: images are independent. `folds`
    counts the networks that scored the images; AUROC and average precision are then means over
    folds, weighted by images, since scores of different networks are no common scale.
    """

    n: int
    groups: int | None
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
    mcc: float
    auroc: float | None
    average_precision: float | None
    brier: float
    ece: float
    ece_equal_mass: float
    aurc: float
    confusion: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassMetrics, ...]
    binary: Binary | None
    intervals: dict[str, Interval]
    folds: int | None = None

    def as_dict(self) -> dict[str, object]:
        """The figures for a JSON file, each as {"value": …} with its interval where one exists."""
        return {
            "n": self.n,
            "groups": self.groups,
            "folds": self.folds,
            "classes": list(self.classes),
            "confidence": CONFIDENCE,
            **{name: self._figure(getattr(self, name), name) for name in _OF_ALL},
            "confusion": [list(row) for row in self.confusion],
            "per_class": [self._class_as_dict(one) for one in self.per_class],
            "binary": None if self.binary is None else self.binary.as_dict(),
        }

    def _class_as_dict(self, one: ClassMetrics) -> dict[str, object]:
        found = {
            name: self._figure(getattr(one, name), f"{name}:{one.name}") for name in _OF_A_CLASS
        }
        unranked = {} if self.folds is None else {"unranked_folds": one.unranked}
        return {"name": one.name, "n": one.n, **unranked, **found}

    def _figure(self, value: float | None, key: str) -> dict[str, object]:
        return as_json(Measured(value, self.intervals.get(key)))


def within_folds(metrics: Metrics) -> str:
    """How AUROC and average precision were made of several folds, and what they leave out."""
    left_out = [
        f"{one.name} cannot be ranked in {one.unranked} of them, which are left out"
        for one in metrics.per_class
        if one.unranked
    ]
    return (
        f"AUROC and average precision are those within each of the {metrics.folds} folds, averaged "
        f"by their images, since scores of different networks are no common scale"
        + "".join(f"; {text}" for text in left_out)
        + "."
    )


def as_json(measured: Measured) -> dict[str, object]:
    """{"value": …}, with low, high and method where there is an interval."""
    if measured.interval is None:
        return {"value": measured.value}
    interval = measured.interval
    bounds = {"low": interval.low, "high": interval.high, "method": interval.method}
    return {"value": measured.value, **bounds}


def from_json(written: object) -> Measured:
    """The figure that `as_json` wrote; without a value where there is none."""
    if not isinstance(written, dict):
        return Measured(None)
    interval = None
    if {"low", "high", "method"} <= written.keys():
        interval = Interval(float(written["low"]), float(written["high"]), str(written["method"]))
    return Measured(written.get("value"), interval)


def evaluate(
    labels: Labels,
    probabilities: Probabilities,
    *,
    classes: Sequence[str],
    groups: Sequence[str] | None = None,
    folds: Sequence[str] | None = None,
    negative: str | None = None,
    prevalence: float | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Metrics:
    """All figures for N labels (class indices) and their N×K probabilities.

    With `groups` (a scene, session or patient per image) the intervals draw whole groups anew, see
    `resampling`; without, images are taken as independent. With `folds` (the name of the network
    that scored each image) AUROC and average precision are those within folds, see
    `scores.within`. `negative` is the class that the others are held against in `binary`: by
    default the first of two, or Benign among more.

    Macro means go over the classes that occur among labels or predictions, as in scikit-learn; a
    class that is predicted but never true has recall 0 in `recall_macro`, and is left out of
    `balanced_accuracy`. AUROC and average precision are None as long as a class is absent.
    """
    if len(set(classes)) != len(classes):
        raise ValueError(f"The class names must differ: {', '.join(classes)}.")
    check(labels, probabilities, len(classes))
    units = resampling.units(labels, probabilities, groups)
    drawn = resampling.resample(units, resamples=resamples, seed=seed)
    predicted = probabilities.argmax(axis=1)
    negative = _negative(classes, negative)
    direct = len(classes) == 2 and negative == classes[0]
    found = figures.measure(
        labels, predicted, classes, drawn, prevalence=prevalence if direct else None
    )
    parts = _numbered(folds, len(labels))
    found |= scores.measure(labels, probabilities, classes, units, folds=parts)
    found |= calibration.measure(labels, probabilities, drawn)
    confusion = figures.confusion(labels, predicted, len(classes))
    support = confusion.sum(axis=1)
    values: dict[str, Any] = {name: found[name].value for name in _OF_ALL}
    return Metrics(
        n=len(labels),
        groups=None if groups is None else units.count,
        classes=tuple(classes),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        folds=None if parts is None else int(parts.max()) + 1,
        per_class=tuple(
            _of_class(name, int(n), found, 0 if parts is None else _unranked(labels == k, parts))
            for k, (name, n) in enumerate(zip(classes, support, strict=True))
        ),
        binary=None
        if negative is None
        else _binary(
            labels,
            probabilities,
            classes,
            negative,
            prevalence,
            drawn,
            found if direct else None,
            parts,
        ),
        intervals={key: one.interval for key, one in found.items() if one.interval is not None},
        **values,
    )


def _of_class(name: str, n: int, found: dict[str, Measured], unranked: int) -> ClassMetrics:
    values: dict[str, Any] = {key: found[f"{key}:{name}"].value for key in _OF_A_CLASS}
    return ClassMetrics(name=name, n=n, unranked=unranked, **values)


def _numbered(folds: Sequence[str] | None, n: int) -> Numbers | None:
    """The number of each image's fold; None for a single one, within which all are ranked."""
    if folds is None:
        return None
    numbers, names = number(folds, n)
    return numbers if len(names) > 1 else None


def _unranked(positive: NDArray[np.bool_], folds: Numbers) -> int:
    return len(np.unique(folds)) - len(scores.ranked(positive, folds))


def _negative(classes: Sequence[str], negative: str | None) -> str | None:
    if negative is not None and negative not in classes:
        raise ValueError(f"The negative class {negative} is not among {', '.join(classes)}.")
    if negative is None and len(classes) == 2:
        return classes[0]
    return "Benign" if negative is None and "Benign" in classes else negative


def _binary(
    labels: Labels,
    probabilities: Probabilities,
    classes: Sequence[str],
    negative: str,
    prevalence: float | None,
    drawn: Resamples,
    found: dict[str, Measured] | None,
    folds: Numbers | None,
) -> Binary:
    """`found` are the figures of these two classes, if they have been measured."""
    truth, pair, names = binary(labels, probabilities, classes, negative)
    if found is None:
        found = figures.measure(truth, pair.argmax(axis=1), names, drawn, prevalence=prevalence)
        found |= scores.measure(truth, pair, names, drawn.units, folds=folds)
    keys = {name: key.format(positive=names[1]) for name, key in _OF_TWO.items()}
    if prevalence is not None:
        keys |= {"ppv": "ppv", "npv": "npv"}
    return Binary(
        negative=names[0],
        positive=names[1],
        n_negative=int(np.count_nonzero(truth == 0)),
        n_positive=int(np.count_nonzero(truth)),
        prevalence=prevalence,
        measured={name: found[key] for name, key in keys.items()},
    )
