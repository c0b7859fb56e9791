"""How every figure looks, and how it becomes bytes."""

import io
import re
import warnings
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

# Okabe and Ito's palette for colour-blind readers, without its yellow, which vanishes on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
# One more than there are colours, so that a pair of both comes back after 56 lines only.
DASHES: tuple[tuple[int, tuple[float, ...] | None], ...] = (
    (0, None),
    (0, (6, 1.5)),
    (0, (1.3, 1.3)),
    (0, (7, 1.5, 1.3, 1.5)),
    (0, (10, 2)),
    (0, (7, 1.5, 1.3, 1.5, 1.3, 1.5)),
    (0, (3, 1)),
    (0, (3, 3)),
)
BLUE, ORANGE = COLOURS[:2]
INK, GREY, FAINT, ALERT = "#1b1f24", "#59626b", "#d9dee3", "#a33b00"
NORMAL, SMALL, TITLE = 9.0, 8.0, 10.5

_LONGEST = 40  # letters of a name
_FONTS = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


def new_figure(size: tuple[float, float], title: str, mark: str) -> Figure:
    """An empty figure, width and height in inches, under its title and its mark."""
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    text = plain(title, longest=round(12 * size[0])) + (f"\n{plain(mark)}" if mark else "")
    figure.suptitle(text, fontsize=TITLE, color=ALERT if mark else INK)
    return figure


def label(axes: Axes, title: str, x: str, y: str) -> None:
    """The names of a panel and its axes, and its quiet frame."""
    axes.set_title(title, fontsize=NORMAL, color=INK, loc="left")
    axes.set_xlabel(x, fontsize=NORMAL, color=INK)
    axes.set_ylabel(y, fontsize=NORMAL, color=INK)
    axes.tick_params(labelsize=SMALL, color=GREY, labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)


def reference(
    axes: Axes,
    name: str,
    value: float,
    interval: tuple[float, float] | None = None,
    *,
    dash: int = 1,
    row: int = 0,
) -> None:
    """An upright line at a value of the x axis in the band of its interval if it has one, under
    its name, in one of `DASHES`; a `row` keeps names of near values apart."""
    if interval is not None:
        axes.axvspan(*interval, color=ALERT, alpha=0.1, linewidth=0, zorder=0)
    axes.axvline(value, color=ALERT, linewidth=1.3, linestyle=DASHES[dash], zorder=1)
    axes.annotate(
        plain(name),
        (value, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3 + 1.3 * SMALL * row),
        textcoords="offset points",
        color=ALERT,
        fontsize=SMALL,
        ha="center",
        va="bottom",
    )


def logarithmic(axes: Axes, which: str) -> None:
    """A logarithmic axis whose ticks are plain numbers at 1, 2 and 5."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def plain(text: str, *, longest: int = _LONGEST) -> str:
    """A name from outside as literal text: no formulas, no control characters, not too long."""
    visible = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    short = visible if len(visible) <= longest else visible[: longest - 1] + "…"
    return short.replace("$", r"\$")


def svg(figure: Figure) -> bytes:
    """The figure for a page: text stays text, in the fonts of the page."""
    drawn = _saved(figure, "svg").decode()
    drawn = re.sub(r"(font: [^;\"]*?px) [^;\"]*", rf"\1 {_FONTS}", drawn)
    # A hundredth of a point is less than a pixel on any screen.
    drawn = re.sub(r' d="[^"]+"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), drawn)
    return drawn.encode()


def png(figure: Figure, *, dpi: int = 160) -> bytes:
    """The figure for a document or a slide."""
    return _saved(figure, "png", dpi=dpi)


def pdf(figure: Figure) -> bytes:
    """The figure for a manuscript: lines stay lines, fonts are embedded."""
    return _saved(figure, "pdf")


def _saved(figure: Figure, kind: str, *, dpi: int = 72) -> bytes:
    from matplotlib import rc_context

    content = io.BytesIO()
    # A fixed salt: the same figure is the same file. No date for the same reason.
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "leukoscope", "pdf.fonttype": 42}
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with rc_context(settings), warnings.catch_warnings():
        # Names in any script: the browser has the letters where the drawing font has none.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(content, format=kind, dpi=dpi, metadata=metadata)
    return content.getvalue()
