"""What did each single training give, of folds each by itself?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leukoscope.data.predictions import read_predictions
from leukoscope.evaluate.intervals import Interval, Measured
from leukoscope.evaluate.metrics import evaluate
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
    f1: Measured
    auroc: Measured
    average_precision: Measured
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
    known = result.figures()
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
        known["f1"],
        known["auroc"],
        known["average_precision"],
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
    grouped = result.protocol != "random" and all(tested.groups)
    metrics = evaluate(
        tested.targets,
        tested.probabilities,
        classes=tested.classes,
        groups=tested.groups if grouped else None,
    )
    f1, auroc, precision = (
        Measured(getattr(metrics, key), metrics.intervals.get(key))
        for key in ("f1", "auroc", "average_precision")
    )
    seconds, rate = (None, None)
    if histories := history_files(folder):
        seconds, rate = times(histories)
    return Training(
        name=name,
        seed=result.seed,
        fold=number,
        n_train=result.n_test - metrics.n - (held_out or 0),  # every image is tested once
        n_validation=held_out,
        n_test=metrics.n,
        loss=metrics.loss,
        accuracy=metrics.accuracy,
        interval=metrics.intervals["accuracy"],
        f1=f1,
        auroc=auroc,
        average_precision=precision,
        confusion=metrics.confusion,
        seconds=seconds,
        images_per_second=rate,
    )
