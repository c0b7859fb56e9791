"""Runs the checks of an audit, one after the other, and writes down what they found."""

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from leukoscope import __version__
from leukoscope.audit import clues, duplicates, findings, price, quality, sessions, shortcuts
from leukoscope.audit.duplicates import Overlap
from leukoscope.audit.findings import Finding
from leukoscope.audit.price import Learner
from leukoscope.audit.sessions import Sessions
from leukoscope.audit.shortcuts import View
from leukoscope.data import images
from leukoscope.data.samples import Sample, fingerprint, with_groups, write_samples
from leukoscope.errors import DataError, LeukoscopeError
from leukoscope.files import make_folder, reason, write_csv, write_json

T = TypeVar("T")
Train = Callable[[NDArray[np.uint8], NDArray[np.int64]], Learner]  # N×S×S×3 pixels and targets
SIZE = 224  # pixels at which images are compared
_SOMETIMES = ("sessions.csv", "information.csv", *(f"figures/{n}.*" for n in findings.FIGURES))
_PROBED = 5000  # images; more change a probe's figure by less than its interval


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that was found out about a set of images; rows are in the order of `samples`,
    which have known groups, joined where they share fields, as theirs."""

    samples: tuple[Sample, ...]
    overlaps: tuple[Overlap, ...]
    sessions: Sessions | None
    information: NDArray[np.float64] | None
    findings: tuple[Finding, ...]


class _Checks:
    """The findings so far. A check that raises is `not run`, never `clear`."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def run(self, check: str, kind: str, work: Callable[[], T], otherwise: T) -> T:
        """What `work` gives, or `otherwise` and a finding that says why there is nothing."""
        details: dict[str, str] = {}
        try:
            return work()
        except LeukoscopeError as error:
            why = str(error)
        except Exception as error:  # any library may raise anything on a set nobody has seen
            why = f"It failed on these images ({reason(error)})."
            details = {"error": f"{type(error).__name__}: {error}"}
        said = f"This check was not run. {why}"
        self.found.append(Finding(check, kind, "not run", said, details=details))
        return otherwise

    def has(self, check: str) -> bool:
        """Whether there is a finding of this check already, if only that it was not run."""
        return any(one.check == check for one in self.found)

    def add(self, check: str, kind: str, work: Callable[[], list[Finding]]) -> None:
        self.found += self.run(check, kind, work, [])


def audit(
    samples: Sequence[Sample],
    root: Path,
    *,
    groups: Mapping[str, str] | None = None,
    networks: Mapping[str, Train] | None = None,
    quiet: bool = False,
) -> Audit:
    """What in these images could make test scores untrue.

    `samples` have the hashes of their files (`samples.hashed`). `groups` is a known group, such as
    a patient, per path; it stands in for the inferred sessions. `networks` are models, by name,
    for which the price of leaking is found besides that for the colour forest. Unreadable pictures
    are a finding and take no part in the rest. Raises `DataError` when no picture can be read.
    """
    pixels, unreadable = images.load(samples, root, size=SIZE, skip_unreadable=True, quiet=quiet)
    rows = [sample for sample in samples if sample.path not in unreadable]
    if not rows:
        first = _why(min(unreadable.items())[1], root)
        raise DataError(
            f"None of the {len(samples):,} pictures in {root} can be read. The first: {first}"
        )
    if groups is not None:
        with_groups(rows, groups)  # before the work: one that misses images is refused
    checks = _Checks()
    reasons = {path: _why(why, root) for path, why in unreadable.items()}
    checks.found.append(findings.readable(reasons, len(samples)))
    checks.found.append(findings.balance(rows))
    facts = [images.facts(root / row.path) for row in rows]

    none: list[Overlap] = []
    overlaps = checks.run(
        "overlapping fields",
        "leak",
        lambda: duplicates.find_overlaps(rows, pixels, quiet=quiet),
        none,
    )
    flat = duplicates.flat(rows, pixels)
    # Of those of one colour, which show no field, only copies of a file are kept on one side.
    overlaps = [
        one for one in overlaps if one.kind == "equal bytes" or not flat & {one.path_a, one.path_b}
    ]
    fields = [one for one in overlaps if not flat & {one.path_a, one.path_b}]
    scenes = duplicates.scenes(rows, overlaps)
    checks.add("equal files", "leak", lambda: [findings.equal(rows, overlaps)])
    if not checks.has("overlapping fields"):
        checks.add("overlapping fields", "leak", lambda: [findings.overlapping(rows, fields)])
        checks.add("random split", "leak", lambda: [findings.random_split(rows, overlaps)])
        checks.add("labels of twins", "label", lambda: [findings.twins(rows, fields)])
    together = _sessions(checks, rows, pixels, facts, fields, groups, quiet)
    if any(row.split for row in rows):
        checks.add("given split", "leak", lambda: [_given_split(rows, overlaps, groups, together)])
    information = _labels(checks, rows, pixels, facts, scenes, together, networks or {}, quiet)
    checks.add(
        "odd images",
        "quality",
        lambda: findings.strange(rows, quality.odd(quality.measure(pixels, quiet=quiet))),
    )
    if groups is not None and together is not None:
        rows = [replace(r, group=name) for r, name in zip(rows, together.session, strict=True)]
    return Audit(
        samples=tuple(rows),
        overlaps=tuple(overlaps),
        sessions=together,
        information=information,
        findings=tuple(checks.found),
    )


