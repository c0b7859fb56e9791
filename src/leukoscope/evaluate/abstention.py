"""When should a classifier say "I don't know", and what does that save?

MAPIE and TorchCP have split conformal prediction for a fitted estimator or a tensor; for labels and
probabilities in a file, with thresholds that fit into a classifier's configuration, it is these few
lines.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukoscope.evaluate.inputs import Labels, Numbers, Probabilities, check, members, number
from leukoscope.evaluate.intervals import (
    CONFIDENCE,
    Interval,
    clopper_pearson,
    of_share,
    tail_of,
)
from leukoscope.evaluate.resampling import Floats, Resamples

COVERAGE = 0.95
SMALLEST_GROUP = 10  # images
_ROUNDING = 1e-9  # 100 × 0.07 is 7.000000000000001


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the prediction sets of some images turned out; `name` is a class, a group, or all."""

    name: str
    n: int
    coverage: float  # the share of images whose true class is in their set
    interval: Interval
    size: float  # classes in a set, the mean
    single: float  # the share of sets of one class: an answer
    single_interval: Interval
    empty: float  # the share of sets of none: like no class


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The share of errors among the images that are answered when the least certain are not.

    Ascending coverage, one point for each certainty that occurs; the area under it, as a mean over
    images, is `scores.aurc`.
    """

    certainty: Floats  # answered from this on
    coverage: Floats  # the share of images answered
    risk: Floats  # the share of these that are wrong


def class_thresholds(
    labels: Labels, probabilities: Probabilities, coverage: float = COVERAGE
) -> NDArray[np.float64]:
    """K thresholds for `prediction_sets`, so that of each class at least this share of new images
    has its true class in its set.

    Split conformal prediction within each class (Mondrian; Vovk, Gammerman and Shafer, Algorithmic
    Learning in a Random World, 2005; the score 1 - p(true class) of Sadinle, Lei and Wasserman,
    JASA 114, 2019): the threshold of a class is the ⌈(n + 1) · coverage⌉-th smallest score of its n
    calibration images. The promise holds on average over calibration sets, for new images that come
    from where the calibration images come from, and these must not have been trained on.

    A class with too few images for the demanded coverage (fewer than 19 for 0.95) gets 1: it is in
    every set, which keeps the promise and says that nothing is known. Raises ValueError as `check`.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"The coverage must lie between 0 and 1, not {coverage}.")
    k = probabilities.shape[1]
    check(labels, probabilities, k)
    thresholds = np.ones(k)
    for index in range(k):
        scores = np.sort(1 - probabilities[labels == index, index].astype(np.float64))
        rank = _rank(len(scores), coverage)
        if rank <= len(scores):
            thresholds[index] = scores[rank - 1]
    return thresholds


