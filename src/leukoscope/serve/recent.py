"""What was answered lately, so that it can be explained and reviewed without being sent again?"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from leukoscope.serve.answers import Answer
from leukoscope.serve.model import Pixels


@dataclass(frozen=True, slots=True)
class Seen:
    """An image that was answered: what the network saw and said; its file if it may be kept."""

    answer: Answer
    pixels: Pixels
    content: bytes | None

    @property
    def bytes(self) -> int:
        """About how much memory it takes."""
        return self.pixels.nbytes + len(self.content or b"") + 1000


class Recent:
    """The latest images by the SHA-256 of their files, as many as fit into so many bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._seen: OrderedDict[str, Seen] = OrderedDict()
        self._lock = Lock()  # reviews are kept in threads of their own

    def __len__(self) -> int:
        return len(self._seen)

    def put(self, sha256: str, seen: Seen) -> None:
        """Remembers an image, and forgets those that were used longest ago."""
        with self._lock:
            self._drop(self._seen.pop(sha256, None))
            self._seen[sha256] = seen
            self._bytes += seen.bytes
            while self._bytes > self._limit and len(self._seen) > 1:
                self._drop(self._seen.popitem(last=False)[1])

    def get(self, sha256: str) -> Seen | None:
        """The image, which is then the one used last; None when it is forgotten."""
        with self._lock:
            if sha256 in self._seen:
                self._seen.move_to_end(sha256)
            return self._seen.get(sha256)

    def _drop(self, seen: Seen | None) -> None:
        if seen is not None:
            self._bytes -= seen.bytes
