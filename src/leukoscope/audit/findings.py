"""A finding: a check, its figure, its evidence, its verdict; from results to sentences."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit import duplicates, leaks, sessions
from leukoscope.audit.duplicates import Overlap
from leukoscope.audit.sessions import Sessions
from leukoscope.data import splits
from leukoscope.data.samples import SPLITS, Sample
from leukoscope.evaluate.intervals import Interval

Verdict = Literal["clear", "note", "problem", "not run"]
KINDS = ("leak", "shortcut", "session", "label", "quality", "balance")

VERDICTS = ("problem", "not run", "note", "clear")  # the first to be read first
FIGURES = ("shortcuts", "information", "price")  # of the report
_SEEDS = 20  # random splits whose leaks are counted
LISTED = 200  # paths in a finding; the tables beside it hold all
_PURE, _MIXED = 0.5, 0.1  # of the images that chance gets wrong, right by their session's class


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


def count(number: int, noun: str) -> str:
    """1 image, 3,256 images."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def are(number: int, many: str, one: str) -> str:
    """The word that goes with so many."""
    return one if number == 1 else many


def readable(unreadable: Mapping[str, str], total: int) -> Finding:
    n = len(unreadable)
    if not n:
        said = f"All {total:,} pictures can be read." if total > 1 else "The picture can be read."
        return Finding("readable", "quality", "clear", said, 0)
    return Finding(
        "readable",
        "quality",
        "problem",
        f"{n:,} of {count(total, 'picture')} cannot be read, and {are(n, 'take', 'takes')} no "
        f"part in the rest, and so repair or remove {are(n, 'them', 'it')}.",
        n,
        "images",
        paths=tuple(sorted(unreadable))[:LISTED],
        details={"of": total, "reasons": dict(sorted(unreadable.items()))},
    )


def balance(rows: Sequence[Sample]) -> Finding:
    counted = Counter(row.label for row in rows)
    listing = ", ".join(f"{label} {n:,}" for label, n in sorted(counted.items()))
    share = max(counted.values()) / len(rows)
    even = max(counted.values()) <= 3 * min(counted.values())
    label = max(sorted(counted), key=counted.__getitem__)
    then = (
        f"Always answering {label} is right in {share:.1%}, and so a score says something only as "
        f"far as it is higher."
    )
    if len(counted) < 2:
        then = "That is one class only, and so add another one to tell it from."
    return Finding(
        "class balance",
        "balance",
        "clear" if even and len(counted) > 1 else "note",
        f"Images per class: {listing}. {then}",
        share,
        "share",
        details={"counts": dict(sorted(counted.items()))},
    )


