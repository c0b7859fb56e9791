"""What a run folder holds, read and checked."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from leukoscope.data.predictions import Predictions, in_fold, join, read_predictions
from leukoscope.data.samples import Sample, read_samples
from leukoscope.errors import DataError, LeukoscopeError
from leukoscope.evaluate import resampling, scores
from leukoscope.evaluate.inputs import number
from leukoscope.evaluate.intervals import Interval, Measured, clopper_pearson
from leukoscope.evaluate.metrics import evaluate, from_json
from leukoscope.files import read_csv, read_json

BASELINES = ("colour-forest", "majority")
IDENTITY = (  # not part of a recipe
    *("network", "protocol", "classes", "seed", "reasons"),
    *("fingerprint", "split_fingerprint"),
)

TABLED = (
    *("loss", "accuracy", "precision", "recall", "f1"),
    *("balanced_accuracy", "auroc", "average_precision"),
)
_REQUIRED = (
    *("network", "protocol", "classes", "seed", "n_train", "n_validation", "n_test"),
    *TABLED,
    *("confusion", "train_seconds", "train_images_per_second"),
)

# What a run may leave unsaid.
SETTINGS: dict[str, Any] = dict.fromkeys(
    ("leukoscope", "command", "started", "finished", "device", "fingerprint", "root"), ""
) | {
    **{"versions": {}, "settings": {"folds": None}, "wall_seconds": None, "leaks": []},
    "left_out": None,  # by path, why a picture could not be read
}
CARD: dict[str, Any] = {
    **dict.fromkeys(("name", "citation", "licence", "url"), ""),
    **{
        "title": "Unnamed images",
        "synthetic": False,
        "counts": {},
        "expected_counts": None,
        "notes": (),
    },
}

Confusion = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """One row of `results.csv`, and the folder of its details where there is one."""

    network: str
    protocol: str
    classes: str
    seed: int
    n_train: int
    n_validation: int
    n_test: int
    loss: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    balanced_accuracy: float
    auroc: float | None
    average_precision: float | None
    confusion: Confusion
    train_seconds: float | None
    train_images_per_second: float | None
    folder: Path | None

    @property
    def is_baseline(self) -> bool:
        """Whether it is there to be beaten."""
        return self.network in BASELINES

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the accuracy: as measured, over groups; else the exact one."""
        measured = self.written(("accuracy",))["accuracy"]
        if measured.interval is not None:
            return measured.interval
        right = sum(row[index] for index, row in enumerate(self.confusion))
        return clopper_pearson(right, sum(map(sum, self.confusion)))

    def figures(self) -> dict[str, Measured]:
        """The figures of the row, each with the interval that `metrics.json` has for it.

        Where that file is older than intervals of all figures, they are calculated from the
        predictions, and without these there is none but that of the accuracy.
        """
        known = self.written()
        if any(known[name].interval is None for name in TABLED):
            predictions = self.predictions()
            if predictions is not None:
                known = _measure(predictions, grouped=self.protocol != "random") | {
                    name: one for name, one in known.items() if one.interval is not None
                }
        found = {name: Measured(getattr(self, name), known[name].interval) for name in TABLED}
        return found | {"accuracy": Measured(self.accuracy, self.interval)}

    def written(self, names: Sequence[str] = TABLED) -> dict[str, Measured]:
        """These figures as `metrics.json` has them; without a value where it has not.

        Where that file is older than figures within folds, these are calculated from the folds.
        """
        file = None if self.folder is None else self.folder / "metrics.json"
        content = {} if file is None or not file.exists() else read_json(file)
        found = {name: from_json(content.get(name)) for name in names}
        pooled = "folds" not in content and not set(names).isdisjoint(scores.RANKED)
        if pooled and self.fold_folders and (whole := self.predictions()) is not None:
            within = _within_folds(whole, grouped=self.protocol != "random")
            found |= {name: within[name] for name in names if name in scores.RANKED}
        return found

    def predictions(self) -> Predictions | None:
        """The test rows and their probabilities, or None when they were not kept; of folds, with
        the fold of each row, as far as the folds kept theirs."""
        if self.folder is None or not (self.folder / "predictions.csv").exists():
            return None
        whole = read_predictions(self.folder / "predictions.csv")
        parts = self.fold_folders
        if whole.folds is not None or not parts:
            return whole
        folds = [
            in_fold(read_predictions(part / "predictions.csv"), number)
            for number, part in enumerate(parts, start=1)
        ]
        joined = join(folds)
        return joined.ordered(whole.classes) if set(joined.paths) == set(whole.paths) else whole

    @property
    def fold_folders(self) -> list[Path]:
        """The folders of the folds, in their order, where all of them kept their predictions."""
        if self.folder is None:
            return []
        found = [path for path in self.folder.glob("fold*") if path.name[4:].isdecimal()]
        found.sort(key=lambda path: int(path.name[4:]))
        return found if all((path / "predictions.csv").exists() for path in found) else []

    def histories(self) -> "list[History]":
        """The course of the training, or of each fold's; empty for a baseline."""
        if self.folder is None:
            return []
        return [read_history(file) for file in history_files(self.folder)]

    def recipe(self) -> dict[str, Any]:
        """The effective settings of this network, with `reasons`; empty when unknown."""
        return read_json(self.folder / "settings.json") if self.folder is not None else {}


def history_files(folder: Path) -> list[Path]:
    """The `history.csv` of a trial, or of each of its folds; none of a baseline."""
    return [*folder.glob("history.csv"), *sorted(folder.glob("fold*/history.csv"))]


