"""`results.csv`: one row per finished network, protocol and seed of a run folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leukoscope.errors import UsageError
from leukoscope.files import read_csv, read_json, write_csv
from leukoscope.recipes import NETWORKS
from leukoscope.report.run import history_files

BASELINES = ("colour-forest", "majority")
FIGURES = (
    *("loss", "accuracy", "precision", "recall", "f1"),
    *("balanced_accuracy", "auroc", "average_precision"),
)
COLUMNS = (
    *("network", "protocol", "classes", "seed", "n_train", "n_validation", "n_test"),
    *FIGURES,
    *("confusion", "train_seconds", "train_images_per_second"),
)


def write_results(run: Path) -> Path:
    """`results.csv` of all folders in `run` that hold a finished `metrics.json`."""
    rows = [_row(path.parent) for path in run.glob("*/metrics.json")]
    if not rows:
        raise UsageError(f"{run} holds no finished run.")
    rows.sort(key=_place)
    write_csv(run / "results.csv", COLUMNS, ([row[name] for name in COLUMNS] for row in rows))
    return run / "results.csv"


def _row(folder: Path) -> dict[str, Any]:
    settings, metrics = read_json(folder / "settings.json"), read_json(folder / "metrics.json")
    row: dict[str, Any] = {name: settings.get(name, "") for name in COLUMNS}
    for name in FIGURES:
        value = metrics[name]["value"]
        row[name] = "" if value is None else value
    row["confusion"] = json.dumps(metrics["confusion"])
    if histories := history_files(folder):
        row["train_seconds"], row["train_images_per_second"] = _times(histories)
    return row


def _times(histories: Sequence[Path]) -> tuple[float, float]:
    """Seconds of all trainings, and images per second of their steps without validation."""
    needed = ("seconds", "images_per_second")
    rows = [row for path in histories for row in read_csv(path, needed)[1]]
    # Every epoch sees as many images, so its share of the time is the inverse of its rate.
    rate = len(rows) / sum(1 / float(row["images_per_second"]) for row in rows)
    return round(sum(float(row["seconds"]) for row in rows), 1), round(rate, 2)


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    """The order of the reference table, then other networks, then the baselines."""
    known: Sequence[str] = (*NETWORKS, *BASELINES)
    name = row["network"]
    rank = known.index(name) if name in known else len(NETWORKS) - 0.5
    return row["classes"], row["protocol"], rank, name, row["seed"]
