"""What did the figures become when the test images were changed?"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from leukoscope.errors import DataError
from leukoscope.evaluate.intervals import Interval
from leukoscope.files import read_csv

UNCHANGED = "none"
_NEEDED = ("change", "amount", "severity", "n", "accuracy", "accuracy_low", "accuracy_high")


@dataclass(frozen=True, slots=True)
class Grade:
    """A row of `robustness.csv`: one change of one amount."""

    change: str
    amount: float
    severity: int
    n: int
    accuracy: float
    interval: Interval  # of the accuracy
    balanced_accuracy: float | None
    novel: float | None  # the share of images called novel


def read_robustness(folder: Path) -> tuple[Grade, ...]:
    """The rows of a training's `robustness.csv`; none where it was not stressed."""
    table = folder / "robustness.csv"
    if not table.exists():
        return ()
    _, rows = read_csv(table, _NEEDED)
    try:
        return tuple(_grade(row) for row in rows)
    except ValueError as error:
        raise DataError(f"{table}: {error}.") from error


def worst(grades: Iterable[Grade]) -> Grade | None:
    """The change under which the accuracy is lowest."""
    changed = [one for one in grades if one.change != UNCHANGED]
    return min(changed, key=lambda one: one.accuracy, default=None)


def unchanged(grades: Iterable[Grade]) -> Grade | None:
    """The row of the images as they are."""
    return next((one for one in grades if one.change == UNCHANGED), None)


def _grade(row: dict[str, str]) -> Grade:
    return Grade(
        change=row["change"],
        amount=float(row["amount"]),
        severity=int(row["severity"]),
        n=int(row["n"]),
        accuracy=float(row["accuracy"]),
        interval=Interval(float(row["accuracy_low"]), float(row["accuracy_high"]), "as written"),
        balanced_accuracy=_optional(row.get("balanced_accuracy")),
        novel=_optional(row.get("novel")),
    )


def _optional(text: str | None) -> float | None:
    return float(text) if text else None
