"""The routes of reviews: what the person said of a suggestion, kept and listed."""

import csv
import io
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from leukoscope.errors import LeukoscopeError, nearest
from leukoscope.serve import pictures
from leukoscope.serve.access import Caller, identify
from leukoscope.serve.answers import Record, Refusal
from leukoscope.serve.logs import log
from leukoscope.serve.predicting import FORGOTTEN
from leukoscope.serve.reviews import Decision, Review
from leukoscope.serve.service import Service
from leukoscope.serve.text import FileName, Line

HASH = "^[0-9a-f]{64}$"
CSV_COLUMNS = (
    "time",
    "person",
    "patient",
    "name",
    "sha256",
    "suggestion",
    "certainty",
    "words",
    "decision",
    "label",
    "classifier",
    "seen",
)
_PAGE = 100


class NewReview(BaseModel):
    """What the person said of an image."""

    model_config = ConfigDict(extra="forbid")

    id: UUID = Field(description="Chosen by the client; sending a review twice keeps it once.")
    sha256: str = Field(pattern=HASH, description="The image.")
    decision: Decision = Field(
        description="`withdrawn` takes the last decision back; the history keeps both."
    )
    label: str | None = Field(
        None, max_length=200, description="The right class, for `corrected` only."
    )
    name: FileName = Field("unnamed", description="Of the file, to be shown.")
    patient: Line = Field("", description="Patient or case.")
    person: Line = Field("", description="Who decided; with keys, the key's name counts instead.")


class KeptReview(Record):
    """A review as it was kept."""

    id: str
    number: int = Field(description="Grows with every review.")
    time: str = Field(description="UTC, ISO 8601.")
    person: str
    sha256: str
    name: str
    patient: str
    classifier: str = Field(description="The fingerprint of the classifier that suggested.")
    suggestion: str
    certainty: float
    answer: dict[str, Any] = Field(description="All that the classifier said.")
    decision: Decision
    label: str = Field(description="The class decided on; empty when skipped or withdrawn.")


class ReviewList(Record):
    """Reviews, latest first."""

    reviews: list[KeptReview]
    next: int | None = Field(description="`before` of the call that goes on; null at the end.")


Images = Annotated[
    list[Annotated[str, Field(pattern=HASH)]],
    Query(max_length=_PAGE, description="Only of these images."),
]
Patient = Annotated[str | None, Query(max_length=100, description="Only of this patient or case.")]
Person = Annotated[str | None, Query(max_length=100, description="Only by this person.")]


