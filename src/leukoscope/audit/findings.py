"""A finding: a check, its figure, its evidence, its verdict; from results to sentences."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit import duplicates, leaks, sessions
from leukoscope.audit.duplicates import Overlap
from leukoscope.audit.price import FOREST, Point
from leukoscope.audit.quality import Measures, odd
from leukoscope.audit.sessions import Sessions
from leukoscope.audit.shortcuts import Probe
from leukoscope.data import splits
from leukoscope.data.samples import Sample
from leukoscope.evaluate.intervals import Interval

Verdict = Literal["clear", "note", "problem", "not run"]
KINDS = ("leak", "shortcut", "session", "label", "quality", "balance")

FIGURES = ("shortcuts", "information", "price")  # of the report
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


def readable(unreadable: Mapping[str, str], count: int) -> Finding:
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


def balance(rows: Sequence[Sample]) -> Finding:
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


def equal(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
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


def overlapping(scenes: Sequence[str], overlaps: Sequence[Overlap]) -> Finding:
    """`scenes` has the scene of each image."""
    twins = {path for one in overlaps for path in (one.path_a, one.path_b)}
    share = len(twins) / len(scenes)
    if not twins:
        return Finding(
            "overlapping fields",
            "leak",
            "clear",
            "No two images show the same cells.",
            0.0,
            "share",
        )
    different = len(set(scenes))
    return Finding(
        "overlapping fields",
        "leak",
        "problem",
        f"{len(twins):,} of {len(scenes):,} images ({share:.1%}) show cells that another image "
        f"shows too, in {len(overlaps):,} pairs; the set has {different:,} different scenes.",
        share,
        "share",
        paths=tuple(sorted(twins))[:_LISTED],
        details={"pairs": len(overlaps), "scenes": different},
    )


def random_split(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
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


def given_split(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
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


def twins(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
    label_of = {row.path: row.label for row in rows}
    across = [one for one in overlaps if label_of[one.path_a] != label_of[one.path_b]]
    if not across:
        none = "No two overlapping images have different labels."
        return Finding("labels of twins", "label", "clear", none, 0, "pairs")
    across.sort(key=lambda one: -one.common)
    same = sum(one.common >= duplicates.SAME for one in across)
    parts = len(across) - same
    said = (
        f"{same:,} pairs show the same field under two labels: one of the two is wrong.",
        f"{parts:,} pairs show a part of the same field under two labels: one of the two is wrong, "
        f"or each is named after another cell.",
    )
    return Finding(
        "labels of twins",
        "label",
        "problem" if same else "note",
        " ".join(sentence for sentence, n in zip(said, (same, parts), strict=True) if n),
        len(across),
        "pairs",
        paths=tuple(path for one in across for path in (one.path_a, one.path_b))[:_LISTED],
        details={"same_field": same},
    )


def joined(known: Sequence[str], together: Sequence[str]) -> Finding:
    """Groups that were given apart, though overlapping fields connect them."""
    members = defaultdict(set)
    for name, first in zip(known, together, strict=True):
        members[first].add(name)
    connected = sorted(name for names in members.values() if len(names) > 1 for name in names)
    count = len(set(known))
    if not connected:
        none = f"No two of the {count:,} groups share a field."
        return Finding("groups with common fields", "leak", "clear", none, 0, "groups")
    return Finding(
        "groups with common fields",
        "leak",
        "problem",
        f"{len(connected):,} of {count:,} groups share fields with another one: one patient under "
        f"two names, or an image in the wrong group. They are kept together as sessions.",
        len(connected),
        "groups",
        details={"groups": connected[:_LISTED]},
    )


def shortcut(one: Probe, chance: float) -> Finding:
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


def information(bits: NDArray[np.float64]) -> Finding:
    high, typical = float(bits.max()), float(np.median(bits))
    row, column = (int(i) for i in np.unravel_index(bits.argmax(), bits.shape))
    vertical = ("upper", "middle", "lower")[3 * row // len(bits)]
    side = ("left", "centre", "right")[3 * column // len(bits)]
    spot = high > 0.1 and high > 3 * max(typical, 0.01)
    middle = vertical == "middle" and side == "centre"
    why = (
        " Where each image shows one cell in its middle, that is the cell; in fields of many "
        "cells, a mark or the lamp is at work there."
        if middle
        else " Cells lie everywhere alike, so a mark or the lamp is at work there."
    )
    return Finding(
        "information map",
        "shortcut",
        "clear" if not spot else "note" if middle else "problem",
        f"The brightness of one place, {vertical} {side}, says {high:.2f} bits about the label; "
        f"the typical place says {typical:.2f}." + (why if spot else ""),
        high,
        "bits",
        details={"median": typical},
    )


def price(points: Sequence[Point]) -> Finding:
    curves: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        curves[point.model].append(point)
    lost, said = 0.0, []
    for model, curve in curves.items():
        first, last = curve[0], min(curve, key=lambda point: point.balanced_accuracy)
        lost = max(lost, first.balanced_accuracy - last.balanced_accuracy)
        said.append(
            f"{'The colour forest' if model == FOREST else model}'s balanced accuracy is "
            f"{first.balanced_accuracy:.3f} under {first.protocol} folds and "
            f"{last.balanced_accuracy:.3f} under {last.protocol}"
        )
    return Finding(
        "price of leaking",
        "leak",
        "problem" if lost > 0.05 else "note" if lost > 0.02 else "clear",
        f"{'; '.join(said)}, with {points[0].trained:,} training images each time.",
        lost,
        "balanced accuracy",
        details={"points": [asdict(point) for point in points]},
    )


def doubtful(
    doubted: Sequence[tuple[int, int]], paths: Sequence[str], labels: Sequence[str]
) -> Finding:
    """Rows with the label that they look like more, as of `shortcuts.contradicted`."""
    if not doubted:
        said = "No label is contradicted with confidence by images of its look."
        return Finding("doubtful labels", "label", "clear", said, 0, "images")
    listing = {paths[row]: labels[answer] for row, answer in doubted}
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


def strange(rows: Sequence[Sample], measures: Measures) -> list[Finding]:
    findings = []
    for name, which in odd(measures).items():
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


def inferred(rows: Sequence[Sample], found: Sessions) -> Finding:
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


def agreement(inferred: Sessions, known: Sequence[str]) -> Finding:
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


def classes(rows: Sequence[Sample], session: Sequence[str]) -> Finding:
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
