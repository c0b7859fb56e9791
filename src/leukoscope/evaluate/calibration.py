"""Does a stated certainty of 90 % mean 9 right in 10, and how is it made to?

Certainty is the probability of the most probable class. netcal and torchmetrics have bins of equal
width without an interval; here both kinds of bins draw whole groups anew.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from leukoscope.evaluate.inputs import Labels, Numbers, Probabilities, check, members, number
from leukoscope.evaluate.intervals import (
    CONFIDENCE,
    Interval,
    Measured,
    linearised,
    of_share,
    outer_tail,
    reach,
)
from leukoscope.evaluate.resampling import Floats, Resamples, total

BINS = 15
SMALLEST_GROUP = 20  # images; in fewer the error of a share hides any calibration
_HOTTEST = 100.0  # the search goes from its inverse to it
_EXPECTED = 0.25  # standard deviation of 1 / T about 1, before any image is seen
_FLOOR = float(np.finfo(np.float32).smallest_subnormal)  # what a network's softmax rounds to 0


@dataclass(frozen=True, slots=True)
class Bin:
    """Images of like certainty: above `low`, up to `high`."""

    low: float
    high: float
    n: int
    certainty: float  # the mean
    accuracy: float
    interval: Interval  # of the accuracy


@dataclass(frozen=True, slots=True)
class GroupCalibration:
    """How far certainty and accuracy differ in one group."""

    name: str
    n: int
    ece: float
    gap: float  # mean certainty minus accuracy: above 0, too certain


def reliability(
    labels: Labels,
    probabilities: Probabilities,
    drawn: Resamples,
    *,
    bins: int = BINS,
    equal_mass: bool = False,
    confidence: float = CONFIDENCE,
) -> tuple[Bin, ...]:
    """The bins of a reliability diagram that hold an image, the least certain first.

    They are equally wide, or hold equally many images (as nearly as equal certainties allow,
    which are never parted).
    """
    certainty, right = _answers(labels, probabilities)
    edges = _edges(certainty, bins, equal_mass)
    places = _places(certainty, edges)
    found = []
    for place in np.unique(places):
        inside = places == place
        found.append(
            Bin(
                low=float(edges[place]),
                high=float(edges[place + 1]),
                n=int(inside.sum()),
                certainty=float(certainty[inside].mean()),
                accuracy=float(right[inside].mean()),
                interval=of_share(drawn, right, inside, confidence),
            )
        )
    return tuple(found)


def expected_calibration_error(
    labels: Labels, probabilities: Probabilities, *, bins: int = BINS, equal_mass: bool = False
) -> float:
    """The mean over images of |mean certainty - accuracy| of their bin.

    Naeini, Cooper and Hauskrecht, AAAI 2015, as in Guo et al., ICML 2017, with bins of equal width;
    with equally many images the adaptive error of Nixon et al., CVPR workshops 2019. It is never
    below 0, so that chance alone makes it larger on few images.
    """
    certainty, right = _answers(labels, probabilities)
    places = _places(certainty, _edges(certainty, bins, equal_mass))
    return float(np.abs(np.bincount(places, weights=certainty - right)).sum() / len(labels))


def measure(
    labels: Labels, probabilities: Probabilities, drawn: Resamples, confidence: float = CONFIDENCE
) -> dict[str, Measured]:
    """`ece` and `ece_equal_mass` with their intervals; bins stay where they are.

    Chance adds to the error of the images, and once more to that of every resample: plain
    percentiles leave out the truth of a calibrated classifier always. So the upper bound takes the
    added part away and goes as far up as the error's spread with its signs held; over groups it is
    at least the mean certainty less the lower bound of the accuracy, since few groups that are
    alike have no spread. The lower one takes away all that chance may have added, the summed
    distance of a resample's bins from the measured ones, and is 0 where the images could come from
    a calibrated classifier.
    """
    certainty, right = _answers(labels, probabilities)
    accuracy = of_share(drawn, right, np.ones(len(right), bool), confidence)
    least = float(certainty.mean()) - accuracy.low if drawn.units.kind == "groups" else 0.0
    return {
        key: _measure(certainty, right, _edges(certainty, BINS, mass), drawn, least, confidence)
        for key, mass in (("ece", False), ("ece_equal_mass", True))
    }


def _measure(
    certainty: Floats,
    right: NDArray[np.bool_],
    edges: Floats,
    drawn: Resamples,
    least: float,
    confidence: float,
) -> Measured:
    units, places = drawn.units, _places(certainty, edges)
    gaps = [np.where(places == place, certainty - right, 0.0) for place in np.unique(places)]
    measured = np.array([gap.mean() for gap in gaps])
    value = float(np.abs(measured).sum())
    if units.count < 2:
        return Measured(value, Interval(0.0, 1.0, f"one {units.kind.removesuffix('s')}"))
    # A bin without an error has no sign, whatever the order of the rows makes of its last digit.
    signed = np.sum([gap * np.sign(gap.sum().round(12)) for gap in gaps], axis=0)
    spread = linearised((signed - value) / len(right), np.zeros(len(right), bool), units)
    tail = outer_tail(spread, confidence)
    n = total(drawn, np.ones(len(right)))
    resampled = np.stack([total(drawn, gap) / n for gap in gaps], axis=1)
    chance = float(np.quantile(np.abs(resampled - measured).sum(axis=1), 1 - tail))
    added = float(np.abs(resampled).sum(axis=1).mean()) - value
    high = max(value - added + reach(spread, confidence), value, least)
    method = f"bootstrap over {units.count} {units.kind}"
    return Measured(value, Interval(max(value - chance, 0.0), min(high, 1.0), method))


def by_group(
    labels: Labels,
    probabilities: Probabilities,
    groups: Sequence[str],
    *,
    smallest: int = SMALLEST_GROUP,
) -> tuple[GroupCalibration, ...]:
    """The groups of at least `smallest` images, the one with the largest error first."""
    numbers, names = number(groups, len(labels))
    certainty, right = _answers(labels, probabilities)
    found = [
        GroupCalibration(
            name=names[index],
            n=len(rows),
            ece=expected_calibration_error(labels[rows], probabilities[rows]),
            gap=float((certainty[rows] - right[rows]).mean()),
        )
        for index, rows in members(numbers, smallest)
    ]
    return tuple(sorted(found, key=lambda one: (-one.ece, one.name)))


def fit_temperature(labels: Labels, probabilities: Probabilities) -> float:
    """The T whose `apply_temperature` suits these N images best; above 1 it makes a classifier less
    certain, below 1 more.

    Fit it on validation images, never on test images. Guo et al., On Calibration of Modern Neural
    Networks, ICML 2017. The log loss has company: 1 / T was expected to be 1 with a standard
    deviation of 0.25, which a few hundred images outweigh. Without it the best T of a classifier
    that is right on all validation images is 0, and it would call every later answer certain; in
    cross-validation among validation images (benchmarks/temperature.py) it does better than no
    temperature and than Platt's targets, which make confident networks too uncertain, and about as
    well as other widths.

    The sum is convex in 1 / T, so the search cannot stop beside the minimum. T stays within 0.01
    and 100. Raises ValueError as `check` does.
    """
    n, k = probabilities.shape
    check(labels, probabilities, k)
    logits = _logarithms(probabilities)
    true = float(logits[np.arange(n), labels].sum())

    def badness(inverse: float) -> float:
        loss = float(np.log(np.exp(logits * inverse).sum(axis=1)).sum()) - inverse * true
        return loss + ((inverse - 1) / _EXPECTED) ** 2 / 2

    found = minimize_scalar(
        badness, bounds=(1 / _HOTTEST, _HOTTEST), method="bounded", options={"xatol": 1e-9}
    )
    return float(1 / found.x)


def apply_temperature(probabilities: Probabilities, temperature: float) -> NDArray[np.float64]:
    """N×K probabilities of softmax(log p / T), which is what the logits divided by T give.

    No image's order of classes changes. A probability of 0 counts as 1.4e-45, the smallest float32.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"A temperature must be a positive number, not {temperature}.")
    powers = np.exp(_logarithms(probabilities) / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def _logarithms(probabilities: Probabilities) -> NDArray[np.float64]:
    """N×K logarithms, the largest of each row 0."""
    values = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), _FLOOR))
    return np.asarray(values - values.max(axis=1, keepdims=True), dtype=np.float64)


def _answers(labels: Labels, probabilities: Probabilities) -> tuple[Floats, NDArray[np.bool_]]:
    certainty = probabilities.max(axis=1).astype(np.float64)
    return certainty, np.asarray(probabilities.argmax(axis=1) == labels)


def _edges(certainty: Floats, bins: int, equal_mass: bool) -> Floats:
    if not equal_mass:
        return np.linspace(0, 1, bins + 1)
    inner = np.quantile(certainty, np.arange(1, bins) / bins, method="inverted_cdf")
    return np.unique(np.concatenate([[0.0], inner, [1.0]]))


def _places(certainty: Floats, edges: Floats) -> Numbers:
    """The bin of each certainty; one on an edge lies in the bin below it."""
    inside = np.searchsorted(edges, certainty, side="left") - 1
    return np.asarray(np.clip(inside, 0, len(edges) - 2), dtype=np.int64)
