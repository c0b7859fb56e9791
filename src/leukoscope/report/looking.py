"""How much of what each network looked at was white-cell nuclei?"""

from collections.abc import Sequence
from dataclasses import replace

from leukoscope.audit.attention import REGIONS, spreads
from leukoscope.report.comparison import Comparison
from leukoscope.report.evidence import Evidence
from leukoscope.report.recognition import NETWORK
from leukoscope.report.tables import Cell, Column, Table

EXPLANATION = (
    "Where Grad-CAM lies in the test images, for the class that each was taken for. A map that "
    "sees nothing lies on nuclei as often as they are there, so a share means something beside "
    "that of the area only: a ratio near 1 is what chance gives, below 1 the network looked beside "
    "the nuclei, and a scale bar that gets more than its area is a shortcut.",
    "Maps are coarse (7×7 places in most networks, enlarged), so even a network that goes by "
    "nuclei alone has much of its map around them.",
)


def attention(comparison: Comparison, found: Sequence[Evidence]) -> Table | None:
    """The share of each network's attention on nuclei and on the scale bar, over all images and by
    class, beside the share of the area; None where no network's was measured."""
    rows = [row for one in found if one.attention for row in _rows(one)]
    if not rows:
        return None
    return Table(
        f"{comparison.key}-attention",
        "Shares of the attention and of the area: medians over images with quartiles, and means.",
        (
            NETWORK,
            Column("Class"),
            Column("n", "count"),
            Column("On nuclei", "mean", "attention"),
            Column("Lower quartile", "mean", "attention"),
            Column("Upper quartile", "mean", "attention"),
            Column("Area of nuclei", "mean", "attention"),
            Column("Ratio", "number", "attention"),
            Column("On the scale bar", "mean", "attention"),
            Column("Area of the scale bar", "mean", "attention"),
        ),
        tuple(rows),
    )


def _rows(one: Evidence) -> list[tuple[Cell, ...]]:
    every = [replace(row, label="all") for row in one.attention]
    listed = [*spreads(every), *spreads(one.attention)]
    rows: list[tuple[Cell, ...]] = []
    for place in range(0, len(listed), len(REGIONS)):
        nuclei, scale_bar, _ = listed[place : place + len(REGIONS)]
        low, middle, high = nuclei.quartiles
        ratio = middle / nuclei.area if nuclei.area else None
        rows.append(
            (
                *(one.name, nuclei.label, nuclei.n, middle, low, high, nuclei.area, ratio),
                *(scale_bar.quartiles[1], scale_bar.area),
            )
        )
    return rows
