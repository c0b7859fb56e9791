"""How much of what a network looked at is white-cell nuclei, and how much is no cell at all?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.regions import Pixels, nuclei, scale_bar
from leukoscope.errors import DataError
from leukoscope.evaluate import resampling
from leukoscope.evaluate.intervals import Measured, ratio
from leukoscope.files import read_csv, write_csv

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
class Looked:
    """A row of `attention.csv`: where a network looked in one image."""

    path: str
    label: str  # empty when it is not known
    predicted: str
    attention: Attention


_AREAS = tuple(f"{region}_area" for region in REGIONS)


def write_attention(rows: Sequence[Looked], path: Path) -> None:
    """`path` as the table: `path, label, predicted`, the share of the attention on each region
    (empty where nothing spoke for the predicted class), and that of the area."""
    columns = ("path", "label", "predicted", *REGIONS, *_AREAS)
    table = []
    for row in rows:
        shares = row.attention.shares or ("", "", "")
        figures = [f"{f:.6f}" if f != "" else "" for f in (*shares, *row.attention.areas)]
        table.append((row.path, row.label, row.predicted, *figures))
    write_csv(path, columns, table)


def read_attention(path: Path) -> list[Looked]:
    """The rows of an `attention.csv`; `DataError` where a share is no number."""
    _, rows = read_csv(path, ("path", "label", "predicted", *REGIONS, *_AREAS))
    try:
        return list(map(_row, rows))
    except ValueError as error:
        raise DataError(f"{path}: {error}.") from error


def _row(row: dict[str, str]) -> Looked:
    return Looked(
        row["path"],
        row["label"],
        row["predicted"],
        Attention(
            _three([float(row[name]) for name in REGIONS]) if row[REGIONS[0]] else None,
            _three([float(row[name]) for name in _AREAS]),
        ),
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """What a region got of the attention over the images of a class, beside what it has of their
    area."""

    label: str
    region: str
    n: int  # images with a map that is not empty
    share: float  # of the attention: the mean over images
    area: float  # the mean over the same images
    ratio: Measured  # the first by the second: 1 for maps that see nothing


def spreads(rows: Sequence[Looked], group_of: Mapping[str, str] | None = None) -> list[Spread]:
    """One per class and region, in the order of the names and of `REGIONS`.

    A ratio's interval weighs whole groups anew where `group_of` knows the group of every path, and
    else images.
    """
    listed = []
    for label in sorted({row.label for row in rows}):
        own = [row for row in rows if row.label == label and row.attention.shares]
        if not own:
            continue
        shares = np.array([one.attention.shares for one in own])
        areas = np.array([one.attention.areas for one in own])
        known = group_of is not None and all(one.path in group_of for one in own)
        names = [group_of[one.path] for one in own] if group_of is not None and known else None
        units = resampling.units(np.zeros(len(own), np.int64), np.hstack([shares, areas]), names)
        listed += [
            Spread(
                label,
                region,
                len(own),
                float(shares[:, place].mean()),
                float(areas[:, place].mean()),
                ratio(shares[:, place], areas[:, place], units),
            )
            for place, region in enumerate(REGIONS)
        ]
    return listed


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third
