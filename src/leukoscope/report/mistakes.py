"""The test images that the networks get most wrong."""

import base64
import io
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leukoscope.data.images import decode
from leukoscope.errors import LeukoscopeError
from leukoscope.report.comparison import Comparison

_SIDE = 144  # pixels of a thumbnail: enough to recognise a field, small enough to mail


@dataclass(frozen=True, slots=True)
class Mistake:
    """A test image and what the networks made of it, on average, each with its first seed.

    `predicted` is the other class with the highest mean probability; `probability` and `given` are
    the mean probabilities of that class and of the true one. `wrong` of `runs` networks erred.
    """

    path: str
    label: str
    predicted: str
    probability: float
    given: float
    wrong: int
    runs: int


def largest(comparison: Comparison, *, count: int = 12) -> list[Mistake]:
    """The test images that a network called another class, those first whose true class gets the
    lowest mean probability.

    Of each network the first seed counts, so that none weighs more for having more of them.
    """
    means: dict[str, NDArray[np.float64]] = {}
    labels: dict[str, str] = {}
    wrong: dict[str, int] = {}
    runs: dict[str, int] = {}
    classes = comparison.names
    for result in (one.results[0] for one in comparison.networks):
        predictions = result.predictions()
        if predictions is None or set(predictions.classes) != set(classes):
            continue
        order = [predictions.classes.index(name) for name in classes]
        for path, label, row in zip(
            predictions.paths, predictions.labels, predictions.probabilities[:, order], strict=True
        ):
            labels[path] = label
            means[path] = means.get(path, np.zeros(len(classes))) + row
            wrong[path] = wrong.get(path, 0) + (classes[int(row.argmax())] != label)
            runs[path] = runs.get(path, 0) + 1
    found = []
    for path, label in labels.items():
        if not wrong[path]:
            continue
        mean = means[path] / runs[path]
        own = classes.index(label)
        given = float(mean[own])
        top = int(np.where(np.arange(len(mean)) == own, -1.0, mean).argmax())
        found.append(
            Mistake(path, label, classes[top], float(mean[top]), given, wrong[path], runs[path])
        )
    return sorted(found, key=lambda one: (one.given, one.path))[:count]


def pictures(
    found: list[Mistake], root: Path, *, known: Collection[str]
) -> dict[str, NDArray[np.uint8]]:
    """The pixels of those images that can still be opened, by path; only rows of the data set."""
    opened = {}
    for one in found:
        if one.path not in known:
            continue
        try:
            opened[one.path] = decode(root / one.path, _SIDE)
        except (LeukoscopeError, OSError):
            continue
    return opened


def thumbnail(pixels: NDArray[np.uint8]) -> str:
    """The picture as a JPEG in a data URI."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()
