"""One network, or baseline, on one split: trained, tested once, and written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit import shortcuts
from leukoscope.data import images, splits
from leukoscope.data.predictions import Predictions, join, read_predictions, write_predictions
from leukoscope.data.samples import SPLITS, Sample, Task, fingerprint, write_samples
from leukoscope.errors import UsageError
from leukoscope.files import make_folder, read_json, write_json
from leukoscope.settings import TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Probabilities = NDArray[np.float64]
_COUNTS = tuple(f"n_{split}" for split in SPLITS)


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be tried: one row of the table."""

    network: str
    protocol: str
    seed: int
    size: int  # pixels
    settings: TrainingSettings | None = None  # None for a baseline
    reasons: dict[str, str] = field(default_factory=dict)  # of the recipe's values

    def folder(self, task: Task) -> str:
        """The name of its folder in a run."""
        kind = "" if task.name == "binary" else f"-{task.name}"
        return f"{self.network}{kind}-{self.protocol}-seed{self.seed}"


def run(
    trial: Trial,
    parts: Sequence[Sequence[Sample]],
    root: Path,
    task: Task,
    folder: Path,
    *,
    fabric: "Fabric",
    quiet: bool = False,
) -> None:
    """Nothing; `folder` holds settings, predictions of the test rows and, last, their metrics.

    `parts` are the rows with their split; or the rows once per fold, and then the predictions are
    those of all images, each by a network that was trained without it, and `folder/fold<k>` holds
    each training. A finished folder is left alone, an unfinished one continued; one that was made
    with other settings or images raises `UsageError`.
    """
    check(trial, parts, task, folder)
    if len(parts) == 1:
        _run(trial, parts[0], root, task, folder, fabric=fabric, quiet=quiet)
        return
    for rows, inside in zip(parts, _folds(folder, len(parts)), strict=True):
        _run(trial, rows, root, task, inside, fabric=fabric, quiet=quiet)
    if fabric.is_global_zero and not (folder / "metrics.json").exists():
        tested = [read_predictions(one / "predictions.csv") for one in _folds(folder, len(parts))]
        write_json(folder / "settings.json", _settings_of_folds(trial, parts, task))
        _write_metrics(join(tested), trial.protocol, folder)
    fabric.barrier()


def check(trial: Trial, parts: Sequence[Sequence[Sample]], task: Task, folder: Path) -> None:
    """Nothing, or an error: a split that cannot be used, or a `folder` of another trial."""
    for rows in parts:
        splits.check(rows, protocol=trial.protocol)
    if len(parts) == 1:
        _compare(trial, _settings(trial, parts[0], task), folder)
        return
    _compare(trial, _settings_of_folds(trial, parts, task), folder)
    for rows, inside in zip(parts, _folds(folder, len(parts)), strict=True):
        _compare(trial, _settings(trial, rows, task), inside)


def classifiers(folder: Path) -> list[Path]:
    """The folders of the trained networks of a trial: one, one per fold, or none of a baseline."""
    return sorted({*folder.glob("classifier"), *folder.glob("fold*/classifier")})


def _folds(folder: Path, count: int) -> list[Path]:
    return [folder / f"fold{number}" for number in range(1, count + 1)]


def _run(
    trial: Trial,
    rows: Sequence[Sample],
    root: Path,
    task: Task,
    folder: Path,
    *,
    fabric: "Fabric",
    quiet: bool,
) -> None:
    done = (folder / "metrics.json").exists()
    fabric.barrier()  # no process may see what another one is about to write
    if done:
        return
    make_folder(folder)
    if fabric.is_global_zero:
        write_json(folder / "settings.json", _settings(trial, rows, task))
        write_samples(rows, folder / "samples.csv")
    pixels, _ = images.load(rows, root, size=trial.size, quiet=quiet)
    probabilities = _probabilities(trial, folder, rows, pixels, task, fabric, quiet)
    if fabric.is_global_zero:
        tested = [row for row in rows if row.split == "test"]
        _write_test(trial, tested, probabilities, task, folder)
    fabric.barrier()


