"""The process: an address, a classifier, a database, and an HTTP server until it is stopped."""

import ipaddress
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from leukoscope import __version__
from leukoscope.errors import LeukoscopeError, UsageError
from leukoscope.files import make_folder, reason
from leukoscope.serve import logs
from leukoscope.serve.app import create_app
from leukoscope.serve.keys import Keyring
from leukoscope.serve.limits import Limits
from leukoscope.serve.model import open_model
from leukoscope.serve.reviews import default_database, open_reviews
from leukoscope.serve.service import assemble


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the service listens, and what it works with."""

    classifier: Path | None = None  # by default the one that comes with the package
    host: str = "127.0.0.1"
    port: int = 8000
    database: str | None = None
    keys: Path | None = None
    pictures: Path | None = None
    prefix: str = ""
    limits: Limits = field(default_factory=Limits)


def serve(settings: Settings) -> None:
    """Nothing, when the service was stopped. Raises `LeukoscopeError` when it cannot start."""
    check(settings)
    keyring = None if settings.keys is None else Keyring(settings.keys)
    if settings.pictures is not None:
        make_folder(settings.pictures)
    with (
        listen(settings.host, settings.port) as listening,
        open_reviews(settings.database or default_database()) as reviews,
    ):
        service = assemble(
            open_model(settings.classifier),
            reviews,
            limits=settings.limits,
            keyring=keyring,
            pictures=settings.pictures,
        )
        app = create_app(service, prefix=settings.prefix)
        logs.to_stderr()
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=settings.limits.connections,
            timeout_graceful_shutdown=30,
        )
        port = listening.getsockname()[1]
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        classes = ", ".join(service.model.classes)
        print(
            f"Leukoscope {__version__} with {service.model.name} ({classes}) is at "
            f"http://{shown}:{port}{settings.prefix}/\n"
            f"It assists; it does not diagnose. Ctrl-C ends it.",
            flush=True,
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])


def check(settings: Settings) -> None:
    """Nothing, or `UsageError` for settings that would open the service to everybody."""
    if settings.keys is None and not _is_loopback(settings.host):
        raise UsageError(
            f"On {settings.host} others can reach the service, so it needs keys: "
            f"leukoscope keys add NAME --keys FILE, then --keys FILE."
        )
    if settings.prefix and not settings.prefix.startswith("/"):
        raise UsageError(f"The prefix {settings.prefix!r} does not start with /.")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at this address; `LeukoscopeError` when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise LeukoscopeError(
            f"{host}, port {port}, cannot be listened at: {reason(error)}. "
            f"Another port: --port {port + 1 if port < 65535 else 8001}."
        ) from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
