"""How the checks use all cores: one picture per thread, or, for many small steps, per process."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from numpy.typing import NDArray

from leukoscope.progress import bar

MANY = 1000  # images, or pairs, from which on processes gain more than their start takes
_BATCH = 64  # of them that a process is given at a time
_PROCESSES = 8  # at most; each takes about 0.2 GB

Made = TypeVar("Made")


@contextmanager
def _alone() -> Iterator[None]:
    """OpenCV's own threads are off: a small picture is no work for two."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    """A thread per core, without those of OpenCV."""
    with _alone(), ThreadPoolExecutor(os.cpu_count()) as pool:
        yield pool


def each(
    work: Callable[[Any], Made],
    things: Sequence[Any] | NDArray[Any],
    description: str,
    *,
    quiet: bool = False,
) -> list[Made]:
    """What `work` makes of each thing, in their order, with a progress bar."""
    with threads() as pool:
        return _shown(pool.map(work, things), len(things), description, quiet)


def each_in_processes(
    work: Callable[[Any], Made],
    things: Sequence[Any] | NDArray[Any],
    description: str,
    *,
    count: int,
    quiet: bool = False,
) -> list[Made]:
    """The same for work that holds the interpreter, which is one thread's at a time.

    With a `count` of images or pairs below `MANY`, or on one core, it is done in this process.
    `work` and what it refers to are sent to the others; memory-mapped pixels by the name of their
    file. Scripts need no `__main__` guard for it.
    """
    from joblib import Parallel, cpu_count, delayed

    processes = min(cpu_count(), _PROCESSES) if count >= MANY else 1
    parallel = Parallel(processes, backend="loky", return_as="generator")
    made = parallel(delayed(_worked)(work, thing) for thing in things)
    return _shown(made, len(things), description, quiet)


def batches(things: Sequence[Any] | NDArray[Any]) -> list[Any]:
    """The things in runs of a few: each thing that is sent to a process has its cost."""
    return [things[start : start + _BATCH] for start in range(0, len(things), _BATCH)]


def _worked(work: Callable[[Any], Made], thing: Any) -> Made:
    with _alone():
        return work(thing)


def _shown(made: Iterator[Made], total: int, description: str, quiet: bool) -> list[Made]:
    done = []
    with bar(description, total, quiet=quiet) as advance:
        for one in made:
            done.append(one)
            advance()
    return done
