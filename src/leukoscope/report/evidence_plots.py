"""How are certainty, abstention, stress and the way of the images drawn?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from leukoscope.evaluate.abstention import RiskCoverage
from leukoscope.evaluate.calibration import Bin
from leukoscope.report.robustness import UNCHANGED, Grade, unchanged
from leukoscope.report.style import (
    BLUE,
    COLOURS,
    DASHES,
    FAINT,
    GREY,
    INK,
    NORMAL,
    ORANGE,
    SMALL,
    label,
    new_figure,
    plain,
)


@dataclass(frozen=True, slots=True)
class Diagram:
    """The bins of one network, before its temperature where there is one and after."""

    name: str
    before: tuple[Bin, ...]
    after: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A step of the flow: its heading and lines, and whether images leave there."""

    title: str
    lines: tuple[str, ...] = ()


def reliability(diagrams: Sequence[Diagram], *, title: str, mark: str = "") -> Figure:
    """A small diagram per network: accuracy against certainty, both from the same lowest value."""
    columns = min(4, len(diagrams))
    rows = math.ceil(len(diagrams) / columns)
    figure = new_figure((max(2.6 * columns, 4.2), 2.75 * rows + 0.5), title, mark)
    bins = [one for each in diagrams for one in (*each.before, *each.after)]
    low = min(min(one.certainty, one.interval.low) for one in bins)
    low = max(0.0, math.floor(20 * low) / 20 - 0.02)
    for number, each in enumerate(diagrams, start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.plot([low, 1], [low, 1], color=FAINT, linewidth=1)
        if each.before:
            _draw_bins(axes, each.before, ORANGE, "D", "before")
        _draw_bins(axes, each.after, BLUE, "o", "after" if each.before else "as predicted")
        axes.set_xlim(low, 1.02)
        axes.set_ylim(low, 1.02)
        axes.set_aspect("equal")
        bottom, left = number > len(diagrams) - columns, number % columns == 1 or columns == 1
        label(axes, plain(each.name), "Certainty" if bottom else "", "Accuracy" if left else "")
        if number == 1:
            axes.legend(fontsize=SMALL, frameon=False, loc="upper left", handlelength=1)
    return figure


def risk_coverage(
    lines: Sequence[tuple[str, RiskCoverage, bool]], *, title: str, mark: str = ""
) -> Figure:
    """The share of errors among the images answered; name, curve, and whether it is a baseline."""
    figure = new_figure((6.6, 3.6 + 0.18 * math.ceil(len(lines) / 3)), title, mark)
    axes = figure.subplots()
    number = 0
    for name, curve, baseline in lines:
        style = {"color": GREY, "linestyle": DASHES[2]} if baseline else _style(number)
        number += not baseline
        axes.step(
            100 * curve.coverage, 100 * curve.risk, where="pre", label=plain(name), linewidth=1.4,
            **style,
        )  # fmt: skip
    label(axes, "", "Images answered, in % (the most certain first)", "Errors among them, in %")
    first = min(
        (float(curve.coverage[curve.risk > 0].min(initial=1)) for _, curve, _ in lines), default=0.0
    )
    axes.set_xlim(10 * math.floor(9 * first), 100)  # before the first error all curves are 0
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    figure.legend(
        loc="outside lower center", ncols=3, fontsize=SMALL, frameon=False, handlelength=4
    )
    return figure


def robustness(networks: Mapping[str, Sequence[Grade]], *, title: str, mark: str = "") -> Figure:
    """A panel per change: accuracy by amount, a line per network, the unchanged images marked."""
    names = list(
        dict.fromkeys(
            g.change for grades in networks.values() for g in grades if g.change != UNCHANGED
        )
    )
    columns = min(4, len(names))
    rows = math.ceil(len(names) / columns)
    figure = new_figure((2.6 * columns, 2.2 * rows + 0.8), title, mark)
    first: Axes | None = None
    for number, change in enumerate(names, start=1):
        axes = figure.add_subplot(rows, columns, number, sharey=first)
        first = first or axes
        for place, (name, grades) in enumerate(networks.items()):
            _draw_grades(axes, name, grades, change, place)
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
        label(axes, plain(change), "Amount", "Accuracy" if number % columns == 1 else "")
    assert first is not None
    handles, labels = first.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False,
        handlelength=4,
    )  # fmt: skip
    return figure


