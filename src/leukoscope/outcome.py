"""A trained network, or a baseline, to what is known of it: calibrated, tested, written down.

All that follows a training starts from the folder that it left, so that it can be done again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leukoscope import explanation
from leukoscope.audit import shortcuts
from leukoscope.audit.attention import read_attention, write_attention
from leukoscope.data import images, seen
from leukoscope.data.predictions import (
    Predictions,
    in_fold,
    join,
    read_predictions,
    write_predictions,
)
from leukoscope.data.samples import SPLITS, Sample, Task, read_samples
from leukoscope.errors import UsageError
from leukoscope.evaluate.calibration import apply_temperature
from leukoscope.evaluate.metrics import Metrics, evaluate
from leukoscope.evaluate.scores import log_loss
from leukoscope.files import read_json, write_json
from leukoscope.results import BASELINES

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from leukoscope.learn.classifier import Classifier

Probabilities = NDArray[np.float64]

ATTENTION = "attention.csv"
_OF_CALIBRATION = ("temperature", "loss_uncalibrated")  # in metrics.json besides the figures
_LOOKED_AT = 200  # test images of a training: enough for the mean of each class


@dataclass(frozen=True)
class Training:
    """A training and its folder: its `settings.json`, and the rows of its `samples.csv`."""

    folder: Path
    settings: Mapping[str, Any]
    rows: Sequence[Sample]

    @cached_property
    def task(self) -> Task:
        """The classes, and that of each label: of its own name, or the second (positive) one."""
        classes = tuple(self.settings["class_names"])
        labels = {row.label for row in self.rows}
        class_of = {label: label if label in classes else classes[1] for label in labels}
        return Task(self.settings["classes"], classes, class_of)

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        """The index of each row's class."""
        return np.array(self.task.targets(self.rows), dtype=np.int64)

    @property
    def is_baseline(self) -> bool:
        """Whether it is no network."""
        return self.settings["network"] in BASELINES

    @property
    def classifier(self) -> Path:
        """The folder of the classifier."""
        return self.folder / "classifier"

    def numbers(self, split: str) -> NDArray[np.int64]:
        """The numbers of the rows in this split."""
        return np.flatnonzero([row.split == split for row in self.rows])

    def pixels(self, root: Path, *, quiet: bool = False) -> NDArray[np.uint8]:
        """The images of all rows, whose paths are relative to `root`."""
        size = int(self.settings["size"])
        return images.load(self.rows, root, size=size, quiet=quiet)[0]

    def predictions(
        self,
        numbers: NDArray[np.int64],
        probabilities: Probabilities,
        novelty: NDArray[np.float64] | None = None,
    ) -> Predictions:
        """The table of these rows."""
        rows = [self.rows[number] for number in numbers]
        return Predictions(
            paths=tuple(row.path for row in rows),
            labels=tuple(self.task.class_of[row.label] for row in rows),
            classes=self.task.classes,
            probabilities=probabilities,
            splits=tuple(row.split for row in rows),
            groups=tuple(row.group for row in rows),
            novelty=novelty,
        )


def read(folder: Path) -> Training:
    """The training that left its files in `folder`."""
    settings = read_json(folder / "settings.json")
    return Training(folder, settings, read_samples(folder / "samples.csv"))


def folds(folder: Path) -> list[Path]:
    """The folders of the trainings of a trial: its folds in their order, or the folder itself."""
    count = int(read_json(folder / "settings.json").get("folds", 0))
    return [folder / f"fold{number}" for number in range(1, count + 1)] or [folder]


def finish(
    training: Training, root: Path, *, fabric: "Fabric | None" = None, quiet: bool = False
) -> None:
    """Nothing; all that follows a training is written to its folder, `metrics.json` last.

    `validation.csv` holds what the network said of the validation images before it was calibrated,
    from which temperature and prediction sets can be fitted again. `predictions.csv` holds what
    the classifier in the folder now answers: calibrated probabilities of the test images, and
    their novelty. `attention.csv` says where Grad-CAM lies in at most 200 test images, drawn by
    chance. Temperature changes no order and so no figure but the log loss and those of
    calibration; `loss_uncalibrated` in `metrics.json` is the loss without it. Baselines stand for
    themselves and are not calibrated.
    """
    pixels = training.pixels(root, quiet=quiet)
    more: dict[str, Any] = {}
    if training.is_baseline:
        validated, tested = _baseline(training, pixels)
    else:
        validated, tested, temperature = _network(training, pixels, fabric, quiet)
        raw = apply_temperature(tested.probabilities, 1 / temperature)
        before = log_loss(tested.targets, raw).value
        more = {"temperature": temperature, "loss_uncalibrated": {"value": before}}
    write_predictions(validated, training.folder / "validation.csv")
    _write(tested, training.folder, more)


