"""How good are the probabilities themselves, before any threshold?

Each function gives a figure and the influence of every image on it: N values that sum to 0, from
which `intervals.linearised` has the standard error. That costs one sort where a bootstrap would
sort every resample, and near an AUROC of 1 it covers better.

Scores of different networks, as of the folds of a cross-validation, are no common scale: where rows
say which fold scored them, AUROC and average precision rank within folds, and their mean over the
folds is taken, each weighted by its images (Parker, Günter and Bedo, BMC Bioinformatics 8:326,
2007, on what pooling does to AUROC).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from leukoscope.evaluate import resampling
from leukoscope.evaluate.inputs import Labels, Numbers, Probabilities
from leukoscope.evaluate.intervals import CONFIDENCE, Interval, Measured, around, linearised
from leukoscope.evaluate.resampling import Floats, Units, behind

_TINY = float(np.finfo(np.float64).eps)
WORST_LOSS = float(-np.log(_TINY))


class Figure(NamedTuple):
    """A value, and the derivative of it by each image's weight."""

    value: float
    influence: Floats


def log_loss(labels: Labels, probabilities: Probabilities) -> Figure:
    """The mean of -ln p(true class); a probability of 0 counts as the smallest float64 step."""
    given = _of_truth(labels, probabilities)
    return _mean(-np.log(np.clip(given, _TINY, 1 - _TINY)))


def brier(labels: Labels, probabilities: Probabilities) -> Figure:
    """The mean squared distance between probabilities and truth.

    With two classes (p - y)² of either, 0 to 1; with more the sum over classes, 0 to 2, as Brier
    defined it (Monthly Weather Review 78, 1950) and as in scikit-learn.
    """
    given = _of_truth(labels, probabilities)
    distance = np.square(probabilities, dtype=np.float64).sum(axis=1) - 2 * given + 1
    return _mean(distance / 2 if probabilities.shape[1] == 2 else distance)


def auroc(positive: NDArray[np.bool_], score: Probabilities) -> Figure:
    """The share of pairs of a positive and another image in which the positive one scores higher.

    Equal scores count half. The influences are the structural components of DeLong, DeLong and
    Clarke-Pearson (Biometrics 44, 1988), calculated by ranks in O(N log N) as by Sun and Xu (IEEE
    Signal Processing Letters 21, 2014).
    """
    order = np.argsort(score, kind="stable")
    ranked = positive[order]
    first, last = _ties(score[order])
    m, n = int(ranked.sum()), int((~ranked).sum())
    below = []  # how many of each kind score lower, equal ones by half
    for kind in (~ranked, ranked):
        counts = np.concatenate([[0], np.cumsum(kind)])
        below.append((counts[first] + counts[last + 1]) / 2)
    component = np.empty(len(score))
    component[order] = np.where(ranked, below[0] / n, 1 - below[1] / m)
    value = float(component[positive].mean())
    return Figure(value, (component - value) / np.where(positive, m, n))


def average_precision(positive: NDArray[np.bool_], score: Probabilities) -> Figure:
    """The mean, over positive images, of the precision among all that score as high or higher."""
    return _mean_rate(positive, positive, score)


def aurc(labels: Labels, probabilities: Probabilities) -> Figure:
    """The area under the risk–coverage curve: the mean, over images, of the share of errors among
    all that are as certain or more.

    Geifman, Uziel and El-Yaniv, ICLR 2019. Certainty is the largest probability.
    """
    wrong = probabilities.argmax(axis=1) != labels
    return _mean_rate(np.ones(len(labels), bool), wrong, probabilities.max(axis=1))


def within(
    ranking: Callable[[NDArray[np.bool_], Probabilities], Figure],
    positive: NDArray[np.bool_],
    score: Probabilities,
    folds: Numbers | None,
) -> Figure | None:
    """The figure of a ranking; of folds, the mean over them, each weighted by its images.

    A fold that lacks positive or other images ranks nothing and is left out; None where no fold is
    left.
    """
    kept = ranked(positive, folds)
    n = sum(int(inside.sum()) for inside in kept)
    value, influence = 0.0, np.zeros(len(positive))
    for inside in kept:
        one, weight = ranking(positive[inside], score[inside]), float(inside.sum()) / n
        value += weight * one.value
        influence[inside] = weight * one.influence
    return Figure(value, influence) if kept else None


def ranked(positive: NDArray[np.bool_], folds: Numbers | None) -> list[NDArray[np.bool_]]:
    """The rows of each fold that has positive and other images; without folds, all rows are one."""
    numbers = np.zeros(len(positive), np.int64) if folds is None else folds
    parts = [numbers == number for number in np.unique(numbers)]
    return [one for one in parts if positive[one].any() and not positive[one].all()]


def overall(
    labels: Labels, probabilities: Probabilities, folds: Numbers | None = None
) -> dict[str, Figure | None]:
    """`loss`, `brier`, `aurc`, `auroc` and `average_precision` of N×K probabilities.

    With two classes the last two are those of the second, with more the means over classes, each
    against the rest; None as long as a class has no image. They rank within `folds`, see `within`.
    """
    k = probabilities.shape[1]
    found: dict[str, Figure | None] = {
        "loss": log_loss(labels, probabilities),
        "brier": brier(labels, probabilities),
        "aurc": aurc(labels, probabilities),
    }
    for key, ranking in _RANKINGS.items():
        indices = [1] if k == 2 else range(k)
        found[key] = _mean_of(
            [within(ranking, labels == index, probabilities[:, index], folds) for index in indices]
        )
    return found


