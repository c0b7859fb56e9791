"""A finding: a check, its figure, its evidence; runs the checks."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from leukoscope import __version__
from leukoscope.audit import duplicates, leaks, price, quality, sessions, shortcuts
from leukoscope.audit.duplicates import Overlap
from leukoscope.audit.price import Point
from leukoscope.audit.sessions import Sessions
from leukoscope.audit.shortcuts import Probe
from leukoscope.data import images, splits
from leukoscope.data.samples import Sample, fingerprint, write_samples
from leukoscope.errors import DataError, LeukoscopeError
from leukoscope.evaluate.intervals import Interval
from leukoscope.files import make_folder, reason, write_csv, write_json

T = TypeVar("T")
Verdict = Literal["clear", "note", "problem", "not run"]
KINDS = ("leak", "shortcut", "session", "label", "quality", "balance")
SIZE = 224  # pixels at which images are compared

_PROBED = 5000  # images; more change a probe's figure by less than its interval
_SEEDS = 20  # random splits whose leaks are counted
_LISTED = 200  # paths in a finding; the tables beside it hold all
_SKILL = 0.5  # of the majority's errors, resolved without a cell: a problem, not a note


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `figure` is None where a count or a share says nothing."""

    check: str
    kind: str
    verdict: Verdict
    sentence: str
    figure: float | None = None
    unit: str = ""
    interval: Interval | None = None
    paths: tuple[str, ...] = ()  # the images behind it, worst first
    details: dict[str, Any] = field(default_factory=dict)


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
    checks.found.append(_readable(unreadable, len(samples)))
    checks.found.append(_balance(rows))
    facts = [images.facts(root / row.path) for row in rows]

    none: list[Overlap] = []
    overlaps = checks.run(
        "overlapping fields",
        "leak",
        lambda: duplicates.find_overlaps(rows, pixels, quiet=quiet),
        none,
    )
    scenes = duplicates.scenes(rows, overlaps)
    checks.add("equal files", "leak", lambda: [_equal(rows, overlaps)])
    if not checks.has("overlapping fields"):
        checks.add("overlapping fields", "leak", lambda: [_overlapping(rows, overlaps)])
        checks.add("random split", "leak", lambda: [_random_split(rows, overlaps)])
        checks.add("labels of twins", "label", lambda: [_twins(rows, overlaps)])
    if any(row.split for row in rows):
        checks.add("given split", "leak", lambda: [_given_split(rows, overlaps)])

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
        checks.found += [_shortcut(one, float(chance)) for one in probes]
        information = checks.run(
            "information map",
            "shortcut",
            lambda: shortcuts.information(sample.pixels, sample.targets),
            None,
        )
        if information is not None:
            checks.found.append(_information(information))
        known = {"scene": sample.scenes}
        if together is not None:
            known["session"] = [together.session[row] for row in some]
        points = checks.run("price of leaking", "leak", lambda: sample.price(known, quiet), [])
        if points:
            checks.found.append(_price(points))
        checks.add("doubtful labels", "label", lambda: [_doubtful(sample, labels, quiet)])
    checks.add("odd images", "quality", lambda: _odd(rows, quality.measure(pixels, quiet=quiet)))
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


def _readable(unreadable: Mapping[str, str], count: int) -> Finding:
    n = len(unreadable)
    if not n:
        return Finding("readable", "quality", "clear", f"All {count:,} pictures can be read.", 0)
    return Finding(
        "readable",
        "quality",
        "problem",
        f"{n:,} of {count:,} pictures cannot be read; they take no part in the rest.",
        n,
        "images",
        paths=tuple(sorted(unreadable))[:_LISTED],
        details={"reasons": dict(sorted(unreadable.items())[:_LISTED])},
    )


def _balance(rows: Sequence[Sample]) -> Finding:
    counted = Counter(row.label for row in rows)
    listing = ", ".join(f"{label} {n:,}" for label, n in sorted(counted.items()))
    share = max(counted.values()) / len(rows)
    even = max(counted.values()) <= 3 * min(counted.values())
    label = max(sorted(counted), key=counted.__getitem__)
    return Finding(
        "class balance",
        "balance",
        "clear" if even and len(counted) > 1 else "note",
        f"Images per class: {listing}. Whoever always answers {label} is right in {share:.1%}.",
        share,
        "share",
        details={"counts": dict(sorted(counted.items()))},
    )


