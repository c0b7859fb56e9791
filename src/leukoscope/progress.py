"""A bar on stderr for all that takes longer than a second."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[..., None]


@contextmanager
def bar(
    description: str, total: int, *, counted: bool = True, quiet: bool = False
) -> Iterator[Advance]:
    """A function to call with a number of finished steps and, if one likes, a `note`.

    Nothing is shown where nobody looks, as in a log. Steps that nobody would count, such as bytes,
    are shown as a percentage.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda steps=1, note="": None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn() if counted else TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total, note="")

        def advance(steps: int = 1, note: str = "") -> None:
            progress.update(task, advance=steps, note=note)

        yield advance
