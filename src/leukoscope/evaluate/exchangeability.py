"""Are the test images like those on which the thresholds were set, and the groups like each other?

The coverage of prediction sets is promised for images that could change places. These tests look
for a difference in their scores, 1 - p(true class), class by class.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp, rankdata

from leukoscope.evaluate.comparisons import holm
from leukoscope.evaluate.inputs import Labels, Probabilities, number
from leukoscope.evaluate.resampling import Floats

LEVEL = 0.05
PERMUTATIONS = 999
Scored = tuple[Labels, Probabilities]
_MOST = 50_000  # images in the test of groups; of more, as many are drawn at random


@dataclass(frozen=True, slots=True)
class Exchangeability:
    """The outcome of a test; None where there were too few images for it."""

    p_value: float | None  # the smallest, adjusted for the number of classes
    by_class: dict[str, float]  # the adjusted p of each class that was tested
    differs: bool
    sentence: str


def between_sets(calibration: Scored, test: Scored, names: Sequence[str]) -> Exchangeability:
    """Whether calibration and test scores come from one distribution.

    A two-sample Kolmogorov–Smirnov test in each class, adjusted by Holm. It treats images as
    independent, as the promise of the sets does; where groups are large it finds that groups
    differ, and then that promise is void.
    """
    return between_sets_of_folds([(calibration, test)], names)


def between_sets_of_folds(
    folds: Sequence[tuple[Scored, Scored]], names: Sequence[str]
) -> Exchangeability:
    """Whether in each fold calibration and test scores come from one distribution.

    The tests of `between_sets` in every fold, whose classifier and calibration images are its own,
    adjusted by Holm over all folds and classes: folds that differ in opposite directions would look
    alike if they were put together. The p of a class is its smallest over the folds.
    """
    raw: dict[tuple[int, str], float] = {}
    for fold, (calibration, test) in enumerate(folds):
        before, after = _scores(*calibration), _scores(*test)
        for index, name in enumerate(names):
            one, other = before[calibration[0] == index], after[test[0] == index]
            if min(len(one), len(other)) > 1:
                raw[fold, name] = float(ks_2samp(one, other, method="asymp").pvalue)
    if not raw:
        return Exchangeability(None, {}, False, "There are too few images to compare scores.")
    adjusted = dict(zip(raw, holm(list(raw.values())), strict=True))
    by_class = {
        name: found
        for name in names
        if (found := [p for (_, of), p in adjusted.items() if of == name])
    }
    smallest = {name: min(values) for name, values in by_class.items()}
    differing = [
        f"{name} ({_in_folds(values, len(folds))}p {_p(smallest[name])})"
        for name, values in by_class.items()
        if smallest[name] < LEVEL
    ]
    least = min(smallest.values())
    return Exchangeability(
        least, smallest, bool(differing), _like_calibration(differing, least, len(folds))
    )


def _in_folds(values: Sequence[float], folds: int) -> str:
    """In how many folds a class differs; nothing where there is one only."""
    if folds == 1:
        return ""
    return f"{sum(p < LEVEL for p in values)} of {folds} folds, smallest "


def _like_calibration(differing: Sequence[str], least: float, folds: int) -> str:
    if differing:
        return (
            f"Test images are not like the calibration images"
            f"{'' if folds == 1 else ' of their fold'}: the scores of "
            f"{', '.join(differing)} differ. The coverage that was demanded is not promised for "
            f"them; only the measured one counts."
        )
    return (
        f"No difference between calibration and test scores"
        f"{'' if folds == 1 else ' within a fold'} was found (smallest p {_p(least)}), which does "
        f"not prove that there is none."
    )


def between_groups(
    labels: Labels,
    probabilities: Probabilities,
    groups: Sequence[str],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Exchangeability:
    """Whether images of one group have scores more alike than chance would make them.

    The Kruskal–Wallis statistic, summed over classes, against its values when images are dealt to
    the groups anew within their class.
    """
    numbers, names = number(groups, len(labels))
    scores = _scores(labels, probabilities)
    rng = np.random.default_rng(seed)
    rows = np.lexsort((numbers, scores, labels))  # so that the order of rows changes nothing
    if len(rows) > _MOST:
        rows = np.sort(rng.choice(rows, _MOST, replace=False))
    labels, numbers, scores = labels[rows], numbers[rows], scores[rows]
    ranks = np.zeros(len(rows))
    for index in np.unique(labels):
        inside = labels == index
        ranked = rankdata(scores[inside])
        ranks[inside] = (ranked - ranked.mean()) / max(float(ranked.std()), 1.0)
    _, cells = np.unique(numbers * (labels.max() + 1) + labels, return_inverse=True)
    size = np.bincount(cells)
    if len(names) < 2 or not ranks.any() or size.max() < 2:
        return Exchangeability(None, {}, False, "There are too few groups to compare their scores.")
    classes = [np.flatnonzero(labels == index) for index in np.unique(labels)]
    observed = _between(ranks, cells, size)
    larger = 1
    for _ in range(permutations):
        for rows_of_class in classes:
            ranks[rows_of_class] = rng.permutation(ranks[rows_of_class])
        larger += _between(ranks, cells, size) >= observed * (1 - 1e-9)
    p = larger / (permutations + 1)
    if p < LEVEL:
        sentence = (
            f"Groups differ more than chance would make them (p {_permuted(p, permutations)}): the "
            f"coverage is a mean over groups and is not promised within each."
        )
    else:
        sentence = (
            f"No difference between groups was found (p {_p(p)}), which does not prove that there "
            f"is none."
        )
    return Exchangeability(p, {}, p < LEVEL, sentence)


def _scores(labels: Labels, probabilities: Probabilities) -> Floats:
    return 1 - probabilities[np.arange(len(labels)), labels].astype(np.float64)


def _between(ranks: Floats, cells: Labels, size: Labels) -> float:
    return float((np.bincount(cells, weights=ranks) ** 2 / size).sum())


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def _permuted(p: float, permutations: int) -> str:
    """A p that cannot be smaller than one of so many permutations is a bound there."""
    return f"at most {p:.3f}" if p <= 1 / (permutations + 1) else _p(p)
