"""How much of what each network looked at was white-cell nuclei?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from leukoscope.audit.attention import REGIONS, Spread, spreads
from leukoscope.evaluate.intervals import Measured
from leukoscope.evaluate.resampling import FEWEST
from leukoscope.report import wording
from leukoscope.report.comparison import Comparison
from leukoscope.report.evidence import Evidence
from leukoscope.report.recognition import NETWORK
from leukoscope.report.tables import Cell, Column, Table

_EVERY = "all"
_EXPLANATION = (
    "Where Grad-CAM lies in test images, for the class that each was taken for. A map that sees "
    "nothing lies on nuclei as often as they are there: its ratio is 1. Only a ratio whose 95 % "
    "interval excludes 1 says that a network looked at nuclei (or at a scale bar, which would be a "
    "shortcut) more or less than chance does.",
    "Maps are coarse (7×7 places in most networks, enlarged), so even a network that goes by "
    "nuclei alone has much of its map around them.",
)


def sentences(found: Sequence[Evidence]) -> tuple[str, ...]:
    """How to read the table, and for which networks it tells anything."""
    told = [_verdicts(found, region) for region in ("nuclei", "scale_bar")]
    return (*_EXPLANATION, *filter(None, told))


def _verdicts(found: Sequence[Evidence], region: str) -> str:
    """Which networks looked there more or less than chance, over all classes."""
    sides: dict[str, list[str]] = {"more": [], "less": [], "": []}
    for one in found:
        for each in _spreads(one):
            if each.label == _EVERY and each.region == region and each.ratio.value is not None:
                sides[_side(each.ratio)].append(one.name)
    where = "nuclei" if region == "nuclei" else "the scale bar"
    told = [
        f"{side} than chance looked {wording.listing(names)}"
        for side, names in sides.items()
        if side and names
    ]
    if sides[""]:
        told.append(f"not told apart from chance: {wording.listing(sides[''])}")
    return f"At {where}, over all classes: {'; '.join(told)}." if told else ""


def attention(comparison: Comparison, found: Sequence[Evidence]) -> Table | None:
    """The share of each network's attention on nuclei and on the scale bar, over all images and by
    class, beside the share of the area; None where no network's was measured."""
    rows = [row for one in found if one.attention for row in _rows(one)]
    if not rows:
        return None
    counts = sorted({len(one.attention) for one in found if one.attention})
    images = " to ".join(f"{n:,}" for n in dict.fromkeys((counts[0], counts[-1])))
    return Table(
        f"{comparison.key}-attention",
        f"Attention on nuclei: of {images} test images, drawn by chance because a map takes longer "
        f"than an answer, n have a map that is not empty. Share: mean over images of the part of "
        f"the map on nuclei; area: mean of the part of the image that they cover; ratio: the first "
        f"mean by the second, with its 95 % interval ({_units(found)} weighed anew); no interval "
        f"is given over fewer than {FEWEST:g} effective {_units(found).removeprefix('whole ')}. "
        f"Then the same for the scale bar.",
        (
            NETWORK,
            Column("Class"),
            Column("n", "count"),
            Column("Share on nuclei", "mean", "attention"),
            Column("Area of nuclei", "mean", "attention"),
            Column("Ratio, nuclei", "ratio", "attention"),
            Column("Share on the scale bar", "mean", "attention"),
            Column("Area of the scale bar", "mean", "attention"),
            Column("Ratio, scale bar", "ratio", "attention"),
        ),
        tuple(rows),
    )


def _rows(one: Evidence) -> list[tuple[Cell, ...]]:
    listed = _spreads(one)
    rows: list[tuple[Cell, ...]] = []
    for place in range(0, len(listed), len(REGIONS)):
        nuclei, scale_bar, _ = listed[place : place + len(REGIONS)]
        rows.append(
            (
                *(one.name, nuclei.label, nuclei.n, nuclei.share, nuclei.area, nuclei.ratio),
                *(scale_bar.share, scale_bar.area, scale_bar.ratio),
            )
        )
    return rows


def _spreads(one: Evidence) -> list[Spread]:
    """Of all images, then of each class."""
    every = [replace(row, label=_EVERY) for row in one.attention]
    return [*spreads(every, _groups(one)), *spreads(one.attention, _groups(one))]


def _groups(one: Evidence) -> Mapping[str, str] | None:
    return None if one.groups is None else one.groups.of


def _units(found: Sequence[Evidence]) -> str:
    units = {one.groups.unit for one in found if one.attention and one.groups is not None}
    return f"whole {units.pop()}s" if len(units) == 1 else "images"


def _side(ratio: Measured) -> str:
    """More or less than chance; empty where the interval does not tell."""
    if ratio.interval is None or ratio.interval.low <= 1 <= ratio.interval.high:
        return ""
    return "more" if ratio.interval.low > 1 else "less"
