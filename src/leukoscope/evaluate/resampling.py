"""What would have been counted, had other patients, scenes or images come?

Groups get random weights instead of being drawn one by one: the Bayesian bootstrap (Rubin, Annals
of Statistics 9, 1981), whose weights are Exp(1). Half an image that is right and half an image that
is wrong are added to every share, so that 51 of 51 keeps a lower bound; where images of a group err
together, as many as count as one. With single images this is Jeffreys' interval exactly (Brown, Cai
and DasGupta, Statistical Science 16, 2001). The percentiles of the ordinary bootstrap hold the
truth too seldom where errors or groups are few (benchmarks/coverage.py).
`scipy.stats.bootstrap` and the package confidenceinterval resample single rows, and calculate the
figure anew for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukoscope.evaluate.inputs import Labels, Numbers, Probabilities, number

RESAMPLES = 2000
FEWEST = 5.0  # effective groups: with fewer, one or two of them decide what an interval says
_MOST = 4096  # weights a resample: more units than this are put together at random
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Units:
    """What is drawn as a whole: a group of images where groups are known, else a single image."""

    of: Numbers  # the unit of each image
    count: int
    kind: str  # "groups" or "images"


@dataclass(frozen=True, slots=True)
class Resamples:
    """R random weights for each of B bundles of units, and each image's bundle."""

    units: Units
    bundle: Numbers
    weights: Floats  # R×B
    seed: int


@dataclass(frozen=True, slots=True)
class Concentration:
    """How unevenly images are spread over groups."""

    count: int
    effective: float  # as many groups of equal size weigh as much
    largest: float  # the share of the images that are in the largest group


def effective_groups(groups: Sequence[str] | NDArray[np.str_]) -> Concentration:
    """The effective number of the groups that N images name: (Σn)² ÷ Σn² over group sizes n.

    It is `count` where groups are of equal size, and near 1 where one holds almost all images:
    then an interval over groups says how this one differs from very few others, whatever `count`.
    0 without images. Kish, Survey Sampling (1965), for weights.
    """
    numbers, names = number(list(groups), len(groups))
    size = np.bincount(numbers).astype(np.float64)
    if not size.size:
        return Concentration(0, 0.0, 0.0)
    effective = float(size.sum() ** 2 / np.square(size).sum())
    return Concentration(len(names), effective, float(size.max() / size.sum()))


def units(
    labels: Labels, probabilities: Probabilities, groups: Sequence[str] | None = None
) -> Units:
    """The groups, or every image by itself, numbered so that the order of rows changes nothing."""
    if groups is not None:
        numbers, names = number(groups, len(labels))
        return Units(numbers, len(names), "groups")
    numbers = np.empty(len(labels), np.int64)
    numbers[np.lexsort((*probabilities.T, labels))] = np.arange(len(labels))
    return Units(numbers, len(labels), "images")


def resample(units: Units, *, resamples: int = RESAMPLES, seed: int = 0) -> Resamples:
    """The same weights for the same units and seed."""
    rng = np.random.default_rng(seed)
    bundle, count = bundled(units, rng)
    return Resamples(units, bundle, rng.standard_exponential((resamples, count)), seed)


def bundled(units: Units, rng: np.random.Generator) -> tuple[Numbers, int]:
    """Each image's bundle of units, and how many there are: the units themselves, or 4,096.

    More are put together at random, which leaves the variance of sums what it is and keeps time
    and memory in bounds.
    """
    if units.count <= _MOST:
        return units.of, units.count
    return (rng.permutation(units.count) % _MOST)[units.of], _MOST


def behind(units: Units, among: NDArray[np.bool_] | Floats) -> int:
    """How many units have an image among these."""
    return int(np.count_nonzero(np.bincount(units.of, weights=among, minlength=units.count)))


def total(drawn: Resamples, values: NDArray[np.bool_] | Floats) -> Floats:
    """R resampled sums of N values."""
    count = drawn.weights.shape[1]
    return np.asarray(drawn.weights @ np.bincount(drawn.bundle, weights=values, minlength=count))


def share(drawn: Resamples, right: NDArray[np.bool_] | Floats, among: NDArray[np.bool_]) -> Floats:
    """R resampled shares: the mean of `right`, each 0 to 1, over the images `among`."""
    right = np.where(among, right, 0.0)
    size = _alike(drawn.units, right, among)
    halves = _generator(drawn, 0).standard_gamma(0.5, (2, len(drawn.weights))) * size
    return np.asarray(
        (total(drawn, right) + halves[0]) / (total(drawn, among) + halves.sum(axis=0))
    )


def tables(drawn: Resamples, labels: Labels, predicted: Labels, k: int) -> Floats:
    """R×K×K resampled confusion tables, the true class in rows.

    In each class half an image is added that is right, and half that is called the other classes,
    each alike; this changes how the class is recognised, not how common it is.
    """
    count = drawn.weights.shape[1]
    cells = np.bincount((drawn.bundle * k + labels) * k + predicted, minlength=count * k * k)
    counted = (drawn.weights @ cells.reshape(count, k * k)).reshape(-1, k, k)
    size = np.empty(k)
    for index in range(k):
        among = labels == index
        size[index] = _alike(drawn.units, among & (predicted == index), among)
    shape = np.where(np.eye(k, dtype=bool), 0.5, 0.5 / (k - 1))
    rng = _generator(drawn, 1)
    smooth = counted + rng.standard_gamma(shape, counted.shape) * size[:, None]
    rows = smooth.sum(axis=2, keepdims=True)
    keep = np.divide(counted.sum(axis=2, keepdims=True), rows, where=rows > 0, out=rows * 0)
    return np.asarray(smooth * keep)


def _alike(units: Units, right: NDArray[np.bool_] | Floats, among: NDArray[np.bool_]) -> float:
    """How many images count as one: the design effect, from 1 to the size of the unit that an image
    is in, in the mean over images.

    It is the variance of the share with images of a unit together, by that with every image alone
    (Kish 1965). Half an image that is as its unit is added to both, which decides where all are
    right: then nothing tells whether images of a unit are alike, and they are taken to be.
    """
    n = float(among.sum())
    sizes = np.bincount(units.of, weights=among, minlength=units.count)
    most = float((sizes**2).sum()) / max(n, 1.0)
    share = float(right[among].mean()) if n else 0.0
    off = np.where(among, right - share, 0.0)
    together = np.square(np.bincount(units.of, weights=off, minlength=units.count)).sum()
    effect = (float(together) + 0.5 * most) / (n * share * (1 - share) + 0.5)
    return max(min(effect, most), 1.0)


def _generator(drawn: Resamples, stream: int) -> np.random.Generator:
    """Numbers that are not those of the weights."""
    return np.random.default_rng([drawn.seed, 1, stream])
