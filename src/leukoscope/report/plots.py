"""Numbers to matplotlib figures; nothing is written, and no global state is touched.

Each function takes a title and a `mark`, a few words that must be seen with the figure wherever it
goes, such as that the pictures are drawn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from leukoscope.evaluate.intervals import Interval
from leukoscope.report.run import Confusion, History
from leukoscope.report.style import (
    BLUE,
    COLOURS,
    DASHES,
    FAINT,
    GREY,
    INK,
    ORANGE,
    SMALL,
    label,
    logarithmic,
    new_figure,
    plain,
    reference,
)
from leukoscope.report.wording import hundredths

_EDGES = (0.02, 0.05, 0.1, 0.2, 0.3)  # sides of the corner that is enlarged
_CELL = 10.0  # points: matrices are printed small
_CROWDED = 0.05  # of the side: lines as near to the corner lie on each other
_ROC_INSET = (0.37, 0.12, 0.6, 0.6)
_PR_INSET = (0.1, 0.12, 0.6, 0.6)


@dataclass(frozen=True, slots=True)
class Line:
    """A network's pair of curves with their areas; a baseline is drawn in grey."""

    name: str
    roc: tuple[NDArray[np.float64], NDArray[np.float64]]
    precision_recall: tuple[NDArray[np.float64], NDArray[np.float64]]
    areas: str  # AUROC and average precision in words
    baseline: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A network's accuracy and loss for each seed, with the accuracy's exact intervals."""

    name: str
    accuracies: tuple[float, ...]
    intervals: tuple[tuple[float, float], ...]
    losses: tuple[float, ...]


def curves(lines: Sequence[Line], *, title: str, mark: str = "") -> Figure:
    """ROC on the left, precision against recall on the right, each with its corner enlarged."""
    figure = new_figure((10.4, 5.0 + 0.2 * math.ceil(len(lines) / 2)), title, mark)
    left, right = figure.subplots(1, 2)
    networks = [line for line in lines if not line.baseline]
    rocs = [(line.roc[0], line.roc[1]) for line in networks]
    precisions = [(1 - line.precision_recall[0], line.precision_recall[1]) for line in networks]
    _draw_roc(left, lines)
    _draw_precision_recall(right, lines)
    if (edge := _edge(rocs)) and not _hides(left, _ROC_INSET, [line.roc for line in networks]):
        inset = left.inset_axes(_ROC_INSET)
        _draw_roc(inset, lines)
        _enlarge(left, inset, (-0.03 * edge, edge), edge)
    edge = _edge([(gap[::-1], height[::-1]) for gap, height in precisions])
    if edge and not _hides(right, _PR_INSET, [line.precision_recall for line in networks]):
        inset = right.inset_axes(_PR_INSET)
        _draw_precision_recall(inset, lines)
        _enlarge(right, inset, (1 - edge, 1 + 0.03 * edge), edge)
    label(
        left,
        _crowd(rocs),
        "False-positive rate (1 − specificity)",
        "True-positive rate (sensitivity)",
    )
    label(right, "Precision and recall", "Recall (sensitivity)", "Precision")
    legend = figure.legend(
        left.get_lines()[1:],
        [f"{plain(line.name)}: {line.areas}" for line in lines],
        loc="outside lower center",
        ncols=2,
        fontsize=SMALL,
        frameon=False,
        handlelength=4,
        title="area under the ROC curve · average precision, with 95 % intervals",
        title_fontsize=SMALL,
    )
    legend.get_title().set_color(GREY)
    return figure


def overview(
    dots: Sequence[Dot],
    references: Sequence[tuple[str, float, tuple[float, float]]],
    *,
    title: str,
    mark: str = "",
) -> Figure:
    """Accuracies with their intervals and losses, best network on top; baselines, each with its
    value and interval, as lines in bands."""
    ordered = sorted(dots, key=lambda dot: (np.mean(dot.accuracies), -np.mean(dot.losses)))
    figure = new_figure((10.4, 1.6 + 0.42 * len(ordered)), title, mark)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    lowest = min([low for dot in ordered for low, _ in dot.intervals], default=0.0)
    for place, dot in enumerate(ordered):
        _draw_dot(left, right, place, dot)
    shown = [
        (f"{name} {value:.3f}", value, interval)
        for name, value, interval in references
        if value > lowest - 0.75 * (1 - lowest)  # further away it would crush the networks
    ]
    near = len(shown) > 1 and abs(shown[0][1] - shown[1][1]) < 0.2 * (1 - lowest)
    for place, (name, value, interval) in enumerate(shown[:2]):
        reference(left, name, value, interval, dash=place + 1, row=place if near else 0)
    left.set_yticks(range(len(ordered)), [plain(dot.name) for dot in ordered])
    left.set_ylim(-0.6, len(ordered) - 0.4)
    left.set_xlim(right=1 + 0.02 * (1 - left.get_xlim()[0]))
    label(left, "", "Accuracy with its 95 % interval", "")
    label(right, "", "Test loss (logarithmic)", "")
    logarithmic(right, "x")
    for axes in (left, right):
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
    return figure


def confusion(
    counts: Confusion,
    classes: Sequence[str],
    intervals: Sequence[Interval | None],
    *,
    title: str,
    mark: str = "",
) -> Figure:
    """Counts and shares of each true class; the right ones with the interval of the class."""
    matrix = np.array(counts)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    side = 0.75 + 0.95 * len(classes)
    figure = new_figure((side, side + (0.25 if mark else 0.1)), title, mark)
    axes = figure.subplots()
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1.25, edgecolors="white", linewidth=1.5)
    for row, column in np.ndindex(matrix.shape):
        text = f"{matrix[row, column]:,}\n{hundredths(shares[row, column])} %"
        bounds = intervals[row]
        if row == column and bounds is not None:
            low, high = (hundredths(float(bound)) for bound in (bounds.low, bounds.high))
            text += f"\n[{low}–{high}]"
        axes.text(
            column + 0.5, row + 0.5, text if totals[row, 0] else "0", ha="center", va="center",
            color="white" if shares[row, column] > 0.7 else INK, fontsize=_CELL, linespacing=1.3,
        )  # fmt: skip
    places = np.arange(len(classes)) + 0.5
    names = [plain(name, longest=12) for name in classes]  # a cell is that wide
    axes.set_xticks(places, names)
    axes.set_yticks(places, names, rotation=90, va="center")
    axes.invert_yaxis()
    axes.set_aspect("equal")
    label(axes, "", "Predicted", "True")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def history(histories: Sequence[tuple[int, History]], *, title: str, mark: str = "") -> Figure:
    """Losses on the left, validation accuracy on the right, for each (seed, history)."""
    figure = new_figure((6.4, 2.7), title, mark)
    left, right = figure.subplots(1, 2)
    for position, (_, one) in enumerate(histories):
        style = {"linewidth": 1.2, "alpha": 1.0 if position == 0 else 0.55}
        labels = ("training", "validation", "best epoch") if position == 0 else ("", "", "")
        train, validation, best = [label or "_" for label in labels]
        left.plot(one.epochs, one.train_loss, color=ORANGE, ls=DASHES[1], label=train, **style)
        left.plot(one.epochs, one.validation_loss, color=BLUE, label=validation, **style)
        right.plot(one.epochs, one.validation_accuracy, color=BLUE, **style)
        at = one.best
        dot = {"color": INK, "marker": "o", "markersize": 4.5, "ls": "", "zorder": 4}
        left.plot(one.epochs[at], one.validation_loss[at], label=best, **dot)
        right.plot(one.epochs[at], one.validation_accuracy[at], **dot)
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
        _mark_sizes(axes, histories[0][1], named=axes is right)
    label(left, "", "Epoch", "Loss (logarithmic)")
    label(right, "", "Epoch", "Validation accuracy")
    logarithmic(left, "y")
    left.legend(fontsize=SMALL, frameon=False, handlelength=2.6)
    return figure


def errors(
    pictures: Sequence[tuple[NDArray[np.uint8], str]], *, title: str, mark: str = ""
) -> Figure:
    """Test images in rows of six, each above its caption."""
    columns = min(6, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    figure = new_figure((1.75 * columns, 2.25 * rows + 0.5), title, mark)
    for number, (pixels, caption) in enumerate(pictures, start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.imshow(pixels, interpolation="lanczos")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        lines = [plain(line) for line in caption.split("\n")]
        axes.set_xlabel("\n".join(lines), fontsize=SMALL, color=INK)
    return figure


def _draw_roc(axes: Axes, lines: Sequence[Line]) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    for line, style in zip(lines, _styles(lines), strict=True):
        axes.plot(*line.roc, **style)


def _draw_precision_recall(axes: Axes, lines: Sequence[Line]) -> None:
    for line, style in zip(lines, _styles(lines), strict=True):
        axes.step(*line.precision_recall, where="pre", **style)


def _styles(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Thick first and thin last, so that lines on top of each other are all seen."""
    styles = []
    for place, line in enumerate(lines):
        number = sum(not earlier.baseline for earlier in lines[:place])
        colour = GREY if line.baseline else COLOURS[number % len(COLOURS)]
        dashes = DASHES[2] if line.baseline else DASHES[number % len(DASHES)]
        width = 2.4 - 1.2 * place / len(lines)
        styles.append({"color": colour, "linestyle": dashes, "linewidth": width, "clip_on": True})
    return styles


