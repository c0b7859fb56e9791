"""One picture per thread: how the checks use all cores."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from numpy.typing import NDArray

from leukoscope.progress import bar

Made = TypeVar("Made")


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    """A thread per core, with OpenCV's own threads off: a small picture is no work for two."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            yield pool
    finally:
        cv2.setNumThreads(before)


def each(
    work: Callable[[Any], Made],
    things: Sequence[Any] | NDArray[Any],
    description: str,
    *,
    quiet: bool = False,
) -> list[Made]:
    """What `work` makes of each thing, in their order, with a progress bar."""
    made = []
    with threads() as pool, bar(description, len(things), quiet=quiet) as advance:
        for one in pool.map(work, things):
            made.append(one)
            advance()
    return made
