"""`predictions.csv`: what a classifier said of each image, in a table any software can write.

Columns: `path, label, predicted, probability_<class>…, split, group`, one row an image, and
`novelty` where the classifier knows it: above 1 it takes the image for unlike its training images.
`seen`, where it is known, is `train` or `validation` for an image that took part in the training.
`fold`, where every row has one, names the network of a cross-validation that answered: scores of
different networks are no common scale, and are ranked within folds only.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leukoscope.data.seen import SPLITS
from leukoscope.errors import DataError
from leukoscope.files import read_csv_columns, write_csv

_PREFIX = "probability_"
_WORDS = ("split", "group", "seen", "fold")  # columns that a row may leave empty


@dataclass(frozen=True, slots=True)
class Predictions:
    """Labels and probabilities, row by row; `probabilities` is N×K, in the order of `classes`."""

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]
    splits: tuple[str, ...]
    groups: tuple[str, ...]
    overruled: int = 0  # rows of a file that name another class than the most probable one
    unreadable: int = 0  # rows of a file that have an error instead of an answer, and are not here
    novelty: NDArray[np.float64] | None = None  # N; above 1 the image is novel
    seen: tuple[str, ...] | None = None  # train, validation or nothing; None where it is not known
    folds: tuple[str, ...] | None = None  # which network answered; None where one did

    @property
    def targets(self) -> NDArray[np.int64]:
        """The index of each row's label among the classes."""
        index = {name: number for number, name in enumerate(self.classes)}
        return np.fromiter((index[label] for label in self.labels), np.int64, len(self.labels))

    def rows(self, chosen: NDArray[np.integer]) -> "Predictions":
        """Some of the rows, in this order."""
        listed = chosen.tolist()
        return Predictions(
            paths=tuple(self.paths[row] for row in listed),
            labels=tuple(self.labels[row] for row in listed),
            classes=self.classes,
            probabilities=self.probabilities[chosen],
            splits=tuple(self.splits[row] for row in listed),
            groups=tuple(self.groups[row] for row in listed),
            novelty=None if self.novelty is None else self.novelty[chosen],
            seen=None if self.seen is None else tuple(self.seen[row] for row in listed),
            folds=None if self.folds is None else tuple(self.folds[row] for row in listed),
        )

    def ordered(self, classes: Sequence[str]) -> "Predictions":
        """The same with the classes in another order; `DataError` when they are others."""
        if sorted(classes) != sorted(self.classes):
            raise DataError(
                f"Predictions of {', '.join(self.classes)} cannot be held against those of "
                f"{', '.join(classes)}."
            )
        columns = [self.classes.index(name) for name in classes]
        return replace(self, classes=tuple(classes), probabilities=self.probabilities[:, columns])

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
        *(() if predictions.folds is None else ("fold",)),
    )
    more: list[Iterable[str]] = []
    if predictions.novelty is not None:
        more.append(f"{value:.6g}" for value in predictions.novelty)
    if predictions.folds is not None:
        more.append(predictions.folds)
    last = zip(*more, strict=True) if more else ((),) * len(predictions.paths)
    rows = (
        (path_, label, predicted, *(f"{p:.9g}" for p in probabilities), split, group, *rest)
        for path_, label, predicted, probabilities, split, group, rest in zip(
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
    """The table, with `DataError` naming the line of a label or probability that cannot be.

    Columns may come in any order, with others among them; only `path`, `label` and the
    probabilities are needed. A row with an `error`, of a picture that could not be read, is left
    out and counted. It is read in parts, so that ten million rows need no more memory
    than their paths and numbers do.
    """
    texts: dict[str, list[str]] = {name: [] for name in ("path", "label", *_WORDS)}
    known: dict[str, str] = {}  # one string for all its repetitions
    parts, novelties = [], []
    numbered: list[Sequence[int]] = []
    overruled = unreadable = 0
    has_seen = True
    for whole in read_csv_columns(path, ("path", "label")):
        classes = _classes(whole, path)
        block, lines = _answered(whole, len(texts["path"]) + unreadable + 2)
        unreadable += len(whole["path"]) - len(lines)
        numbered.append(lines)
        _check_labels(block["label"], classes, path, lines)
        parts.append(_probabilities(block, classes, path, lines))
        overruled += _overruled(block, classes, parts[-1])
        if "novelty" in block:
            novelties.append(_numbers(block, ["novelty"], path, lines)[:, 0])
        texts["path"] += block["path"]
        # Another program may mean something else by it.
        has_seen = has_seen and "seen" in block and set(block["seen"]) <= {"", *SPLITS}
        for name in ("label", *_WORDS):
            values = block.get(name, ("",) * len(parts[-1]))
            texts[name] += map(known.setdefault, values, values)
    if not texts["path"]:
        raise DataError(f"{path} has no rows{' without an error' * (unreadable > 0)}.")
    _check_unique(texts["path"], chain.from_iterable(numbered), path)
    return Predictions(
        paths=tuple(texts["path"]),
        labels=tuple(texts["label"]),
        classes=classes,
        probabilities=np.concatenate(parts),
        splits=tuple(texts["split"]),
        groups=tuple(texts["group"]),
        overruled=overruled,
        unreadable=unreadable,
        novelty=np.concatenate(novelties) if novelties else None,
        seen=tuple(texts["seen"]) if has_seen else None,
        folds=tuple(texts["fold"]) if all(texts["fold"]) else None,
    )


def _answered(
    block: Mapping[str, Sequence[str]], first: int
) -> tuple[Mapping[str, Sequence[str]], Sequence[int]]:
    """The rows without an error, and their lines; `first` is the line of the first row."""
    errors = block.get("error", ())
    if not any(errors):
        return block, range(first, first + len(block["path"]))
    kept = [row for row, error in enumerate(errors) if not error]
    rows = {name: [column[row] for row in kept] for name, column in block.items()}
    return rows, [first + row for row in kept]


def _classes(columns: Iterable[str], path: Path) -> tuple[str, ...]:
    classes = tuple(name.removeprefix(_PREFIX) for name in columns if name.startswith(_PREFIX))
    if len(classes) < 2:
        raise DataError(f"{path} has fewer than two columns named {_PREFIX}<class>.")
    return classes


def _check_labels(
    labels: Sequence[str], classes: Sequence[str], path: Path, lines: Sequence[int]
) -> None:
    unknown = set(labels).difference(classes)
    if unknown:
        row = next(row for row, label in enumerate(labels) if label in unknown)
        raise DataError(
            f"{path}, line {lines[row]}: the label {labels[row]!r} is not among the classes "
            f"{', '.join(classes)}."
        )


def _probabilities(
    block: Mapping[str, Sequence[str]], classes: Sequence[str], path: Path, lines: Sequence[int]
) -> NDArray[np.float64]:
    values = _numbers(block, [_PREFIX + name for name in classes], path, lines)
    inside = np.isfinite(values) & (values >= 0) & (values <= 1)
    wrong = ~inside.all(axis=1) | ~(np.abs(values.sum(axis=1) - 1) <= 1e-3)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{path}, line {lines[row]}: {', '.join(f'{v:g}' for v in values[row])} are not "
            f"probabilities (each within 0 and 1, together 1)."
        )
    return values


def _numbers(
    block: Mapping[str, Sequence[str]], names: Sequence[str], path: Path, lines: Sequence[int]
) -> NDArray[np.float64]:
    """The columns of these names side by side; `lines` are those of the rows in the file."""
    columns = [block[name] for name in names]
    try:
        return np.ascontiguousarray(np.array([list(map(float, column)) for column in columns]).T)
    except ValueError:
        for line, *fields in zip(lines, *columns, strict=True):
            try:
                list(map(float, fields))
            except ValueError as error:
                raise DataError(f"{path}, line {line}: {error}.") from error
        raise


def _overruled(
    block: Mapping[str, Sequence[str]], classes: Sequence[str], values: NDArray[np.float64]
) -> int:
    """How many rows name a class in `predicted` that is less probable than another one."""
    if "predicted" not in block:
        return 0
    index = {name: number for number, name in enumerate(classes)}
    said = np.array([index.get(name, -1) for name in block["predicted"]], np.int64)
    given = values[np.arange(len(values)), said]
    return int(((said >= 0) & (given < values.max(axis=1))).sum())


def _check_unique(paths: Sequence[str], lines: Iterable[int], origin: Path) -> None:
    hashes = np.fromiter(map(hash, paths), np.int64, len(paths))
    if len(np.unique(hashes)) == len(paths):
        return
    seen: set[str] = set()
    for line, name in zip(lines, paths, strict=True):
        if name in seen:
            raise DataError(f"{origin}, line {line}: {name} is listed twice.")
        seen.add(name)


def in_fold(part: Predictions, number: int) -> Predictions:
    """The rows, answered by the network of this fold; folds are counted from 1."""
    return replace(part, folds=(str(number),) * len(part.paths))


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
    whole = Predictions(
        paths=tuple(paths),
        labels=tuple(label for part in parts for label in part.labels),
        classes=first.classes,
        probabilities=np.concatenate([part.probabilities for part in parts]),
        splits=tuple(split for part in parts for split in part.splits),
        groups=tuple(group for part in parts for group in part.groups),
        novelty=_joined([part.novelty for part in parts]),
        folds=tuple(fold for part in parts for fold in part.folds or ())
        if all(part.folds for part in parts)
        else None,
    )
    return whole.rows(np.array(sorted(range(len(paths)), key=paths.__getitem__)))


def _joined(parts: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None
