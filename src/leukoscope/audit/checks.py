"""Runs the checks of an audit, one after the other, and writes down what they found."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from leukoscope import __version__
from leukoscope.audit import duplicates, findings, price, quality, sessions, shortcuts
from leukoscope.audit.duplicates import Overlap
from leukoscope.audit.findings import Finding
from leukoscope.audit.price import Point
from leukoscope.audit.sessions import Sessions
from leukoscope.audit.shortcuts import Probe
from leukoscope.data import images
from leukoscope.data.samples import Sample, fingerprint, write_samples
from leukoscope.errors import DataError, LeukoscopeError
from leukoscope.files import make_folder, reason, write_csv, write_json

T = TypeVar("T")
SIZE = 224  # pixels at which images are compared
_PROBED = 5000  # images; more change a probe's figure by less than its interval


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that was found out about a set of images; rows are in the order of `samples`."""

    samples: tuple[Sample, ...]
    overlaps: tuple[Overlap, ...]
    scenes: tuple[str, ...]
    sessions: Sessions | None
    probes: tuple[Probe, ...]
    information: NDArray[np.float64] | None
    price: tuple[Point, ...]
    findings: tuple[Finding, ...]


class _Checks:
    """The findings so far. A check that raises is `not run`, never `clear`."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def run(self, check: str, kind: str, work: Callable[[], T], otherwise: T) -> T:
        """What `work` gives, or `otherwise` and a finding that says why there is nothing."""
        try:
            return work()
        except LeukoscopeError as error:
            why = str(error)
        except Exception as error:  # any library may raise anything on a set nobody has seen
            why = f"{type(error).__name__}: {reason(error)}."
        self.found.append(Finding(check, kind, "not run", f"This check was not run: {why}"))
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
    quiet: bool = False,
) -> Audit:
    """What in these images could make test scores untrue.

    `samples` have the hashes of their files (`samples.hashed`). `groups` is a known group, such as
    a patient, per path; it stands in for the inferred sessions. Unreadable pictures are a finding
    and take no part in the rest. Raises `DataError` when no picture can be read.
    """
    pixels, unreadable = images.load(samples, root, size=SIZE, skip_unreadable=True, quiet=quiet)
    rows = [sample for sample in samples if sample.path not in unreadable]
    if not rows:
        raise DataError(f"None of the {len(samples):,} pictures in {root} can be read.")
    checks = _Checks()
    checks.found.append(findings.readable(unreadable, len(samples)))
    checks.found.append(findings.balance(rows))
    facts = [images.facts(root / row.path) for row in rows]

    none: list[Overlap] = []
    overlaps = checks.run(
        "overlapping fields",
        "leak",
        lambda: duplicates.find_overlaps(rows, pixels, quiet=quiet),
        none,
    )
    scenes = duplicates.scenes(rows, overlaps)
    checks.add("equal files", "leak", lambda: [findings.equal(rows, overlaps)])
    if not checks.has("overlapping fields"):
        checks.add("overlapping fields", "leak", lambda: [findings.overlapping(rows, overlaps)])
        checks.add("random split", "leak", lambda: [findings.random_split(rows, overlaps)])
        checks.add("labels of twins", "label", lambda: [findings.twins(rows, overlaps)])
    if any(row.split for row in rows):
        checks.add("given split", "leak", lambda: [findings.given_split(rows, overlaps)])

    together = _sessions(checks, rows, pixels, facts, overlaps, groups, quiet)

    labels = sorted({row.label for row in rows})
    targets = np.array([labels.index(row.label) for row in rows])
    probes: list[Probe] = []
    points: list[Point] = []
    information = None
    if len(labels) < 2:
        why = f"This check was not run: there is one class only ({labels[0]})."
        for check in ("shortcuts", "information map", "price of leaking", "doubtful labels"):
            checks.found.append(Finding(check, "shortcut", "not run", why))
    else:
        some = _some(scenes)
        sample = _Probed(
            pixels[some] if len(some) < len(rows) else pixels,
            targets[some],
            [scenes[row] for row in some],
            [rows[row].path for row in some],
            [facts[row] for row in some],
        )
        probes = checks.run("shortcuts", "shortcut", lambda: sample.probe(quiet), [])
        chance = np.bincount(sample.targets).max() / len(some)
        checks.found += [findings.shortcut(one, float(chance)) for one in probes]
        information = checks.run(
            "information map",
            "shortcut",
            lambda: shortcuts.information(sample.pixels, sample.targets),
            None,
        )
        if information is not None:
            checks.found.append(findings.information(information))
        known = {"scene": sample.scenes}
        if together is not None:
            known["session"] = [together.session[row] for row in some]
        points = checks.run("price of leaking", "leak", lambda: sample.price(known, quiet), [])
        if points:
            checks.found.append(findings.price(points))
        checks.add(
            "doubtful labels",
            "label",
            lambda: [findings.doubtful(sample.doubted(quiet), sample.paths, labels)],
        )
    checks.add(
        "odd images",
        "quality",
        lambda: findings.strange(rows, quality.measure(pixels, quiet=quiet)),
    )
    return Audit(
        samples=tuple(rows),
        overlaps=tuple(overlaps),
        scenes=tuple(scenes),
        sessions=together,
        probes=tuple(probes),
        information=information,
        price=tuple(points),
        findings=tuple(checks.found),
    )


@dataclass(frozen=True, slots=True)
class _Probed:
    """The images that the probes see: all of them, or as many whole scenes as are enough."""

    pixels: NDArray[np.uint8]
    targets: NDArray[np.int64]
    scenes: list[str]
    paths: list[str]
    facts: list[images.Facts]

    def probe(self, quiet: bool) -> list[Probe]:
        """One probe per thing that is no cell."""
        return shortcuts.probe(
            self.pixels,
            self.targets,
            self.scenes,
            facts=self.facts,
            paths=self.paths,
            quiet=quiet,
        )

    def doubted(self, quiet: bool) -> list[tuple[int, int]]:
        """Rows whose label forests that never saw their scene contradict."""
        return shortcuts.contradicted(self.pixels, self.targets, self.scenes, quiet=quiet)

    def price(self, groups: Mapping[str, Sequence[str]], quiet: bool) -> list[Point]:
        """The colour forest's points, ever further from what it learned."""
        histograms = shortcuts.colour_histogram(self.pixels)
        return price.price(histograms, self.targets, self.paths, groups, quiet=quiet)


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
    missing = [row.path for row in rows if not groups.get(row.path)]
    if missing:
        raise DataError(
            f"The table of groups misses {len(missing):,} of {len(rows):,} images; "
            f"the first is {missing[0]}."
        )
    known = [groups[row.path] for row in rows]
    if inferred is not None:
        checks.add("agreement", "session", lambda: [findings.agreement(inferred, known)])
    checks.add("class of sessions", "session", lambda: [findings.classes(rows, known)])
    said = "They are the groups that were given."
    return Sessions(tuple(known), (1.0,) * len(known), 1.0, None, False, said)


def write(found: Audit, out: Path, *, about: Mapping[str, Any]) -> None:
    """`findings.json`, `overlaps.csv`, `sessions.csv` and `information.csv` in `out`.

    `findings.json` holds `images`, `fingerprint`, `leukoscope`, what else `about` says of the set,
    and a list `findings`; each has `check`, `kind`, `verdict`, `sentence`, `figure`, `unit`,
    `interval`, `paths` and `details`, in the order in which the checks were run. Keys are added in
    later versions, not renamed.
    """
    make_folder(out)
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
