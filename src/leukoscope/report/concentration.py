"""Do the images of a class come from many groups, or almost all of them from one?"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leukoscope.evaluate.intervals import Interval, Measured
from leukoscope.evaluate.resampling import FEWEST, Concentration, effective_groups
from leukoscope.report import wording
from leukoscope.report.evidence import Evidence


def of_all(one: Evidence) -> Concentration | None:
    """How the test images are spread over the groups of the intervals; None for single images."""
    return None if one.metrics.groups is None else effective_groups(one.test.groups)


def of_class(one: Evidence, name: str) -> Concentration | None:
    """The same for the test images of one class."""
    if one.metrics.groups is None:
        return None
    return _among(one, np.array(one.test.labels) == name)


def carried(one: Evidence, figure: str, name: str) -> bool:
    """Whether enough groups are behind a class's figure for an interval over groups.

    What counts are the images that the figure is a share of: of the recall those of the class, of
    the precision those called it, of the specificity the others; F1 and AUROC need two of these.
    """
    if one.metrics.groups is None:
        return True
    true = np.array(one.test.labels) == name
    called = one.test.probabilities.argmax(axis=1) == one.test.classes.index(name)
    behind = {
        "precision": (called,),
        "specificity": (~true,),
        "f1": (true, called),
        "auroc": (true, ~true),
    }.get(figure, (true,))
    return all(_among(one, each).effective >= FEWEST for each in behind)


def shown(one: Evidence, figure: str, name: str, measured: Measured) -> Measured:
    """The figure of a class, without its interval where too few groups carry that."""
    return measured if carried(one, figure, name) else Measured(measured.value)


def interval(one: Evidence, name: str) -> Interval | None:
    """The interval of a class's recall, None where it is withheld."""
    found = one.metrics.intervals.get(f"recall:{name}")
    return found if carried(one, "recall", name) else None


def cell(one: Evidence, name: str, units: str) -> str | None:
    """The effective number of a class's groups, and what one of them holds where they are few."""
    spread = of_class(one, name)
    if spread is None or not spread.count:
        return None
    text = f"{spread.effective:.1f} of {spread.count:,}"
    if spread.effective >= FEWEST:
        return text
    return f"{text}; one {units.removesuffix('s')} holds {_whole(spread.largest)} of this class"


def in_words(spread: Concentration, units: str) -> str:
    """38 sessions (6.6 effective; the largest holds 24 % of the images)."""
    return (
        f"{spread.count:,} {units} ({spread.effective:.1f} effective; the largest holds "
        f"{_whole(spread.largest)} of the images)"
    )


def rule(found: Sequence[Evidence], units: str) -> str:
    """Which intervals are withheld; empty where there are no groups."""
    if not any(one.metrics.groups for one in found):
        return ""
    return (
        f" No interval is given to a figure that rests on fewer than {FEWEST:g} effective {units}."
    )


def caution(one: Evidence, units: str) -> str:
    """What uneven groups mean for the intervals; empty where they are even enough."""
    spread = of_all(one)
    if spread is None or spread.effective >= spread.count / 2:
        return ""
    text = (
        f"The {units} are of very different size: {in_words(spread, units)}. So the intervals over "
        f"them are rough ones."
    )
    without = [name for name in one.test.classes if not carried(one, "recall", name)]
    if not without:
        return text
    return (
        f"{text} Behind the images of {wording.listing(without)} are fewer than {FEWEST:g} "
        f"effective {units}, so that by class no interval is given there."
    )


def _whole(share: float) -> str:
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _among(one: Evidence, images: NDArray[np.bool_]) -> Concentration:
    return effective_groups(np.array(one.test.groups)[images])
