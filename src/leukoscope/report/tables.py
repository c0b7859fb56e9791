"""What does a table say, on the page and in a paper?

A table is made once. Its cells keep numbers and intervals apart from their words, so that the page
shows them rounded, a CSV has them whole, and Markdown and LaTeX have them as a paper prints them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from leukoscope.evaluate.intervals import Measured
from leukoscope.report import wording

Cell = str | int | float | Measured | None
Kind = Literal[
    "text",
    "count",
    "share",
    "range",
    "loss",
    "p",
    "points",
    "number",
    "ratio",
    "mean",
    "figure",
    "predictive",
]
DIGITS = 4  # of a share
_WITHIN = ("share", "figure", "predictive")  # of which 1 should not be without an interval


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, what kind of cell is below it, and the glossary's name for it."""

    name: str
    kind: Kind = "text"
    term: str = ""

    @property
    def is_text(self) -> bool:
        """Whether it is words, which stand to the left."""
        return self.kind == "text"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; `baselines` of the last rows are there to be beaten."""

    stem: str  # of its files
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    baselines: int = 0

    @property
    def networks(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows that are not baselines."""
        return self.rows[: len(self.rows) - self.baselines]

    @property
    def beaten(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows of baselines."""
        return self.rows[len(self.rows) - self.baselines :]


def shown(column: Column, cell: Cell) -> str:
    """The cell in words, without its interval."""
    value = cell.value if isinstance(cell, Measured) else cell
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if column.kind == "predictive" and value == 1 and isinstance(cell, Measured) and cell.interval:
        return f"at least {wording.ends(cell.interval)[0]}"
    return _WORDS[column.kind](value).replace("-", "−")


def bounds(column: Column, cell: Cell) -> str:
    """The cell's interval in words, with the digits of the figure; empty where it has none."""
    if not isinstance(cell, Measured) or cell.value is None:
        return ""
    if cell.interval is None:
        return "no interval" if column.kind in _WITHIN else ""
    if column.kind == "predictive" and cell.value == 1:
        return ""  # the value has it
    word = _WORDS[column.kind]
    low, high = word(cell.interval.low), word(cell.interval.high)
    return f"{low} to {high}".replace("-", "−")


def without_empty(table: Table) -> Table:
    """The table without the columns in which every cell is absent."""
    kept = [
        place
        for place in range(len(table.columns))
        if any(row[place] is not None for row in table.rows)
    ]
    return replace(
        table,
        columns=tuple(table.columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in table.rows),
    )


def whole(table: Table) -> tuple[list[str], list[list[object]]]:
    """Columns and rows for a CSV: a column with intervals becomes three, numbers stay whole."""
    measured = [
        any(isinstance(row[place], Measured) for row in table.rows)
        for place in range(len(table.columns))
    ]
    names = []
    for column, is_measured in zip(table.columns, measured, strict=True):
        key = _key(column.name)
        names += [key, f"{key}_low", f"{key}_high"] if is_measured else [key]
    rows = []
    for row in table.rows:
        cells: list[object] = []
        for cell, is_measured in zip(row, measured, strict=True):
            cells += _parts(cell) if is_measured else [_plain(cell)]
        rows.append(cells)
    return names, rows


def printed(table: Table) -> list[list[str]]:
    """The cells as a paper prints them: the value, and its interval in brackets."""
    rows = []
    for row in table.rows:
        cells = []
        for column, cell in zip(table.columns, row, strict=True):
            interval = bounds(column, cell)
            cells.append(shown(column, cell) + (f" ({interval})" if interval else ""))
        rows.append(cells)
    return rows


def _signed_points(value: float) -> str:
    return f"{100 * value:+.2f}"


def _share(value: float) -> str:
    return wording.share(value, DIGITS)


def _figure(value: float) -> str:
    """Any figure, beside others in one column; what is not quite 0 is never written so."""
    return f"{value:.1e}" if 0 < abs(value) < 0.00005 else _share(value)


def _number(value: float) -> str:
    return f"{value:.3g}"


def _ratio(value: float) -> str:
    """Three digits; what is not quite 1 is never written so."""
    return wording.share(value, 3)


def _mean(value: float) -> str:
    return f"{value:.3f}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


_WORDS: dict[Kind, Callable[[float], str]] = {
    "text": str,
    "count": _count,
    "share": _share,
    "range": _share,  # of several figures; no interval
    "loss": wording.loss,
    "p": wording.p_value,
    "points": _signed_points,
    "number": _number,
    "ratio": _ratio,
    "mean": _mean,
    "figure": _figure,
    "predictive": _share,
}


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _parts(cell: Cell) -> Sequence[object]:
    if not isinstance(cell, Measured):
        return (_plain(cell), "", "")
    if cell.interval is None:
        return (_plain(cell.value), "", "")
    return (_plain(cell.value), cell.interval.low, cell.interval.high)


def _plain(cell: Cell) -> object:
    return "" if cell is None else cell
