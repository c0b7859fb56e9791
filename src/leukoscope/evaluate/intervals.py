"""How far can a measured figure be believed?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, ndtr, stdtrit

from leukoscope.evaluate import resampling
from leukoscope.evaluate.inputs import Labels, number
from leukoscope.evaluate.resampling import RESAMPLES, Floats, Resamples, Units, behind

CONFIDENCE = 0.95
_ROUNDING = 1e-12  # of what was added up: what a sum may be off


@dataclass(frozen=True, slots=True)
class Interval:
    """The range in which the true value lies, with the name of the method that found it."""

    low: float
    high: float
    method: str


class Measured(NamedTuple):
    """A figure with its interval; None where there is no image to judge by."""

    value: float | None
    interval: Interval | None = None


class Spread(NamedTuple):
    """The standard error of a figure, and the degrees of freedom with which it is known."""

    error: float
    freedom: float
    raised: float = 1.0  # error² ÷ the variance of resampled values; above 1


def clopper_pearson(successes: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """The exact interval of a share: `successes` out of `n` independent trials.

    It never covers less than `confidence` says, also for 51 of 51, where the usual plus-minus
    shrinks to nothing. With n = 0 nothing is known and the interval is 0 to 1.
    Clopper and Pearson, Biometrika 26 (1934) 404-413, in its beta-quantile form.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials cannot be.")
    tail = tail_of(confidence)
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(low=low, high=high, method="Clopper-Pearson")