def _edge(lines: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> float:
    """The side of the smallest corner that all (gap, height) lines cross, or at least one.

    Zero when none comes near the corner, or when there is no line.
    """
    for enough in (all, any):
        for edge in _EDGES:
            if lines and enough(y[x <= edge].max(initial=0) >= 1 - edge for x, y in lines):
                return edge
    return 0.0


def _crowd(lines: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> str:
    """The title of the ROC panel, with how many lines cannot be told apart in it."""
    near = sum(bool(y[x <= _CROWDED].max(initial=0) >= 1 - _CROWDED) for x, y in lines)
    if near < 2:
        return "ROC"
    return f"ROC ({near} of {len(lines)} networks’ lines coincide within {_CROWDED:g})"


def _hides(
    axes: Axes,
    box: tuple[float, float, float, float],
    lines: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> bool:
    """Whether an inset at (left, bottom, width, height) of the axes would lie on a line."""
    axes.autoscale_view()
    left, bottom, width, height = box
    for line in lines:
        x, y = axes.transLimits.transform(np.column_stack(line)).T
        inside = (x >= left) & (x <= left + width) & (y >= bottom) & (y <= bottom + height)
        if inside.any():
            return True
    return False


def _enlarge(axes: Axes, inset: Axes, x: tuple[float, float], edge: float) -> None:
    inset.set_xlim(x)
    inset.set_ylim(1 - edge, 1 + 0.03 * edge)
    inset.set_xticks([0, edge / 2, edge] if x[1] == edge else [1 - edge, 1 - edge / 2, 1])
    inset.set_yticks([1 - edge, 1 - edge / 2, 1])
    inset.tick_params(labelsize=SMALL, color=GREY, labelcolor=INK)
    inset.grid(color=FAINT, linewidth=0.5)
    inset.spines[:].set_color(GREY)
    axes.indicate_inset_zoom(inset, edgecolor=GREY, alpha=0.5)


def _draw_dot(accuracy: Axes, loss: Axes, place: int, dot: Dot) -> None:
    count = len(dot.accuracies)
    offsets = (np.arange(count) - (count - 1) / 2) * min(0.16, 0.6 / count)
    accuracy.hlines(
        place + offsets,
        [low for low, _ in dot.intervals],
        [high for _, high in dot.intervals],
        color=BLUE,
        linewidth=2.2 if count == 1 else 1.1,
        alpha=1.0 if count == 1 else 0.6,
    )
    for axes, values in ((accuracy, dot.accuracies), (loss, dot.losses)):
        if count > 1:
            axes.plot(values, place + offsets, ls="", marker="o", ms=3, color=BLUE, alpha=0.6)
        axes.plot([np.mean(values)], [place], ls="", marker="D", ms=5.5, color=INK, zorder=4)


def _mark_sizes(axes: Axes, one: History, *, named: bool) -> None:
    """A line where the side of the training images changes."""
    for earlier, later, epoch in zip(one.sizes, one.sizes[1:], one.epochs[1:], strict=False):
        if earlier == later:
            continue
        axes.axvline(epoch - 0.5, color=GREY, linewidth=0.8, linestyle=DASHES[2])
        if named:
            axes.text(
                epoch - 0.4,
                0.02,
                f"{later} px",
                transform=axes.get_xaxis_transform(),
                fontsize=SMALL,
                color=GREY,
            )
