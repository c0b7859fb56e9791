"""One network, or baseline, on one split: trained, tested once, and written down."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit import shortcuts
from leukoscope.data import images, splits
from leukoscope.data.predictions import Predictions, write_predictions
from leukoscope.data.samples import SPLITS, Sample, Task, fingerprint, write_samples
from leukoscope.errors import UsageError
from leukoscope.files import make_folder, read_json, write_json
from leukoscope.settings import TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Probabilities = NDArray[np.float64]


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
    rows: Sequence[Sample],
    root: Path,
    task: Task,
    folder: Path,
    *,
    fabric: "Fabric",
    quiet: bool = False,
) -> None:
    """Nothing; `folder` holds settings, predictions of the test rows and, last, their metrics.

    `rows` have their splits. A finished folder is left alone, an unfinished one continued; one
    that was made with other settings or images raises `UsageError`.
    """
    check(trial, rows, task, folder)
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
        _write_test([row for row in rows if row.split == "test"], probabilities, task, folder)
    fabric.barrier()


def _settings(trial: Trial, rows: Sequence[Sample], task: Task) -> dict[str, Any]:
    counted = {split: sum(row.split == split for row in rows) for split in SPLITS}
    return {
        "network": trial.network,
        "protocol": trial.protocol,
        "classes": task.name,
        "class_names": list(task.classes),
        "seed": trial.seed,
        "fingerprint": fingerprint(rows),
        **{f"n_{split}": count for split, count in counted.items()},
        **(trial.settings.model_dump() if trial.settings else {"size": trial.size}),
        "reasons": trial.reasons,
    }


def check(trial: Trial, rows: Sequence[Sample], task: Task, folder: Path) -> None:
    """Nothing, or an error: a split that cannot be used, or a `folder` of another trial."""
    splits.check(rows, protocol=trial.protocol)
    path = folder / "settings.json"
    if not path.exists():
        return
    before = read_json(path)
    # A baseline takes the images of the smallest network, and another call may have had others.
    free = {"reasons"} if trial.settings else {"reasons", "size"}
    for key, value in _settings(trial, rows, task).items():
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
    test: Sequence[Sample], probabilities: Probabilities, task: Task, folder: Path
) -> None:
    from leukoscope.evaluate.metrics import evaluate

    predictions = Predictions(
        paths=tuple(row.path for row in test),
        labels=tuple(task.class_of[row.label] for row in test),
        classes=task.classes,
        probabilities=probabilities,
        splits=tuple(row.split for row in test),
        groups=tuple(row.group for row in test),
    )
    write_predictions(predictions, folder / "predictions.csv")
    metrics = evaluate(predictions.targets, probabilities, classes=task.classes)
    write_json(folder / "metrics.json", metrics.as_dict())
