"""What do all routes share?"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from leukoscope.serve.batching import Batcher, Busy
from leukoscope.serve.keys import Keyring
from leukoscope.serve.limits import Limits
from leukoscope.serve.metrics import Metrics
from leukoscope.serve.model import Model
from leukoscope.serve.recent import Recent
from leukoscope.serve.reviews import Reviews

_DECODERS = 2  # threads; more would hold more large pictures in memory at a time


class TooMany(Exception):
    """This client has as many requests under way as one may have."""


class Admission:
    """Who is being served now: requests of each client, and bytes on their way of all."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._requests: Counter[str] = Counter()
        self._bytes = 0

    @contextmanager
    def enter(self, client: str, length: int | None) -> Iterator[None]:
        """One request of this client with so many bytes, by its own word, while it is served.

        Raises `TooMany` or `Busy`. A body of unknown length counts as the longest one.
        """
        expected = min(length or self._limits.request_bytes, self._limits.request_bytes)
        if self._requests[client] >= self._limits.client_requests:
            raise TooMany
        if self._bytes and self._bytes + expected > self._limits.upload_bytes:
            raise Busy(1)
        self._requests[client] += 1
        self._bytes += expected
        try:
            yield
        finally:
            self._bytes -= expected
            self._requests[client] -= 1
            if not self._requests[client]:
                del self._requests[client]


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one running service."""

    model: Model
    limits: Limits
    reviews: Reviews
    keyring: Keyring | None
    pictures: Path | None
    metrics: Metrics
    recent: Recent
    admission: Admission
    batcher: Batcher
    decoders: ThreadPoolExecutor


def assemble(
    model: Model,
    reviews: Reviews,
    *,
    limits: Limits | None = None,
    keyring: Keyring | None = None,
    pictures: Path | None = None,
) -> Service:
    """A service that is ready to be started; `pictures` is where reviewed files are kept."""
    limits = limits or Limits()
    metrics = Metrics()
    batcher = Batcher(model.answer, waiting=limits.waiting, observe=metrics.batch)
    metrics.watch(lambda: batcher.waiting)
    return Service(
        model=model,
        limits=limits,
        reviews=reviews,
        keyring=keyring,
        pictures=pictures,
        metrics=metrics,
        recent=Recent(limits.recent_bytes),
        admission=Admission(limits),
        batcher=batcher,
        decoders=ThreadPoolExecutor(_DECODERS, thread_name_prefix="decoder"),
    )
