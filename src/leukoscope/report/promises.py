"""Do threshold and prediction sets keep on the test images what validation images promised?"""

from collections.abc import Sequence
from itertools import count

from leukoscope.evaluate.abstention import SMALLEST_GROUP, rules_out
from leukoscope.evaluate.intervals import Interval, Measured
from leukoscope.report import wording
from leukoscope.report.evidence import Evidence
from leukoscope.report.validated import Sets


def how_sets_were_made(found: Sequence[Evidence]) -> list[str]:
    """From which validation images the sets come, and what the promise does not allow for."""
    known = [one for one in found if one.validated is not None]
    folds = {one.validated.folds for one in known if one.validated is not None}
    told = []
    if folds and max(folds) > 1:
        units = "weigh whole groups anew"
        if not known[0].metrics.groups:
            units = "take images as independent"
        told.append(
            f"Each of the {max(folds)} folds has a training, validation images, a temperature and "
            f"thresholds of its own. A test image gets its set from the fold that tested it, and "
            f"is counted once; the sets of all folds are counted together, with intervals that "
            f"{units}. The risk–coverage curve ranks the images of all folds together by "
            f"certainty. These are figures of the way of training, not of one classifier."
        )
    if any(not one.entrant.is_baseline for one in known):
        told.append(
            "Validation images chose the epoch and the temperature of a network before they set "
            "its thresholds, which the promise of prediction sets does not allow for: what counts "
            "is the coverage measured here."
        )
    return told


def how_thresholds_were_chosen(found: Sequence[Evidence]) -> str:
    """From which validation images the thresholds come."""
    folds = max((one.validated.folds for one in found if one.validated is not None), default=1)
    text = "The threshold is chosen on validation images alone, and judged on the test images."
    if folds > 1:
        text = (
            f"Each of the {folds} folds has a threshold of its own, chosen on its own validation "
            f"images alone and judged on its test images; the calls of all folds are counted "
            f"together."
        )
    return (
        f"{text} PPV and NPV depend on how common the disease is; no image set collected for "
        f"training says that of a clinic."
    )


def on_sensitivity(one: Evidence) -> list[str]:
    """Whether the demanded sensitivity was reached; nothing where it was."""
    point = None if one.validated is None else one.validated.point
    if point is None or point.sensitivity.value is None:
        return []
    if point.sensitivity.value >= point.demanded:
        return []
    return [
        f"{one.name}: the sensitivity on the test images, {_bounded(point.sensitivity)}, is below "
        f"the demanded {wording.percent(point.demanded)}{_sure(point.sensitivity, point.demanded)}."
    ]


def on_coverage(one: Evidence, *, groups: bool = True) -> list[str]:
    """Whether each class and, if asked, each group has the demanded coverage, and for how many
    images nothing else could be; nothing without prediction sets."""
    if one.validated is None:
        return []
    sets = one.validated.sets
    if sets.coverages[0].size == len(one.test.classes):
        return [
            f"{one.name}: every set holds every class. Nothing is ruled out at this coverage, and "
            f"nothing is answered."
        ]
    told = [_untold(sets), *_classes(sets), _groups(one) if groups else ""]
    return [f"{one.name}: {' '.join(_sentence(text) for text in told if text)}"]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _classes(sets: Sets) -> list[str]:
    """The classes below the demanded coverage; of images that a threshold could leave out."""
    demanded = wording.percent(sets.demanded)
    failed, unlucky, unsure = [], [], []
    for each in sets.coverages[1:]:
        share = sets.told.get(each.name, Measured(each.coverage, each.interval))
        if share.value is None or share.value >= sets.demanded:
            continue
        which = each.name
        if each.name in sets.told:
            which += f" among the other {each.n - sets.untold[each.name]:,}"
        text = f"{which} ({_bounded(share)})"
        if not _excludes(share, sets.demanded):
            unsure.append(text)
        elif each.name not in sets.told and share.value >= sets.expected[each.name][0]:
            unlucky.append(text)
        else:
            failed.append(text)
    if not failed + unlucky + unsure:
        return [f"coverage is at least the demanded {demanded} in each class."]
    below = f"coverage is below the demanded {demanded} in "
    told = []
    if failed:
        told.append(
            f"the demanded coverage of {demanded} does not hold for {wording.listing(failed)}."
        )
    if unlucky:
        told.append(
            f"{below}{wording.listing(unlucky)}: more than the choice of test images explains, and "
            f"within what so few validation images let expect."
        )
    if unsure:
        told.append(f"{below}{wording.listing(unsure)}, though the interval does not exclude it.")
    return told


def _untold(sets: Sets) -> str:
    """For how many images the class could not be absent from the set."""
    classes = {name: n for name, n in sets.untold.items() if n and name != "all"}
    if not classes:
        return ""
    of = {each.name: each.n for each in sets.coverages}
    listed = wording.listing(
        [f"{n:,} of the {of[name]:,} of {name}" for name, n in classes.items()]
    )
    needed = next(n for n in count(1) if rules_out(n, sets.demanded))
    rest = sets.told["all"]
    others = "" if rest.value is None else f" Of the others, {_bounded(rest)}, are covered."
    return (
        f"{sets.untold['all']:,} of {of['all']:,} test images ({listed}) are covered whatever the "
        f"network says, because fewer than {needed} validation images of their class set the "
        f"threshold.{others}"
    )


def _groups(one: Evidence) -> str:
    """How many groups are covered less than demanded."""
    if one.validated is None or one.groups is None or not one.validated.sets.by_group:
        return ""
    sets, unit = one.validated.sets, one.groups.unit
    low = sum(each.interval.high < sets.demanded for each in sets.by_group)
    if not low:
        return ""
    return (
        f"{low} of {wording.count(len(sets.by_group), unit)} of at least {SMALLEST_GROUP} test "
        f"images {'is' if low == 1 else 'are'} covered less than demanded by more than chance (the "
        f"exact 95 % interval of each lies below)."
    )


def _excludes(share: Measured, demanded: float) -> bool:
    return share.interval is not None and share.interval.high < demanded


def _sure(share: Measured, demanded: float) -> str:
    if _excludes(share, demanded):
        return ": what was chosen on validation images does not hold here"
    return ", though the interval does not exclude it"


def _bounded(share: Measured) -> str:
    """97.2 %, 95 % interval 96.1 % to 98.0 %."""
    assert share.value is not None
    text = wording.percent(share.value)
    return text if share.interval is None else f"{text}, 95 % interval {_range(share.interval)}"


def _range(interval: Interval) -> str:
    return f"{wording.percent(interval.low)} to {wording.percent(interval.high)}"
