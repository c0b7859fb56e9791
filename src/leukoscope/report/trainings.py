"""What did each single training give, of folds each by itself?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leukoscope.data.predictions import Predictions, read_predictions
from leukoscope.evaluate import figures, scores
from leukoscope.evaluate.intervals import Interval, clopper_pearson, group_bootstrap
from leukoscope.files import read_csv
from leukoscope.report.comparison import Comparison
from leukoscope.report.run import Confusion, Result, history_files


@dataclass(frozen=True, slots=True)
class Training:
    """One training: of a seed, or of one fold of it."""

    name: str
    seed: int
    fold: int | None
    n_train: int
    n_validation: int | None  # None: its validation predictions were not kept
    n_test: int
    loss: float
    accuracy: float
    interval: Interval  # of the accuracy
    f1: float
    auroc: float | None
    average_precision: float | None
    confusion: Confusion
    seconds: float | None
    images_per_second: float | None

    @property
    def sides(self) -> str:
        """Training, validation and test images."""
        validation = "–" if self.n_validation is None else f"{self.n_validation:,}"
        return f"{self.n_train:,} / {validation} / {self.n_test:,}"


def trainings(comparison: Comparison) -> list[Training]:
    """Every training, network by network; of folds whose predictions were kept one for each."""
    return [
        one
        for entrant in comparison.entrants
        for result in entrant.results
        for one in (_folds(entrant.name, result) or [_whole(entrant.name, result)])
    ]


def times(histories: Sequence[Path]) -> tuple[float, float]:
    """Seconds of all trainings, and images per second of their steps without validation."""
    needed = ("seconds", "images_per_second")
    rows = [row for path in histories for row in read_csv(path, needed)[1]]
    # Every epoch sees as many images, so its share of the time is the inverse of its rate.
    rate = len(rows) / sum(1 / float(row["images_per_second"]) for row in rows)
    return round(sum(float(row["seconds"]) for row in rows), 1), round(rate, 2)


def _whole(name: str, result: Result) -> Training:
    return Training(
        name,
        result.seed,
        None,
        result.n_train,
        result.n_validation,
        result.n_test,
        result.loss,
        result.accuracy,
        result.interval,
        result.f1,
        result.auroc,
        result.average_precision,
        result.confusion,
        result.train_seconds,
        result.train_images_per_second,
    )


def _folds(name: str, result: Result) -> list[Training]:
    return [
        _fold(name, result, number, folder)
        for number, folder in enumerate(result.fold_folders, start=1)
    ]


def _fold(name: str, result: Result, number: int, folder: Path) -> Training:
    tested, kept = read_predictions(folder / "predictions.csv"), folder / "validation.csv"
    held_out = len(read_predictions(kept).paths) if kept.exists() else None
    labels, predicted = tested.targets, tested.probabilities.argmax(axis=1)
    counts = figures.confusion(labels, predicted, len(tested.classes))
    found = scores.overall(labels, tested.probabilities)
    values = {key: None if one is None else one.value for key, one in found.items()}
    seconds, rate = (None, None)
    if histories := history_files(folder):
        seconds, rate = times(histories)
    return Training(
        name=name,
        seed=result.seed,
        fold=number,
        n_train=result.n_test - len(labels) - (held_out or 0),  # every image is tested once
        n_validation=held_out,
        n_test=len(labels),
        loss=float(values["loss"] or 0.0),
        accuracy=float((predicted == labels).mean()),
        interval=_interval(tested, grouped=result.protocol != "random"),
        f1=float(figures.of_tables(counts[None], counts).f1[0]),
        auroc=values["auroc"],
        average_precision=values["average_precision"],
        confusion=tuple(tuple(row) for row in counts.tolist()),
        seconds=seconds,
        images_per_second=rate,
    )


def _interval(tested: Predictions, *, grouped: bool) -> Interval:
    """That of the accuracy: over groups where the split kept them apart, else exact."""
    right = tested.probabilities.argmax(axis=1) == tested.targets
    if grouped and all(tested.groups):
        return group_bootstrap(right.astype(np.float64), tested.groups)
    return clopper_pearson(int(right.sum()), len(right))
