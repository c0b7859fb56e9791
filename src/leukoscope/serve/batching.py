"""How do the images of many requests reach the network together, and who has to come again?"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from leukoscope.serve.model import Pixels

if TYPE_CHECKING:
    from leukoscope.learn.answers import Answers

T = TypeVar("T")
_LONGEST_WAIT = 30  # seconds that anybody is told to stay away
_SMOOTHING = 0.2  # weight of the newest batch in the rate


class Busy(Exception):
    """There is no room for these images now; `seconds` is when there should be."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"The service is busy; try again in {seconds} s.")
        self.seconds = seconds


class Batcher:
    """A queue in front of the network, for one event loop.

    While the network works on one batch, images gather for the next; nobody waits for a batch to
    fill. All calls of the network are in one thread, so requests never compete for its cores.
    """

    def __init__(
        self,
        answer: Callable[[Pixels], "Answers"],
        *,
        waiting: int,
        batch: int = 32,
        observe: Callable[[int, float], None] = lambda images, seconds: None,
    ) -> None:
        self.waiting = 0  # images of all requests that have arrived and are not answered
        self._limit = waiting
        self._batch = batch
        self._answer = answer
        self._observe = observe
        self._queue: deque[tuple[Pixels, asyncio.Future[Answers]]] = deque()
        self._filled = asyncio.Event()
        self._network = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._rate = float(batch)  # images per second, until measured

    @contextmanager
    def place(self, images: int) -> Iterator[None]:
        """Room for so many images while they are decoded, wait and are answered, or `Busy`.

        A request is let in as long as there is any room, so that one with many images is not
        refused for ever while small ones pass.
        """
        self.check()
        self.waiting += images
        try:
            yield
        finally:
            self.waiting -= images

    def check(self) -> None:
        """Nothing, or `Busy` when there is no room for any image now."""
        if self.waiting >= self._limit:
            raise Busy(self.patience())

    def patience(self) -> int:
        """In how many whole seconds the images that wait now should be answered."""
        return min(_LONGEST_WAIT, max(1, math.ceil(self.waiting / self._rate)))

    async def answer(self, images: Sequence[Pixels]) -> "list[Answers]":
        """One `Answers` with one row for each image of S×S×3, whatever batches they went in."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Answers]] = [loop.create_future() for _ in images]
        self._queue.extend(zip(images, futures, strict=True))
        self._filled.set()
        try:
            return list(await asyncio.gather(*futures))
        finally:
            for future in futures:
                future.cancel()  # of a request that gave up: its images leave the queue

    async def alone(self, work: Callable[[], T]) -> T:
        """The result of other work for the network, between two batches."""
        return await asyncio.get_running_loop().run_in_executor(self._network, work)

    async def run(self) -> None:
        """Answers the queue until it is cancelled."""
        while True:
            await self._filled.wait()
            part = self._next()
            if part:
                await self._work(part)

    def close(self) -> None:
        """The network's thread ends after its batch."""
        self._network.shutdown(wait=True, cancel_futures=True)

    def _next(self) -> "list[tuple[Pixels, asyncio.Future[Answers]]]":
        part: list[tuple[Pixels, asyncio.Future[Answers]]] = []
        while self._queue and len(part) < self._batch:
            pixels, future = self._queue.popleft()
            if not future.done():
                part.append((pixels, future))
        if not self._queue:
            self._filled.clear()
        return part

    async def _work(self, part: "list[tuple[Pixels, asyncio.Future[Answers]]]") -> None:
        started = time.perf_counter()
        try:
            pixels = np.stack([pixels for pixels, _ in part])
            answers = await self.alone(lambda: self._answer(pixels))
            rows = [_row(answers, row) for row in range(len(part))]
        except Exception as error:  # whatever it is, it is these images' and not the next ones'
            for _, future in part:
                if not future.done():
                    future.set_exception(error)
            return
        seconds = time.perf_counter() - started
        self._rate += _SMOOTHING * (len(part) / max(seconds, 1e-6) - self._rate)
        self._observe(len(part), seconds)
        for row, (_, future) in zip(rows, part, strict=True):
            if not future.done():
                future.set_result(row)


def _row(answers: "Answers", row: int) -> "Answers":
    def cut(values: Any) -> Any:
        return None if values is None else values[row : row + 1]

    return replace(
        answers, **{each.name: cut(getattr(answers, each.name)) for each in fields(answers)}
    )
