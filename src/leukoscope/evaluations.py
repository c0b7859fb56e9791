"""The `evaluate` verb: a predictions.csv in, a folder with figures and tables out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from leukoscope.data.predictions import Predictions, read_predictions
from leukoscope.errors import DataError, UsageError
from leukoscope.evaluate import groups
from leukoscope.evidence import Evaluation, Options, group_names, judge
from leukoscope.files import make_folder, read_json, write_csv, write_json
from leukoscope.report import evaluation, export


def run(
    predictions: Path,
    out: Path,
    *,
    validation: Path | None = None,
    others: Sequence[Path] = (),
    options: Options | None = None,
) -> Evaluation:
    """The evaluation of a file; `out` holds metrics.json, groups.csv and the tables.

    `others` are predictions of the same images by other networks. A file with test rows among
    others is judged by these; its validation rows take the place of `validation`. Where the file
    says which images the classifier has `seen`, those are no test rows.
    """
    options = options or Options()
    _check_out(out)
    whole = _read(predictions, options)
    seen = _seen(whole)
    test, inside, notes = _parts(_sorted_out(whole), predictions)
    held_out = inside if validation is None else _read(validation, options).ordered(test.classes)
    if held_out is not None:
        _check_apart(test, held_out, validation or predictions)
    compared = {
        name: _aligned(_read(path, options), test, path)
        for name, path in zip(_names(others), others, strict=True)
    }
    found = judge(test, held_out, compared=compared, options=options)
    evidence = found.evidence | {"seen": seen}
    if seen is not None:
        notes.insert(0, _sentence(seen))
    notes += _flattered(compared)
    make_folder(out)
    write_json(out / "metrics.json", evidence)
    export.write_tables(evaluation.tables(evidence), out / "tables")
    if found.metrics.groups is not None:
        _write_groups(test, out / "groups.csv")
    return Evaluation(found.metrics, evidence, notes + found.notes)


def _check_out(out: Path) -> None:
    """Nothing, or `UsageError` for a folder whose own figures would be lost."""
    settings = out / "settings.json"
    if settings.exists() and "fingerprint" in read_json(settings):  # of what was trained on
        raise UsageError(f"{out} holds a training or a benchmark; choose another --out.")


def _read(path: Path, options: Options) -> Predictions:
    """The file with the negative class first, whatever the order of its columns."""
    read = read_predictions(path)
    negative = options.negative
    if negative is not None and negative not in read.classes:
        raise UsageError(
            f"The negative class {negative} is not among the classes of {path}: "
            f"{', '.join(read.classes)}."
        )
    if negative is None and "Benign" in read.classes:
        negative = "Benign"
    if negative is None:
        return read
    return read.ordered((negative, *(name for name in read.classes if name != negative)))


def _parts(read: Predictions, path: Path) -> tuple[Predictions, Predictions | None, list[str]]:
    """The rows to judge, validation rows if the file has them beside test rows, and notes."""
    notes = []
    if read.overruled:
        notes.append(
            f"{read.overruled} rows name another class in `predicted` than their most probable "
            f"one; the most probable one is judged."
        )
    if read.unreadable:
        notes.append(f"{read.unreadable} rows of {path} have an error and are left out.")
    splits = np.array(read.splits)
    if (splits == "test").all() or not (splits == "test").any():
        return read, None, notes
    held_out = np.flatnonzero(splits == "validation")
    known = np.array(read.seen or [""] * len(splits)) != ""  # of which more is said elsewhere
    rest = int((~np.isin(splits, ("test", "validation")) & ~known).sum())
    if rest:
        notes.append(f"{rest} rows of {path} are not of the test split and are left out.")
    test = read.rows(np.flatnonzero(splits == "test"))
    return test, read.rows(held_out) if len(held_out) else None, notes


def _seen(read: Predictions) -> dict[str, Any] | None:
    """How many rows took part in the training of what predicted them; None where none did or
    nobody knows."""
    if read.seen is None or not any(read.seen):
        return None
    return {
        "rows": len(read.paths),
        "train": read.seen.count("train"),
        "validation": read.seen.count("validation"),
        "judged": _splits(read).count("test"),
        "accuracy_of_all_rows": float((read.probabilities.argmax(1) == read.targets).mean()),
    }


def _splits(read: Predictions) -> list[str]:
    """The split of each row; what took part in a training is no test row, whatever is said."""
    seen = read.seen or ("",) * len(read.splits)
    return [known or split or "test" for known, split in zip(seen, read.splits, strict=True)]


def _sorted_out(read: Predictions) -> Predictions:
    """The rows with the split that `seen` gives them, as long as a test row is left."""
    splits = _splits(read)
    if not any(read.seen or ()) or "test" not in splits:
        return read
    return replace(read, splits=tuple(splits))


def _sentence(seen: Mapping[str, Any]) -> str:
    n, train, validation = (f"{seen[key]:,}" for key in ("rows", "train", "validation"))
    took_part = (
        f"{train} of {n} rows show images that the classifier was trained on, {validation} images "
        f"that chose its epoch or calibrated it"
    )
    if not seen["judged"]:
        return f"{took_part}; no test row is left. These are no test figures."
    return (
        f"{took_part}. The figures are those of the other {seen['judged']:,} rows. Over all rows "
        f"the accuracy is {seen['accuracy_of_all_rows']:.4f}, which is no test figure."
    )


def _flattered(compared: Mapping[str, Predictions]) -> list[str]:
    """A note for each network that was trained on images it is compared on."""
    return [
        f"{name} has seen {count} of these images in its training, which flatters it."
        for name, other in compared.items()
        if (count := sum(map(bool, other.seen or ())))
    ]


def _check_apart(test: Predictions, validation: Predictions, path: Path) -> None:
    both = set(test.paths).intersection(validation.paths)
    if both:
        raise DataError(
            f"{path}: {min(both)} is among the test images, too ({len(both)} are); what is chosen "
            f"on test images flatters."
        )


def _names(paths: Sequence[Path]) -> list[str]:
    """Short names that differ: of the file, or of its folder where all are predictions.csv."""
    plain = [p.parent.name if p.stem == "predictions" and p.parent.name else p.stem for p in paths]
    return plain if len(set(plain)) == len(plain) else [str(path) for path in paths]


def _aligned(other: Predictions, test: Predictions, path: Path) -> Predictions:
    """The rows of another network in the order of the test rows."""
    index = {name: row for row, name in enumerate(other.paths)}
    missing = next((name for name in test.paths if name not in index), None)
    if missing is not None:
        raise DataError(
            f"{path} has no row for {missing}: networks are compared on the same images."
        )
    rows = other.ordered(test.classes).rows(np.array([index[name] for name in test.paths]))
    for name, one, another in zip(test.paths, test.labels, rows.labels, strict=True):
        if one != another:
            raise DataError(f"{path}: {name} is {another} there and {one} in the other file.")
    return rows


def _write_groups(test: Predictions, path: Path) -> None:
    names = group_names(test)
    assert names is not None
    shown = [name for each in test.classes for name in (f"n_{each}", f"recall_{each}")]
    columns = ("group", "n", "accuracy", "low", "high", "loss", "brier", *shown)
    rows = (
        (
            *(one.name, one.n, one.accuracy, one.interval.low, one.interval.high),
            *(one.loss, one.brier),
            *(
                value
                for n, recall in zip(one.of_class, one.recall, strict=True)
                for value in (n, "" if recall is None else recall)
            ),
        )
        for one in groups.by_group(test.targets, test.probabilities, names)
    )
    write_csv(path, columns, rows)
