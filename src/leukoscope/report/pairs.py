"""Which networks differ on the same test images by more than chance?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukoscope.data.predictions import Predictions
from leukoscope.evaluate.comparisons import Difference, compare, holm
from leukoscope.report.comparison import Comparison
from leukoscope.report.evidence import Evidence

FIGURE = "accuracy"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two networks on the same images, and the p adjusted for all pairs of the family."""

    first: str
    second: str
    n: int
    difference: Difference
    adjusted: float

    @property
    def names(self) -> tuple[str, str]:
        """Both networks."""
        return self.first, self.second


def paired(comparison: Comparison, found: Sequence[Evidence]) -> list[Pair]:
    """The best network against each other one, and each network against the colour baseline.

    All of them are one family for Holm's adjustment. Networks that were tested on other images
    than the best one are left out, since nothing pairs them.
    """
    best = next((one for one in found if one.entrant == comparison.best), None)
    if best is None:
        return []
    forest = next((one for one in found if one.entrant.network == "colour-forest"), None)
    networks = [one for one in found if not one.entrant.is_baseline and _same(one, best)]
    wanted = [(best, one) for one in networks if one is not best]
    if forest is not None and _same(forest, best):
        wanted += [(one, forest) for one in networks]
    differences = [_difference(one, other, comparison) for one, other in wanted]
    adjusted = holm([one.p_value for one in differences]) if differences else []
    return [
        Pair(one.name, other.name, one.metrics.n, difference, p)
        for (one, other), difference, p in zip(wanted, differences, adjusted, strict=True)
    ]


def _difference(first: Evidence, second: Evidence, comparison: Comparison) -> Difference:
    test = first.test
    groups = None if first.metrics.groups is None else test.groups
    found = compare(
        test.targets,
        test.probabilities,
        _rows(second.test, test.paths),
        classes=comparison.names,
        groups=groups,
    )
    return next(one for one in found if one.figure == FIGURE)


def _same(one: Evidence, other: Evidence) -> bool:
    return one.test.classes == other.test.classes and _labels(one.test) == _labels(other.test)


def _labels(test: Predictions) -> dict[str, str]:
    return dict(zip(test.paths, test.labels, strict=True))


def _rows(test: Predictions, paths: Sequence[str]) -> NDArray[np.float64]:
    place = {path: row for row, path in enumerate(test.paths)}
    return test.probabilities[[place[path] for path in paths]]
