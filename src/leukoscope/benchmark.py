"""The main job: data, splits, networks, report, in order; it goes on where it was cut short."""

import json
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from leukoscope import __version__, audits, trial
from leukoscope.audit import leaks
from leukoscope.data import images, sources, splits
from leukoscope.data import samples as table
from leukoscope.data.predictions import read_predictions
from leukoscope.data.samples import Sample
from leukoscope.errors import Interrupted, LeukoscopeError, UsageError
from leukoscope.evaluate.metrics import Metrics, evaluate
from leukoscope.files import make_folder, read_json, write_json
from leukoscope.recipes import DEMONSTRATION, NETWORKS
from leukoscope.results import BASELINES, write_results
from leukoscope.settings import TrainingSettings, settings_for
from leukoscope.trial import Trial

_PACKAGES = ("torch", "torchvision", "lightning-fabric", "numpy", "scikit-learn", "pillow")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared with what. The fields are the options of `leukoscope benchmark`."""

    data: str = "synthetic"
    root: Path | None = None
    networks: Sequence[str] = ()  # none: all eight, or a few on drawn smears
    classes: str = "binary"
    negative: str = "Benign"
    protocols: Sequence[str] = ("random",)
    seeds: int = 1
    folds: int | None = None  # None: one test split of a tenth
    groups: Path | None = None  # a CSV of path and group: patients, where they are known
    audit: bool = True
    weights: str = "none"
    overrides: dict[str, Any] = field(default_factory=dict)
    out: Path = Path("leukoscope-run")
    skip_unreadable: bool = False
    quiet: bool = False


def benchmark(comparison: Comparison) -> Path:
    """The path of `report.html`, written with everything else below `comparison.out`.

    What an earlier call with the same images left there is not computed again. Raises
    `UsageError` when the folder holds a comparison of other images or with other settings.
    """
    comparison = _with_defaults(comparison)
    trials = _trials(comparison)  # every wrong name or setting is found before any work is done
    new = not comparison.out.exists()
    make_folder(comparison.out)
    try:
        return _run(comparison, trials)
    except LeukoscopeError:
        if new and not any(comparison.out.iterdir()):  # refused before a word was written
            comparison.out.rmdir()
        raise
    except KeyboardInterrupt as error:
        raise Interrupted("Stopped. The same command goes on from here.") from error


def _with_defaults(comparison: Comparison) -> Comparison:
    demonstration = comparison.data == "synthetic"
    networks = comparison.networks or (DEMONSTRATION["networks"] if demonstration else NETWORKS)
    overrides = comparison.overrides
    if demonstration:
        overrides = DEMONSTRATION["settings"] | overrides
    return replace(comparison, networks=tuple(networks), overrides=overrides)


def _trials(comparison: Comparison) -> list[Trial]:
    if comparison.folds is not None and comparison.folds < 3:
        raise UsageError(f"--folds must be at least 3, not {comparison.folds}.")
    if comparison.seeds < 1:
        raise UsageError(f"--seeds must be at least 1, not {comparison.seeds}.")
    if comparison.classes not in ("binary", "subtype"):
        raise UsageError(f"--classes is binary or subtype, not {comparison.classes!r}.")
    if not comparison.protocols:
        raise UsageError(f"--protocol needs at least one of {', '.join(splits.PROTOCOLS)}.")
    for protocol in comparison.protocols:
        splits.check_protocol(protocol)
    recipes = {name: _recipe(name, comparison) for name in comparison.networks}
    from leukoscope.learn import networks  # after the cheap checks: it imports torch

    for settings, _ in recipes.values():
        networks.check(settings)
    smallest = min(settings.size for settings, _ in recipes.values())
    trials = []
    for protocol in comparison.protocols:
        for seed in range(comparison.seeds):
            trials += [Trial(name, protocol, seed, smallest) for name in BASELINES]
            for name, (settings, reasons) in recipes.items():
                seeded = settings.model_copy(update={"seed": seed})
                trials.append(Trial(name, protocol, seed, settings.size, seeded, reasons))
    return trials


def _recipe(network: str, comparison: Comparison) -> tuple[TrainingSettings, dict[str, str]]:
    return settings_for(network, weights=comparison.weights, overrides=comparison.overrides)


def _run(comparison: Comparison, trials: Sequence[Trial]) -> Path:
    from leukoscope.learn.devices import describe, fabric_for
    from leukoscope.report import model_card, report

    precision = str(comparison.overrides.get("precision", "auto"))
    fabric = fabric_for(precision)
    out, lead = comparison.out, fabric.is_global_zero
    with fabric.rank_zero_first():
        source = sources.find(comparison.data, root=comparison.root, draw_into=out / "smears")
        skip, quiet = comparison.skip_unreadable, comparison.quiet
        rows, left_out = _readable(source, trials[0].size, skip=skip, warn=lead, quiet=quiet)
    if lead and any(row.split for row in source.samples):
        print(
            f"warning: the split column of {comparison.data} is not used; a benchmark divides "
            f"the images itself, leukoscope train uses it.",
            file=sys.stderr,
        )
    group_of = audits.read_groups(comparison.groups)
    if group_of is not None:
        rows = table.with_groups(rows, group_of)
    task = table.task(rows, comparison.classes, negative=comparison.negative)
    record = _Record(comparison, source, rows, describe(fabric, precision))
    record.content["left_out"] = left_out
    with fabric.rank_zero_first():
        audited = _audited(comparison, source, rows)
    assigned = {
        (one.protocol, one.seed): _assign(rows, audited, one, comparison.folds) for one in trials
    }
    record.content["leaks"] = [
        _leaks(protocol, seed, parts, audited) for (protocol, seed), parts in assigned.items()
    ]
    for one in trials:  # before a word is written
        trial.check(one, assigned[one.protocol, one.seed], task, out / one.folder(task))
    if lead:
        record.begin(rows if comparison.folds else next(iter(assigned.values()))[0])
    for one in trials:
        folder = out / one.folder(task)
        parts = assigned[one.protocol, one.seed]
        trial.run(one, parts, source.root, task, folder, fabric=fabric, quiet=comparison.quiet)
        if lead:
            write_results(out)
            record.update()
            for classifier in trial.classifiers(folder):
                model_card.write(classifier, run=out)
    if lead:
        report.write(out)
    fabric.barrier()
    return out / "report.html"


def _audited(
    comparison: Comparison, source: sources.Source, rows: Sequence[Sample]
) -> audits.Audited | None:
    """What the audit knows of the rows; it is run once and left in the folder `audit`. None when
    nobody wants it."""
    if not (comparison.audit or {"scene", "session"} & set(comparison.protocols)):
        return None
    folder = comparison.out / "audit"
    if (folder / "findings.json").exists():
        audits.check_groups(folder, comparison.groups)
        found = audits.read(folder, rows)
    else:
        found = audits.run(
            replace(source, samples=tuple(rows)),
            folder,
            groups=comparison.groups,
            command=command(sys.argv),
            quiet=comparison.quiet,
        )
    return found


def _assign(
    rows: Sequence[Sample], audited: audits.Audited | None, one: Trial, folds: int | None
) -> list[list[Sample]]:
    """The rows with the protocol's groups and their split, once, or once per fold."""
    if audited is not None:
        rows = audits.grouped(rows, audited, one.protocol)
    chosen = [None] if folds is None else [splits.Fold(number, folds) for number in range(folds)]
    return [splits.assign(rows, protocol=one.protocol, seed=one.seed, fold=fold) for fold in chosen]


