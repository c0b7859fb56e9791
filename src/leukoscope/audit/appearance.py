"""How a picture looks apart from what it shows: lamp, stain, camera, burned-in mark.

All of it is read outside the cells, or from the colour of the dye in them, so that two fields of
one smear agree however many cells, and of whatever sort, they show.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.cores import batches, each_in_processes
from leukoscope.audit.regions import corners, ink

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

KINDS: dict[str, dict[str, float]] = {
    "lamp": {
        "brightness": 0.005,
        "red of the slide": 0.0025,
        "blue of the slide": 0.0025,
        **dict.fromkeys(("light x", "light y", "light xx", "light xy", "light yy"), 0.005),
        **dict.fromkeys(("red light x", "red light y", "red light rr"), 0.0025),
        **dict.fromkeys(("blue light x", "blue light y", "blue light rr"), 0.0025),
    },
    "red cells": {"red of red cells": 0.01, "blue of red cells": 0.01, "dye of red cells": 0.01},
    "nuclei": {"red of nuclei": 0.01, "blue of nuclei": 0.01, "dye of nuclei": 0.02},
    "camera": {"noise": 0.02, "colour noise": 0.02, "sharpness": 0.025},
    "mark": {"edges in a corner": 0.02, "ink": 0.05, "red of the ink": 0.05},
}
"""The kinds of evidence, their figures, and the least difference in each that means anything.

Figures of light and dye are natural logarithms and ratios of them.
"""

_GRID = 8  # blocks per side in which the empty slide is sought
_SIDE = 112  # pixels per side at which colours are read; larger pictures are averaged down


def measure(pixels: Pixels, *, quiet: bool = False) -> Floats:
    """N×26 figures in the order of `KINDS`, NaN where a picture shows too little to tell."""
    none = np.empty((0, sum(map(len, KINDS.values()))), np.float32)
    blocks = each_in_processes(
        _measured, batches(pixels), "reading looks", count=len(pixels), quiet=quiet
    )
    return np.concatenate([none, *blocks])


def _measured(pixels: Pixels) -> Floats:
    return np.array([_figures(image) for image in pixels], np.float32)


def _figures(image: Pixels) -> list[float]:
    logs = _shrunk(image)
    light, empty = _slide(logs)
    basis, inside = _frame(*logs.shape[:2])
    depth = ((basis @ light) - logs)[inside & ~empty]
    red, nuclei = _stains(depth)
    green, warm, cold = light[:, 1], light[:, 0] - light[:, 1], light[:, 2] - light[:, 1]
    return [
        *(green[0], warm[0], cold[0], *green[1:]),
        *(warm[1], warm[2], warm[3] + warm[5], cold[1], cold[2], cold[3] + cold[5]),
        *red,
        *nuclei,
        *_camera(image, empty),
        *_mark(image),
    ]


def _shrunk(image: Pixels) -> Floats:
    """Natural logarithm of the picture, averaged down to about `_SIDE` pixels per side."""
    step = max(1, min(image.shape[:2]) // _SIDE)
    height, width = (length // step * step for length in image.shape[:2])
    rows = image[:height, :width].reshape(height // step, step, -1).sum(1, dtype=np.float32)
    rows = rows.reshape(height // step, width, 3)
    total = sum((rows[:, start::step] for start in range(1, step)), rows[:, ::step])
    logs: Floats = np.log(np.maximum(total * np.float32(1 / step**2), 1))
    return logs


@lru_cache(maxsize=8)
def _frame(height: int, width: int) -> tuple[Floats, Mask]:
    """1, x, y, xx, xy, yy of every pixel, from −1 to 1, and where no burned-in mark is expected."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, length) for length in (height, width)), indexing="ij")
    basis = np.stack([np.ones_like(x), x, y, x * x - 1 / 3, x * y, y * y - 1 / 3], -1)
    inside = np.ones((height, width), bool)
    for corner in corners(height, width):
        inside[corner] = False
    return basis.astype(np.float32), inside