def _measure(predictions: Predictions, *, grouped: bool) -> dict[str, Measured]:
    metrics = evaluate(
        predictions.targets,
        predictions.probabilities,
        classes=predictions.classes,
        groups=predictions.groups if grouped and all(predictions.groups) else None,
        folds=predictions.folds,
    )
    return {name: Measured(getattr(metrics, name), metrics.intervals.get(name)) for name in TABLED}


def _within_folds(predictions: Predictions, *, grouped: bool) -> dict[str, Measured]:
    """AUROC, average precision and others of all rows, ranked within folds."""
    labels, probabilities = predictions.targets, predictions.probabilities
    names = predictions.groups if grouped and all(predictions.groups) else None
    numbers = None if predictions.folds is None else number(predictions.folds, len(labels))[0]
    units = resampling.units(labels, probabilities, names)
    return scores.measure(labels, probabilities, predictions.classes, units, folds=numbers)


@dataclass(frozen=True, slots=True)
class History:
    """One training, epoch by epoch; `best` is the position of the epoch that was kept."""

    epochs: tuple[int, ...]
    sizes: tuple[int, ...]
    train_loss: tuple[float, ...]
    validation_loss: tuple[float, ...]
    validation_accuracy: tuple[float, ...]

    @property
    def best(self) -> int:
        """The position of the epoch that was kept: the best of those at full size."""
        sizes = self.sizes or (0,) * len(self.epochs)
        losses = [
            loss if math.isfinite(loss) and size == sizes[-1] else math.inf
            for loss, size in zip(self.validation_loss, sizes, strict=True)
        ]
        return losses.index(min(losses))


@dataclass(frozen=True)
class Run:
    """A finished run: its settings, its data set's card, its rows and its results."""

    path: Path
    settings: dict[str, Any]
    card: dict[str, Any]
    results: tuple[Result, ...]

    @cached_property
    def samples(self) -> list[Sample]:
        """The rows of `samples.csv`."""
        return read_samples(self.path / "samples.csv")

    @property
    def root(self) -> Path:
        """The folder that the paths of the images are relative to."""
        return Path(str(self.settings.get("root", "")))


def read(path: Path) -> Run:
    """The run in a folder; `LeukoscopeError` names the file that is missing or cannot be right."""
    settings = SETTINGS | read_json(path / "settings.json")
    settings["settings"] = {"folds": None} | settings["settings"]
    card = CARD | read_json(path / "card.json")
    results = tuple(read_results(path))
    if not results:
        raise DataError(f"{path / 'results.csv'} has no rows: there is nothing to report yet.")
    return Run(path=path, settings=settings, card=card, results=results)


def read_history(path: Path) -> History:
    """The columns of a `history.csv`."""
    needed = ("epoch", "train_loss", "validation_loss", "validation_accuracy")
    columns, rows = read_csv(path, needed)
    if not rows:
        raise DataError(f"{path} has no rows.")
    try:
        return History(
            epochs=tuple(int(row["epoch"]) for row in rows),
            sizes=tuple(int(row["size"]) for row in rows) if "size" in columns else (),
            train_loss=tuple(float(row["train_loss"]) for row in rows),
            validation_loss=tuple(float(row["validation_loss"]) for row in rows),
            validation_accuracy=tuple(float(row["validation_accuracy"]) for row in rows),
        )
    except ValueError as error:
        raise DataError(f"{path}: {error}.") from error


def read_results(path: Path) -> Iterator[Result]:
    """The rows of `results.csv` in a run folder, each with the folder of its details."""
    table = path / "results.csv"
    _, rows = read_csv(table, _REQUIRED)
    folders = _folders(path)
    for line, row in enumerate(rows, start=2):
        try:
            key = (row["network"], row["protocol"], row["classes"], int(row["seed"]))
            result = _result(row, folders.get(key))
            if result.fold_folders:
                known = result.written(scores.RANKED)
                values: dict[str, Any] = {name: one.value for name, one in known.items()}
                result = replace(result, **values)
            yield result
        except (ValueError, TypeError) as error:
            raise DataError(f"{table}, line {line}: {error}.") from error


def _result(row: dict[str, str], folder: Path | None) -> Result:
    confusion = tuple(tuple(int(count) for count in line) for line in json.loads(row["confusion"]))
    n_test = int(row["n_test"])
    if any(len(line) != len(confusion) for line in confusion):
        raise ValueError("the confusion matrix is not square")
    if sum(map(sum, confusion)) != n_test or n_test == 0:
        raise ValueError(f"the confusion matrix does not count {n_test} test images")
    return Result(
        network=row["network"],
        protocol=row["protocol"],
        classes=row["classes"],
        seed=int(row["seed"]),
        n_train=int(row["n_train"]),
        n_validation=int(row["n_validation"]),
        n_test=n_test,
        loss=float(row["loss"]),
        accuracy=float(row["accuracy"]),
        precision=float(row["precision"]),
        recall=float(row["recall"]),
        f1=float(row["f1"]),
        balanced_accuracy=float(row["balanced_accuracy"]),
        auroc=_optional(row["auroc"]),
        average_precision=_optional(row["average_precision"]),
        confusion=confusion,
        train_seconds=_optional(row["train_seconds"]),
        train_images_per_second=_optional(row["train_images_per_second"]),
        folder=folder,
    )


def _optional(text: str) -> float | None:
    value = float(text) if text.strip() else math.nan
    return value if math.isfinite(value) else None


def _folders(path: Path) -> dict[tuple[str, str, str, int], Path]:
    """The folder of each result, known by the settings inside, not by its name."""
    found = {}
    for file in sorted(path.glob("*/settings.json")):
        try:
            one = read_json(file)
            key = (one["network"], one["protocol"], one["classes"], int(one["seed"]))
        except (LeukoscopeError, KeyError, TypeError, ValueError):
            continue  # some other program's settings.json
        found[key] = file.parent
    return found
