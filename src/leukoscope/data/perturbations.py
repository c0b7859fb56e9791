"""What another slide, microscope or camera does to a field, in grades and without chance.

| change | amount | unchanged |
|---|---|---|
| `blue dye`, `eosin` | of the dye's optical density, as a factor | 1 |
| `white balance` | added to the gain of red and taken from that of blue | 0 |
| `brightness` | of the light, as a factor | 1 |
| `blur` | standard deviation of a Gaussian, in pixels of a field of 224 | 0 |
| `jpeg` | quality of the compression, 1–95 | not compressed again |
| `scale` | of the picture about its centre, as a factor | 1 |
| `scale bar` | 1: the bottom-right corner has the median colour of the field | 0 |
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

CORNER = (0.14, 0.24)  # height and width of the scale-bar corner, as shares of the side
# Directions in optical density; Ruifrok and Johnston 2001, table 1. Haematoxylin's stands for the
# blue dyes of blood stains.
_BLUE, _EOSIN = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11)
_SIDE = 224  # pixels; what amounts in pixels refer to


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One kind of change, the amounts it is tried in, and the change of an H×W×3 field."""

    name: str
    amounts: tuple[float, ...]
    unchanged: float
    apply: Callable[[Pixels, float], Pixels]

    def severity(self, amount: float) -> int:
        """The place of the amount among those on its side of the unchanged one, from 1."""
        side = [a for a in self.amounts if (a > self.unchanged) == (amount > self.unchanged)]
        return 1 + sorted(side, key=lambda a: abs(a - self.unchanged)).index(amount)


def perturb(pixels: Pixels, perturbation: Perturbation, amount: float) -> Pixels:
    """Changed copies of N×H×W×3 pixels."""
    changed = np.empty_like(pixels)
    for row, field in enumerate(pixels):
        changed[row] = perturbation.apply(np.asarray(field), amount)
    return changed


def _dye(direction: tuple[float, ...], other: tuple[float, ...]) -> Callable[..., Pixels]:
    """The change of one of two dyes, by the colour deconvolution of Ruifrok and Johnston 2001."""
    dyes = np.array([direction, other])
    dyes /= np.linalg.norm(dyes, axis=1, keepdims=True)
    amount_of = np.linalg.pinv(dyes)[:, 0]  # of the first dye in an optical density

    def change(field: Pixels, amount: float) -> Pixels:
        density = -np.log((field.astype(np.float32) + 1) / 256)
        present = np.maximum(density @ amount_of.astype(np.float32), 0)
        changed = density + (amount - 1) * present[..., None] * dyes[0].astype(np.float32)
        return _bytes(np.exp(-changed) * 256 - 1)

    return change


def _balance(field: Pixels, amount: float) -> Pixels:
    return _bytes(field * np.array([1 + amount, 1, 1 - amount], dtype=np.float32))


def _brighten(field: Pixels, amount: float) -> Pixels:
    return _bytes(field * np.float32(amount))


def _blur(field: Pixels, amount: float) -> Pixels:
    sigma = amount * field.shape[0] / _SIDE
    blurred = cv2.GaussianBlur(field, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, dtype=np.uint8)


def _compress(field: Pixels, amount: float) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(field).save(file, "JPEG", quality=int(amount))
    return np.asarray(Image.open(file))


def _scale(field: Pixels, amount: float) -> Pixels:
    height, width = field.shape[:2]
    middle = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, 0, amount)
    scaled = cv2.warpAffine(field, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(scaled, dtype=np.uint8)


def _cover(field: Pixels, amount: float) -> Pixels:
    height, width = (int(share * field.shape[0]) for share in CORNER)
    covered = field.copy()
    covered[-height:, -width:] = np.median(field, axis=(0, 1))
    return covered


def _bytes(values: NDArray[Any]) -> Pixels:
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


PERTURBATIONS = (
    Perturbation("blue dye", (0.5, 0.7, 1.4, 2.0), 1, _dye(_BLUE, _EOSIN)),
    Perturbation("eosin", (0.5, 0.7, 1.4, 2.0), 1, _dye(_EOSIN, _BLUE)),
    Perturbation("white balance", (-0.2, -0.1, 0.1, 0.2), 0, _balance),
    Perturbation("brightness", (0.6, 0.8, 1.2, 1.4), 1, _brighten),
    Perturbation("blur", (0.5, 1.0, 2.0, 4.0), 0, _blur),
    Perturbation("jpeg", (75, 50, 25, 10), 100, _compress),
    Perturbation("scale", (0.7, 0.85, 1.2, 1.5), 1, _scale),
    Perturbation("scale bar", (1.0,), 0, _cover),
)
