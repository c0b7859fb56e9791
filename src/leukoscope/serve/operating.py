"""The routes for whoever runs the service: is it alive, is it ready, what is it?"""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from leukoscope import __version__
from leukoscope.serve.access import Caller, identify
from leukoscope.serve.answers import ClassifierFacts, Record, Refusal, facts
from leukoscope.serve.limits import Limits
from leukoscope.serve.service import Service


class State(Record):
    """How the service is, in a word."""

    status: str


class About(Record):
    """What a client has to know before it sends anything."""

    version: str
    classifier: ClassifierFacts
    limits: Limits
    person: str | None = Field(description="Whose key this is; null where there are no keys.")
    keeps_pictures: bool = Field(description="Whether files of reviewed images are kept.")


def routes(service: Service) -> APIRouter:
    """`/health`, `/ready`, `/metrics`, and what describes the service."""
    router = APIRouter(tags=["Service"])
    known = Depends(identify(service.keyring))

    @router.get("/health", summary="Is the process alive?")
    async def health() -> State:
        """Needs no key."""
        return State(status="alive")

    @router.get(
        "/ready", summary="Would an image be answered now?", responses={503: {"model": Refusal}}
    )
    async def ready() -> State:
        """Asks the database and looks at the queue. Needs no key."""
        try:
            await run_in_threadpool(service.reviews.check)
        except SQLAlchemyError as error:
            detail = "The database does not answer."
            raise HTTPException(503, detail, {"Retry-After": "5"}) from error
        service.batcher.check()
        return State(status="ready")

    @router.get(
        "/metrics",
        summary="Figures for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        dependencies=[known],
    )
    async def metrics() -> Response:
        """Requests, images, batches, reviews and the process, as text."""
        return Response(
            generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4
        )

    @router.get("/api/about", summary="Version, classifier and limits")
    async def about(caller: Annotated[Caller, known]) -> About:
        """What the page asks first."""
        return About(
            version=__version__,
            classifier=facts(service.model),
            limits=service.limits,
            person=caller.person,
            keeps_pictures=service.pictures is not None,
        )

    @router.get(
        "/api/card",
        summary="The model card",
        response_class=Response,
        responses={
            200: {"content": {"text/markdown": {"schema": {"type": "string"}}}},
            404: {"model": Refusal},
        },
        dependencies=[known],
    )
    async def card() -> Response:
        """What the classifier learned from, how it was tested and what it is not for: Markdown."""
        if not service.model.card:
            raise HTTPException(404, "This classifier came without a model card.")
        return Response(service.model.card, media_type="text/markdown; charset=utf-8")

    return router
