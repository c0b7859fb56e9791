"""An audit from end to end: a source in, a folder with findings and a report out."""

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from leukoscope.audit import checks, duplicates, findings, leaks, sessions
from leukoscope.audit.duplicates import Overlap
from leukoscope.audit.findings import VERDICTS, count
from leukoscope.audit.leaks import Leaks
from leukoscope.data.predictions import read_predictions
from leukoscope.data.samples import Sample, read_samples
from leukoscope.data.sources import Source
from leukoscope.errors import DataError, Interrupted, UsageError, nearest
from leukoscope.files import make_folder, read_csv, read_json


@dataclass(frozen=True, slots=True)
class Audited:
    """What a split needs of an audit, and its findings as in `findings.json`."""

    scenes: dict[str, str]  # per path
    sessions: dict[str, str]  # per path; empty when none were found
    overlaps: list[Overlap]
    findings: list[dict[str, Any]]

    def failed(self, kinds: Sequence[str]) -> list[dict[str, Any]]:
        """The problems, and the checks that were not run, of these kinds."""
        bad = ("problem", "not run")
        return [one for one in self.findings if one["kind"] in kinds and one["verdict"] in bad]


def read(out: Path, samples: Sequence[Sample]) -> Audited:
    """What an audit of these images left in a folder; `UsageError` when it was of others."""
    content = read_json(out / "findings.json")
    audited = {row.path: row for row in read_samples(out / "samples.csv")}
    readable = [row for row in samples if row.path in audited]
    same = all(row.sha256 in ("", audited[row.path].sha256) for row in readable)
    if not same or len(readable) != len(audited):
        raise UsageError(f"{out} holds the audit of other images; name another folder.")
    overlaps = duplicates.read_overlaps(out / "overlaps.csv")
    scenes = duplicates.scenes(readable, overlaps)
    table = out / "sessions.csv"
    return Audited(
        scenes=dict(zip((row.path for row in readable), scenes, strict=True)),
        sessions=_sessions(table, readable),
        overlaps=overlaps,
        findings=content["findings"],
    )


def run(
    source: Source,
    out: Path,
    *,
    groups: Path | None = None,
    network: str | None = None,
    command: str = "",
    quiet: bool = False,
) -> Audited:
    """What an audit of these images finds; `out` has its findings, tables and report.

    `groups` is a CSV with the columns path and group. `network` is one of torchvision's, for which
    the price of leaking is found too, by some thirty short trainings.
    """
    from leukoscope.report import audit as report

    started, made = time.perf_counter(), not out.exists()
    networks = {}
    if network is not None:
        from leukoscope.learn import probe

        probe.check(network)
        networks[network] = partial(probe.learner, network)
    group_of = read_groups(groups)
    make_folder(out)
    try:
        found = checks.audit(
            source.samples, source.root, groups=group_of, networks=networks, quiet=quiet
        )
    except BaseException as error:
        if made:
            out.rmdir()
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted("Stopped; nothing was written.") from error
        raise
    about = {
        "title": source.card.title,
        "synthetic": source.card.synthetic,
        "root": str(source.root),
        "command": command,
        "groups": _digest(groups),
        "seconds": round(time.perf_counter() - started, 1),
    }
    checks.write(found, out, about=about)
    report.write(out)
    return read(out, source.samples)


def _sessions(table: Path, samples: Sequence[Sample]) -> dict[str, str]:
    if not table.exists():
        return {}
    found = sessions.read_sessions(table, samples)
    return dict(zip((row.path for row in samples), found, strict=True))