def _equal(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
    copies = Counter(row.sha256 for row in rows)
    extra = sum(n - 1 for n in copies.values())
    pixels = [one for one in overlaps if one.kind == "equal pixels"]
    if not extra and not pixels:
        return Finding("equal files", "leak", "clear", "No two files are equal.", 0, "images")
    twins = [row.path for row in rows if copies[row.sha256] > 1]
    return Finding(
        "equal files",
        "leak",
        "problem",
        f"{extra:,} files are copies of another one, byte for byte"
        + (f", and {len(pixels):,} more pairs show the same pixels" if pixels else "")
        + ": a copy in the test set is known by heart.",
        extra,
        "images",
        paths=tuple(twins[:_LISTED]),
    )


def _overlapping(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
    twins = {path for one in overlaps for path in (one.path_a, one.path_b)}
    share = len(twins) / len(rows)
    if not twins:
        return Finding(
            "overlapping fields",
            "leak",
            "clear",
            "No two images show the same cells.",
            0.0,
            "share",
        )
    scenes = len(set(duplicates.scenes(rows, overlaps)))
    return Finding(
        "overlapping fields",
        "leak",
        "problem",
        f"{len(twins):,} of {len(rows):,} images ({share:.1%}) show cells that another image shows "
        f"too, in {len(overlaps):,} pairs; the set has {scenes:,} different scenes.",
        share,
        "share",
        paths=tuple(sorted(twins))[:_LISTED],
        details={"pairs": len(overlaps), "scenes": scenes},
    )


def _random_split(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
    shares = [
        leaks.find(splits.assign(rows, protocol="random", seed=seed), overlaps).share
        for seed in range(_SEEDS)
    ]
    mean = float(np.mean(shares))
    low, high = (float(end) for end in np.percentile(shares, (2.5, 97.5)))
    return Finding(
        "random split",
        "leak",
        "problem" if mean > 0.01 else "note" if mean else "clear",
        f"A random split leaves {mean:.1%} of the test images with an equal or overlapping image "
        f"on the training side ({low:.1%} to {high:.1%} over {_SEEDS} seeds).",
        mean,
        "share",
        Interval(low, high, f"2.5 to 97.5 % of {_SEEDS} random splits"),
    )


def _given_split(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
    found = leaks.find(rows, overlaps)
    return Finding(
        "given split",
        "leak",
        "problem" if found.pairs or found.groups else "clear",
        f"The split that the table holds: {found.sentence}",
        found.share,
        "share",
        paths=tuple(dict.fromkeys(p for one in found.pairs for p in (one.path_a, one.path_b)))[
            :_LISTED
        ],
    )


def _twins(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
    label_of = {row.path: row.label for row in rows}
    across = [one for one in overlaps if label_of[one.path_a] != label_of[one.path_b]]
    if not across:
        said = "No two overlapping images have different labels."
        return Finding("labels of twins", "label", "clear", said, 0, "pairs")
    return Finding(
        "labels of twins",
        "label",
        "problem",
        f"{len(across):,} pairs of overlapping images have two labels: one of the two is wrong.",
        len(across),
        "pairs",
        paths=tuple(path for one in across for path in (one.path_a, one.path_b))[:_LISTED],
    )


def _shortcut(one: Probe, chance: float) -> Finding:
    skill = one.skill(chance)
    found = one.interval.low > max(one.shuffled_interval.high, chance)
    verdict: Verdict = "clear" if not found else "problem" if skill >= _SKILL else "note"
    return Finding(
        f"shortcut: {one.name}",
        "shortcut",
        verdict,
        f"Seeing nothing but {one.sees}, a forest is right about {one.accuracy:.1%} of the images "
        f"of scenes that it has not seen; the commonest class has {chance:.1%}, and shuffled "
        f"labels give {one.shuffled:.1%}.",
        one.accuracy,
        "share",
        one.interval,
        details={
            "balanced_accuracy": one.balanced_accuracy,
            "majority": chance,
            "shuffled": one.shuffled,
            "shuffled_interval": asdict(one.shuffled_interval),
        },
    )


def _information(bits: NDArray[np.float64]) -> Finding:
    high, typical = float(bits.max()), float(np.median(bits))
    row, column = (int(i) for i in np.unravel_index(bits.argmax(), bits.shape))
    vertical = ("upper", "middle", "lower")[3 * row // len(bits)]
    side = ("left", "centre", "right")[3 * column // len(bits)]
    spot = high > 0.1 and high > 3 * max(typical, 0.01)
    return Finding(
        "information map",
        "shortcut",
        "problem" if spot else "clear",
        f"The brightness of one place, {vertical} {side}, says {high:.2f} bits about the label; "
        f"the typical place says {typical:.2f}."
        + (" Cells lie everywhere alike, so a mark or the lamp is at work there." if spot else ""),
        high,
        "bits",
        details={"median": typical},
    )


def _price(points: Sequence[Point]) -> Finding:
    first = points[0]
    last = min(points, key=lambda point: point.balanced_accuracy)
    lost = first.balanced_accuracy - last.balanced_accuracy
    return Finding(
        "price of leaking",
        "leak",
        "problem" if lost > 0.05 else "note" if lost > 0.02 else "clear",
        f"The colour forest's balanced accuracy is {first.balanced_accuracy:.3f} under "
        f"{first.protocol} folds and {last.balanced_accuracy:.3f} under {last.protocol}, "
        f"with {first.trained:,} training images each time.",
        lost,
        "balanced accuracy",
        details={"points": [asdict(point) for point in points]},
    )


def _doubtful(sample: _Probed, labels: Sequence[str], quiet: bool) -> Finding:
    """Images whose label forests that never saw their scene contradict with confidence."""
    doubted = shortcuts.contradicted(sample.pixels, sample.targets, sample.scenes, quiet=quiet)
    if not doubted:
        said = "No label is contradicted with confidence by images of its look."
        return Finding("doubtful labels", "label", "clear", said, 0, "images")
    listing = {sample.paths[row]: labels[answer] for row, answer in doubted}
    return Finding(
        "doubtful labels",
        "label",
        "note",
        f"{len(doubted):,} images look like another class than their label; worth a second look.",
        len(doubted),
        "images",
        paths=tuple(listing)[:_LISTED],
        details={"looks_like": dict(list(listing.items())[:_LISTED])},
    )


def _odd(rows: Sequence[Sample], measures: quality.Measures) -> list[Finding]:
    findings = []
    for name, which in quality.odd(measures).items():
        n = len(which)
        said = f"{n:,} of {len(rows):,} images are {name}." if n else f"No image is {name}."
        findings.append(
            Finding(
                name,
                "quality",
                "note" if n else "clear",
                said,
                n,
                "images",
                paths=tuple(rows[row].path for row in which[:_LISTED]),
            )
        )
    return findings


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
        checks.found.append(_inferred(rows, inferred))
    if groups is None:
        if inferred is not None:
            checks.add("class of sessions", "session", lambda: [_classes(rows, inferred.session)])
        return inferred
    missing = [row.path for row in rows if not groups.get(row.path)]
    if missing:
        raise DataError(
            f"The table of groups misses {len(missing):,} of {len(rows):,} images; "
            f"the first is {missing[0]}."
        )
    known = [groups[row.path] for row in rows]
    if inferred is not None:
        checks.add("agreement", "session", lambda: [_agreement(inferred, known)])
    checks.add("class of sessions", "session", lambda: [_classes(rows, known)])
    said = "They are the groups that were given."
    return Sessions(tuple(known), (1.0,) * len(known), 1.0, None, False, said)


def _inferred(rows: Sequence[Sample], found: Sessions) -> Finding:
    count = len(set(found.session))
    order = ""
    if found.order is not None:
        order = (
            f" Files that follow each other by number, which had no say, share a session "
            f"{found.order:.2f} beyond chance (Cohen's kappa)."
        )
    return Finding(
        "sessions",
        "session",
        "note",
        f"The {len(rows):,} images look taken in {count:,} sessions (strength "
        f"{found.strength:.2f} of 1). {found.reason}{order}",
        count,
        "sessions",
        details={"strength": found.strength, "weak": found.weak, "order": found.order},
    )


def _agreement(inferred: Sessions, known: Sequence[str]) -> Finding:
    agreed = sessions.agreement(inferred.session, known)
    return Finding(
        "agreement",
        "session",
        "note",
        f"The sessions that the pictures suggest agree with the {len(set(known)):,} known groups "
        f"by an adjusted Rand index of {agreed.adjusted_rand:.2f} (1: the same, 0: by chance).",
        agreed.adjusted_rand,
        "adjusted Rand index",
        details=asdict(agreed),
    )


def _classes(rows: Sequence[Sample], session: Sequence[str]) -> Finding:
    classes_of: dict[str, set[str]] = defaultdict(set)
    for row, name in zip(rows, session, strict=True):
        classes_of[name].add(row.label)
    pure = sum(len(classes) == 1 for classes in classes_of.values())
    inside = sum(len(classes_of[name]) == 1 for name in session) / len(rows)
    return Finding(
        "class of sessions",
        "session",
        "problem" if inside > 0.5 else "note",
        f"{pure:,} of {len(classes_of):,} sessions hold one class only, with {inside:.1%} of the "
        f"images: there, whoever recognises the session knows the label.",
        inside,
        "share",
    )


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