def measure(
    labels: Labels,
    probabilities: Probabilities,
    names: Sequence[str],
    units: Units,
    *,
    folds: Numbers | None = None,
    confidence: float = CONFIDENCE,
) -> dict[str, Measured]:
    """All figures of the probabilities, keyed `loss`, `auroc`, `auroc:<class>`, …, with intervals
    that keep the images of a unit together. Rankings are those within `folds`."""
    found = {}
    for key, figure in overall(labels, probabilities, folds).items():
        parts, most = strata(key, labels, units, folds), top(key, len(names))
        found[key] = _interval(key, figure, parts, units, most, confidence)
    for index, name in enumerate(names):
        positive = labels == index
        sides = cells(positive.astype(np.int64), units, folds)
        for key, ranking in _RANKINGS.items():
            one = within(ranking, positive, probabilities[:, index], folds)
            found[f"{key}:{name}"] = _interval(key, one, sides, units, 1.0, confidence)
    return found


def separation(
    positive: NDArray[np.bool_], score: Floats, *, groups: Sequence[str] | None = None
) -> Measured:
    """The AUROC of a score that is no probability, with DeLong's interval, over groups if given.

    None as long as there is no positive or no other row.
    """
    if positive.all() or not positive.any():
        return Measured(None)
    sides = positive.astype(np.int64)
    units = resampling.units(sides, score[:, None], groups)
    return _interval("auroc", auroc(positive, score), sides, units, 1.0, CONFIDENCE)


def strata(key: str, labels: Labels, units: Units, folds: Numbers | None = None) -> Labels:
    """Within what the units of a figure are counted: its classes where it ranks these."""
    return cells(labels, units, folds) if key in _RANKINGS else np.zeros_like(labels)


def cells(labels: Labels, units: Units, folds: Numbers | None) -> Labels:
    """The classes, in each fold by itself as long as each of these has two units or more."""
    if folds is None:
        return labels
    numbers = folds * (int(labels.max()) + 1) + labels
    few = any(behind(units, numbers == one) < 2 for one in np.unique(numbers))
    return labels if few else numbers


def top(key: str, classes: int) -> float:
    """The largest value that a figure can have."""
    return {"loss": WORST_LOSS, "brier": 1.0 if classes == 2 else 2.0}.get(key, 1.0)


_RANKINGS = {"auroc": auroc, "average_precision": average_precision}
RANKED = tuple(_RANKINGS)
METHODS = {"auroc": "DeLong"}  # else linearised


def _mean_of(each: Sequence[Figure | None]) -> Figure | None:
    known = [figure for figure in each if figure is not None]
    if len(known) < len(each):
        return None
    return Figure(
        float(np.mean([figure.value for figure in known])),
        np.mean([figure.influence for figure in known], axis=0),
    )


def _interval(
    key: str,
    figure: Figure | None,
    strata: Labels,
    units: Units,
    top: float,
    confidence: float,
) -> Measured:
    if figure is None:
        return Measured(None)
    fewest = min(behind(units, strata == stratum) for stratum in np.unique(strata))
    spread = linearised(figure.influence, strata, units)
    low, high = around(figure.value, spread, count=fewest, top=top, confidence=confidence)
    method = f"{METHODS.get(key, 'linearised')} over {units.count} {units.kind}"
    alone = f"one {units.kind.removesuffix('s')} of a class"
    return Measured(figure.value, Interval(low, high, alone if fewest < 2 else method))


def _mean_rate(over: NDArray[np.bool_], counted: NDArray[np.bool_], score: Probabilities) -> Figure:
    """The mean over some images of the share of counted ones among all with at least their score.

    By weights: sum(w_i · T_i / C_i) / sum(w_i) over i in `over`; T and C are sums of weights down
    to the score of i. An image's own weight appears in all T and C from its score down.
    """
    order = np.argsort(-score, kind="stable")
    ranked, taken, hits = score[order], over[order].astype(float), counted[order].astype(float)
    first, last = _ties(ranked)
    called, found = (last + 1).astype(float), np.cumsum(hits)[last]
    n = taken.sum()
    value = float((taken * found / called).sum() / n)
    below_hits = _from(taken / called)[first]
    below_all = _from(taken * found / called**2)[first]
    own = taken * (found / called - value)
    influence = np.empty(len(order))
    influence[order] = (own + hits * below_hits - below_all) / n
    return Figure(value, influence)


def _mean(values: Floats) -> Figure:
    value = float(values.mean())
    return Figure(value, (values - value) / len(values))


def _of_truth(labels: Labels, probabilities: Probabilities) -> Floats:
    return probabilities[np.arange(len(labels)), labels].astype(np.float64)


def _ties(ranked: Probabilities) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The places of the first and the last of those that score the same, for each place."""
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    sizes = np.diff(ends, prepend=-1)
    return np.repeat(ends - sizes + 1, sizes), np.repeat(ends, sizes)


def _from(values: Floats) -> Floats:
    """The sum of each value and all after it."""
    return np.asarray(np.cumsum(values[::-1])[::-1])
