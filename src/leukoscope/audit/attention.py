"""How much of what a network looked at is white-cell nuclei, and how much is no cell at all?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.regions import Pixels, nuclei, scale_bar

REGIONS = ("nuclei", "scale_bar", "background")


@dataclass(frozen=True, slots=True)
class Attention:
    """Shares of a heat map on each of `REGIONS`, and of the picture's area, each adding up to 1.

    The background is all that is neither: the slide, red cells, cytoplasm. A share means something
    beside that of the area only: a map that sees nothing lies on nuclei as often as they are there.
    The shares of an empty map are None.
    """

    shares: tuple[float, float, float] | None
    areas: tuple[float, float, float]


def attention(heat: NDArray[np.floating], image: Pixels) -> Attention:
    """Where an H×W map of at least 0 lies on an H×W×3 picture."""
    cells, mark = nuclei(image), scale_bar(image)
    masks = (cells, mark, ~(cells | mark))
    areas = [float(mask.mean()) for mask in masks]
    total = float(heat.sum())
    shares = [float(heat[mask].sum()) / total for mask in masks] if total > 0 else None
    return Attention(_three(shares) if shares else None, _three(areas))


@dataclass(frozen=True, slots=True)
class Spread:
    """How a region's share of the attention is spread over the images of a class."""

    label: str
    region: str
    n: int  # images with a map that is not empty
    quartiles: tuple[float, float, float]
    area: float  # the region's mean share of these pictures


def spreads(labels: Sequence[str], found: Sequence[Attention]) -> list[Spread]:
    """One per class and region, in the order of the names and of `REGIONS`."""
    listed = []
    for label in sorted(set(labels)):
        own = [a for a, b in zip(found, labels, strict=True) if b == label and a.shares is not None]
        if not own:
            continue
        shares = np.array([one.shares for one in own])
        areas = np.array([one.areas for one in own]).mean(axis=0)
        for place, region in enumerate(REGIONS):
            quartiles = np.quantile(shares[:, place], (0.25, 0.5, 0.75)).tolist()
            listed.append(Spread(label, region, len(own), _three(quartiles), float(areas[place])))
    return listed


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third
