"""Which pictures did a classifier find unlike its training images?"""

from dataclasses import dataclass
from pathlib import Path

from leukoscope.errors import DataError
from leukoscope.evaluate.intervals import Interval, Measured, clopper_pearson
from leukoscope.files import read_csv

_NEEDED = ("kind", "near_or_far", "n", "auroc", "auroc_low", "auroc_high", "accepted")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row of `novelty.csv`: pictures of one kind against the held-out test images."""

    kind: str
    near_or_far: str
    n: int
    auroc: Measured
    accepted: Measured  # share not called novel; exact interval for so many pictures


def read_rejections(folder: Path) -> tuple[Rejection, ...]:
    """The rows of a training's `novelty.csv`; none where nobody asked."""
    table = folder / "novelty.csv"
    if not table.exists():
        return ()
    _, rows = read_csv(table, _NEEDED)
    try:
        return tuple(_rejection(row) for row in rows)
    except ValueError as error:
        raise DataError(f"{table}: {error}.") from error


def _rejection(row: dict[str, str]) -> Rejection:
    n, accepted = int(row["n"]), float(row["accepted"])
    bounds = Interval(float(row["auroc_low"]), float(row["auroc_high"]), "DeLong")
    return Rejection(
        kind=row["kind"],
        near_or_far=row["near_or_far"],
        n=n,
        auroc=Measured(float(row["auroc"]), bounds),
        accepted=Measured(accepted, clopper_pearson(round(accepted * n), n)),
    )