def group_bootstrap(
    values: NDArray[np.floating],
    groups: Sequence[str] | NDArray[np.str_],
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Interval:
    """The interval of the mean of `values`, one per image and each within 0–1, when whole groups
    are drawn anew: images of one scene or patient err together. See `resampling`.

    With one group nothing is known and the interval is 0 to 1.
    """
    numbers, names = number(groups, len(values))
    units = Units(numbers, len(names), "groups")
    drawn = resampling.resample(units, resamples=resamples, seed=seed)
    return of_share(drawn, values.astype(np.float64), np.ones(len(values), bool), confidence)


def of_share(
    drawn: Resamples,
    right: NDArray[np.bool_] | Floats,
    among: NDArray[np.bool_],
    confidence: float = CONFIDENCE,
) -> Interval:
    """The interval of the mean of `right` over the images `among`: exact for single images."""
    if drawn.units.kind == "images":
        return clopper_pearson(int(right[among].sum()), int(among.sum()), confidence)
    count = behind(drawn.units, among)
    if count < 2:
        return Interval(0.0, 1.0, "one group")
    value = float(right[among].mean())
    spread = linearised(np.where(among, right - value, 0.0), among, drawn.units)
    low, high = outer_percentiles(resampling.share(drawn, right, among), spread, confidence)
    return Interval(min(low, value), max(high, value), f"bootstrap over {count} groups")


def ratio(part: Floats, whole: Floats, units: Units, *, confidence: float = CONFIDENCE) -> Measured:
    """The mean of `part` over the mean of `whole`, one of each per image, with the interval of
    weighing whole units anew, or of Student's distribution where that is wider.

    A ratio of means, not a mean of ratios, which small denominators would carry: it is 1 where the
    two are alike. Without a value where `whole` is 0; without an interval where the images are in
    fewer than `resampling.FEWEST` effective units.
    Cochran, Sampling Techniques, 1977, chapter 6.
    """
    if whole.sum() == 0:
        return Measured(None)
    value = float(part.sum() / whole.sum())
    sizes = _sums(np.ones(len(whole)), units)
    if sizes.sum() ** 2 / (sizes**2).sum() < resampling.FEWEST:
        return Measured(value)
    off = (part - value * whole) / whole.sum()
    spread = linearised(off, np.zeros(len(part), bool), units, whole)
    drawn = resampling.resample(units)
    below = resampling.total(drawn, whole)
    known = below > 0  # units without any of the whole may have all the weight
    values = resampling.total(drawn, part)[known] / below[known]
    low, high = outer_percentiles(values, spread, confidence)
    far = reach(spread, confidence)
    method = f"bootstrap over {units.count} {units.kind}"
    return Measured(
        value, Interval(max(min(low, value - far), 0.0), max(high, value + far), method)
    )


def outer_percentiles(
    values: Floats, spread: Spread, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The bounds of the middle resampled values of a figure with this spread, moved outwards."""
    tail = outer_tail(spread, confidence)
    low, high = np.quantile(values[np.isfinite(values)], (tail, 1 - tail))
    return float(low), float(high)


def outer_tail(spread: Spread, confidence: float = CONFIDENCE) -> float:
    """The share of resampled values to leave out at either end.

    Less than half of 1 - `confidence`, as Student's distribution of these degrees of freedom is
    wider than the normal one (Hesterberg, The American Statistician 69, 2015), and as weighing
    units anew gives less than the variance that they should have. With fewer than about four
    degrees of freedom that is less than one of 2,000 values, and the outermost ones are the bounds.
    """
    student = float(stdtrit(spread.freedom, 1 - tail_of(confidence)))
    return float(ndtr(-student * spread.raised**0.5))


def linearised(
    influence: Floats,
    strata: Labels | NDArray[np.bool_],
    units: Units,
    weights: Floats | None = None,
) -> Spread:
    """The spread of a figure of which each image's `influence` is known: the derivative by the
    image's weight, N values that sum to 0. An image counts by its `weights` where it has others
    than 1, as in a ratio of sums.

    Influences are added up within units, then squared, each stratum (class) by itself; for AUROC
    this is DeLong's variance where units are single images, and Obuchowski's (Biometrics 53, 1997)
    where they are groups of equal size. A unit pulls the figure towards itself, the more so the
    more of the stratum's images it has: its square is divided by 1 - that share, which for units of
    equal size is the usual n / (n - 1) (MacKinnon, Nielsen and Webb, Journal of Econometrics 232,
    2023).

    The degrees of freedom are few where few units carry the variance: the fewer of what the squares
    say (Satterthwaite, Biometrics Bulletin 2, 1946) and of what the sizes say, see `_freedom`.
    Where one unit has most images the interval is wider than it needs to be. A stratum with one
    unit leaves the error infinite.
    """
    counted = np.ones(len(influence)) if weights is None else weights
    influence = rounded(influence)
    whole = np.zeros(units.count)
    parts, freedoms, weighed = [], [], 0.0
    for stratum in np.unique(strata):
        inside = strata == stratum
        if not influence[inside].any():
            continue
        size = _sums(counted * inside, units)
        if np.count_nonzero(size) < 2:
            return Spread(np.inf, 1.0)
        pull = size / size.sum()
        others = np.maximum(size.sum() - size, _ROUNDING) / size.sum()
        summed = _sums(influence * inside, units)
        summed[np.abs(summed) < _ROUNDING * _sums(np.abs(influence) * inside, units)] = 0.0
        weighed += float((summed**2).sum()) / (1 + float((pull**2).sum()))  # as Exp(1) spreads them
        summed = summed / others**0.5
        whole += summed
        squares, fourths = float((summed**2).sum()), float((summed**4).sum())
        if squares > 0:
            parts.append(squares)
            freedoms.append(min(_freedom(pull, others), 3 * squares**2 / fourths))
    variance = float((whole**2).sum())
    if not parts or variance <= 0:
        return Spread(0.0, max(units.count - 1.0, 1.0))
    each = sum(part**2 / freedom for part, freedom in zip(parts, freedoms, strict=True))
    return Spread(variance**0.5, sum(parts) ** 2 / each, sum(parts) / weighed)


def rounded(influence: Floats) -> Floats:
    """The influences, which are of the order of 1 / N, without what differs from 0 by rounding."""
    return np.where(np.abs(influence) < _ROUNDING / len(influence), 0.0, influence)


def _sums(values: Floats, units: Units) -> Floats:
    return np.bincount(units.of, weights=values, minlength=units.count).astype(np.float64)


def _freedom(pull: Floats, others: Floats) -> float:
    """The degrees of freedom of the variance of a mean, from the share of images that each of its
    units has, and the share that the others have.

    Were units as unlike one another whatever their size, the sum of their squares would have mean
    and variance of a multiple of a chi-square of so many: with n of equal size n - 1, with one that
    has almost all images 1. The way is Bell and McCaffrey's (Survey Methodology 28, 2002), for that
    model: tr(B)² ÷ tr(B²) with B = (I - 1·pullᵀ)ᵀ · diag(pull² ÷ others) · (I - 1·pullᵀ).
    """
    h = float((pull**2).sum())
    d = pull**2 / others
    zeroth, first, second = (float((d * pull**power).sum()) for power in range(3))
    pairs = (h * zeroth) ** 2 + 2 * zeroth * second + 2 * first**2 - 4 * h * zeroth * first
    alone = float((d**2 * (1 + 2 * (h - 2 * pull))).sum())
    form = pairs + alone
    # Never below 1, whatever rounding makes of it where one unit has almost all images.
    return max(float(((1 + h) * zeroth - 2 * first) ** 2 / form), 1.0) if form > 0 else 1.0


def around(
    value: float, spread: Spread, *, count: int, top: float = 1.0, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The bounds of a figure between 0 and `top`, by Student's distribution on its logit, which
    keeps them between 0 and `top` and makes them longer on the side away from the end.

    A figure without spread (an AUROC of 1, all images alike) gets for a bound what it would be if
    the share of units that may have stayed unseen in `count` of them were at the other end.
    """
    tail = tail_of(confidence)
    if not np.isfinite(spread.error) or count < 2:
        return 0.0, top
    if spread.error == 0 or not 0 < value < top:
        unseen = 1 - tail ** (1 / count)
        return value * (1 - unseen), value + (top - value) * unseen
    far = reach(spread, confidence) * top / (value * (top - value))
    logit = np.log(value / (top - value))
    return float(top * expit(logit - far)), float(top * expit(logit + far))


def reach(spread: Spread, confidence: float = CONFIDENCE) -> float:
    """How far an interval goes to each side, by Student's distribution."""
    if not np.isfinite(spread.error):
        return float(np.inf)
    return float(stdtrit(spread.freedom, 1 - tail_of(confidence))) * spread.error


def tail_of(confidence: float) -> float:
    """The share beyond either bound."""
    if not 0 < confidence < 1:
        raise ValueError(f"The confidence must lie between 0 and 1, not {confidence}.")
    return (1 - confidence) / 2
