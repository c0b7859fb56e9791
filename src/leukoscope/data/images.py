"""Bytes to uint8 pixels: the only file that opens a picture, and the pixel cache."""

import hashlib
import io
import json
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from leukoscope.data.samples import Sample
from leukoscope.errors import DataError
from leukoscope.files import make_folder, reason, replacing, write_text
from leukoscope.progress import bar

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
MAX_PIXELS = 100_000_000
_MOST_FIELDS = 1024  # of one picture, which are in memory together
_VERSION = 1  # of the decoding below: a change makes every cached array stale


class UnreadableImage(DataError):
    """A file that is no picture, or one that cannot be shown in 8-bit RGB."""


def decode(source: Path | bytes, size: int, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The picture as size×size×3 uint8 RGB: its largest centred square, scaled.

    EXIF rotation is applied, transparency becomes white, 16-bit grey keeps its upper eight bits.
    Raises `UnreadableImage` for anything but a whole JPEG, PNG, BMP, TIFF or WebP of at most
    `max_pixels`; a larger one is refused from its header, before a pixel is decoded.
    """
    return _fitted(_read(source, max_pixels), size)


def decode_fields(
    source: Path | bytes, size: int, *, tile: int | None = None
) -> tuple[NDArray[np.uint8], float]:
    """The picture as F×size×size×3 uint8 RGB, one or more fields, and the share of it they show.

    Without `tile` it is one field, as `decode` gives it. With `tile`, squares of so many of its
    pixels (or of its shorter side, if that is less) cover all of it, evenly spaced, overlapping
    where they do not fit. Raises `UnreadableImage` as `decode` does, and for over 1,024 fields.
    """
    rgb = _read(source, MAX_PIXELS)
    if tile is None:
        return _fitted(rgb, size)[None], min(rgb.size) ** 2 / (rgb.width * rgb.height)
    side = min(tile, *rgb.size)
    columns, rows = (_starts(length, side) for length in rgb.size)
    if len(columns) * len(rows) > _MOST_FIELDS:
        raise UnreadableImage(
            f"{_name(source)} has {len(columns) * len(rows)} fields of {side} pixels; more than "
            f"{_MOST_FIELDS} are not read: use a larger --tile, or cut it up."
        )
    boxes = [(left, top, left + side, top + side) for top in rows for left in columns]
    return np.stack([_fitted(rgb.crop(box), size) for box in boxes]), 1.0


def _starts(length: int, side: int) -> list[int]:
    """Where tiles begin that cover so many pixels."""
    return [round(at) for at in np.linspace(0, length - side, math.ceil(length / side))]


def _fitted(rgb: Image.Image, size: int) -> NDArray[np.uint8]:
    if rgb.size != (size, size):
        rgb = ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(rgb)


def _name(source: Path | bytes) -> str:
    return "The file" if isinstance(source, bytes) else str(source)


def _read(source: Path | bytes, max_pixels: int) -> Image.Image:
    name = _name(source)
    try:
        # Read at once: Pillow keeps files open lazily, and many threads would run out of them.
        content = source if isinstance(source, bytes) else source.read_bytes()
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise UnreadableImage(
                    f"{name} has {image.width}×{image.height} pixels; "
                    f"more than {max_pixels / 10**6:g} megapixels are not decoded."
                )
            return _rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise UnreadableImage(f"{name} is not a picture ({', '.join(FORMATS)}).") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImage(f"{name} is too large to decode: {error}") from error
    except UnreadableImage:
        raise
    except Exception as error:
        # On damaged files Pillow raises whatever its parsers run into: struct.error, TypeError, …
        raise UnreadableImage(f"{name} cannot be decoded: {reason(error)}.") from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels have no defined range")
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip at 255
        values = np.clip(np.asarray(image), 0, 65535) >> 8
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert("RGB")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the file says about a picture before a pixel of it is decoded."""

    format: str
    mode: str
    width: int
    height: int
    bytes: int
    tables: str  # SHA-256 of a JPEG's quantisation tables: camera software has its own; else empty


def facts(path: Path) -> Facts:
    """The facts of one picture's file; `UnreadableImage` if it is none."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            tables = sorted(getattr(image, "quantization", {}).items())
            digest = hashlib.sha256(repr(tables).encode()).hexdigest() if tables else ""
            kind, size = image.format or "", path.stat().st_size
            return Facts(kind, image.mode, image.width, image.height, size, digest)
    except UnidentifiedImageError as error:
        raise UnreadableImage(f"{path} is not a picture ({', '.join(FORMATS)}).") from error
    except Exception as error:  # as in decode: damaged headers raise whatever parsers run into
        raise UnreadableImage(f"{path} cannot be read: {reason(error)}.") from error


def cache_folder() -> Path:
    """Where decoded pixels are kept: `$LEUKOSCOPE_CACHE`, or `leukoscope` in the user's cache."""
    given = os.environ.get("LEUKOSCOPE_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leukoscope"


def load(
    samples: Sequence[Sample],
    root: Path,
    *,
    size: int,
    skip_unreadable: bool = False,
    quiet: bool = False,
) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """N×size×size×3 pixels of the rows in their order, and why which paths were left out.

    The array is memory-mapped from the pixel cache, whose file is named by the contents of the
    images (their `sha256`, see `samples.hashed`): the same images are decoded once, a changed one
    again. With `skip_unreadable` the rows of unreadable pictures are missing from the array and
    listed; otherwise the first one raises `UnreadableImage`.
    """
    key = hashlib.sha256(repr((_VERSION, size)).encode())
    for sample in samples:
        key.update(bytes.fromhex(sample.sha256))
    folder = make_folder(cache_folder())
    cached = folder / f"{key.hexdigest()[:32]}-{size}.npy"
    listed = cached.with_suffix(".json")
    if not cached.exists():
        _fill(cached, listed, samples, root, size, skip_unreadable, quiet)
    # By contents, like the array: a file may have another name by now.
    why: dict[str, str] = json.loads(listed.read_text(encoding="utf-8"))
    unreadable = {
        sample.path: f"{root / sample.path}{why[sample.sha256]}"
        for sample in samples
        if sample.sha256 in why
    }
    if unreadable and not skip_unreadable:
        raise UnreadableImage(next(iter(unreadable.values())))
    return np.load(cached, mmap_mode="c"), unreadable


def _fill(
    cached: Path,
    listed: Path,
    samples: Sequence[Sample],
    root: Path,
    size: int,
    skip: bool,
    quiet: bool,
) -> None:
    why: dict[str, str] = {}
    with replacing(cached) as beside:
        pixels = _allocate(beside, (len(samples), size, size, 3))

        def fill(row: int) -> None:
            try:
                pixels[row] = decode(root / samples[row].path, size)
            except UnreadableImage as error:
                if not skip:
                    raise
                named = str(root / samples[row].path)
                why[samples[row].sha256] = str(error).removeprefix(named)

        with (
            ThreadPoolExecutor(os.cpu_count()) as pool,
            bar("decoding", len(samples), quiet=quiet) as advance,
        ):
            try:
                for _ in pool.map(fill, range(len(samples))):
                    advance()
            except UnreadableImage:
                pool.shutdown(cancel_futures=True)
                raise
        if why:
            kept = pixels[[row for row, sample in enumerate(samples) if sample.sha256 not in why]]
            _allocate(beside, kept.shape)[:] = kept
        write_text(listed, json.dumps(dict(sorted(why.items())), indent=2))


def _allocate(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    # Without its blocks reserved, a mapped file on a full disk ends the process with SIGBUS.
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return pixels
