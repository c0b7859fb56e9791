"""What else is odd about a picture: blur, glare, an almost empty field, a look of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.cores import each
from leukoscope.audit.regions import PURPLE, purple

Pixels = NDArray[np.uint8]

_GLARE = 0.5  # of the field at the end of the scale shows nothing
_FLAT = 2  # grey levels that the three channels spread at most
EMPTY = 0.005  # of the field under nuclei: a third of one white cell
_SHARPNESS = -1.3  # a field of 224 px, blurred by a Gaussian of 3 px
_BLURRED = 4.5  # robust standard deviations below the median
_FAR = 6.0  # robust standard deviations; one in 500 million of a normal distribution


@dataclass(frozen=True, slots=True)
class Measures:
    """One number per image of each."""

    sharpness: NDArray[np.float64]  # variance of the Laplacian over that of the brightness, log 10
    glare: NDArray[np.float64]  # share of pixels at the upper end of all three channels
    darkness: NDArray[np.float64]  # share of pixels at the lower end of all three channels
    nuclei: NDArray[np.float64]  # share of pixels as purple as chromatin
    colour: NDArray[np.float64]  # N×6: mean and spread of red, green and blue


def measure(pixels: Pixels, *, threads: bool = True, quiet: bool = False) -> Measures:
    """The measures of N×H×W×3 pixels, row by row; without `threads` in the calling one."""
    if threads:
        rows = each(_measure, pixels, "looking at quality", quiet=quiet)
    else:
        rows = [_measure(image) for image in pixels]
    table = np.array(rows).reshape(len(pixels), 10)
    sharpness, glare, darkness, nuclei = table[:, :4].T
    return Measures(sharpness, glare, darkness, nuclei, colour=table[:, 4:])


def _measure(image: Pixels) -> list[float]:
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    # Smoothed first, so that the noise of the camera and the blocks of JPEG are not detail.
    detail = cv2.Laplacian(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0), cv2.CV_32F)
    strength, contrast = (float(cv2.meanStdDev(one)[1][0, 0]) for one in (detail, grey))
    half = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), None, 0, 0, cv2.INTER_AREA)
    red, green, blue = cv2.split(half)
    mean, spread = cv2.meanStdDev(image)
    return [
        np.log10(max(strength, 1e-3) / max(contrast, 1e-3)),
        float((cv2.min(cv2.min(red, green), blue) >= 254).mean()),
        float((cv2.max(cv2.max(red, green), blue) <= 3).mean()),
        float((purple(half) > PURPLE).mean()),
        *mean[:, 0],
        *spread[:, 0],
    ]


def odd(measures: Measures) -> dict[str, list[int]]:
    """The rows that stand out, worst first, under each name of a fault."""
    flat = measures.colour[:, 3:].max(axis=1) < _FLAT
    sharpness = _deviations(measures.sharpness)
    look = np.abs(np.column_stack([_deviations(column) for column in measures.colour.T])).max(
        axis=1, initial=0
    )
    seen = ~flat
    return {
        "one colour all over": _rows(flat, measures.colour[:, 3]),
        "blurred": _rows(seen & (sharpness < -_BLURRED), sharpness),
        "over-exposed": _rows(seen & (measures.glare > _GLARE), -measures.glare),
        "under-exposed": _rows(seen & (measures.darkness > _GLARE), -measures.darkness),
        "almost empty": _rows(seen & (measures.nuclei < EMPTY), measures.nuclei),
        "unlike the rest in colour": _rows(seen & (look > _FAR), -look),
    }


def warnings(measures: Measures) -> list[tuple[str, ...]]:
    """The faults of each picture by itself, whatever the others look like; empty for most."""
    flat = measures.colour[:, 3:].max(axis=1) < _FLAT
    faults = {
        "one colour all over": flat,
        "blurred": ~flat & (measures.sharpness < _SHARPNESS),
        "over-exposed": ~flat & (measures.glare > _GLARE),
        "under-exposed": ~flat & (measures.darkness > _GLARE),
        "almost empty": ~flat & (measures.nuclei < EMPTY),
    }
    return [tuple(name for name in faults if faults[name][row]) for row in range(len(flat))]


def _deviations(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the median in robust standard deviations: 1.4826 × the median distance."""
    if not len(values):
        return values
    away = values - np.median(values)
    spread = 1.4826 * np.median(np.abs(away))
    return away / spread if spread > 0 else np.zeros_like(away)


def _rows(chosen: NDArray[np.bool_], worst_first: NDArray[np.float64]) -> list[int]:
    rows: Sequence[int] = np.flatnonzero(chosen).tolist()
    return sorted(rows, key=lambda row: (worst_first[row], row))