def _leaks(
    protocol: str, seed: int, parts: Sequence[Sequence[Sample]], audited: audits.Audited | None
) -> dict[str, Any]:
    """How many test images have a twin on the training side, over all folds."""
    found = leaks.pooled([audits.crossing(rows, audited, protocol) for rows in parts])
    return {
        "protocol": protocol,
        "seed": seed,
        "tested": found.tested,
        "known": found.known,
        "pairs": len(found.pairs),
        "audited": audited is not None,
    }


def _readable(
    source: sources.Source, size: int, *, skip: bool, warn: bool, quiet: bool
) -> tuple[list[Sample], dict[str, str]]:
    """The rows whose pictures can be decoded, and by path why others cannot; this fills the pixel
    cache."""
    _, unreadable = images.load(
        source.samples, source.root, size=size, skip_unreadable=skip, quiet=quiet
    )
    if warn:
        for sentence in source.warnings:
            print(f"warning: {sentence}", file=sys.stderr)
        for sentence in unreadable.values():
            print(f"left out: {sentence}", file=sys.stderr)
    rows = [row for row in source.samples if row.path not in unreadable]
    table.check(rows, f"{source.root}, without what cannot be read,")
    return rows, {
        path: sentence.removeprefix(str(source.root / path)).strip()
        for path, sentence in unreadable.items()
    }


