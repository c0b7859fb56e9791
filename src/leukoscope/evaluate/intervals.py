"""How far a measured share can be believed."""

from dataclasses import dataclass

from scipy.special import betaincinv

CONFIDENCE = 0.95


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
