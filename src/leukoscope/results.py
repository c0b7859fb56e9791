"""`results.csv`: one row per finished network, protocol and seed of a run folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leukoscope.errors import UsageError
from leukoscope.files import read_json, write_csv
from leukoscope.recipes import NETWORKS
from leukoscope.report.run import BASELINES as BASELINES
from leukoscope.report.run import TABLED, history_files
from leukoscope.report.trainings import times

COLUMNS = (
    *("network", "protocol", "classes", "seed", "n_train", "n_validation", "n_test"),
    *TABLED,
    *("confusion", "train_seconds", "train_images_per_second"),
)


def write_results(run: Path) -> Path:
    """`results.csv` of all finished trials in `run`."""
    rows = [_row(folder) for folder in finished(run)]
    if not rows:
        raise UsageError(f"{run} holds no finished run.")
    rows.sort(key=_place)
    write_csv(run / "results.csv", COLUMNS, ([row[name] for name in COLUMNS] for row in rows))
    return run / "results.csv"


def finished(run: Path) -> list[Path]:
    """The folders in `run` of trials that were tested; an evaluation has no settings."""
    folders = (path.parent for path in sorted(run.glob("*/metrics.json")))
    return [folder for folder in folders if (folder / "settings.json").exists()]


def _row(folder: Path) -> dict[str, Any]:
    settings, metrics = read_json(folder / "settings.json"), read_json(folder / "metrics.json")
    row: dict[str, Any] = {name: settings.get(name, "") for name in COLUMNS}
    for name in TABLED:
        value = metrics[name]["value"]
        row[name] = "" if value is None else value
    row["confusion"] = json.dumps(metrics["confusion"])
    if histories := history_files(folder):
        row["train_seconds"], row["train_images_per_second"] = times(histories)
    return row


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    """The order of the reference table, then other networks, then the baselines."""
    known: Sequence[str] = (*NETWORKS, *BASELINES)
    name = row["network"]
    rank = known.index(name) if name in known else len(NETWORKS) - 0.5
    return row["classes"], row["protocol"], rank, name, row["seed"]
