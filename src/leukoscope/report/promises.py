"""Do threshold and prediction sets keep on the test images what validation images promised?"""

from collections.abc import Sequence
from itertools import count

from leukoscope.evaluate.abstention import SMALLEST_GROUP, rules_out
from leukoscope.evaluate.intervals import Interval, Measured
from leukoscope.evaluate.novelty import ACCEPTED
from leukoscope.report import concentration, wording
from leukoscope.report.evidence import Evidence, Novelty
from leukoscope.report.validated import Point, Sets

_STRONGLY = 0.05  # of the specificity, between neighbouring thresholds


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


def on_sensitivity(found: Sequence[Evidence]) -> list[str]:
    """Who reached the demanded sensitivity and who did not, in the same words, and for whom the
    threshold does worse than none; nothing where no threshold was chosen."""
    points = _points(found)
    if not points:
        return []
    asked = wording.percent(points[0][1].demanded)
    sides: dict[int, list[str]] = {1: [], 0: [], -1: []}
    worse = []
    for one, point in points:
        reached = point.sensitivity
        sides[_side(reached, point.demanded)].append(f"{one.name} ({_bounded(reached)})")
        usual = one.metrics.binary
        before = None if usual is None else usual.measured["sensitivity"].value
        if before is not None and reached.value is not None and reached.value < before:
            instead = f"{wording.percent(reached.value)} instead of {wording.percent(before)}"
            worse.append(f"{one.name} ({instead})")
    told = [
        f"{start} {wording.listing(names)}."
        for start, names in (
            (f"The demanded sensitivity of {asked} holds on the test images for", sides[1]),
            (
                f"The demanded sensitivity of {asked} does not hold on the test images for",
                sides[-1],
            ),
            (
                f"A sensitivity of {asked} is neither shown to be reached nor to be missed by",
                sides[0],
            ),
        )
        if names
    ]
    if worse:
        told.append(
            f"The threshold chosen for a sensitivity of {asked} finds fewer positive test images "
            f"than calling the more probable side does: {wording.listing(worse)}."
        )
    return told


def on_few_positives(found: Sequence[Evidence]) -> list[str]:
    """In which folds the threshold is the lowest score of a positive validation image, and how far
    the specificity hangs on one of them."""
    points = _points(found)
    if not points:
        return []
    told, point = [], points[0][1]
    folds = len(point.positives)
    few = [f"{n:,}" for n in point.positives if n * (1 - point.demanded) < 1]
    if few:
        where = f" ({len(few)} of {folds} folds)" if folds > 1 else ""
        told.append(
            f"With {wording.listing(few)} positive validation images{where} a sensitivity of "
            f"{wording.percent(point.demanded)} means all of them: the threshold is the lowest "
            f"score among them, and known roughly only."
        )
    hanging = [
        f"{one.name} {wording.percent(each.neighbours[0])} to "
        f"{wording.percent(each.neighbours[1])}, instead of "
        f"{wording.percent(each.specificity.value or 0.0)}"
        for one, each in points
        if each.neighbours[1] - each.neighbours[0] > _STRONGLY
    ]
    if hanging:
        every = " of every fold" if folds > 1 else ""
        told.append(
            f"The specificity hangs on single validation images. With the threshold{every} at the "
            f"next lower or the next higher score of a positive one it is: {'; '.join(hanging)}."
        )
    return told


def _points(found: Sequence[Evidence]) -> list[tuple[Evidence, Point]]:
    """Those with a threshold; not the baseline that calls all alike."""
    return [
        (one, one.validated.point)
        for one in found
        if one.validated is not None
        and one.validated.point is not None
        and one.entrant.network != "majority"
    ]


def on_novelty(one: Evidence) -> list[str]:
    """How many test images are called novel without need, and of which class most; nothing where
    novelty is unknown."""
    if one.novelty is None or not one.novelty.novel:
        return []
    name, (novel, n) = most_often_novel(one.novelty)
    return [
        f"{one.name}: of the {name} test images {wording.percent(novel / n)} ({novel:,} of {n:,}) "
        f"are called novel, of all {wording.percent(one.novelty.novel / one.novelty.n)}; about "
        f"{wording.percent(1 - ACCEPTED)} was aimed at."
    ]


def most_often_novel(found: Novelty) -> tuple[str, tuple[int, int]]:
    """The class with the largest share called novel: its name, how many of them, and its n."""
    known = [(name, counts) for name, counts in found.by_class.items() if counts[1]]
    return max(known, key=lambda one: one[1][0] / one[1][1])


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
    told = [_untold(sets), *_classes(one, sets), _groups(one) if groups else ""]
    return [f"{one.name}: {' '.join(_sentence(text) for text in told if text)}"]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _classes(one: Evidence, sets: Sets) -> list[str]:
    """Whether each class has the demanded coverage; of images that a threshold could leave out.
    None is judged that too few groups hold."""
    demanded = wording.percent(sets.demanded)
    failed: list[str] = []
    unlucky: list[str] = []
    unsure: list[str] = []
    held: list[str] = []
    unjudged: list[str] = []
    for each in sets.coverages[1:]:
        share = sets.told.get(each.name, Measured(each.coverage, each.interval))
        if share.value is None:
            continue
        which = each.name
        if each.name in sets.told:
            which += f" among the other {each.n - sets.untold[each.name]:,}"
        if not concentration.carried(one, "recall", each.name):
            unjudged.append(f"{which} ({wording.percent(share.value)})")
            continue
        side = _side(share, sets.demanded)
        few = each.name not in sets.told and share.value >= sets.expected[each.name][0]
        {-1: unlucky if few else failed, 0: unsure, 1: held}[side].append(
            f"{which} ({_bounded(share)})"
        )
    told = []
    if failed:
        told.append(
            f"the demanded coverage of {demanded} does not hold for {wording.listing(failed)}."
        )
    if unlucky:
        told.append(
            f"coverage is below the demanded {demanded} in {wording.listing(unlucky)}: more than "
            f"the choice of test images explains, and within what so few validation images let "
            f"expect."
        )
    if unsure:
        told.append(
            f"coverage is neither shown to reach the demanded {demanded} nor shown to miss it in "
            f"{wording.listing(unsure)}: {_holds(unsure)} both more and less."
        )
    if held:
        told.append(f"the demanded coverage of {demanded} holds for {wording.listing(held)}.")
    if unjudged:
        told.append(
            f"whether the demanded coverage of {demanded} holds for {wording.listing(unjudged)} "
            f"cannot be said: one or few groups hold almost all images of the class."
        )
    return told


def _holds(shares: Sequence[str]) -> str:
    return "the interval holds" if len(shares) == 1 else "the intervals hold"


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


def _side(share: Measured, demanded: float) -> int:
    """−1 or 1 where the interval lies below the demand, or not below it, else 0."""
    if share.interval is None:
        return 0
    return int(share.interval.low >= demanded) - int(share.interval.high < demanded)


def _bounded(share: Measured) -> str:
    """97.2 %, 95 % interval 96.1 % to 98.0 %."""
    assert share.value is not None
    text = wording.percent(share.value)
    return text if share.interval is None else f"{text}, 95 % interval {_range(share.interval)}"


def _range(interval: Interval) -> str:
    return f"{wording.percent(interval.low)} to {wording.percent(interval.high)}"
