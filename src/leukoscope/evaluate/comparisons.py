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
    clopper_pearson,
    linearised,
    reach,
    rounded,
    tail_of,
)
from leukoscope.evaluate.resampling import RESAMPLES, Floats, Units, behind

COUNTED = ("accuracy", "balanced_accuracy", "f1", "f1_macro", "mcc")
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

    Their intervals follow from what each image adds to the one figure and to the other, summed over
    groups, by Student's distribution; where a class has no image that tells the networks apart,
    from how many could have stayed unseen. That of the accuracy on independent images also spans
    the exact one of the images that one network alone has right, so that it leaves out 0 only
    where McNemar's test does. Other p-values are of other methods than the intervals, and near 0.05
    may say otherwise.

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
    parts = None if folds is None else number(folds, len(labels))[0]
    answers = [probabilities.argmax(axis=1) for probabilities in (first, second)]
    swapped = _swaps(labels, answers, k, units, resamples, seed)
    return (
        *_counted(labels, answers, swapped, k, units, confidence),
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
    labels: Labels,
    answers: Sequence[Labels],
    swapped: Sequence[Floats],
    k: int,
    units: Units,
    confidence: float,
) -> list[Difference]:
    tables = [figures.confusion(labels, predicted, k) for predicted in answers]
    counts = tables[0] + tables[1]
    changed = [figures.of_tables(table, counts) for table in swapped]
    named = f"{units.count} {units.kind}"
    found = []
    for name in COUNTED:
        pick: Callable[[Figures], Floats] = attrgetter(name)
        one, other = (float(pick(figures.of_tables(t[None], counts))[0]) for t in tables)
        a, b = (
            figures.influence(pick, table, counts, labels, predicted)
            for table, predicted in zip(tables, answers, strict=True)
        )
        interval = _interval(
            one - other,
            a - b,
            figures.strata(name, labels),
            units,
            top=2.0 if name == "mcc" else 1.0,
            method=f"linearised over {named}",
            confidence=confidence,
        )
        if name == "accuracy" and units.kind == "images":
            right = [predicted == labels for predicted in answers]
            interval = _spanning(interval, _exact(right[0], right[1], confidence))
            p, test = mcnemar(right[0], right[1]), "exact McNemar"
        else:
            far = np.abs(pick(changed[0]) - pick(changed[1])) >= abs(one - other) - 1e-12
            p, test = (1 + int(far.sum())) / (1 + len(far)), f"swaps of {named}"
        found.append(Difference(name, one, other, interval, p, test))
    return found


def _interval(
    difference: float,
    influence: Floats,
    strata: Labels,
    units: Units,
    *,
    top: float,
    method: str,
    confidence: float,
    sides: int = 1,
) -> Interval:
    """By Student's distribution, between -`top` and `top`; wider by what may have stayed unseen in
    strata where nothing tells the networks apart, of which each counts for its part of `sides`."""
    if units.count < 2:
        return Interval(-top, top, f"one {units.kind.removesuffix('s')}")
    parts, influence = np.unique(strata), rounded(influence)
    alike = [behind(units, strata == part) for part in parts if not influence[strata == part].any()]
    unseen = [1 - tail_of(confidence) ** (1 / count) for count in alike]
    spread = linearised(influence, strata, units)
    missed = top * sides / len(parts) * float(np.linalg.norm(unseen))
    far = float(np.hypot(reach(spread, confidence), missed))
    return Interval(max(difference - far, -top), min(difference + far, top), method)


def _exact(first: NDArray[np.bool_], second: NDArray[np.bool_], confidence: float) -> Interval:
    """Clopper and Pearson's, of the first network's share of the images that one alone has right,
    these taken as so many."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    apart = only_first + only_second
    share = clopper_pearson(only_first, apart, confidence)
    low, high = ((2 * bound - 1) * apart / len(first) for bound in (share.low, share.high))
    return Interval(low, high, share.method)


def _spanning(one: Interval, other: Interval) -> Interval:
    return Interval(min(one.low, other.low), max(one.high, other.high), one.method)


def _swaps(
    labels: Labels, answers: Sequence[Labels], k: int, units: Units, resamples: int, seed: int
) -> tuple[Floats, Floats]:
    """R×K×K tables of both networks after their answers changed places in half of the units."""
    rng = np.random.default_rng([seed, 2])
    bundle, count = resampling.bundled(units, rng)
    of_first, of_second = (
        np.bincount((bundle * k + labels) * k + p, minlength=count * k * k).reshape(count, -1)
        for p in answers
    )
    swap = rng.integers(0, 2, (resamples, count)).astype(np.float64)
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
        apart, strata = a.influence - b.influence, scores.strata(name, labels, units, folds)
        spread = linearised(apart, strata, units)
        difference = a.value - b.value
        kind = scores.METHODS.get(name, "linearised")
        method = f"paired {kind} over {units.count} {units.kind}"
        interval = _interval(
            difference,
            apart,
            strata,
            units,
            top=scores.top(name, first.shape[1]),
            method=method,
            confidence=confidence,
            sides=2 if name in scores.RANKED else 1,
        )
        p = _two_sided(difference, spread, units.count)
        found.append(Difference(name, a.value, b.value, interval, p, method))
    return found


def _two_sided(difference: float, spread: Spread, count: int) -> float:
    if difference == 0 or not np.isfinite(spread.error):
        return 1.0
    if spread.error == 0:  # every unit on the same side: a test of signs
        return float(min(2 * 0.5**count, 1.0))
    return float(2 * stdtr(spread.freedom, -abs(difference) / spread.error))