def _settings_of_folds(
    trial: Trial, folds: Sequence[Sequence[Sample]], task: Task
) -> dict[str, Any]:
    each = [_settings(trial, rows, task) for rows in folds]
    mean = {key: round(sum(one[key] for one in each) / len(each)) for key in _COUNTS[:2]}
    return {"folds": len(folds)} | each[0] | mean | {"n_test": len(folds[0])}


def _settings(trial: Trial, rows: Sequence[Sample], task: Task) -> dict[str, Any]:
    counted = {split: sum(row.split == split for row in rows) for split in SPLITS}
    return {
        "network": trial.network,
        "protocol": trial.protocol,
        "classes": task.name,
        "class_names": list(task.classes),
        "seed": trial.seed,
        "fingerprint": fingerprint(rows),
        **dict(zip(_COUNTS, counted.values(), strict=True)),
        **(trial.settings.model_dump() if trial.settings else {"size": trial.size}),
        "reasons": trial.reasons,
    }


def _compare(trial: Trial, settings: Mapping[str, Any], folder: Path) -> None:
    """Nothing, or `UsageError` when `folder` was made with others."""
    path = folder / "settings.json"
    if not path.exists():
        return
    before = read_json(path)
    # A baseline takes the images of the smallest network, and another call may have had others.
    free = {"reasons"} if trial.settings else {"reasons", "size"}
    for key, value in settings.items():
        if key not in free and before.get(key) != value:
            raise UsageError(
                f"{folder} was made with {key} {before.get(key)}, not {value}; choose another "
                f"--out, or delete the folder."
            )


def _probabilities(
    trial: Trial,
    folder: Path,
    rows: Sequence[Sample],
    pixels: NDArray[np.uint8],
    task: Task,
    fabric: "Fabric",
    quiet: bool,
) -> Probabilities:
    """N×K probabilities of the test rows, which nothing before this has looked at."""
    targets = np.array(task.targets(rows), dtype=np.int64)
    train, validation, test = (
        np.flatnonzero([row.split == split for row in rows]) for split in SPLITS
    )
    count = len(task.classes)
    if trial.network == "majority":
        return shortcuts.majority(targets[train], len(test), classes=count)
    if trial.network == "colour-forest":
        return shortcuts.colour_forest(
            pixels[train], targets[train], pixels[test], classes=count, seed=trial.seed
        )
    from leukoscope.learn import prediction, training

    assert trial.settings is not None
    data = training.TrainingData(
        pixels, targets, task.classes, train, validation, fingerprint(rows)
    )
    classifier, _ = training.train(data, trial.settings, folder, fabric=fabric, quiet=quiet)
    if not fabric.is_global_zero:
        return np.empty((0, count))
    return prediction.predict(classifier, pixels[test], fabric=fabric, quiet=quiet)


def _write_test(
    trial: Trial,
    test: Sequence[Sample],
    probabilities: Probabilities,
    task: Task,
    folder: Path,
) -> None:
    predictions = Predictions(
        paths=tuple(row.path for row in test),
        labels=tuple(task.class_of[row.label] for row in test),
        classes=task.classes,
        probabilities=probabilities,
        splits=tuple(row.split for row in test),
        groups=tuple(row.group for row in test),
    )
    _write_metrics(predictions, trial.protocol, folder)


def _write_metrics(predictions: Predictions, protocol: str, folder: Path) -> None:
    from leukoscope.evaluate.metrics import evaluate

    write_predictions(predictions, folder / "predictions.csv")
    grouped = protocol != "random" and all(predictions.groups)
    metrics = evaluate(
        predictions.targets,
        predictions.probabilities,
        classes=predictions.classes,
        groups=predictions.groups if grouped else None,
    )
    write_json(folder / "metrics.json", metrics.as_dict())
