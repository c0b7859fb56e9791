"""The HTTP interface: the routes together, and what every refusal looks like."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from leukoscope import __version__
from leukoscope.serve import operating, pages, predicting, reviewing
from leukoscope.serve.answers import Refusal
from leukoscope.serve.batching import Busy
from leukoscope.serve.logs import log
from leukoscope.serve.protection import Observed, OnlyThisMachine, Prefixed, SameSite
from leukoscope.serve.service import Service, TooMany

DESCRIPTION = """
Suggests a class for images of blood smears and keeps what a person says of each suggestion.
**It assists and does not diagnose.**

Images are sent as a form; every other call names an image by the SHA-256 of its file. A refused
request says why in `detail`. 429 (you have too many requests under way) and 503 (the service has
too much to do) come with `Retry-After` in seconds.
"""


def create_app(service: Service, *, prefix: str = "") -> FastAPI:
    """The application of one service; `prefix` is the path at which a proxy shows it, if fixed."""
    middleware = [
        Middleware(Observed, metrics=service.metrics),
        Middleware(Prefixed, prefix=prefix),
        *([] if service.keyring else [Middleware(OnlyThisMachine)]),
        Middleware(SameSite),
    ]
    codes = (401, 403, 422, 503) if service.keyring else (403, 422, 503)
    app = FastAPI(
        title="Leukoscope",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        middleware=middleware,
        lifespan=lambda app: _running(service),
        responses={code: {"model": Refusal} for code in codes},
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for kind, answer in _REFUSALS.items():
        app.add_exception_handler(kind, answer)
    for part in (predicting, reviewing, operating, pages):
        app.include_router(part.routes(service))
    app.mount("/static", pages.Revalidated(directory=pages.STATIC), name="static")
    return app


@asynccontextmanager
async def _running(service: Service) -> AsyncIterator[None]:
    work = asyncio.create_task(service.batcher.run())
    try:
        yield
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        service.batcher.close()
        service.decoders.shutdown(wait=False, cancel_futures=True)


def _refuse(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": detail}, status, headers=headers)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _refuse(error.status_code, str(error.detail), dict(error.headers or {}))


async def _busy(_: Request, error: Exception) -> Response:
    assert isinstance(error, Busy)
    return _refuse(503, str(error), {"Retry-After": str(error.seconds)})


async def _too_many(_: Request, error: Exception) -> Response:
    detail = "You have as many requests under way as one client may have; wait for an answer."
    return _refuse(429, detail, {"Retry-After": "1"})


async def _invalid(_: Request, error: Exception) -> Response:
    """The first thing that is wrong, in a sentence, without what was sent."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _refuse(422, f"{where}: {first['msg']}.")


async def _database(_: Request, error: Exception) -> Response:
    log.error("the database does not answer", exc_info=error)
    return _refuse(503, "The database does not answer; nothing was kept.", {"Retry-After": "5"})


async def _gone(_: Request, error: Exception) -> Response:
    return _refuse(400, "The client left.")


_REFUSALS = {
    HTTPException: _http,
    Busy: _busy,
    TooMany: _too_many,
    RequestValidationError: _invalid,
    SQLAlchemyError: _database,
    ClientDisconnect: _gone,
}