def _given_split(
    rows: Sequence[Sample],
    overlaps: Sequence[Overlap],
    groups: Mapping[str, str] | None,
    together: Sessions | None,
) -> Finding:
    """What crosses the split of the table, by the groups that are known besides it, too."""
    session_of: dict[str, str] = {}
    if together is not None and not together.weak:
        session_of = dict(zip((row.path for row in rows), together.session, strict=True))
    if groups is not None:
        rows, session_of = with_groups(rows, groups), {}
    return findings.given_split(rows, overlaps, session_of)


def _why(message: str, root: Path) -> str:
    """The reason without the folder, which is the same for all."""
    return message.replace(f"{root}{os.sep}", "", 1)


def _labels(
    checks: _Checks,
    rows: Sequence[Sample],
    pixels: NDArray[np.uint8],
    facts: Sequence[images.Facts],
    scenes: Sequence[str],
    together: Sessions | None,
    networks: Mapping[str, Train],
    quiet: bool,
) -> NDArray[np.float64] | None:
    """The map of what each place says about the label, after all findings about labels."""
    labels = sorted({row.label for row in rows})
    if len(labels) < 2:
        why = f"This check was not run: there is one class only ({labels[0]})."
        for check, kind in (
            ("shortcuts", "shortcut"),
            ("information map", "shortcut"),
            ("price of leaking", "leak"),
            ("doubtful labels", "label"),
        ):
            checks.found.append(Finding(check, kind, "not run", why))
        return None
    some = _some(scenes)
    probed = _Probed(
        pixels[some] if len(some) < len(rows) else pixels,
        np.array([labels.index(rows[row].label) for row in some]),
        [scenes[row] for row in some],
        [rows[row].path for row in some],
        [facts[row] for row in some],
        labels,
        quiet,
    )
    checks.add("shortcuts", "shortcut", probed.shortcuts)
    information = checks.run(
        "information map",
        "shortcut",
        lambda: shortcuts.information(probed.pixels, probed.targets, probed.scenes),
        None,
    )
    if information is not None:
        checks.found.append(clues.information(information))
    known = {"scene": probed.scenes}
    if together is not None:
        known["session"] = [together.session[row] for row in some]
    checks.add("price of leaking", "leak", lambda: [probed.price(known, networks)])
    checks.add("doubtful labels", "label", lambda: [probed.doubtful()])
    return None if information is None else information.bits