class _Record:
    """`settings.json` and `card.json` of the run: what was asked, on which images, by what."""

    def __init__(
        self,
        comparison: Comparison,
        source: sources.Source,
        rows: Sequence[Sample],
        device: str,
    ) -> None:
        self.path = comparison.out / "settings.json"
        self.card = source.card.as_dict(rows)
        before = read_json(self.path) if self.path.exists() else {}
        fingerprint = table.fingerprint(rows)
        if before.get("fingerprint", fingerprint) != fingerprint:
            raise UsageError(
                f"{comparison.out} holds a comparison of other images than {comparison.data}; "
                f"choose another --out, or delete the folder."
            )
        self.since = time.time()
        self.before_seconds = before.get("wall_seconds", 0.0)
        asked = {key: value for key, value in asdict(comparison).items() if key != "quiet"}
        self.content = {
            "leukoscope": __version__,
            "command": command(sys.argv),
            "started": before.get("started", _now()),
            "versions": {"python": platform.python_version()}
            | {package: metadata.version(package) for package in _PACKAGES},
            "device": device,
            "settings": json.loads(json.dumps(asked, default=str)),
            "fingerprint": fingerprint,
            "root": str(source.root),
        }

    def begin(self, rows: Sequence[Sample]) -> None:
        """Nothing; the files say what is about to be done, and on which rows first."""
        write_json(self.path.with_name("card.json"), self.card)
        table.write_samples(rows, self.path.with_name("samples.csv"))
        self.update()

    def update(self) -> None:
        """Nothing; `settings.json` has the time spent so far, earlier calls included."""
        seconds = round(self.before_seconds + time.time() - self.since, 1)
        # An earlier call, or one that fills the same folder now, may have had other protocols.
        there = read_json(self.path) if self.path.exists() else {}
        now = {"finished": _now(), "wall_seconds": seconds}
        write_json(self.path, self.content | _joined(there, self.content) | now)


def _joined(there: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """What is true of all calls that filled the folder: their commands, their devices, and what
    leaks in the splits of each protocol."""
    devices = [*filter(None, there.get("device", "").split("; ")), own["device"]]
    leaks = {
        (one["protocol"], one["seed"]): one for one in [*there.get("leaks", ()), *own["leaks"]]
    }
    return {
        "commands": _with(there, own["command"]),
        "device": "; ".join(dict.fromkeys(devices)),
        "leaks": list(leaks.values()),
    }


def _with(before: dict[str, Any], now: str) -> list[str]:
    """The commands that the run was made by, in the order of their first call."""
    known = [before["command"]] if before.get("command") else []
    return list(dict.fromkeys([*before.get("commands", known), now]))


def command(arguments: Sequence[str]) -> str:
    """The command line as a person would type it, without the folder of the program."""
    program = Path(arguments[0]).name
    return shlex.join(["leukoscope" if program == "cli.py" else program, *arguments[1:]])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def train_listed(
    samples: Path,
    network: str,
    out: Path,
    *,
    root: Path | None = None,
    classes: str = "binary",
    negative: str = "Benign",
    weights: str = "none",
    seed: int = 0,
    overrides: dict[str, Any] | None = None,
    skip_unreadable: bool = False,
    quiet: bool = False,
) -> Metrics:
    """The test figures of one network trained on a `samples.csv` that says who trains.

    `out` receives what a folder of a benchmark holds. Continues what was cut short.
    """
    settings, reasons = settings_for(network, weights=weights, seed=seed, overrides=overrides)
    source = sources.find(samples, root=root)
    table.task(source.samples, classes, negative=negative)  # a wrong call decodes no picture
    splits.check(source.samples, protocol="given")
    crossing = audits.crossing(source.samples, None, "given")
    if crossing.pairs:
        print(f"warning: {samples}: {crossing.sentence}", file=sys.stderr)
    from leukoscope.learn import networks
    from leukoscope.learn.devices import fabric_for

    networks.check(settings)
    one = Trial(network, "given", settings.seed, settings.size, settings, reasons)
    fabric = fabric_for(settings.precision)
    lead = fabric.is_global_zero
    try:
        with fabric.rank_zero_first():
            rows, _ = _readable(source, settings.size, skip=skip_unreadable, warn=lead, quiet=quiet)
        task = table.task(rows, classes, negative=negative)
        trial.run(one, [rows], source.root, task, out, fabric=fabric, quiet=quiet)
    except KeyboardInterrupt as error:
        raise Interrupted("Stopped. The same command goes on from here.") from error
    tested = read_predictions(out / "predictions.csv")
    return evaluate(tested.targets, tested.probabilities, classes=tested.classes)
