"""`predictions.csv`: what a classifier said of each image, in a table any software can write.

Columns: `path, label, predicted, probability_<class>…, split, group`, one row an image, and
`novelty` where the classifier knows it: above 1 it takes the image for unlike its training images.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leukoscope.errors import DataError
from leukoscope.files import read_csv, write_csv

_PREFIX = "probability_"


@dataclass(frozen=True, slots=True)
class Predictions:
    """Labels and probabilities, row by row; `probabilities` is N×K, in the order of `classes`."""

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]
    splits: tuple[str, ...]
    groups: tuple[str, ...]
    novelty: NDArray[np.float64] | None = None  # N; above 1 the image is novel

    @property
    def targets(self) -> NDArray[np.int64]:
        """The index of each row's label among the classes."""
        return np.array([self.classes.index(label) for label in self.labels], dtype=np.int64)

    @property
    def predicted(self) -> tuple[str, ...]:
        """The most probable class of each row."""
        return tuple(self.classes[k] for k in self.probabilities.argmax(axis=1))


def write_predictions(predictions: Predictions, path: Path) -> None:
    """`path` as the table; probabilities keep nine digits, enough for a float32."""
    columns = (
        "path",
        "label",
        "predicted",
        *(_PREFIX + name for name in predictions.classes),
        "split",
        "group",
        *(() if predictions.novelty is None else ("novelty",)),
    )
    last: Iterable[tuple[str, ...]] = ((),) * len(predictions.paths)
    if predictions.novelty is not None:
        last = ((f"{value:.6g}",) for value in predictions.novelty)
    rows = (
        (path_, label, predicted, *(f"{p:.9g}" for p in probabilities), split, group, *more)
        for path_, label, predicted, probabilities, split, group, more in zip(
            predictions.paths,
            predictions.labels,
            predictions.predicted,
            predictions.probabilities,
            predictions.splits,
            predictions.groups,
            last,
            strict=True,
        )
    )
    write_csv(path, columns, rows)


def read_predictions(path: Path) -> Predictions:
    """The table, with `DataError` naming the line of a label or probability that cannot be."""
    columns, rows = read_csv(path, ("path", "label"))
    classes = tuple(name.removeprefix(_PREFIX) for name in columns if name.startswith(_PREFIX))
    if len(classes) < 2:
        raise DataError(f"{path} has fewer than two columns named {_PREFIX}<class>.")
    if not rows:
        raise DataError(f"{path} has no rows.")
    values = np.empty((len(rows), len(classes)))
    for number, row in enumerate(rows):
        if row["label"] not in classes:
            raise DataError(
                f"{path}, line {number + 2}: the label {row['label']!r} is not among the classes "
                f"{', '.join(classes)}."
            )
        try:
            values[number] = [float(row[_PREFIX + name]) for name in classes]
        except ValueError as error:
            raise DataError(f"{path}, line {number + 2}: {error}.") from error
    _check_probabilities(values, path)
    return Predictions(
        paths=_unique([row["path"] for row in rows], path),
        labels=tuple(row["label"] for row in rows),
        classes=classes,
        probabilities=values,
        splits=tuple(row.get("split", "") for row in rows),
        groups=tuple(row.get("group", "") for row in rows),
        novelty=_novelty(rows, path) if "novelty" in columns else None,
    )


def _novelty(rows: Sequence[dict[str, str]], path: Path) -> NDArray[np.float64]:
    values = np.empty(len(rows))
    for number, row in enumerate(rows):
        try:
            values[number] = float(row["novelty"])
        except ValueError as error:
            raise DataError(f"{path}, line {number + 2}: {error}.") from error
    return values


def _check_probabilities(values: NDArray[np.float64], path: Path) -> None:
    inside = np.isfinite(values) & (values >= 0) & (values <= 1)
    wrong = ~inside.all(axis=1) | ~(np.abs(values.sum(axis=1) - 1) <= 1e-3)
    if wrong.any():
        number = int(wrong.argmax())
        raise DataError(
            f"{path}, line {number + 2}: {', '.join(f'{v:g}' for v in values[number])} are not "
            f"probabilities (each within 0 and 1, together 1)."
        )


def _unique(paths: Sequence[str], origin: Path) -> tuple[str, ...]:
    seen: set[str] = set()
    for number, path in enumerate(paths):
        if path in seen:
            raise DataError(f"{origin}, line {number + 2}: {path} is listed twice.")
        seen.add(path)
    return tuple(paths)


def join(parts: Sequence[Predictions]) -> Predictions:
    """The rows of all parts in the order of their paths. `DataError` when the classes differ or an
    image is in two parts."""
    first = parts[0]
    if any(part.classes != first.classes for part in parts):
        raise DataError("Predictions of different classes cannot be put together.")
    paths = [path for part in parts for path in part.paths]
    twice = next((path for path, n in Counter(paths).items() if n > 1), None)
    if twice is not None:
        raise DataError(f"{twice} was predicted twice.")
    order = sorted(range(len(paths)), key=paths.__getitem__)
    novelty = [part.novelty for part in parts if part.novelty is not None]

    def sort(values: Iterable[str]) -> tuple[str, ...]:
        listed = list(values)
        return tuple(listed[row] for row in order)

    return Predictions(
        paths=sort(paths),
        labels=sort(label for part in parts for label in part.labels),
        classes=first.classes,
        probabilities=np.concatenate([part.probabilities for part in parts])[order],
        splits=sort(split for part in parts for split in part.splits),
        groups=sort(group for part in parts for group in part.groups),
        novelty=np.concatenate(novelty)[order] if len(novelty) == len(parts) else None,
    )