def by_verdict(findings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The findings, the problems first."""
    return sorted(findings, key=lambda one: VERDICTS.index(one["verdict"]))


def tally(findings: Sequence[dict[str, Any]]) -> str:
    """How many findings there are of each verdict, in words."""
    counted = Counter(one["verdict"] for one in findings)
    nouns = ("problem", "note")
    listed = [
        count(n, verdict) if verdict in nouns else f"{n:,} {verdict}"
        for verdict in VERDICTS
        if (n := counted[verdict])
    ]
    return f"{len(findings)} checks: {', '.join(listed)}."


def check_kinds(kinds: Sequence[str]) -> Sequence[str]:
    """The kinds, or `UsageError` for one that no finding has."""
    for kind in kinds:
        if kind not in findings.KINDS:
            raise UsageError(
                f"There is no kind of finding {kind!r}; known are {', '.join(findings.KINDS)}."
                + nearest(kind, findings.KINDS)
            )
    return kinds


def read_groups(path: Path | None) -> dict[str, str] | None:
    """The group of each path in a CSV; None for no file. `DataError` for a path with two."""
    if path is None:
        return None
    _, rows = read_csv(path, ("path", "group"))
    group_of: dict[str, str] = {}
    for row in rows:
        first = group_of.setdefault(row["path"], row["group"])
        if first != row["group"]:
            raise DataError(f"{path}: {row['path']} has two groups, {first} and {row['group']}.")
    return group_of


def check_groups(out: Path, groups: Path | None) -> None:
    """Nothing, or `UsageError` when the audit in a folder was made with another table of groups."""
    if groups is not None and read_json(out / "findings.json").get("groups") != _digest(groups):
        raise UsageError(
            f"{out} was made without {groups}, or with another version of it; delete that folder, "
            f"or choose another --out."
        )


def _digest(table: Path | None) -> str:
    return "" if table is None else hashlib.sha256(table.read_bytes()).hexdigest()


def grouped(samples: Sequence[Sample], audited: Audited, protocol: str) -> list[Sample]:
    """The rows with the groups that the protocol keeps together.

    Those of `random` stay as they are; those of `group` are joined where they share a field.
    `DataError` when the audit found no sessions.
    """
    if protocol == "group" and all(row.group for row in samples):
        row_of = {row.path: number for number, row in enumerate(samples)}
        links = [(row_of[one.path_a], row_of[one.path_b]) for one in audited.overlaps]
        names = duplicates.joined([row.group for row in samples], links)
        return [replace(row, group=name) for row, name in zip(samples, names, strict=True)]
    if protocol not in ("scene", "session"):
        return list(samples)
    group_of = audited.scenes if protocol == "scene" else audited.sessions
    missing = next((row.path for row in samples if row.path not in group_of), None)
    if missing is not None:
        raise DataError(f"The audit found no {protocol} for {missing}.")
    return [replace(row, group=group_of[row.path]) for row in samples]


def crossing(samples: Sequence[Sample], audited: Audited | None, protocol: str) -> Leaks:
    """What crosses the split of these rows; `DataError` for what the protocol forbids."""
    found = _leaks(samples, audited)
    if found.forbidden(protocol) and protocol == "given":
        raise DataError(
            f"The split has the group {found.groups[0]} in training and test; keep each group on "
            f"one side, or empty the group column where a group may be divided. {found.sentence}"
        )
    if found.forbidden(protocol):
        raise DataError(f"The protocol {protocol!r} forbids this split: {found.sentence}")
    return found


def leaks_behind(
    predictions: Path, *, samples: Path | None = None, audit: Path | None = None
) -> tuple[Leaks, str] | None:
    """What crosses the split that a predictions.csv was made under, and the name of its protocol.

    `DataError` where the split says of judged images that they were trained on, or knows none.
    Without `samples` the samples.csv beside the predictions is read, or those of the folds that
    were pooled in them, and None is the answer where there is none; without `audit` the folder
    `audit` of the run. What an audit would know besides is not counted where there is none.
    """
    beside = predictions.parent
    folds = [one.parent for one in sorted(beside.glob("fold*/samples.csv"))]
    tables = [samples or beside / "samples.csv"]
    if not tables[0].exists() and samples is None:
        tables = [one / "samples.csv" for one in folds]
    if not tables:
        return None
    above = (beside, beside.parent, beside.parent.parent)
    folders = [audit] if audit else [one / "audit" for one in above]
    folder = next((one for one in folders if (one / "findings.json").exists()), None)
    if audit is not None and folder is None:
        raise UsageError(f"{audit} holds no audit.")
    protocol = "given"
    record = next((one for one in (beside, *folds) if (one / "settings.json").exists()), None)
    if record is not None:
        protocol = str(read_json(record / "settings.json").get("protocol", protocol))
    parts = [read_samples(one) for one in tables]
    _check_judged(predictions, parts, tables[0])
    audited = None if folder is None else read(folder, parts[0])  # all folds are of the same rows
    return leaks.pooled([_leaks(rows, audited) for rows in parts]), protocol


def _check_judged(predictions: Path, parts: Sequence[Sequence[Sample]], table: Path) -> None:
    """Nothing, or `DataError` when the split is not one that these predictions were tested in."""
    read = read_predictions(predictions)
    seen = read.seen or ("",) * len(read.paths)
    marked = "test" in read.splits
    judged = [
        path
        for path, split, known in zip(read.paths, read.splits, seen, strict=True)
        if not known and (split == "test" or not marked)
    ]
    split_of = {row.path: row.split for rows in parts for row in rows}
    split_of |= {row.path: row.split for rows in parts for row in rows if row.split == "test"}
    if not split_of.keys() & set(judged):
        raise DataError(
            f"{table} has none of the images of {predictions}: what leaks through their split is "
            f"not known. Name their table with --samples."
        )
    learned = [path for path in judged if split_of.get(path) in ("train", "validation")]
    if learned:
        raise DataError(
            f"{predictions} judges {len(learned):,} of its {len(judged):,} images, "
            f"{learned[0]} first, that {table} does not keep for the test but for "
            f"{split_of[learned[0]]}: these are no test figures."
        )


def as_json(found: Leaks, protocol: str) -> dict[str, Any]:
    """What `metrics.json` says of the split."""
    return {
        "protocol": protocol,
        "tested": found.tested,
        "known": found.known,
        "pairs": len(found.pairs),
        "groups": len(found.groups),
        "sessions": len(found.sessions),
        "searched": found.searched,
        "forbidden": found.forbidden(protocol),
    }


def _leaks(rows: Sequence[Sample], audited: Audited | None) -> Leaks:
    if audited is None:
        return leaks.find(rows)
    return leaks.find(rows, audited.overlaps, audited.sessions)
