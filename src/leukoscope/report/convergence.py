"""Had the networks stopped learning when their training ended?"""

from dataclasses import dataclass

from leukoscope.report import wording
from leukoscope.report.comparison import Comparison
from leukoscope.report.run import History


@dataclass(frozen=True, slots=True)
class Ended:
    """The trainings of a network: all, those whose last epoch was the best, and those of them that
    had no other one at full size."""

    name: str
    trainings: int
    last: int
    only: int


def ended(comparison: Comparison) -> list[Ended]:
    """How the trainings of each network ended; networks that kept no history are left out."""
    found = []
    for one in comparison.networks:
        histories = [each for result in one.results for each in result.histories()]
        last = [each for each in histories if each.best == len(each.epochs) - 1]
        only = sum(_at_full_size(each) == 1 for each in last)
        if histories:
            found.append(Ended(one.name, len(histories), len(last), only))
    return found


def _at_full_size(history: History) -> int:
    return history.sizes.count(history.sizes[-1]) if history.sizes else len(history.epochs)


def sentences(comparison: Comparison) -> list[str]:
    """For each network whose last epoch was the best that it had not converged."""
    told = []
    for one in ended(comparison):
        if not one.last:
            continue
        of = f" in {one.last} of {one.trainings} trainings" if one.trainings > 1 else ""
        only = ""
        if one.only:
            which = "" if one.only == one.last else f" in {one.only} of them"
            only = f" (the only one at full image size{which})"
        told.append(
            f"{one.name} not converged: the last epoch was the best{of}{only}. More epochs could "
            f"lower its validation loss further."
        )
    return told


def caution(comparison: Comparison) -> list[str]:
    """The same in one sentence; nothing where no last epoch was the best."""
    found = ended(comparison)
    last = sum(one.last for one in found)
    if not last:
        return []
    names = wording.listing([one.name for one in found if one.last])
    return [
        f"Not converged: the last epoch was the best in {last:,} of "
        f"{wording.count(sum(one.trainings for one in found), 'training')} ({names}), so these "
        f"figures say what the networks reach in so many epochs, not what they can reach."
    ]
