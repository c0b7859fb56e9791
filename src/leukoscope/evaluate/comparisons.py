"""Is one network better than another on the same images, or was it luck?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr
from scipy.stats import binomtest

from leukoscope.evaluate import figures, resampling, scores
from leukoscope.evaluate.figures import Figures
from leukoscope.evaluate.inputs import Labels, Numbers, Probabilities, check, number
from leukoscope.evaluate.intervals import (
    CONFIDENCE,
    Interval,
    Spread,
    around,
    linearised,
    reach,
)
from leukoscope.evaluate.resampling import RESAMPLES, Floats, Resamples, Units

COUNTED = ("accuracy", "balanced_accuracy", "f1", "f1_macro", "mcc")
_BY_CLASS = ("balanced_accuracy", "f1_macro", "mcc")  # figures that weigh classes, not images
SCORED = ("auroc", "average_precision", "loss", "brier")


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of two networks on the same images."""

    figure: str
    first: float
    second: float
    interval: Interval  # of first minus second
    p_value: float  # two-sided
    test: str

    @property
    def value(self) -> float:
        """First minus second."""
        return self.first - self.second


def compare(
    labels: Labels,
    first: Probabilities,
    second: Probabilities,
    *,
    classes: Sequence[str],
    groups: Sequence[str] | None = None,
    folds: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> tuple[Difference, ...]:
    """The differences in the figures of the table.

    Their intervals follow from what each image adds to both figures, summed over groups, by
    Student's distribution: what the two networks err in together leaves no trace in them.

    The p of a counted figure is that of swapping the two networks' answers within whole groups at
    random (a paired permutation test); of the accuracy on independent images it is McNemar's
    exact one. That of AUROC is DeLong's for paired curves, over groups where there are any; those
    of average precision, loss and Brier score are formed in the same way. A figure that a class
    without images leaves undefined is left out. With `folds` the rankings are those within folds,
    which must be the same for both networks.
    """
    k = len(classes)
    for probabilities in (first, second):
        check(labels, probabilities, k)
    units = resampling.units(labels, np.hstack([first, second]), groups)
    drawn = resampling.resample(units, resamples=resamples, seed=seed)
    parts = None if folds is None else number(folds, len(labels))[0]
    return (
        *_counted(labels, first.argmax(axis=1), second.argmax(axis=1), k, drawn, confidence),
        *_scored(labels, first, second, units, parts, confidence),
    )


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """The exact two-sided p that two networks, right or wrong on N independent images, err alike.

    A binomial test of the images that one of them alone has right (McNemar, Psychometrika 12,
    1947); 1 where there are none.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number, in their order: any below 0.05 then leaves a chance
    of 5 % that one of them is a false alarm (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return [float(value) for value in adjusted]


def _counted(
    labels: Labels, first: Labels, second: Labels, k: int, drawn: Resamples, confidence: float
) -> list[Difference]:
    tables = [figures.confusion(labels, predicted, k) for predicted in (first, second)]
    counts = tables[0] + tables[1]
    swapped = [figures.of_tables(t, counts) for t in _swaps(labels, first, second, k, drawn)]
    units = drawn.units
    named = f"{units.count} {units.kind}"
    found = []
    for name in COUNTED:
        pick: Callable[[Figures], Floats] = attrgetter(name)
        one, other = (float(pick(figures.of_tables(t[None], counts))[0]) for t in tables)
        effect = figures.influence(pick, tables[0], counts, labels, first)
        effect = effect - figures.influence(pick, tables[1], counts, labels, second)
        spread = linearised(effect, labels if name in _BY_CLASS else np.zeros_like(labels), units)
        method = f"linearised over {named}"
        interval = _interval(
            one - other, spread, units, 2.0 if name == "mcc" else 1.0, method, confidence
        )
        if name == "accuracy" and units.kind == "images":
            p, test = mcnemar(first == labels, second == labels), "exact McNemar"
        else:
            far = np.abs(pick(swapped[0]) - pick(swapped[1])) >= abs(one - other) - 1e-12
            p, test = (1 + int(far.sum())) / (1 + len(far)), f"swaps of {named}"
        found.append(Difference(name, one, other, interval, p, test))
    return found


def _interval(
    difference: float, spread: Spread, units: Units, top: float, method: str, confidence: float
) -> Interval:
    """By Student's distribution, between -`top` and `top`."""
    if units.count < 2:
        return Interval(-top, top, f"one {units.kind.removesuffix('s')}")
    if spread.error == 0:  # nothing says how far it could be off
        low, high = around(
            difference + top, spread, count=units.count, top=2 * top, confidence=confidence
        )
        return Interval(low - top, high - top, method)
    far = reach(spread, confidence)
    return Interval(max(difference - far, -top), min(difference + far, top), method)


def _swaps(
    labels: Labels, first: Labels, second: Labels, k: int, drawn: Resamples
) -> tuple[Floats, Floats]:
    """R×K×K tables of both networks after their answers changed places in half of the units."""
    count = drawn.weights.shape[1]
    of_first, of_second = (
        np.bincount((drawn.bundle * k + labels) * k + p, minlength=count * k * k).reshape(count, -1)
        for p in (first, second)
    )
    rng = np.random.default_rng([drawn.seed, 2])
    swap = rng.integers(0, 2, drawn.weights.shape).astype(np.float64)
    moved = swap @ (of_second - of_first)
    return (
        np.asarray(of_first.sum(axis=0) + moved).reshape(-1, k, k),
        np.asarray(of_second.sum(axis=0) - moved).reshape(-1, k, k),
    )


def _scored(
    labels: Labels,
    first: Probabilities,
    second: Probabilities,
    units: Units,
    folds: Numbers | None,
    confidence: float,
) -> list[Difference]:
    one, other = (scores.overall(labels, p, folds) for p in (first, second))
    found = []
    for name in SCORED:
        a, b = one[name], other[name]
        if a is None or b is None:
            continue
        spread = linearised(
            a.influence - b.influence, scores.strata(name, labels, units, folds), units
        )
        difference, top = a.value - b.value, scores.top(name, first.shape[1])
        kind = scores.METHODS.get(name, "linearised")
        method = f"paired {kind} over {units.count} {units.kind}"
        interval = _interval(difference, spread, units, top, method, confidence)
        p = _two_sided(difference, spread, units.count)
        found.append(Difference(name, a.value, b.value, interval, p, method))
    return found


def _two_sided(difference: float, spread: Spread, count: int) -> float:
    if difference == 0 or not np.isfinite(spread.error):
        return 1.0
    if spread.error == 0:  # every unit on the same side: a test of signs
        return float(min(2 * 0.5**count, 1.0))
    return float(2 * stdtr(spread.freedom, -abs(difference) / spread.error))
