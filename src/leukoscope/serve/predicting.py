"""The routes from an image to what is said of it."""

import asyncio
import hashlib
import io
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from numpy.typing import NDArray
from PIL import Image
from starlette.exceptions import HTTPException

from leukoscope.data.images import UnreadableImage, decode
from leukoscope.errors import UsageError, nearest
from leukoscope.serve import answers
from leukoscope.serve.access import Caller, identify
from leukoscope.serve.answers import ImageAnswer, Predicted
from leukoscope.serve.batching import Busy
from leukoscope.serve.model import Pixels
from leukoscope.serve.recent import Seen
from leukoscope.serve.service import Service
from leukoscope.serve.uploads import FIELD, Upload, receive

Sha256 = Annotated[
    str, Query(pattern="^[0-9a-f]{64}$", description="The image, by its `sha256` in an answer.")
]
FORGOTTEN = "This image is not known here, or not any more; send it to /api/predict first."
_PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
}
# From orange to yellow: far from the violet and pink of stained cells for every eye.
_LOW, _HIGH = np.array([214.0, 69.0, 0.0]), np.array([255.0, 233.0, 77.0])


def routes(service: Service) -> APIRouter:
    """`/api/predict`, `/api/explain` and `/api/image`."""
    router = APIRouter(tags=["Images"])
    known = Depends(identify(service.keyring))
    limits, model = service.limits, service.model
    files = {"type": "array", "items": {"type": "string", "format": "binary"}}
    form = {
        "type": "object",
        "required": [FIELD],
        "properties": {FIELD: files | {"minItems": 1, "maxItems": limits.images}},
    }
    body = {"required": True, "content": {"multipart/form-data": {"schema": form}}}

    @router.post(
        "/api/predict",
        summary="Answer one or many images",
        openapi_extra={"requestBody": body},
        responses={code: {"model": answers.Refusal} for code in (400, 408, 413, 415, 422, 429)},
        max_body_size=limits.request_bytes,
    )
    async def predict(request: Request, caller: Annotated[Caller, known]) -> Predicted:
        """A row for each image, in the order they were sent: what the classifier says of it, or why
        it cannot be read. JPEG, PNG, BMP, TIFF and WebP; of several pages the first; of a picture
        that is not square its central square. Nothing is written to disk.
        """
        with service.admission.enter(caller.client, _length(request)):
            service.batcher.check()
            uploads = await receive(request, limits)
            request.state.images = len(uploads)
            with service.batcher.place(len(uploads)):
                try:
                    async with asyncio.timeout(limits.answer_seconds):
                        rows = await _answer(service, uploads)
                except TimeoutError as error:
                    raise Busy(service.batcher.patience()) from error
        readable = sum(row.answer is not None for row in rows)
        service.metrics.answered(readable, len(rows) - readable)
        return Predicted(classifier=answers.facts(model), images=rows)

    @router.get(
        "/api/explain",
        summary="Where the network looked",
        responses=_PNG | {code: {"model": answers.Refusal} for code in (404, 422)},
        response_class=Response,
        dependencies=[known],
    )
    async def explain(
        sha256: Sha256,
        target: Annotated[
            str | None, Query(description="What spoke for this class; by default the suggestion.")
        ] = None,
    ) -> Response:
        """A transparent PNG to be laid over the central square of an image that was answered
        lately: Grad-CAM, from nothing to yellow where most spoke for the class. It shows where the
        network looked, not that it was right to.
        """
        seen = _recent(service, sha256)
        wanted = seen.answer.suggestion if target is None else target
        if wanted not in model.classes:
            hint = nearest(wanted, model.classes) or f" There are {', '.join(model.classes)}."
            raise HTTPException(422, f"There is no class {wanted[:100]!r}.{hint}")
        number = model.classes.index(wanted)
        with service.batcher.place(1):
            try:
                await asyncio.to_thread(model.prepare)  # not in the network's: others are answered
                heat = await service.batcher.alone(lambda: model.heat(seen.pixels, number))
            except UsageError as error:
                raise HTTPException(422, str(error)) from error
        return Response(_png(_coloured(heat)), media_type="image/png")

    @router.get(
        "/api/image",
        summary="What the network saw",
        responses=_PNG | {404: {"model": answers.Refusal}},
        response_class=Response,
        dependencies=[known],
    )
    async def image(sha256: Sha256) -> Response:
        """An image that was answered lately as the network saw it: its central square, scaled."""
        return Response(_png(_recent(service, sha256).pixels), media_type="image/png")

    return router


def _length(request: Request) -> int | None:
    said = request.headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdecimal() else None


def _recent(service: Service, sha256: str) -> Seen:
    seen = service.recent.get(sha256)
    if seen is None:
        raise HTTPException(404, FORGOTTEN)
    return seen


async def _answer(service: Service, uploads: list[Upload]) -> list[ImageAnswer]:
    loop = asyncio.get_running_loop()
    opened = await asyncio.gather(
        *(loop.run_in_executor(service.decoders, _open, service, one) for one in uploads)
    )
    said = iter(
        await service.batcher.answer(
            [pixels for _, pixels in opened if not isinstance(pixels, str)]
        )
    )
    rows = []
    for upload, (sha256, pixels) in zip(uploads, opened, strict=True):
        if isinstance(pixels, str):
            rows.append(ImageAnswer(name=upload.name, sha256=sha256, answer=None, error=pixels))
            continue
        known = service.model.seen
        split = None if known is None else known.split(sha256)
        answer = answers.written(next(said), service.model.classes, split)
        kept = upload.content if service.pictures is not None else None
        service.recent.put(sha256, Seen(answer, pixels, kept))
        rows.append(ImageAnswer(name=upload.name, sha256=sha256, answer=answer, error=None))
    return rows


def _open(service: Service, upload: Upload) -> tuple[str, Pixels | str]:
    """The hash of a file, and its pixels or why there are none."""
    sha256 = hashlib.sha256(upload.content).hexdigest()
    if len(upload.content) > service.limits.image_bytes:
        megabytes = service.limits.image_bytes / 1e6
        return sha256, f"The file is larger than {megabytes:g} MB."
    try:
        size, most = service.model.size, service.limits.pixels
        return sha256, decode(upload.content, size, max_pixels=most)
    except UnreadableImage as error:
        return sha256, str(error)


def _coloured(heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    strength = heat[..., None].astype(np.float64)
    colour = _LOW + strength * (_HIGH - _LOW)
    # Squared, so that what spoke little leaves the cells to be seen.
    return np.concatenate([colour, 255 * strength**2], axis=-1).round().astype(np.uint8)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
