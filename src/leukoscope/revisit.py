"""A finished run, asked again: calibrated anew, or put under stress. Nothing is trained."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leukoscope import outcome
from leukoscope.data import novelties
from leukoscope.data.novelties import Folder
from leukoscope.data.samples import hashed
from leukoscope.errors import UsageError
from leukoscope.files import read_json, write_csv
from leukoscope.outcome import Training
from leukoscope.results import finished, write_results
from leukoscope.trial import classifiers

if TYPE_CHECKING:
    from leukoscope.learn.robustness import HeldOut


def trials(run: Path) -> list[Path]:
    """The folders of the finished trials of a run, or the folder itself if it is one."""
    if not (run / "settings.json").exists():
        raise UsageError(f"{run} is no folder of a benchmark or of a training.")
    if "network" in read_json(run / "settings.json"):
        found = [run] if (run / "metrics.json").exists() else []
    else:
        found = finished(run)
    if not found:
        raise UsageError(f"{run} holds no finished training.")
    return found


def calibrate(run: Path, *, root: Path | None = None, quiet: bool = False) -> list[Path]:
    """The trials of a run whose classifiers, predictions and metrics were written anew, and with
    them the tables, cards and report of the run.

    `root` is the folder of the images, by default the one that the run was made with. For runs
    that were made before classifiers were calibrated; otherwise it changes nothing.
    """
    from leukoscope.report import model_card, report

    done = trials(run)
    for trial in done:
        parts = outcome.folds(trial)
        for part in parts:
            training = outcome.read(part)
            outcome.finish(training, _root(training, run, root), quiet=quiet)
        if parts != [trial]:
            outcome.pool(trial)
    whole = next((folder for folder in (run, run.parent) if (folder / "card.json").exists()), None)
    if whole is not None:
        write_results(whole)
        for classifier in (one for trial in done for one in classifiers(trial)):
            model_card.write(classifier, run=whole)
        report.write(whole)
    return done


def measure(run: Path) -> None:
    """Nothing; the `metrics.json`, `results.csv` and model cards of a finished run, anew from its
    `predictions.csv` files. Of a run that an earlier version made they get today's intervals; a
    training without that file keeps its figures."""
    from leukoscope.report import model_card

    done = finished(run)
    for trial in done:
        for folder in dict.fromkeys((*outcome.folds(trial), trial)):
            outcome.measure(folder)
    write_results(run)
    if (run / "card.json").exists():
        for classifier in (one for trial in done for one in classifiers(trial)):
            model_card.write(classifier, run=run)


def stress(
    run: Path,
    *,
    root: Path | None = None,
    limit: int | None = None,
    novel: Sequence[Folder] = (),
    quiet: bool = False,
) -> list[Path]:
    """The `robustness.csv` of each trained network of a run, its figures under graded changes of
    the test images (of `limit` of them per training, drawn by chance, if given); and the
    `novelty.csv` of those that know novelty: how well it finds drawn pictures and `novel` ones."""
    from leukoscope.learn.devices import fabric_for
    from leukoscope.learn.rejection import Rejection, rejections
    from leukoscope.learn.robustness import Grade, grades

    written = []
    for trial in trials(run):
        trainings = [outcome.read(part) for part in outcome.folds(trial)]
        if trainings[0].is_baseline:
            continue
        size = int(trainings[0].settings["size"])
        given = [novelties.read(one, size) for one in novel]  # what cannot be read fails at once
        fabric = fabric_for(str(trainings[0].settings["precision"]))
        parts = _held_out(trainings, run, root, limit, quiet)
        measured = grades(parts, fabric=fabric, quiet=quiet)
        written.append(_write(trial / "robustness.csv", Grade, measured))
        parts = _held_out(trainings, run, root, limit, quiet)
        if rejected := rejections(parts, given, fabric=fabric, quiet=quiet):
            written.append(_write(trial / "novelty.csv", Rejection, rejected))
    return written


def _write(path: Path, kind: type[Any], rows: Sequence[Any]) -> Path:
    write_csv(path, [field.name for field in fields(kind)], map(astuple, rows))
    return path


def _held_out(
    trainings: list[Training], run: Path, root: Path | None, limit: int | None, quiet: bool
) -> "Iterator[HeldOut]":
    from leukoscope.learn.classifier import load
    from leukoscope.learn.robustness import HeldOut

    for training in trainings:
        rows = training.numbers("test")
        if limit is not None:
            rows = np.sort(np.random.default_rng(0).permutation(rows)[:limit])
        grouped = training.settings["protocol"] != "random"
        yield HeldOut(
            load(training.classifier),
            training.pixels(_root(training, run, root), quiet=quiet)[rows],
            training.targets[rows],
            tuple(training.rows[row].group if grouped else "" for row in rows),
        )


def _root(training: Training, run: Path, root: Path | None) -> Path:
    """Where the images are, after a look whether they are still the same."""
    for folder in (run, *training.folder.parents[:2]):
        if root is None and (folder / "settings.json").exists():
            known = read_json(folder / "settings.json").get("root")
            root = Path(known) if known else None
    if root is None:
        raise UsageError(f"{training.folder} does not say where its images are: give --root DIR.")
    if not root.is_dir():
        raise UsageError(f"The images of {run} are not in {root}: give --root DIR.")
    hashed(training.rows, root)
    return root
