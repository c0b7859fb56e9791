"""Which pictures should a classifier refuse: some are drawn here, others lie in a folder.

Far novelty is no blood smear at all; near novelty shows cells, but of another kind, stain or
laboratory than the training images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from leukoscope.data import inputs
from leukoscope.data.images import decode
from leukoscope.errors import UsageError

Pixels = NDArray[np.uint8]

NEAR, FAR = "near", "far"
MOST = 1000  # pictures of a folder; more are drawn from by chance
_EMPTY = 28  # fields whose background is drawn as an empty slide
_WORDS = ("patient", "smear", "of", "blood", "slide", "the", "report", "cells", "normal", "seen")
_DRAWN = ("noise", "blank", "text")


@dataclass(frozen=True, slots=True, eq=False)
class Novel:
    """Pictures of one kind, N×S×S×3."""

    kind: str
    near_or_far: str
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Folder:
    """Where pictures of one kind are."""

    kind: str
    near_or_far: str
    path: Path


def drawn(fields: Pixels, *, seed: int = 0) -> list[Novel]:
    """Noise, blank slides and pages of text, as large as these N×S×S×3 fields of smears."""
    rng = np.random.default_rng(seed)
    size = fields.shape[1]
    some = fields[np.sort(rng.permutation(len(fields))[:_EMPTY])]
    made = (noise(size, rng), blank(some, rng), text(size, rng))
    return [Novel(kind, FAR, pixels) for kind, pixels in zip(_DRAWN, made, strict=True)]


def folders(near: Sequence[str], far: Sequence[str] = ()) -> list[Folder]:
    """The folders that are meant by words such as `photographs=pictures/holiday`, or by the folder
    alone, whose name is the kind then. `UsageError` for what is no folder, or a kind named twice.
    """
    found = [_folder(word, NEAR) for word in near] + [_folder(word, FAR) for word in far]
    kinds = [*_DRAWN, *(one.kind for one in found)]
    twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
    if twice is not None:
        raise UsageError(f"There are two kinds named {twice!r}; name one otherwise: NAME=FOLDER.")
    return found


def read(folder: Folder, size: int, *, most: int = MOST) -> Novel:
    """The pictures in a folder, at any depth, of `most` at most; `DataError` for one that cannot be
    read or where there is none."""
    files = inputs.expand([str(folder.path)])
    chosen = np.sort(np.random.default_rng(0).permutation(len(files))[:most])
    pixels = np.stack([decode(files[place], size) for place in chosen])
    return Novel(folder.kind, folder.near_or_far, pixels)


def noise(size: int, rng: np.random.Generator, *, count: int = 48) -> Pixels:
    """Noise of every grain about every colour."""
    made = []
    for number in range(count):
        grain = 2 ** (number % 6)
        coarse = rng.normal(size=(-(-size // grain), -(-size // grain), 3))
        fine = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
        made.append(rng.uniform(60, 200, 3) + rng.uniform(10, 80) * fine)
    return np.clip(made, 0, 255).astype(np.uint8)


def blank(fields: Pixels, rng: np.random.Generator) -> Pixels:
    """One colour and a little grain: white, black, any; and the empty slide of each field."""
    any_colour = rng.uniform(0, 255, (17, 3))
    empty = [np.percentile(field, 95, axis=(0, 1)) for field in fields]
    colours = np.array([(0, 0, 0), (255, 255, 255), (128, 128, 128), *any_colour, *empty])
    grain = rng.normal(0, 2, (len(colours), *fields.shape[1:3], 1))
    return np.clip(colours[:, None, None] + grain, 0, 255).astype(np.uint8)


def text(size: int, rng: np.random.Generator, *, count: int = 40) -> Pixels:
    """Pages of words on bright paper."""
    pages = []
    for _ in range(count):
        page = Image.new("RGB", (size, size), tuple(rng.integers(200, 256, 3).tolist()))
        draw = ImageDraw.Draw(page)
        height = float(rng.integers(10, 28))
        font = ImageFont.load_default(height)
        for top in range(4, size, int(height * 1.3)):
            draw.text((4, top), " ".join(rng.choice(_WORDS, 12)), fill=(20, 20, 20), font=font)
        pages.append(np.asarray(page))
    return np.array(pages)


def _folder(word: str, near_or_far: str) -> Folder:
    name, equals, path = word.partition("=")
    if not equals or Path(word).is_dir():
        name, path = Path(word).resolve().name, word
    if not name.strip() or not Path(path).is_dir():
        raise UsageError(f"{word} is no folder of pictures; give FOLDER or NAME=FOLDER.")
    return Folder(name.strip(), near_or_far, Path(path))
