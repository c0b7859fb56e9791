"""How much may anybody ask of the service at once?"""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leukoscope.errors import UsageError, nearest

_MEGABYTE = 1_000_000


class Limits(BaseModel):
    """Bounds of one request, of one client and of the whole service; each has a default.

    Together they bound the memory: images on their way are never more than `upload_bytes`, decoded
    ones never more than `waiting` and the two being decoded, remembered ones `recent_bytes`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: int = Field(default=32, ge=1, description="images in one request")
    image_bytes: int = Field(default=32 * _MEGABYTE, ge=1, description="bytes of one image's file")
    request_bytes: int = Field(default=64 * _MEGABYTE, ge=1, description="bytes of one request")
    pixels: int = Field(default=25 * _MEGABYTE, ge=1, description="pixels of one image")
    upload_seconds: float = Field(default=30, gt=0, description="until a request has arrived whole")
    answer_seconds: float = Field(
        default=20, gt=0, description="until an arrived request is answered"
    )
    client_requests: int = Field(
        default=4, ge=1, description="requests of one client at a time, then 429"
    )
    waiting: int = Field(default=64, ge=1, description="images of everybody at a time, then 503")
    upload_bytes: int = Field(
        default=512 * _MEGABYTE, ge=1, description="of everybody at a time, then 503"
    )
    recent_bytes: int = Field(
        default=256 * _MEGABYTE, ge=1, description="kept in memory to be explained"
    )
    connections: int = Field(default=256, ge=1, description="open connections, then 503")


def limits(pairs: list[str]) -> Limits:
    """The limits with those of `["images=8"]` changed; `UsageError` for what is not valid."""
    overrides = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--limit takes KEY=VALUE, not {pair!r}.")
        overrides[key.strip().replace("-", "_")] = value.strip()
    try:
        return Limits.model_validate(overrides)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = list(Limits.model_fields)
            raise UsageError(f"There is no limit {key!r}.{nearest(key, known)}") from error
        raise UsageError(f"{key}={first['input']}: {first['msg']}.") from error