def _slide(logs: Floats) -> tuple[Floats, Mask]:
    """6×3 coefficients of the light where no cell is, and the pixels that show it.

    A smooth surface through the brightest part of each block, pulled down by no cell: what lies
    below the surface counts little, what lies above it much. Then through the pixels close to it.
    The corners are left out, for the white plate of a scale bar is no slide.
    """
    blocks = _blocks(logs)
    blockwise, free = _frame(_GRID, _GRID)
    basis = blockwise.reshape(-1, 6)
    grid, inside = _frame(*logs.shape[:2])
    rank = int(0.85 * blocks.shape[1])
    top = np.partition(blocks[..., 1], rank, axis=1)[:, rank]
    weight = trusted = free.ravel().astype(np.float32)
    for _ in range(6):
        green = _fit(basis, weight, top)
        off = top - basis @ green
        below, above = (1 + (off / 0.02) ** 2) ** -2, 1 / (1 + (off / 0.1) ** 2)
        weight = trusted * np.where(off < 0, below, above)
    for tolerance in (0.08, 0.05):
        near = inside & (np.abs(logs[..., 1] - grid @ green) < tolerance)
        chosen = _blocks(near[..., None]).astype(np.float32)
        count = chosen.sum(1)
        mean = (chosen.swapaxes(1, 2) @ blocks)[:, 0] / np.maximum(count, 1)
        share = count[:, 0] / blocks.shape[1]
        light = _fit(basis, np.clip(share / 0.2, 1e-6, 1) * (share > 0.03) + 1e-6, mean)
        green = light[:, 1]
    return light, near


def _blocks(values: NDArray[Any]) -> NDArray[Any]:
    """The 64 blocks of a picture, each a row of pixels."""
    high, wide = values.shape[0] // _GRID, values.shape[1] // _GRID
    cut = values[: high * _GRID, : wide * _GRID].reshape(_GRID, high, _GRID, wide, -1)
    return cut.swapaxes(1, 2).reshape(_GRID * _GRID, high * wide, -1)


def _fit(basis: Floats, weight: Floats, values: Floats) -> Floats:
    """Weighted least squares; the slight ridge keeps a field without empty slide flat."""
    ridge = np.diag(np.array([0] + [0.01] * 5, np.float32))
    weighted = basis * weight[:, None]
    fitted: Floats = np.linalg.solve(weighted.T @ basis + ridge, weighted.T @ values)
    return fitted


def _stains(depth: Floats) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Colour and strength of the dye in red cells and in nuclei, from the optical densities.

    Nuclei are what absorbs nearly as much green as the darkest hundredth; red cells absorb less
    than half of that. What absorbs blue like green is no dye, but ink or dirt.
    """
    depth = depth[depth[:, 2] < 0.8 * depth[:, 1]]
    if len(depth) < 50:
        return (np.nan,) * 3, (np.nan,) * 3
    green = depth[:, 1]
    rank = len(green) - max(1, len(green) // 100)
    darkest = np.partition(green, rank)[rank]
    return (
        _stain(depth[(green > 0.1) & (green < 0.5 * darkest)]),
        _stain(depth[green > 0.8 * darkest]),
    )


def _stain(depth: Floats) -> tuple[float, float, float]:
    """Red over green, blue over green (slopes through the origin), logarithm of green."""
    if len(depth) < 20:
        return (np.nan,) * 3
    green = depth[:, 1]
    red, _, blue = depth.T @ green / (green @ green)
    return red, blue, np.log(max(float(np.median(green)), 0.01))


def _camera(image: Pixels, empty: Mask) -> tuple[float, float, float]:
    """Logarithm of the noise in green and in red less blue, and sharpness.

    Noise is what second differences leave of the empty slide (Immerkær 1996,
    10.1006/cviu.1996.0060). Sharpness compares differences over one pixel with those over three.
    """
    step = image.shape[0] // empty.shape[0]
    empty = empty.repeat(step, 0).repeat(step, 1)
    whole = image[: empty.shape[0], : empty.shape[1]].astype(np.int16)
    green = np.ascontiguousarray(whole[..., 1])
    noise, colour = _noise(green, empty), _noise(whole[..., 0] - whole[..., 2], empty)
    near, far = (np.square(green[:, k:] - green[:, :-k], dtype=np.float32).mean() for k in (1, 3))
    grain = 2 * noise**2
    sharpness = np.log(max(near - grain, 0.1) / max(far - grain, 0.1))
    return np.log(noise + 0.05), np.log(colour + 0.05), sharpness


def _noise(values: NDArray[np.int16], empty: Mask) -> float:
    second = values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2]
    second = second[2:] - 2 * second[1:-1] + second[:-2]
    size = np.abs(second[empty[1:-1, 1:-1]])
    if len(size) < 50:
        return 0.0
    size = size[size <= 4 * size.mean()]  # the rim of a cell is no noise
    return float(size.mean() * np.sqrt(np.pi / 2) / 6)


def _mark(image: Pixels) -> tuple[float, float, float]:
    """How much of the corner with the sharpest edges they take, and the colour of the ink there."""
    most: tuple[float, float, float] = (0.0, 0.0, 0.0)
    for corner in corners(*image.shape[:2]):
        box = image[corner]
        dark = ink(box)
        share = float(np.sqrt(dark.mean())) if dark.any() else 0.0
        if share > most[0]:
            red, green, blue = np.median(box[dark], axis=0) / 255
            most = (share, float(green), float(red - (green + blue) / 2))
    return most
