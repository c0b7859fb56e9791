"""Pictures with what a network looked at, as figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukoscope.report.style import GREY, INK, NORMAL, ORANGE, SMALL, plain

Map = NDArray[np.floating]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

_GREEN = "#00c853"  # seen on purple as on pale pink
_HEADINGS = ("Picture; nuclei green, scale bar orange", "Grad-CAM", "Occlusion")


@dataclass(frozen=True, slots=True)
class Explained:
    """One picture, S×S×3, with its maps, the regions that were found in it, and the words."""

    picture: Pixels
    gradcam: Map
    occlusion: Map
    nuclei: Mask
    scale_bar: Mask
    title: str
    caption: tuple[str, ...]  # lines


def overlay(picture: Pixels, heat: Map) -> Pixels:
    """The picture in grey, H×W×3, under its H×W map from 0 (nothing) to 1 (yellow)."""
    grey = picture.mean(axis=2, keepdims=True).repeat(3, axis=2)
    colours = 255 * colormaps["plasma"](heat)[..., :3]
    alpha = 0.75 * np.sqrt(np.clip(heat, 0, 1))[..., None]
    mixed: Pixels = np.round(grey * (1 - alpha) + colours * alpha).astype(np.uint8)
    return mixed


def explanations(rows: Sequence[Explained]) -> Figure:
    """A row per picture: itself with the regions outlined, both maps over it, and its words."""
    figure = Figure(figsize=(9.6, 3.7 * len(rows)), layout="constrained", facecolor="white")
    strips = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
    for strip, one in zip(strips, rows, strict=True):
        _draw(strip, one)
    return figure


def _draw(strip: Any, one: Explained) -> None:
    strip.suptitle(plain(one.title, longest=110), fontsize=NORMAL, color=INK)
    pictures = (one.picture, overlay(one.picture, one.gradcam), overlay(one.picture, one.occlusion))
    panels = strip.subplots(1, 3)
    for axes, picture, heading in zip(panels, pictures, _HEADINGS, strict=True):
        axes.imshow(picture, interpolation="lanczos")
        axes.set_title(heading, fontsize=SMALL, color=GREY, loc="left")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    for mask, colour in ((one.nuclei, _GREEN), (one.scale_bar, ORANGE)):
        if mask.any():
            panels[0].contour(mask, levels=[0.5], colors=[colour], linewidths=1.2)
    caption = "\n".join(plain(line, longest=160) for line in one.caption)
    strip.supxlabel(caption, fontsize=SMALL, color=INK)
