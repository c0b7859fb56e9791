"""One network, or baseline, on one split: trained if need be, and handed on to be tested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukoscope import outcome
from leukoscope.data import splits
from leukoscope.data.samples import (
    SPLITS,
    Sample,
    Task,
    fingerprint,
    read_samples,
    split_fingerprint,
    write_samples,
)
from leukoscope.errors import UsageError
from leukoscope.files import make_folder, read_json, write_json
from leukoscope.outcome import Training
from leukoscope.settings import TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_COUNTS = tuple(f"n_{split}" for split in SPLITS)
_OTHERS = {"fingerprint": "other images", "split_fingerprint": "another split of the images"}


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
        write_json(folder / "settings.json", _settings_of_folds(trial, parts, task))
        outcome.pool(folder)
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
    done, trained = (folder / "metrics.json").exists(), _is_trained(folder)
    fabric.barrier()  # no process may see what another one is about to write
    if done:
        return
    training = Training(make_folder(folder), _settings(trial, rows, task), rows)
    if fabric.is_global_zero:
        write_json(folder / "settings.json", dict(training.settings))
        write_samples(rows, folder / "samples.csv")
    if trial.settings is not None and not trained:
        _train(training, trial.settings, root, fabric=fabric, quiet=quiet)
    if fabric.is_global_zero:
        outcome.finish(training, root, fabric=fabric, quiet=quiet)
    fabric.barrier()


def _is_trained(folder: Path) -> bool:
    """Whether an earlier call was cut short after the training: its checkpoint, which is deleted
    when the classifier is saved, costs hours to come by again."""
    saved = (folder / "classifier" / "config.json").exists()
    return saved and not (folder / "checkpoint.pt").exists()


def _train(
    training: Training,
    settings: TrainingSettings,
    root: Path,
    *,
    fabric: "Fabric",
    quiet: bool,
) -> None:
    from leukoscope.learn.training import TrainingData, train

    data = TrainingData(
        training.pixels(root, quiet=quiet),
        training.targets,
        training.task.classes,
        training.numbers("train"),
        training.numbers("validation"),
        fingerprint(training.rows),
    )
    train(data, settings, training.folder, fabric=fabric, quiet=quiet)


def _settings_of_folds(
    trial: Trial, folds: Sequence[Sequence[Sample]], task: Task
) -> dict[str, Any]:
    each = [_settings(trial, rows, task) for rows in folds]
    del each[0]["split_fingerprint"]  # each fold has its own
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
        "split_fingerprint": split_fingerprint(rows),
        **dict(zip(_COUNTS, counted.values(), strict=True)),
        **(trial.settings.model_dump() if trial.settings else {"size": trial.size}),
        "reasons": trial.reasons,
    }


def _compare(trial: Trial, settings: Mapping[str, Any], folder: Path) -> None:
    """Nothing, or `UsageError` when `folder` was made with others."""
    if not (folder / "settings.json").exists():
        return
    before = _before(folder)
    # A baseline takes the images of the smallest network, and another call may have had others.
    free = {"reasons"} if trial.settings else {"reasons", "size"}
    for key, value in settings.items():
        if key not in free and before.get(key) != value:
            what = _OTHERS.get(key, f"{key} {before.get(key)}, not {value}")
            raise UsageError(
                f"{folder} was made with {what}; choose another --out, or delete the folder."
            )


def _before(folder: Path) -> dict[str, Any]:
    """The settings that `folder` was made with; those of an older record, which has no fingerprint
    of its split, with that of the table beside it."""
    before, table = read_json(folder / "settings.json"), folder / "samples.csv"
    if "split_fingerprint" not in before and table.exists():
        before["split_fingerprint"] = split_fingerprint(read_samples(table))
    return before
