"""The table of a run for the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from leukoscope.files import read_json
from leukoscope.report import wording
from leukoscope.report.run import Result, read_results

_UNBOUNDED = 1000
_LEFT_OUT = ((), ("precision", "recall", "F1"), ("precision", "recall", "F1", "confusion"))
"""What a terminal that is too narrow for the whole table does without."""


def print_results(run: Path) -> None:
    """Nothing; the rows of `results.csv` are on stdout, each accuracy with its interval."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_UNBOUNDED)  # a log or a pipe has no width
    results = list(read_results(run))
    for part in dict.fromkeys((result.classes, result.protocol) for result in results):
        rows = [result for result in results if (result.classes, result.protocol) == part]
        several = len({row.seed for row in rows}) > 1
        cells = [_cells(row, several=several) for row in rows]
        tables = [_table(f"{part[0]}, protocol {part[1]}", cells, less) for less in _LEFT_OUT]
        fitting = (one for one in tables if _width(console, one) <= console.width)
        console.print(next(fitting, tables[-1]))
    for leak in read_json(run / "settings.json").get("leaks", []):
        console.print(f"Split ({leak['protocol']}): {wording.leak(leak)}", highlight=False)


def _table(title: str, cells: Sequence[dict[str, str]], left_out: Sequence[str]) -> Table:
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    columns = [name for name in cells[0] if name not in left_out]
    for name in columns:
        table.add_column(name, justify="left" if name == columns[0] else "right", no_wrap=True)
    for row in cells:
        table.add_row(*(row[name] for name in columns))
    return table


def _width(console: Console, table: Table) -> int:
    """Characters that the whole table needs, on however narrow a console."""
    return console.measure(table, options=console.options.update(width=_UNBOUNDED)).maximum


def _cells(result: Result, *, several: bool) -> dict[str, str]:
    interval = result.interval
    seed = f" · seed {result.seed}" if several else ""
    return {
        "network": wording.network(result.network) + seed,
        "loss": wording.loss(result.loss),
        "accuracy": wording.share(result.accuracy),
        "95 % interval": f"{wording.share(interval.low, 3)}–{wording.share(interval.high, 3)}",
        "precision": wording.share(result.precision),
        "recall": wording.share(result.recall),
        "F1": wording.share(result.f1),
        "confusion": str([list(row) for row in result.confusion]),
    }
