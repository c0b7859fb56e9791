"""How is a figure under this split to be read beside one under a random split?"""

from collections.abc import Sequence

from leukoscope.report import wording
from leukoscope.report.comparison import Comparison, Entrant

_SPACE = "\N{NO-BREAK SPACE}"
_LENIENT = "random"
_MEANS = {
    "scene": "no test image shows cells that a training image shows, too. Figures under scene are "
    "expected to be worse than under a random split, where overlapping fields can be recognised "
    "again. They are figures for new fields of known sessions, not for new microscope settings or "
    "another day; those are tried by a session split.",
    "session": "the test images come from sessions, as they were inferred, that no training image "
    "comes from, as with new microscope settings or on another day. Figures under session are "
    "expected to be worse than under a random split, where every test image has neighbours from "
    "its own session in training. They are nearer to what to expect of new slides.",
    "group": "the test images come from groups that no training image comes from. Figures under "
    "group are expected to be worse than under a random split, where a test image has neighbours "
    "from its own group in training. They are nearer to what to expect of new groups.",
}


def expectation(comparison: Comparison, others: Sequence[Comparison]) -> str:
    """What the split asks more than a random one does, and what that cost where both were tried;
    empty for a split that is no harder."""
    means = _MEANS.get(comparison.protocol)
    if means is None:
        return ""
    return f"Here {means} {_cost(comparison, others)}".rstrip()


def _cost(comparison: Comparison, others: Sequence[Comparison]) -> str:
    """The best network here beside itself under a random split; empty where that was not tried."""
    best = comparison.best
    lenient = next(
        (
            entrant
            for other in others
            if (other.classes, other.protocol) == (comparison.classes, _LENIENT)
            for entrant in other.networks
            if best is not None and entrant.network == best.network
        ),
        None,
    )
    if best is None or lenient is None:
        return ""
    lost = lenient.accuracy - best.accuracy
    change = f"{wording.points(lost)} {'less' if lost > 0 else 'more'}" if lost else "the same"
    surprise = "" if lost > 0 else ", not worse as was to be expected"
    apart = lenient.bounds[0] > best.bounds[1] or best.bounds[0] > lenient.bounds[1]
    weight = "the intervals do not overlap" if apart else "the intervals overlap"
    return (
        f"{best.name} has an accuracy of {_figure(best)} under {comparison.protocol} and of "
        f"{_figure(lenient)} under {_LENIENT}: {change}{surprise}; {weight}."
    )


def _figure(entrant: Entrant) -> str:
    low, high = (wording.percent(bound) for bound in entrant.bounds)
    bounds = f"95{_SPACE}% interval {low} to {high}"
    if len(entrant.results) > 1:
        bounds = (
            f"mean of {wording.count(len(entrant.results), 'seed')}, their 95{_SPACE}% intervals "
            f"within {low} to {high}"
        )
    return f"{wording.percent(entrant.accuracy)} ({bounds})"
