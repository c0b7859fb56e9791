"""How far a measured share can be believed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

CONFIDENCE = 0.95
_AT_ONCE = 2**24  # numbers drawn, 128 MiB


@dataclass(frozen=True, slots=True)
class Interval:
    """The range in which the true value lies, with the name of the method that found it."""

    low: float
    high: float
    method: str


def clopper_pearson(successes: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """The exact interval of a share: `successes` out of `n` independent trials.

    It never covers less than `confidence` says, also for 51 of 51, where the usual plus-minus
    shrinks to nothing. With n = 0 nothing is known and the interval is 0 to 1.
    Clopper and Pearson, Biometrika 26 (1934) 404-413, in its beta-quantile form.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials cannot be.")
    if not 0 < confidence < 1:
        raise ValueError(f"The confidence must lie between 0 and 1, not {confidence}.")
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(low=low, high=high, method="Clopper-Pearson")


def group_bootstrap(
    values: NDArray[np.floating],
    groups: Sequence[str] | NDArray[np.str_],
    *,
    resamples: int = 2000,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Interval:
    """The interval of the mean of `values`, one per image and each within 0–1, when whole groups
    are drawn anew with replacement: images of one scene or patient err together.

    Percentiles of the resampled means, Efron and Tibshirani 1993, chapter 13. Where all values are
    equal no resample can differ, and the exact interval for as many trials as there are groups is
    given instead; with one group nothing is known and the interval is 0 to 1.
    """
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    count = int(numbers.max()) + 1 if len(numbers) else 0
    if count < 2:
        return Interval(0.0, 1.0, "one group")
    if np.ptp(values) == 0 and values[0] in (0, 1):
        exact = clopper_pearson(count * int(values[0]), count, confidence)
        return Interval(exact.low, exact.high, f"Clopper-Pearson, {count} groups")
    sums = np.bincount(numbers, weights=values, minlength=count)
    sizes = np.bincount(numbers, minlength=count).astype(float)
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, _AT_ONCE // count)
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=stop - start)
        means[start:stop] = (drawn @ sums) / (drawn @ sizes)
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(means, (tail, 100 - tail))
    return Interval(float(low), float(high), f"bootstrap over {count} groups")