@dataclass(frozen=True)  # without slots, for the cached property
class _Probed:
    """The images that the probes see: all of them, or as many whole scenes as are enough."""

    pixels: NDArray[np.uint8]
    targets: NDArray[np.int64]
    scenes: list[str]
    paths: list[str]
    facts: list[images.Facts]
    labels: list[str]  # of the targets
    quiet: bool

    @cached_property
    def views(self) -> dict[str, View]:
        """What the probes see, measured once."""
        return shortcuts.views(self.pixels, facts=self.facts, paths=self.paths, quiet=self.quiet)

    def enough(self) -> None:
        """Nothing, or `DataError` when fewer than two classes have a scene for each fold."""
        scenes_of = [
            len({self.scenes[row] for row in np.flatnonzero(self.targets == target)})
            for target in range(len(self.labels))
        ]
        fewest, label = sorted(zip(scenes_of, self.labels, strict=True))[-2]
        if fewest < price.FOLDS:
            raise DataError(
                f"There are too few scenes in class {label}: {fewest}, and five folds need "
                f"{price.FOLDS}."
            )

    def shortcuts(self) -> list[Finding]:
        """How well each thing that is no cell gives the label away."""
        self.enough()
        chance = float(np.bincount(self.targets).max() / len(self.targets))
        probes = shortcuts.probe(self.views, self.targets, self.scenes, quiet=self.quiet)
        return clues.shortcuts(probes, chance)

    def price(self, groups: Mapping[str, Sequence[str]], networks: Mapping[str, Train]) -> Finding:
        """The figures of the forest and the networks, ever further from what they learned."""
        histograms = self.views["colour histogram"].features
        learners = {price.FOREST: price.forest(histograms, self.targets)}
        learners |= {name: train(self.pixels, self.targets) for name, train in networks.items()}
        points, left_out = price.price(learners, self.targets, self.paths, groups, quiet=self.quiet)
        return clues.price(points, left_out)

    def doubtful(self) -> Finding:
        """The labels that forests contradict which never saw the scene."""
        self.enough()
        doubted = shortcuts.contradicted(self.views, self.targets, self.scenes)
        own = [self.labels[target] for target in self.targets]
        return clues.doubtful(doubted, self.paths, own, self.labels)


def _some(scenes: Sequence[str]) -> NDArray[np.int64]:
    """The rows of as many whole scenes, drawn at random, as the probes need."""
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, scene in enumerate(scenes):
        rows_of[scene].append(row)
    chosen: list[int] = []
    for scene in np.random.default_rng(0).permutation(sorted(rows_of)).tolist():
        if len(chosen) >= _PROBED:
            break
        chosen += rows_of[scene]
    return np.array(sorted(chosen))


def _sessions(
    checks: _Checks,
    rows: Sequence[Sample],
    pixels: NDArray[np.uint8],
    facts: Sequence[images.Facts],
    overlaps: Sequence[Overlap],
    groups: Mapping[str, str] | None,
    quiet: bool,
) -> Sessions | None:
    """Sessions as known, or else as inferred, with their findings."""
    row_of = {row.path: number for number, row in enumerate(rows)}
    links = [(row_of[one.path_a], row_of[one.path_b]) for one in overlaps]
    inferred = checks.run(
        "sessions", "session", lambda: sessions.infer(rows, pixels, facts, links, quiet=quiet), None
    )
    if inferred is not None:
        checks.found.append(findings.inferred(rows, inferred))
    if groups is None:
        if inferred is not None:
            checks.add(
                "class of sessions", "session", lambda: [findings.classes(rows, inferred.session)]
            )
        return inferred
    known = [row.group for row in with_groups(rows, groups)]
    if inferred is not None:
        checks.add("agreement", "session", lambda: [findings.agreement(inferred, known)])
    checks.add("labels of groups", "label", lambda: [findings.labels_of_groups(rows, known)])
    joined = duplicates.joined(known, links)
    checks.add("class of sessions", "session", lambda: [findings.classes(rows, joined, given=True)])
    checks.add("groups with common fields", "leak", lambda: [findings.joined(known, joined)])
    said = "They are the groups that were given, joined where they share fields."
    return Sessions(tuple(joined), (1.0,) * len(known), 1.0, None, False, said)


def write(found: Audit, out: Path, *, about: Mapping[str, Any]) -> None:
    """`findings.json`, `overlaps.csv`, `sessions.csv` and `information.csv` in `out`.

    `findings.json` holds `images`, `fingerprint`, `leukoscope`, what else `about` says of the set,
    and a list `findings`; each has `check`, `kind`, `verdict`, `sentence`, `figure`, `unit`,
    `interval`, `paths` and `details`, in the order in which the checks were run. Keys are added in
    later versions, not renamed.
    """
    make_folder(out)
    for name in _SOMETIMES:  # an earlier audit of other images may have had them
        for stale in out.glob(name):
            stale.unlink()
    write_samples(found.samples, out / "samples.csv")
    duplicates.write_overlaps(found.overlaps, out / "overlaps.csv")
    if found.sessions is not None:
        sessions.write_sessions(found.samples, found.sessions, out / "sessions.csv")
    if found.information is not None:
        columns = [f"x{x}" for x in range(found.information.shape[1])]
        write_csv(out / "information.csv", columns, found.information.round(4).tolist())
    write_json(
        out / "findings.json",
        {
            "leukoscope": __version__,
            **about,
            "images": len(found.samples),
            "fingerprint": fingerprint(found.samples),
            "findings": [asdict(one) for one in found.findings],
        },
    )
