"""What do the answers to the fields of a picture come to, and those to the pictures of a folder?"""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.quality import EMPTY
from leukoscope.data.tables import Columns, Kind, Row
from leukoscope.evaluate.intervals import group_bootstrap

if TYPE_CHECKING:
    from leukoscope.learn.answers import Answers


def pool_fields(answers: "Answers", nuclei: NDArray[np.float64], classes: Sequence[str]) -> Row:
    """One picture's columns from the answers to its F fields and the F shares under nuclei.

    The probabilities are means over the fields with a white cell's nucleus, since a field without
    one is none that a classifier learned from; over all where none has one. The set is of what any
    of them cannot rule out. The novelty is their median, and so is whether it is too much.
    """
    used = np.flatnonzero(nuclei >= EMPTY)
    if not len(used):
        used = np.arange(len(nuclei))
    probabilities = answers.probabilities[used].mean(axis=0).tolist()
    row: dict[str, Any] = {
        "predicted": classes[int(np.argmax(probabilities))],
        "fields": len(used),
    }
    for name, probability in zip(classes, probabilities, strict=True):
        row[f"probability_{name}"] = float(f"{probability:.9g}")
        if name == "Benign":
            row["malignant"] = float(f"{1 - probability:.9g}")
    if answers.sets is not None:
        kept = [bool(column.any()) for column in answers.sets[used].T]
        row["set"] = [name for name, inside in zip(classes, kept, strict=True) if inside]
    if answers.novelty is not None and answers.novel is not None:
        middle = used[np.argsort(answers.novelty[used])[(len(used) - 1) // 2]]
        row["novelty"] = float(f"{answers.novelty[middle]:.6g}")
        row["novel"] = bool(answers.novel[middle])
    return row


def group_columns(classes: Sequence[str]) -> Columns:
    """The columns of `pool_groups`: `probability_<class>` with `low_<class>` and `high_<class>`,
    in `seen` how many of the pictures the classifier learned from, and in `novel` the share of
    those that are unlike what it learned from."""
    columns: dict[str, Kind] = {"group": "text", "pictures": "count", "unreadable": "count"}
    columns["seen"] = "count"
    columns["predicted"] = "text"
    for name in classes:
        columns |= {f"{part}_{name}": "number" for part in ("probability", "low", "high")}
    return columns | {"novel": "number"}


def pool_groups(rows: Iterable[Row], classes: Sequence[str]) -> list[Row]:
    """A row for each folder of the pictures' rows: mean probabilities, each with its interval.

    The interval says how the mean would change with other fields of the same folder, by a
    bootstrap over its pictures; it knows nothing of other patients, stains or microscopes.
    """
    members: dict[str, list[Row]] = {}
    for row in rows:
        kept = {name: row[f"probability_{name}"] for name in classes}
        folder = str(PurePosixPath(row["path"]).parent)
        more = {name: row.get(name) for name in ("novel", "seen")}
        members.setdefault(folder, []).append(kept | more)
    return [_group(folder, members[folder], classes) for folder in members]


def _group(folder: str, rows: Sequence[Row], classes: Sequence[str]) -> Row:
    read = [row for row in rows if row[classes[0]] is not None]
    values: Row = dict.fromkeys(group_columns(classes))
    values |= {"group": folder, "pictures": len(read), "unreadable": len(rows) - len(read)}
    if not read:
        return values
    table = np.array([[row[name] for name in classes] for row in read])
    values["predicted"] = classes[int(table.mean(axis=0).argmax())]
    each = [str(number) for number in range(len(read))]
    for name, column in zip(classes, table.T, strict=True):
        interval = group_bootstrap(column, each)
        values[f"probability_{name}"] = float(column.mean())
        values[f"low_{name}"], values[f"high_{name}"] = interval.low, interval.high
    if read[0]["seen"] is not None:
        values["seen"] = sum(row["seen"] != "" for row in read)
    if read[0]["novel"] is not None:
        values["novel"] = float(np.mean([row["novel"] for row in read]))
    return values
