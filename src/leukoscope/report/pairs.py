"""Which networks differ on the same test images by more than chance?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leukoscope.data.predictions import Predictions
from leukoscope.evaluate import inputs
from leukoscope.evaluate.comparisons import Difference, compare, holm
from leukoscope.evaluate.intervals import Interval
from leukoscope.report import wording
from leukoscope.report.comparison import Comparison
from leukoscope.report.evidence import Evidence

FOREST = "colour-forest"
LEVEL = 0.05
NEGATIVE = "Benign"


@dataclass(frozen=True, slots=True)
class TwoClasses:
    """The differences when each image is called negative or not."""

    positive: str
    negative: str
    accuracy: Difference
    balanced: Difference


@dataclass(frozen=True, slots=True)
class Pair:
    """Two networks on the same images, and the p adjusted for all pairs of the family."""

    first: str
    second: str
    n: int
    difference: Difference  # in accuracy, as the split lets images be weighed
    balanced: Difference  # in balanced accuracy
    two: TwoClasses | None  # of more than two classes one of which is negative
    two_over_sessions: TwoClasses | None
    sessions: Interval | None  # of the accuracy, over sessions that the audit infers
    n_sessions: int
    adjusted: float

    @property
    def names(self) -> tuple[str, str]:
        """Both networks."""
        return self.first, self.second

    @property
    def widest(self) -> Interval:
        """The interval that decides: over inferred sessions where the split did not keep larger
        groups apart and the audit knows them."""
        return self.difference.interval if self.sessions is None else self.sessions

    @property
    def sign(self) -> int:
        """1 or −1 where the first or the second is ahead by more than chance, 0 if neither is.

        Both the interval must exclude 0 and Holm's p must be below 0.05.
        """
        return side(self.widest) if self.adjusted < LEVEL else 0


def side(interval: Interval) -> int:
    """1 or −1 where an interval lies above or below 0, else 0."""
    return int(interval.low > 0) - int(interval.high < 0)


def paired(comparison: Comparison, found: Sequence[Evidence]) -> list[Pair]:
    """The best network against each other one, and each network against the colour baseline.

    All of them are one family for Holm's adjustment. Networks that were tested on other images
    than the best one are left out, since nothing pairs them.
    """
    best = next((one for one in found if one.entrant == comparison.best), None)
    if best is None:
        return []
    forest = next((one for one in found if one.entrant.network == FOREST), None)
    networks = [one for one in found if not one.entrant.is_baseline and _same(one, best)]
    wanted = [(best, one) for one in networks if one is not best]
    if forest is not None and _same(forest, best):
        wanted += [(one, forest) for one in networks]
    formed = [_pair(one, other) for one, other in wanted]
    adjusted = holm([one.difference.p_value for one in formed]) if formed else []
    return [replace(one, adjusted=p) for one, p in zip(formed, adjusted, strict=True)]


def _pair(first: Evidence, second: Evidence) -> Pair:
    test = first.test
    other = _rows(second.test, test.paths)
    groups = None if first.metrics.groups is None else test.groups
    found = _compare(test.targets, test.probabilities, other, test.classes, groups)
    known = first.groups
    sessions = known.names if known is not None and known.inferred else None
    over = None
    if sessions is not None:
        over = _compare(test.targets, test.probabilities, other, test.classes, sessions)
    return Pair(
        first=first.name,
        second=second.name,
        n=first.metrics.n,
        difference=found["accuracy"],
        balanced=found["balanced_accuracy"],
        two=_two_classes(test, other, groups),
        two_over_sessions=None if sessions is None else _two_classes(test, other, sessions),
        sessions=None if over is None else over["accuracy"].interval,
        n_sessions=len(set(sessions or ())),
        adjusted=1.0,
    )


def _two_classes(
    test: Predictions, other: NDArray[np.float64], groups: Sequence[str] | None
) -> TwoClasses | None:
    if len(test.classes) == 2 or NEGATIVE not in test.classes:
        return None
    labels, one, names = inputs.binary(test.targets, test.probabilities, test.classes, NEGATIVE)
    _, another, _ = inputs.binary(test.targets, other, test.classes, NEGATIVE)
    found = _compare(labels, one, another, names, groups)
    return TwoClasses(names[1], names[0], found["accuracy"], found["balanced_accuracy"])


def _compare(
    labels: inputs.Labels,
    first: inputs.Probabilities,
    second: inputs.Probabilities,
    classes: Sequence[str],
    groups: Sequence[str] | None,
) -> dict[str, Difference]:
    found = compare(labels, first, second, classes=classes, groups=groups)
    return {one.figure: one for one in found}


def told(pairs: Sequence[Pair]) -> list[str]:
    """How many of the differences are more than chance, and whom they favour."""
    sure = [one for one in pairs if one.adjusted < LEVEL]
    sentences = [_how_many(sure, pairs)]
    for one in sure:
        if one.difference.value < 0:
            zero = " The interval over sessions holds 0, though." if one.sign == 0 else ""
            sentences.append(f"Here {one.second} is ahead of {one.first}.{zero}")
    if any(one.second != wording.network(FOREST) for one in pairs):
        sentences.append(
            "The best network was picked on these same images, which makes its own differences "
            "look larger than they are."
        )
    return sentences


def _how_many(sure: Sequence[Pair], pairs: Sequence[Pair]) -> str:
    after = "after Holm’s adjustment for their number"
    if len(pairs) == 1:
        p = wording.p(pairs[0].adjusted)
        return f"The difference is {'' if sure else 'not '}more than chance ({p})."
    if not sure:
        return (
            f"None of the {len(pairs)} differences is more than chance {after}: these test images "
            f"do not tell the networks apart."
        )
    are = "is" if len(sure) == 1 else "are"
    return f"{len(sure)} of the {len(pairs)} differences {are} more than chance {after}."


def _same(one: Evidence, other: Evidence) -> bool:
    return one.test.classes == other.test.classes and _labels(one.test) == _labels(other.test)


def _labels(test: Predictions) -> dict[str, str]:
    return dict(zip(test.paths, test.labels, strict=True))


def _rows(test: Predictions, paths: Sequence[str]) -> NDArray[np.float64]:
    place = {path: row for row, path in enumerate(test.paths)}
    return test.probabilities[[place[path] for path in paths]]
