"""The figures of an audit."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukoscope.audit.price import Point
from leukoscope.report.style import (
    BLUE,
    COLOURS,
    FAINT,
    GREY,
    NORMAL,
    ORANGE,
    SMALL,
    label,
    new_figure,
    plain,
    reference,
)


def shortcuts(
    bars: Sequence[tuple[str, float, float, float, float]], majority: float, *, mark: str = ""
) -> Figure:
    """Per probe its name, accuracy with the ends of its interval, and accuracy on shuffled labels;
    the commonest class as a line."""
    ordered = sorted(bars, key=lambda bar: bar[1])
    title = "How well the label is told from colours, corners or the file alone"
    figure = new_figure((8.2, 1.4 + 0.36 * len(ordered)), title, mark)
    axes = figure.subplots()
    for place, (_, accuracy, low, high, shuffled) in enumerate(ordered):
        axes.barh(place, accuracy, height=0.62, color=BLUE if low > majority else GREY)
        axes.plot([low, high], [place, place], color="black", linewidth=1.4)
        axes.plot(shuffled, place, marker="D", markersize=4.5, color=ORANGE, zorder=3)
        axes.annotate(
            f"{accuracy:.1%}",
            (high, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
        )
    reference(axes, f"commonest class {majority:.1%}", majority)
    axes.set_yticks(range(len(ordered)), [plain(bar[0]) for bar in ordered])
    axes.set_xlim(0, 1.08)
    label(axes, "", "Accuracy on scenes that the probe has not seen; diamond: shuffled labels", "")
    return figure


def information(bits: NDArray[np.float64], *, mark: str = "") -> Figure:
    """The information map as a picture of the field."""
    figure = new_figure((5.4, 4.8), "What each place says about the label", mark)
    axes = figure.subplots()
    shown = axes.imshow(bits, cmap="viridis", vmin=0, vmax=max(0.05, float(bits.max())))
    axes.set_xticks([])
    axes.set_yticks([])
    bar = figure.colorbar(shown, ax=axes, shrink=0.85)
    bar.set_label("bits", fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def price(points: Sequence[Point], *, mark: str = "") -> Figure:
    """Accuracy with its interval, and balanced accuracy, of each model, protocol by protocol."""
    figure = new_figure((8.2, 4.0), "The same model, ever further from what it learned", mark)
    axes = figure.subplots()
    protocols = list(dict.fromkeys(point.protocol for point in points))
    models = list(dict.fromkeys(point.model for point in points))
    for number, model in enumerate(models):
        own = [point for point in points if point.model == model]
        places = np.array([protocols.index(point.protocol) for point in own])
        places = places + 0.24 * (number - (len(models) - 1) / 2)
        accuracy = np.array([point.accuracy for point in own])
        ends = np.array([(point.interval.low, point.interval.high) for point in own]).T
        axes.errorbar(
            places - 0.05,
            accuracy,
            yerr=np.abs(ends - accuracy),
            fmt="o",
            color=COLOURS[number % len(COLOURS)],
            capsize=3,
            label=f"{plain(model)}: accuracy, 95 % interval over groups",
        )
        axes.plot(
            places + 0.05,
            [point.balanced_accuracy for point in own],
            "s",
            color=COLOURS[number % len(COLOURS)],
            markerfacecolor="white",
            label=f"{plain(model)}: balanced accuracy",
        )
    names = [plain(protocol).replace(", ", ",\n") for protocol in protocols]
    axes.set_xticks(range(len(names)), names, fontsize=SMALL)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    figure.legend(fontsize=SMALL, frameon=False, loc="outside lower center", ncols=2)
    label(axes, "", "What is kept apart", "Share of images right")
    return figure