def equal(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
    """Files with the same bytes, and those of the pairs with the same pixels."""
    sets = equal_sets(rows, overlaps)
    if not sets:
        return Finding("equal files", "leak", "clear", "No two files are equal.", 0, "images")
    copies = Counter(row.sha256 for row in rows)
    extra = sum(n - 1 for n in copies.values())
    more = sum(map(len, sets)) - len(sets) - extra
    copied = f"{count(extra, 'file')} {are(extra, 'are copies', 'is a copy')} of another one"
    also = f"{count(more, 'picture')} {are(more, 'have', 'has')} the pixels of another one"
    parts = [f"{copied}, byte for byte"] * bool(extra) + [also] * bool(more)
    return Finding(
        "equal files",
        "leak",
        "problem",
        f"{', and '.join(parts)}, in {count(len(sets), 'set')} of equal pictures: a copy in the "
        f"test set is known by heart, and so keep one of each set.",
        extra,
        "images",
        paths=tuple(path for one in sets for path in one)[:LISTED],
        details={"sets": sets[:LISTED]},
    )


def equal_sets(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> list[list[str]]:
    """The paths of each set of equal pictures, by bytes or by pixels, sorted."""
    kinds = ("equal bytes", "equal pixels")
    pairs = [one for one in overlaps if one.kind in kinds]
    first: dict[str, Sample] = {}
    twins = [(first.setdefault(row.sha256, row).path, row.path) for row in rows if row.sha256]
    copies = [Overlap(a, b, 1.0, 0, 0, kinds[0], "", 1.0, 1.0) for a, b in twins if a != b]
    return _sets([row.path for row in rows], duplicates.scenes(rows, [*pairs, *copies]))


def _sets(paths: Sequence[str], scenes: Sequence[str]) -> list[list[str]]:
    members: dict[str, list[str]] = defaultdict(list)
    for path, scene in zip(paths, scenes, strict=True):
        members[scene].append(path)
    return sorted(sorted(one) for one in members.values() if len(one) > 1)


def overlapping(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
    """The pairs are to be without pictures of one colour, which show no cells."""
    sets = _sets([row.path for row in rows], duplicates.scenes(rows, overlaps))
    n = sum(map(len, sets))
    share = n / len(rows)
    if not sets:
        return Finding(
            "overlapping fields",
            "leak",
            "clear",
            "No two images that show the same cells were found. Copies turned by other than "
            "quarter turns are not looked for.",
            0.0,
            "share",
        )
    different = len(rows) - n + len(sets)
    return Finding(
        "overlapping fields",
        "leak",
        "problem",
        f"{n:,} of {count(len(rows), 'image')} ({share:.1%}) show cells that another image shows "
        f"too, in {count(len(sets), 'set')}; in all there {are(different, 'are', 'is')} "
        f"{count(different, 'different place')}, and so keep each set on one side of a split "
        f"(protocol scene).",
        share,
        "share",
        paths=tuple(path for one in sets for path in one)[:LISTED],
        details={"pairs": len(overlaps), "scenes": different, "sets": len(sets)},
    )


def random_split(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
    shares = [
        leaks.find(splits.assign(rows, protocol="random", seed=seed), overlaps).share
        for seed in range(_SEEDS)
    ]
    mean = float(np.mean(shares))
    low, high = (float(end) for end in np.percentile(shares, (2.5, 97.5)))
    said = (
        f"A random split puts an equal or overlapping image of {mean:.1%} of the test images into "
        f"training ({low:.1%} to {high:.1%} over {_SEEDS} splits), and so its score may be too "
        f"high; split by scene instead."
    )
    return Finding(
        "random split",
        "leak",
        "problem" if mean > 0.01 else "note" if mean else "clear",
        said if mean else "A random split has no equal or overlapping images on two sides.",
        mean,
        "share",
        Interval(low, high, f"2.5 to 97.5 % of {_SEEDS} random splits"),
    )


def given_split(
    rows: Sequence[Sample], overlaps: Sequence[Overlap], session_of: Mapping[str, str]
) -> Finding:
    """`session_of` has a session per path, or nothing where the sessions are not to be trusted."""
    found = leaks.find(rows, overlaps, session_of)
    leaking = bool(found.pairs or found.groups)
    then = ""
    if leaking:
        then = " So its test score may be too high; move what belongs together to one side."
    elif found.sessions:
        then = " So it tests new fields, but no new session (protocol session would)."
    pairs = [(one.path_a, one.path_b) for one in found.pairs[:LISTED]]
    return Finding(
        "given split",
        "leak",
        "problem" if leaking else "note" if found.sessions else "clear",
        f"The split that the table holds: {found.sentence}{then}",
        found.share,
        "share",
        paths=tuple(dict.fromkeys(path for pair in pairs for path in pair)),
        details={
            "pairs": pairs,
            "groups": found.groups[:LISTED],
            "sessions": found.sessions[:LISTED],
        },
    )


def twins(rows: Sequence[Sample], overlaps: Sequence[Overlap]) -> Finding:
    """The pairs are to be without pictures of one colour, which show no cells."""
    label_of = {row.path: row.label for row in rows}
    across = [one for one in overlaps if label_of[one.path_a] != label_of[one.path_b]]
    if not across:
        none = "No two images that show the same cells were found under different labels."
        return Finding("labels of twins", "label", "clear", none, 0, "pairs")
    across.sort(key=lambda one: -one.common)
    same = sum(one.common >= duplicates.SAME for one in across)
    parts = len(across) - same
    said = (
        f"{count(same, 'pair')} {are(same, 'show', 'shows')} the same field under two labels, "
        f"and so one of the two is wrong: look at both.",
        f"{count(parts, 'pair')} {are(parts, 'show', 'shows')} a part of the same field under "
        f"two labels: one of the two is wrong, or each is named after another cell, and so look at "
        f"both.",
    )
    return Finding(
        "labels of twins",
        "label",
        "problem" if same else "note",
        " ".join(sentence for sentence, n in zip(said, (same, parts), strict=True) if n),
        len(across),
        "pairs",
        paths=tuple(path for one in across for path in (one.path_a, one.path_b))[:LISTED],
        details={"same_field": same},
    )


def joined(known: Sequence[str], together: Sequence[str]) -> Finding:
    """Groups that were given apart, though overlapping fields connect them."""
    members = defaultdict(set)
    for name, first in zip(known, together, strict=True):
        members[first].add(name)
    connected = sorted(name for names in members.values() if len(names) > 1 for name in names)
    total = len(set(known))
    if not connected:
        none = f"No two of the {total:,} groups were found to share a field."
        if total == 1:
            none = "There is one group only, which shares its fields with no other."
        return Finding("groups with common fields", "leak", "clear", none, 0, "groups")
    return Finding(
        "groups with common fields",
        "leak",
        "problem",
        f"{len(connected):,} of {total:,} groups share fields with another one: one patient under "
        f"two names, or an image in the wrong group, and so check them. Here they are kept "
        f"together.",
        len(connected),
        "groups",
        details={"groups": connected[:LISTED]},
    )


def labels_of_groups(rows: Sequence[Sample], known: Sequence[str]) -> Finding:
    """Groups with images of more than one class, which a patient does not have."""
    labels_of: dict[str, set[str]] = defaultdict(set)
    for row, name in zip(rows, known, strict=True):
        labels_of[name].add(row.label)
    mixed = {name: sorted(labels) for name, labels in sorted(labels_of.items()) if len(labels) > 1}
    n = len(mixed)
    if not n:
        said = "No group has images of two classes."
        return Finding("labels of groups", "label", "clear", said, 0, "groups")
    name, labels = next(iter(mixed.items()))
    return Finding(
        "labels of groups",
        "label",
        "problem",
        f"{n:,} of {count(len(labels_of), 'group')} {are(n, 'have', 'has')} images of more than "
        f"one class, such as {name} ({', '.join(labels)}). Where a group is a patient, a label or "
        f"a group is wrong, and so look at {are(n, 'them', 'it')}; protocol group refuses "
        f"{are(n, 'them', 'it')}.",
        n,
        "groups",
        paths=tuple(r.path for r, name in zip(rows, known, strict=True) if name in mixed)[:LISTED],
        details={"labels": dict(list(mixed.items())[:LISTED])},
    )


_TO_DO = {
    "one colour all over": "Such a picture shows no cell, and so remove it.",
    "blurred": "No cell can be judged in such a picture, and so take it again or remove it.",
    "over-exposed": "Half of such a picture is blank, and so take it again or remove it.",
    "under-exposed": "Half of such a picture is black, and so take it again or remove it.",
    "almost empty": "Such a picture may show no white cell, and so look at it.",
    "unlike the rest in colour": "Such a picture may be of another slide or camera, and so look "
    "at it.",
}


def strange(rows: Sequence[Sample], odd: Mapping[str, Sequence[int]]) -> list[Finding]:
    """`odd` has the rows that stand out, by the name of the fault, as of `quality.odd`."""
    findings = []
    flat = odd.get("one colour all over", ())
    for name, which in odd.items():
        n = len(which)
        said = f"No image is {name}."
        if flat and name != "one colour all over":
            said = f"No image is {name}, apart from those of one colour."
        if n:
            said = f"{n:,} of {count(len(rows), 'image')} {are(n, 'are', 'is')} {name}. "
            said += _TO_DO[name]
        findings.append(
            Finding(
                name,
                "quality",
                "note" if n else "clear",
                said,
                n,
                "images",
                paths=tuple(rows[row].path for row in which[:LISTED]),
            )
        )
    return findings


def inferred(rows: Sequence[Sample], found: Sessions) -> Finding:
    total = len(set(found.session))
    sessions_of = Counter(
        label for label, _ in {(r.label, s) for r, s in zip(rows, found.session, strict=True)}
    )
    fewest = min(sorted(sessions_of), key=sessions_of.__getitem__)
    few = sessions_of[fewest]
    then = "So keep each session on one side of a split (protocol session)."
    if found.weak:
        then = "So ask when and where they were taken, and give that with --groups."
    elif few < len(SPLITS):
        then = (
            f"A split by session needs three of each class, and {fewest} has {few}: add images of "
            f"other sessions."
        )
    return Finding(
        "sessions",
        "session",
        "note",
        f"The images look taken in {count(total, 'session')}. {found.reason} {then}"
        if len(rows) > 1
        else found.reason,
        total,
        "sessions",
        details={"strength": found.strength, "weak": found.weak, "order": found.order},
    )


def agreement(inferred: Sessions, known: Sequence[str]) -> Finding:
    agreed = sessions.agreement(inferred.session, known)
    groups = count(len(set(known)), "group")
    return Finding(
        "agreement",
        "session",
        "note",
        f"The sessions that the pictures suggest and the {groups} that "
        f"{are(len(set(known)), 'were', 'was')} given agree by {agreed.adjusted_rand:.2f}, where 1 "
        f"is the same and 0 chance; the groups are used, and stand in the new samples.csv.",
        agreed.adjusted_rand,
        "adjusted Rand index",
        details=asdict(agreed),
    )


def classes(rows: Sequence[Sample], session: Sequence[str], *, given: bool = False) -> Finding:
    """How well the class is told by whoever knows the session, and answers its commonest class.

    Sessions of one image are left out: each has one class whatever it shows. Chance is what the
    same sessions give when the labels are dealt to their images at random. `given`: they are
    groups that somebody knew, such as patients, of whom each has one class as a rule.
    """
    what = "group" if given else "session"
    sizes = Counter(session)
    kept = [number for number, name in enumerate(session) if sizes[name] > 1]
    labels, targets = np.unique([rows[number].label for number in kept], return_inverse=True)
    names, places = np.unique([session[number] for number in kept], return_inverse=True)
    why = ""
    if len({row.label for row in rows}) < 2:
        why = f"there is one class only ({rows[0].label})"
    elif len(labels) < 2:
        why = f"too few images share a {what} with another one"
    if why:
        said = f"This check was not run: {why}."
        return Finding("class of sessions", "session", "not run", said)
    if len(names) == 1 and len(kept) == len(rows):
        said = f"All images are in one {what}, which says nothing about the class."
        return Finding("class of sessions", "session", "clear", said, 0.0, "share")
    rng = np.random.default_rng(0)
    share = _purity(targets, places)
    chance = float(np.mean([_purity(rng.permutation(targets), places) for _ in range(_SEEDS)]))
    told = (share - chance) / (1 - chance) if chance < 1 else 0.0
    verdict: Verdict = "clear" if told < _MIXED else "note"
    then = f"so the {what}s say little about the class."
    if told >= _MIXED and given:
        then = (
            "as is usual where a group is one patient, and so keep each group on one side of a "
            "split (protocol group)."
        )
    elif told >= _MIXED:
        verdict = "problem" if told > _PURE else "note"
        then = (
            "so lamp, stain and camera give the class away; keep each session on one side of a "
            "split, and add images of other classes to it."
        )
    return Finding(
        "class of sessions",
        "session",
        verdict,
        f"Whoever knows the {what} of an image, and answers the class that is commonest there, is "
        f"right in {share:.1%}, by chance in {chance:.1%} ({count(len(names), what)} of two or "
        f"more images): {then}",
        share,
        "share",
        details={"chance": chance, "sessions": len(sizes), "of_two_or_more": len(names)},
    )


def _purity(targets: NDArray[np.int64], places: NDArray[np.int64]) -> float:
    """The share of rows with the label that is commonest at their place."""
    table = np.zeros((int(places.max()) + 1, int(targets.max()) + 1), np.int64)
    np.add.at(table, (places, targets), 1)
    return float(table.max(axis=1).sum() / len(targets))
