"""How is the service doing? Figures for Prometheus."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The figures of one service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._requests = Counter(
            "leukoscope_requests", "Requests", ("route", "method", "status"), registry=registry
        )
        self._seconds = Histogram(
            "leukoscope_request_seconds",
            "Until a request was answered",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._batches = Histogram(
            "leukoscope_batch_images",
            "Images that went through the network together",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=registry,
        )
        self._network = Histogram(
            "leukoscope_batch_seconds",
            "Of the network for one batch",
            buckets=_SECONDS,
            registry=registry,
        )
        self._images = Counter(
            "leukoscope_images", "Images answered or unreadable", ("outcome",), registry=registry
        )
        self._reviews = Counter(
            "leukoscope_reviews", "Reviews kept", ("decision",), registry=registry
        )
        self._waiting = Gauge(
            "leukoscope_waiting_images", "Images that wait to be answered", registry=registry
        )

    def watch(self, waiting: Callable[[], float]) -> None:
        """The gauge of waiting images shows what this function returns."""
        self._waiting.set_function(waiting)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One request more; methods that a client made up are one, or it could fill the memory."""
        known = method if method in _METHODS else "other"
        self._requests.labels(route, known, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, images: int, seconds: float) -> None:
        """One batch more."""
        self._batches.observe(images)
        self._network.observe(seconds)

    def answered(self, readable: int, unreadable: int) -> None:
        """So many images more."""
        self._images.labels("answered").inc(readable)
        self._images.labels("unreadable").inc(unreadable)

    def reviewed(self, decision: str) -> None:
        """One review more."""
        self._reviews.labels(decision).inc()