def routes(service: Service) -> APIRouter:
    """`/api/reviews` and what is below it."""
    known = Depends(identify(service.keyring))
    router = APIRouter(tags=["Reviews"], responses={503: {"model": Refusal}})

    @router.post(
        "/api/reviews",
        status_code=201,
        summary="Keep a review",
        responses={
            400: {"model": Refusal, "description": "It is no JSON."},
            413: {"model": Refusal},
            200: {"model": KeptReview, "description": "It was kept before."},
            409: {"model": Refusal, "description": "The image, or the id, does not allow it."},
        },
        max_body_size=16_384,
    )
    async def add(
        new: NewReview, response: Response, caller: Annotated[Caller, known]
    ) -> KeptReview:
        """It is on disk when this answers. The suggestion kept with it is the service's own: the
        image was answered lately, or was reviewed before.
        """
        kept, is_new = await run_in_threadpool(_keep, service, new, caller)
        if is_new:
            service.metrics.reviewed(kept.decision)
        else:
            response.status_code = 200
        return _shown(kept)

    @router.get("/api/reviews", summary="List decisions", dependencies=[known])
    async def listed(
        sha256: Images = [],  # noqa: B006 - FastAPI copies defaults
        patient: Patient = None,
        person: Person = None,
        before: Annotated[
            int | None, Query(ge=1, le=2**31 - 1, description="Only reviews with a lower number.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = _PAGE,
    ) -> ReviewList:
        """The latest decision of each image, but for those that were withdrawn."""
        found = await run_in_threadpool(
            service.reviews.current,
            images=sha256,
            patient=patient,
            person=person,
            before=before,
            limit=limit,
        )
        more = found[-1].number if len(found) == limit else None
        return ReviewList(reviews=[_shown(one) for one in found], next=more)

    @router.get(
        "/api/reviews.csv",
        summary="The list of decisions as a table",
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
        response_class=Response,
        dependencies=[known],
    )
    async def table(
        sha256: Images = [],  # noqa: B006
        patient: Patient = None,
        person: Person = None,
    ) -> Response:
        """UTF-8 with commas. A cell that a spreadsheet would take for a formula starts with '."""
        found = await run_in_threadpool(
            service.reviews.current, images=sha256, patient=patient, person=person
        )
        return Response(
            _csv(found),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": 'attachment; filename="reviews.csv"'},
        )

    @router.get("/api/reviews/{sha256}", summary="The history of an image", dependencies=[known])
    async def history(sha256: Annotated[str, Path(pattern=HASH)]) -> ReviewList:
        """Every review of the image, also withdrawn ones, latest first."""
        found = await run_in_threadpool(service.reviews.history, sha256)
        return ReviewList(reviews=[_shown(one) for one in reversed(found)], next=None)

    return router


def _keep(service: Service, new: NewReview, caller: Caller) -> tuple[Review, bool]:
    model = service.model
    before = service.reviews.history(new.sha256)
    seen = service.recent.get(new.sha256)
    if seen is not None:
        classifier, answer = model.fingerprint, seen.answer.model_dump()
    elif before:
        classifier, answer = before[-1].classifier, before[-1].answer
    else:
        raise HTTPException(409, FORGOTTEN)
    label = _label(new, answer, model.classes)
    again = str(new.id) in {review.id for review in before}
    decided = bool(before) and before[-1].decision != "withdrawn"
    if new.decision == "withdrawn" and not decided and not again:
        raise HTTPException(409, "There is no decision on this image to be withdrawn.")
    if label and service.pictures is not None and seen is not None and seen.content is not None:
        try:
            pictures.keep(service.pictures, new.sha256, seen.content)
        except (OSError, LeukoscopeError) as error:
            log.error("a picture cannot be kept", exc_info=error)
            detail = "The picture could not be kept, and so the review was not kept either."
            raise HTTPException(503, detail, {"Retry-After": "5"}) from error
    kept, is_new = service.reviews.add(
        Review(
            id=str(new.id),
            person=caller.person if caller.person is not None else new.person,
            sha256=new.sha256,
            name=new.name,
            patient=new.patient,
            classifier=classifier,
            suggestion=answer["suggestion"],
            certainty=answer["certainty"],
            answer=answer,
            decision=new.decision,
            label=label,
        )
    )
    if (kept.sha256, kept.decision, kept.label) != (new.sha256, new.decision, label):
        raise HTTPException(409, "Another review has this id.")
    return kept, is_new


def _label(new: NewReview, answer: dict[str, Any], classes: tuple[str, ...]) -> str:
    if new.decision == "confirmed" and new.label in (None, answer["suggestion"]):
        return str(answer["suggestion"])
    if new.decision != "corrected":
        if new.label is not None:
            raise HTTPException(422, f"A review that is {new.decision} has no label of its own.")
        return ""
    if new.label not in classes:
        hint = nearest(new.label or "", classes) or f" There are {', '.join(classes)}."
        raise HTTPException(422, f"A correction needs one of the classes as its label.{hint}")
    if new.label == answer["suggestion"]:
        raise HTTPException(422, f"{new.label} is what was suggested: that is confirmed.")
    return new.label


def _shown(review: Review) -> KeptReview:
    return KeptReview.model_validate(asdict(review))


def _csv(reviews: list[Review]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for review in reviews:
        row = asdict(review) | {
            "words": review.answer.get("words", ""),
            "seen": review.answer.get("seen") or "",
        }
        writer.writerow(_cell(row[column]) for column in CSV_COLUMNS)
    return file.getvalue()


def _cell(value: object) -> str:
    text = f"{value:.6f}" if isinstance(value, float) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