def prediction_sets(
    probabilities: Probabilities, thresholds: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """N×K: which classes cannot be ruled out for each image.

    One class is an answer, several are "I don't know which", none is "like no class I know".
    """
    k = probabilities.shape[1]
    if thresholds.shape != (k,):
        raise ValueError(f"{k} classes need {k} thresholds, not {thresholds.shape}.")
    return np.asarray(1 - probabilities.astype(np.float64) <= thresholds)


def coverages(
    labels: Labels,
    sets: NDArray[np.bool_],
    names: Sequence[str],
    drawn: Resamples,
    *,
    confidence: float = CONFIDENCE,
) -> tuple[Coverage, ...]:
    """The coverage of all images, named `all`, then that of each class with images."""
    inside = sets[np.arange(len(labels)), labels]
    single = sets.sum(axis=1) == 1
    parts = [("all", np.ones(len(labels), bool))]
    parts += [(name, labels == index) for index, name in enumerate(names)]
    return tuple(
        _coverage(
            name,
            inside,
            sets,
            among,
            of_share(drawn, inside, among, confidence),
            of_share(drawn, single, among, confidence),
        )
        for name, among in parts
        if among.any()
    )


def coverages_by_group(
    labels: Labels,
    sets: NDArray[np.bool_],
    groups: Sequence[str],
    *,
    smallest: int = SMALLEST_GROUP,
    confidence: float = CONFIDENCE,
) -> tuple[Coverage, ...]:
    """The groups of at least `smallest` images, the least covered first."""
    numbers, names = number(groups, len(labels))
    inside = sets[np.arange(len(labels)), labels]
    single = sets.sum(axis=1) == 1
    found = []
    for index, rows in members(numbers, smallest):
        covered, answered = (
            clopper_pearson(int(each[rows].sum()), len(rows), confidence)
            for each in (inside, single)
        )
        found.append(_coverage(names[index], inside, sets, rows, covered, answered))
    return tuple(sorted(found, key=lambda one: (one.coverage, -one.n, one.name)))


def rules_out(calibrated: int, coverage: float = COVERAGE) -> bool:
    """Whether so many calibration images of a class let it be absent from a set; of fewer, its
    coverage is 1 and says nothing."""
    return _rank(calibrated, coverage) <= calibrated


def expected_coverage(
    calibrated: int, tested: int, coverage: float = COVERAGE, *, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Between which shares the coverage of one class falls if test and calibration images come
    from the same place: a beta-binomial range (Vovk, Machine Learning 92, 2013)."""
    from scipy.stats import betabinom  # what only answers starts without it

    if not rules_out(calibrated, coverage):
        return 1.0, 1.0
    rank, tail = _rank(calibrated, coverage), tail_of(confidence)
    low, high = betabinom.ppf((tail, 1 - tail), tested, rank, calibrated + 1 - rank) / tested
    return float(low), float(high)


def expected_coverage_of_folds(
    folds: Sequence[tuple[int, int]],
    coverage: float = COVERAGE,
    *,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """As `expected_coverage`, of the test images of several folds counted together: each fold has
    its calibrated and its tested images of the class.

    The number covered is a sum of beta-binomial ones, taken as independent. Calibration images that
    folds share make the true range somewhat wider.
    """
    from scipy.signal import convolve
    from scipy.stats import betabinom

    covered = np.ones(1)
    for calibrated, tested in folds:
        counts, rank = np.arange(tested + 1), _rank(calibrated, coverage)
        covered = convolve(
            covered,
            betabinom.pmf(counts, tested, rank, calibrated + 1 - rank)
            if rules_out(calibrated, coverage)
            else (counts == tested).astype(np.float64),
        )
    tail = tail_of(confidence)
    low, high = np.searchsorted(np.cumsum(covered), (tail, 1 - tail))
    total = len(covered) - 1
    return float(low / total), float(high / total)


def risk_coverage(labels: Labels, probabilities: Probabilities) -> RiskCoverage:
    """The risk–coverage curve by the largest probability (El-Yaniv and Wiener, JMLR 11, 2010)."""
    check(labels, probabilities, probabilities.shape[1])
    certainty = probabilities.max(axis=1).astype(np.float64)
    order = np.argsort(-certainty, kind="stable")
    wrong = (probabilities.argmax(axis=1) != labels)[order]
    last = np.flatnonzero(np.append(np.diff(certainty[order]) != 0, True))
    answered = last + 1
    return RiskCoverage(
        certainty=certainty[order][last],
        coverage=answered / len(labels),
        risk=np.cumsum(wrong)[last] / answered,
    )


def _coverage(
    name: str,
    inside: NDArray[np.bool_],
    sets: NDArray[np.bool_],
    among: NDArray[np.bool_] | Numbers,
    interval: Interval,
    single_interval: Interval,
) -> Coverage:
    size = sets[among].sum(axis=1)
    return Coverage(
        name=name,
        n=len(size),
        coverage=float(inside[among].mean()),
        interval=interval,
        size=float(size.mean()),
        single=float((size == 1).mean()),
        single_interval=single_interval,
        empty=float((size == 0).mean()),
    )


def _rank(n: int, coverage: float) -> int:
    return math.ceil((n + 1) * coverage - _ROUNDING)
