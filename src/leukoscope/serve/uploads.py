"""What did the client send? Files out of a form, in memory, within the limits."""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from leukoscope.serve.limits import Limits
from leukoscope.serve.text import file_name

FIELD = "images"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it arrived; its name is for showing only."""

    name: str
    content: bytes


class _InMemory(MultiPartParser):
    """A parser that writes nothing to disk: images of patients leave no trace there.

    The whole request is bounded, and so are the requests under way.
    """

    spool_max_size = 2**62


async def receive(request: Request, limits: Limits) -> list[Upload]:
    """The files of a form's `images` fields in their order.

    Raises `HTTPException`: 400 for a broken form or too many parts, 408 when it does not arrive in
    time, 413 when it is too large, 415 for another content type, 422 for a form without images.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise HTTPException(415, f"Send a form (multipart/form-data) whose {FIELD} are files.")
    try:
        async with asyncio.timeout(limits.upload_seconds):
            form = await _InMemory(
                request.headers,
                request.stream(),
                max_files=limits.images,
                max_fields=limits.images,
            ).parse()
    except TimeoutError as error:
        seconds = f"{limits.upload_seconds:g}"
        raise HTTPException(408, f"The form did not arrive within {seconds} s.") from error
    except MultiPartException as error:
        raise HTTPException(400, f"The form cannot be read: {error.message}") from error
    uploads = []
    try:
        for name, value in form.multi_items():
            if name != FIELD or not isinstance(value, UploadFile):
                raise HTTPException(422, f"The form may only have files named {FIELD}.")
            uploads.append(Upload(file_name(value.filename or ""), await value.read()))
    finally:
        await form.close()
    if not uploads:
        raise HTTPException(422, f"The form has no file named {FIELD}.")
    return uploads