def pool(folder: Path) -> None:
    """Nothing; the predictions of all folds stand in `folder` as one table that names the fold of
    each row, with their metrics, and so does where they looked."""
    parts = folds(folder)
    looked = [part / ATTENTION for part in parts if (part / ATTENTION).exists()]
    if looked:
        rows = [row for table in looked for row in read_attention(table)]
        write_attention(sorted(rows, key=lambda row: row.path), folder / ATTENTION)
    tested = [
        in_fold(read_predictions(part / "predictions.csv"), number)
        for number, part in enumerate(parts, start=1)
    ]
    known = [read_json(part / "metrics.json").get("loss_uncalibrated") for part in parts]
    before = [loss["value"] for loss in known if loss is not None]
    more: dict[str, Any] = {}
    if len(before) == len(parts):
        sizes = [len(part.paths) for part in tested]
        more = {"loss_uncalibrated": {"value": float(np.average(before, weights=sizes))}}
    _write(join(tested), folder, more)


def measure(folder: Path) -> None:
    """Nothing; `metrics.json` anew from the predictions that stand in `folder`. Where one of the
    two is not there, as in the folds of a run that is passed on, it stays as it is."""
    if not all((folder / name).exists() for name in ("predictions.csv", "metrics.json")):
        return
    known = read_json(folder / "metrics.json")
    _measure(folder, {name: known[name] for name in _OF_CALIBRATION if name in known})


def figures(predictions: Predictions, protocol: str) -> Metrics:
    """The figures, with intervals over groups where the protocol knows them."""
    grouped = protocol != "random" and all(predictions.groups)
    return evaluate(
        predictions.targets,
        predictions.probabilities,
        classes=predictions.classes,
        groups=predictions.groups if grouped else None,
        folds=predictions.folds,
    )


def _write(tested: Predictions, folder: Path, more: dict[str, Any]) -> None:
    write_predictions(tested, folder / "predictions.csv")
    _measure(folder, more)


def _measure(folder: Path, more: dict[str, Any]) -> None:
    """Of the table as it is written, digits included, so that anyone finds the same figures."""
    protocol = str(read_json(folder / "settings.json")["protocol"])
    found = figures(read_predictions(folder / "predictions.csv"), protocol)
    write_json(folder / "metrics.json", found.as_dict() | more)


def _baseline(training: Training, pixels: NDArray[np.uint8]) -> tuple[Predictions, Predictions]:
    """What it says of the validation and of the test images."""
    train, validation, test = (training.numbers(split) for split in SPLITS)
    asked = np.concatenate((validation, test))
    learned, count = training.targets[train], len(training.task.classes)
    if training.settings["network"] == "majority":
        said = shortcuts.majority(learned, len(asked), classes=count)
    else:
        seed = int(training.settings["seed"])
        said = shortcuts.colour_forest(
            pixels[train], learned, pixels[asked], classes=count, seed=seed
        )
    of_validation, of_test = np.split(said, [len(validation)])
    return training.predictions(validation, of_validation), training.predictions(test, of_test)


def _network(
    training: Training, pixels: NDArray[np.uint8], fabric: "Fabric | None", quiet: bool
) -> tuple[Predictions, Predictions, float]:
    """What it says of the validation images uncalibrated, of the test images calibrated, and its
    temperature; the classifier in the folder is calibrated."""
    from leukoscope.learn import classifier as classifiers
    from leukoscope.learn.calibration import calibrate
    from leukoscope.learn.devices import fabric_for
    from leukoscope.learn.prediction import answer

    train, validation, test = (training.numbers(split) for split in SPLITS)
    fabric = fabric or fabric_for(str(training.settings["precision"]))
    classifier, raw = calibrate(
        classifiers.load(training.classifier),
        pixels,
        training.targets,
        train=train,
        validation=validation,
        fabric=fabric,
        quiet=quiet,
    )
    classifier.save_calibration(training.classifier)
    seen.write(seen.of_samples(training.rows), training.classifier)
    said = answer(classifier, pixels[test], fabric=fabric, quiet=quiet)
    _look(training, classifier, pixels, quiet)
    return (
        training.predictions(validation, raw),
        training.predictions(test, said.probabilities, said.novelty),
        classifier.config.temperature,
    )


def _look(
    training: Training, classifier: "Classifier", pixels: NDArray[np.uint8], quiet: bool
) -> None:
    """Nothing; `attention.csv` says where the network looked in some test images, if it is one
    whose places can be shown."""
    test = training.numbers("test")
    some = np.sort(np.random.default_rng(0).permutation(test)[:_LOOKED_AT])
    rows = [training.rows[number] for number in some]
    images = [(row.path, training.task.class_of[row.label]) for row in rows]
    try:
        looked = explanation.look(classifier, images, pixels[some], quiet=quiet)
    except UsageError:  # no convolutional stage
        return
    write_attention(looked, training.folder / ATTENTION)