def flow(
    steps: Sequence[tuple[Box, Box | None]],
    sides: Sequence[Box],
    *,
    chained: bool = False,
    title: str,
    mark: str = "",
) -> Figure:
    """The steps down the middle, each with what is noted or left out beside it; then the sides of
    the split next to each other, or where `chained` each after the one before."""
    heights = [max(_height(one) for one in pair if one is not None) for pair in steps]
    last = max((_height(box) for box in sides), default=0.0)
    total = sum(heights) + 0.35 * len(steps) + last + 0.3
    figure = new_figure((8.6, total + 0.4), title, mark)
    axes = figure.subplots()
    axes.set_xlim(0, 8.6)
    axes.set_ylim(-total, 0.05)
    axes.set_axis_off()
    top = 0.0
    for (box, beside), height in zip(steps, heights, strict=True):
        _draw_box(axes, box, 0.2, top, 3.9, height)
        if beside is not None:
            side = _height(beside)
            _draw_box(axes, beside, 4.8, top - (height - side) / 2, 3.6, side, quiet=True)
            _arrow(axes, (4.1, top - height / 2), (4.8, top - height / 2))
        top -= height + 0.35
        if box is not steps[-1][0] or sides:
            _arrow(axes, (2.15, top + 0.35), (2.15, top))
    width = 8.2 / max(len(sides), 1)
    gap = 0.45 if chained else 0.15
    for place, box in enumerate(sides):
        left = 0.2 + place * width
        _draw_box(axes, box, left, top, width - gap, last)
        if chained and place:
            _arrow(axes, (left - gap, top - last / 2), (left, top - last / 2))
    return figure


def _draw_bins(axes: Axes, bins: Sequence[Bin], colour: str, marker: str, name: str) -> None:
    x = [one.certainty for one in bins]
    y = [one.accuracy for one in bins]
    axes.vlines(
        x, [b.interval.low for b in bins], [b.interval.high for b in bins], color=colour,
        linewidth=1, alpha=0.55,
    )  # fmt: skip
    face = "white" if marker == "D" else colour
    axes.plot(x, y, ls="", marker=marker, ms=3.6, color=colour, label=name, mfc=face)


def _draw_grades(axes: Axes, name: str, grades: Sequence[Grade], change: str, place: int) -> None:
    shown = sorted((one for one in grades if one.change == change), key=lambda one: one.amount)
    style = _style(place)
    axes.errorbar(
        [one.amount for one in shown],
        [one.accuracy for one in shown],
        yerr=np.array(
            [
                (one.accuracy - one.interval.low, one.interval.high - one.accuracy)
                for one in shown
            ]
        ).T.clip(min=0),
        label=plain(name), marker="o", ms=3, linewidth=1.2, elinewidth=0.6, **style,
    )  # fmt: skip
    whole = unchanged(grades)
    if whole is not None:
        axes.axhline(whole.accuracy, color=style["color"], linewidth=0.6, alpha=0.7)


def _style(number: int) -> dict[str, Any]:
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": DASHES[number % len(DASHES)],
    }


def _height(box: Box) -> float:
    return 0.4 + 0.2 * len(box.lines)


def _draw_box(
    axes: Axes, box: Box, x: float, top: float, width: float, height: float, *, quiet: bool = False
) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x, top - height),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor="#f4f6f8" if quiet else "white",
            edgecolor=GREY,
            linewidth=0.9,
            linestyle="--" if quiet else "-",
        )
    )
    axes.text(
        x + 0.12, top - 0.2, plain(box.title, longest=60), fontsize=NORMAL, color=INK,
        va="center", fontweight="bold",
    )  # fmt: skip
    for number, line in enumerate(box.lines):
        axes.text(
            x + 0.12, top - 0.42 - 0.2 * number, plain(line, longest=60), fontsize=SMALL, color=INK,
            va="center",
        )  # fmt: skip


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=9,
            color=GREY,
            linewidth=0.9,
            shrinkA=0,
            shrinkB=0,
        )
    )
