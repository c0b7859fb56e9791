"""How is a figure under this split to be read beside one under a random split?"""

from collections.abc import Sequence

from leukoscope.evaluate.comparisons import compare
from leukoscope.report import wording
from leukoscope.report.comparison import Comparison, Entrant
from leukoscope.report.evidence import Evidence
from leukoscope.report.pairs import side
from leukoscope.report.verdict import reach, signed

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


def expectation(comparison: Comparison, best: Evidence | None, others: Sequence[Comparison]) -> str:
    """What the split asks more than a random one does, and what that cost where both were tried;
    empty for a split that is no harder. `best` is the evidence of the best network here."""
    means = _MEANS.get(comparison.protocol)
    if means is None:
        return ""
    return f"Here {means} {_cost(comparison, best, others)}".rstrip()


def _cost(comparison: Comparison, evidence: Evidence | None, others: Sequence[Comparison]) -> str:
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
    return (
        f"{best.name} has an accuracy of {_figure(best)} under {comparison.protocol} and of "
        f"{_figure(lenient)} under {_LENIENT}: {change}{surprise}{_paired(evidence, lenient)}."
    )


def _paired(evidence: Evidence | None, lenient: Entrant) -> str:
    """The interval of the cost on the same images; why there is none where nothing pairs them."""
    if evidence is None:
        return "; without the predictions there is no interval of the difference"
    seed = evidence.entrant.results[0].seed
    same = next((one for one in lenient.results if one.seed == seed), None)
    other, test = None if same is None else same.predictions(), evidence.test
    if other is None or set(other.paths) != set(test.paths) or other.classes != test.classes:
        return "; on other test images, so there is no interval of the difference"
    place = {path: row for row, path in enumerate(other.paths)}
    found = compare(
        test.targets,
        test.probabilities,
        other.probabilities[[place[path] for path in test.paths]],
        classes=test.classes,
        groups=None if evidence.groups is None else evidence.groups.names,
    )
    one = next(each for each in found if each.figure == "accuracy")
    sign = side(one.interval)
    told = {-1: "a loss beyond chance", 1: "a gain beyond chance"}.get(
        sign, "which does not exclude 0"
    )
    of = "" if len(lenient.results) == 1 else f" of seed {seed}"
    return (
        f"; on the same {len(test.paths):,} images the difference{of} is {signed(one.value)}"
        f"{_SPACE}percentage points, 95{_SPACE}% interval {reach(one.interval)}"
        f"{_over(evidence)}, {told}"
    )


def _over(evidence: Evidence) -> str:
    """What the interval weighs anew."""
    groups = evidence.groups
    if groups is None:
        return " (images taken as independent)"
    inferred = ", as the audit infers them" if groups.inferred else ""
    return f" over {wording.count(len(groups.figures), groups.unit)}{inferred}"


def _figure(entrant: Entrant) -> str:
    low, high = (wording.percent(bound) for bound in entrant.bounds)
    bounds = f"95{_SPACE}% interval {low} to {high}"
    if len(entrant.results) > 1:
        bounds = (
            f"mean of {wording.count(len(entrant.results), 'seed')}, their 95{_SPACE}% intervals "
            f"within {low} to {high}"
        )
    return f"{wording.percent(entrant.accuracy)} ({bounds})"
