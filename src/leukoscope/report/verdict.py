"""Has a network shown more than colour does, and what do its figures not say?"""

from collections.abc import Sequence

from leukoscope.evaluate.comparisons import Difference
from leukoscope.evaluate.intervals import Interval
from leukoscope.report import seeds, wording
from leukoscope.report.comparison import Comparison, Entrant, protocol_sentence
from leukoscope.report.pairs import FOREST, Pair, TwoClasses, side

_SPACE = "\N{NO-BREAK SPACE}"
_BASELINE = "the colour baseline, which sees no cell"


def verdict(comparison: Comparison, pairs: Sequence[Pair]) -> str:
    """Whether the networks have shown more than colour does, decided by differences on the same
    images."""
    best, forest = comparison.best, comparison.baseline(FOREST)
    majority = comparison.baseline("majority")
    if best is None:
        return "No network has been trained yet."
    if majority is not None and best.accuracy <= majority.accuracy:
        return (
            "No network is ahead of always naming the commonest class: these figures do not show "
            "that any network recognises anything."
        )
    if forest is None:
        return (
            "No colour baseline was measured, so nothing says how much of these figures the "
            "colour of the images alone explains."
        )
    own = next((one for one in pairs if one.names == (best.name, forest.name)), None)
    if own is None:
        return _unpaired(best, forest)
    rest = _others(comparison, pairs, best, forest)
    first = seeds.first(comparison)
    told = f"{_judged(own, comparison)}{rest}"
    return f"{first.capitalize()}: {told}" if first else told


def _unpaired(best: Entrant, forest: Entrant) -> str:
    return (
        f"The accuracy of {best.name} is {wording.percent(best.accuracy)}, that of {_BASELINE}, "
        f"{wording.percent(forest.accuracy)}. They cannot be compared image by image (predictions "
        f"not kept, or other test images), so nothing says which of them is ahead."
    )


def _judged(pair: Pair, comparison: Comparison) -> str:
    told = {
        1: f"{pair.first} is ahead of {_BASELINE}",
        0: f"{pair.first} is not told apart from {_BASELINE}",
        -1: f"{pair.first} is behind {_BASELINE}",
    }[pair.sign]
    shown = {
        1: "",
        0: " These figures do not show that it recognises more than colour.",
        -1: " These figures do not show that it recognises cells.",
    }[pair.sign]
    return (
        f"{told}: on the same {pair.n:,} test images its accuracy less that of the baseline is "
        f"{signed(pair.difference.value)}{_SPACE}percentage points ({_bounds(pair, comparison)})."
        f"{shown}"
    )


def _bounds(pair: Pair, comparison: Comparison) -> str:
    """The interval that decides, over what, and beside it that of images or scenes alone."""
    p = wording.p(pair.difference.p_value)
    if pair.adjusted != pair.difference.p_value:
        p += f", after Holm {wording.p(pair.adjusted)}"
    own = reach(pair.difference.interval)
    if pair.sessions is None:
        over = f" over {comparison.groups:,} {comparison.unit}" if comparison.groups else ""
        return f"95{_SPACE}% interval {own}{over}; {p}"
    alone = comparison.unit if comparison.groups else "images"
    return (
        f"95{_SPACE}% interval {reach(pair.sessions)} over {pair.n_sessions:,} sessions, as the "
        f"audit infers them; if {alone} are taken as independent {own}, {p}"
    )


def _others(comparison: Comparison, pairs: Sequence[Pair], best: Entrant, forest: Entrant) -> str:
    """Who else is ahead of the colour baseline, behind it, or not told apart from it."""
    signs = {one.first: one.sign for one in pairs if one.second == forest.name}
    others = [one.name for one in comparison.networks if one != best]
    told = ""
    for start, sign in (("Ahead of it", 1), ("Behind it", -1), ("Not told apart from it", 0)):
        names = [name for name in others if signs.get(name) == sign]
        too = ", too" if sign == signs[best.name] else ""
        told += f" {start}{too}: {wording.listing(names)}." if names else ""
    unpaired = [name for name in others if name not in signs]
    if unpaired:
        told += f" Tested on other images, or without predictions: {wording.listing(unpaired)}."
    return told


def of_two_classes(comparison: Comparison, pairs: Sequence[Pair]) -> list[str]:
    """The best network against colour when each image is called negative or not; nothing where
    the classes are two anyway."""
    best, forest = comparison.best, comparison.baseline(FOREST)
    if best is None or forest is None:
        return []
    own = [
        one.two if one.sessions is None else one.two_over_sessions
        for one in pairs
        if one.names == (best.name, forest.name)
    ]
    return [_two(one, best.name) for one in own if one is not None]


def _two(two: TwoClasses, name: str) -> str:
    return (
        f"Called {two.negative} or {two.positive} only, the accuracy of {name} is "
        f"{_beside(two.accuracy)}; the balanced accuracy is {_beside(two.balanced)}."
    )


def _beside(one: Difference) -> str:
    apart = {1: "ahead of it", -1: "behind it", 0: "not told apart from it"}[side(one.interval)]
    return (
        f"{wording.percent(one.first)} (colour baseline {wording.percent(one.second)}, difference "
        f"{signed(one.value)}{_SPACE}percentage points, 95{_SPACE}% interval "
        f"{reach(one.interval)}: {apart})"
    )


def signed(difference: float) -> str:
    """A difference of two shares in percentage points, with its sign and without the unit."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def reach(interval: Interval) -> str:
    """The bounds of a difference of two shares, in percentage points without the unit."""
    return f"{_bound(interval.low)} to {_bound(interval.high)}"


def _bound(value: float) -> str:
    """With as many digits as tell it from 0."""
    digits = 1
    while value != 0 and digits < 4 and round(100 * value, digits) == 0:
        digits += 1
    return f"{100 * value:+.{digits}f}".replace("-", "−")


def cautions(comparison: Comparison) -> list[str]:
    """What the figures above do not say."""
    found = [protocol_sentence(comparison.protocol)]
    if len(comparison.networks) > 1:
        found.append(
            f"The best of {len(comparison.networks)} networks was picked by its test accuracy, "
            "which flatters it a little."
        )
    if comparison.groups:
        found.append(
            f"The intervals draw whole {comparison.unit} anew (bootstrap over "
            f"{comparison.groups:,} of them), since images of one of them err together."
        )
    else:
        found.append(
            "The intervals are exact for independent images (Clopper–Pearson); images of one "
            "patient or smear resemble each other, so the true uncertainty is larger."
        )
    return found
