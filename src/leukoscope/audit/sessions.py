"""Which images were probably taken together, when nobody wrote it down.

Images of one sitting at the microscope share lamp, stain, camera and file format. How much these
differ within a sitting is not known beforehand: it is learned from the images that look most
alike, and two looks are two sessions when they lie clearly further apart than that. Labels are
never used, so that a session which holds two classes, or one class only, is a finding. Neither is
the order of the files: it is kept as a witness (`order`).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.appearance import KINDS, measure
from leukoscope.data.images import Facts
from leukoscope.data.samples import Sample
from leukoscope.errors import DataError
from leukoscope.files import read_csv, write_csv

COLUMNS = ("path", "session", "strength")

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_APART = 4.0**2
"""Squared distance of two looks in units of the spread within a session.

Ashman, Bird and Zepf (1994, 10.1086/117248) call two groups cleanly apart from 2 on. But one
evenly spread group, cut in the middle, has 3.46: only beyond that is a gap needed to explain it.
"""
_CAP = 1.25 * _APART  # the most that one kind of evidence says: an odd nucleus makes no session
_FEW = 3  # images: fewer are no sitting, but odd pictures of the nearest one
_MOST = 4000  # looks compared pairwise at once; their distances take 64 MB
_SUBSTANTIAL = 0.25  # mean silhouette, Kaufman and Rousseeuw (1990), 10.1002/9780470316801
_NEARLY_ALL = 0.9
_CHUNK = 1000  # looks compared with all sessions at once


@dataclass(frozen=True, slots=True)
class Sessions:
    """The session of each row, and how far to trust it.

    `strengths` says per image how much nearer its own session's mean look is than that of the
    next one: the silhouette of Rousseeuw (1987, 10.1016/0377-0427(87)90125-7), from 0 (in between)
    to 1. `strength` is its mean, 0 for a single session. `order` is a witness that had no say:
    how much more often files that follow each other in a folder share a session than two files of
    it taken at random (Cohen's kappa: 0 chance, 1 always), or None where it cannot be told.
    """

    session: tuple[str, ...]
    strengths: tuple[float, ...]
    strength: float
    order: float | None
    weak: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well sessions agree with known groups; 1 is best."""

    adjusted_rand: float
    homogeneity: float  # 1: no session holds two groups
    completeness: float  # 1: no group lies in two sessions


@dataclass(frozen=True, slots=True)
class _Looks:
    """Looks in units of the spread within a session, n×d for each kind of evidence."""

    parts: tuple[Floats, ...]
    spread: tuple[float, ...]  # squared distance of a look from its session's mean, by kind

    def of(self, rows: Integers) -> "_Looks":
        return _Looks(tuple(part[rows] for part in self.parts), self.spread)


_NOTHING = _Looks((), ())


def infer(
    samples: Sequence[Sample],
    pixels: NDArray[np.uint8],
    facts: Sequence[Facts],
    links: Sequence[tuple[int, int]] = (),
    *,
    quiet: bool = False,
) -> Sessions:
    """The sessions of the rows, which do not depend on the order of the rows.

    `pixels` are N×H×W×3 (see `images.load`), `facts` those of the files, `links` pairs of rows
    that show the same field or overlapping ones: they are one session whatever they look like.
    A session is named by the rank of its first path. Cost grows with the number of images times
    that of the sessions; memory beyond the figures of the images is bounded.
    """
    if not len(samples) == len(pixels) == len(facts):
        raise ValueError(f"{len(samples)} rows, {len(pixels)} pictures, {len(facts)} files")
    figures = measure(pixels, quiet=quiet).astype(np.float64)
    order = sorted(range(len(samples)), key=lambda row: samples[row].path)
    rank = np.argsort(order)
    figures = figures[order]
    scene = _scenes(figures, rank[np.array(links, int).reshape(-1, 2)])
    shown = _means(figures, scene)
    kept = [_format(facts[order[row]]) for row in np.unique(scene, return_index=True)[1]]
    looks, label = _sessions(shown, kept, np.bincount(scene))
    strengths = _silhouettes(looks, label)[scene][rank]
    named = _named(label[scene])
    session = tuple(named[place] for place in rank)
    strength = float(strengths.mean()) if len(strengths) else 0.0
    weak, reason = _verdict(session, strength)
    witness = order_agreement(samples, session)
    return Sessions(session, tuple(strengths.tolist()), strength, witness, weak, reason)


def _format(facts: Facts) -> Hashable:
    """What camera software decides. Not the bytes: they say how many cells there are."""
    return facts.format, facts.mode, facts.width, facts.height, facts.tables


def _scenes(figures: Floats, links: Integers) -> Integers:
    """The number of each row's scene: rows that are linked, or equal, directly or through others.

    Equal pictures would feign that looks differ by nothing within a session.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, first, equal = np.unique(
        np.nan_to_num(figures), axis=0, return_index=True, return_inverse=True
    )
    rows = np.arange(len(figures))
    pairs = np.vstack([links, np.stack([rows, first[equal.reshape(-1)]], 1)])
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(rows), len(rows)))
    scene: Integers = connected_components(graph, directed=False)[1].astype(np.int64)
    return scene


def _means(figures: Floats, scene: Integers) -> Floats:
    """The mean figures of each scene; what no image of a scene shows is taken to be ordinary."""
    known = ~np.isnan(figures)
    total, count = np.zeros((2, scene.max(initial=-1) + 1, figures.shape[1]))
    np.add.at(total, scene, np.where(known, figures, 0))
    np.add.at(count, scene, known)
    means = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    ordinary = [
        np.median(column[column == column]) if (column == column).any() else 0.0
        for column in means.T
    ]
    return np.where(np.isnan(means), ordinary, means)


def _sessions(shown: Floats, kept: Sequence[Hashable], sizes: Integers) -> tuple[_Looks, Integers]:
    """The looks of the scenes, and the number of the session of each.

    The spread within a session comes from nearest neighbours first (Art, Gnanadesikan and
    Kettenring 1982, Utilitas Mathematica 21A), then from the sessions that it leads to, in turns.
    Marks and file formats are what people choose at will. How far they go with the looks is asked
    of neighbours that were found without them: they would only confirm themselves.
    """
    chosen = _sample(np.arange(len(shown)))
    shown, marks = np.split(shown, [-len(KINDS["mark"])], axis=1)
    some, settings = shown[chosen], _NOTHING
    scales = _scales(some - np.median(some, axis=0) if len(some) else some)
    if len(some) > 1:
        for _ in range(3):
            nearest = chosen[_nearest(_looks(some, scales))]
            scales = _scales((some - shown[nearest]) / np.sqrt(2))
        settings = _settings(marks, _codes(kept), chosen, nearest)
        label = np.zeros(len(some), np.int64)
        for _ in range(4):
            looks = _looks(some, scales, settings.of(chosen))
            before, label = label, _grouped(looks)
            away = _within(some, label)
            if np.array_equal(before, label) or not len(away):
                break
            scales = _scales(away)
    looks = _looks(shown, scales, settings)
    return looks, _absorbed(looks, _everyone(looks), sizes)


def _sample(rows: Integers) -> Integers:
    if len(rows) <= _MOST:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, _MOST, replace=False))


def _scales(differences: Floats) -> list[Floats]:
    """For each kind of evidence the matrix that brings looks to units of their spread."""
    scales, start = [], 0
    for kind, floors in KINDS.items():
        if kind != "mark":
            part = differences[:, start : start + len(floors)]
            scales.append(_units(_spread(part, list(floors.values()))))
            start += len(floors)
    return scales


def _units(spread: Floats) -> Floats:
    values, vectors = np.linalg.eigh(spread)
    units: Floats = vectors / np.sqrt(values)
    return units


def _spread(differences: Floats, floors: Sequence[float]) -> Floats:
    """The covariance of the differences, never below the floors.

    That of a t distribution with 4 degrees of freedom, so that a few crowded fields say little.
    """
    floor: Floats = np.diag(np.square(floors))
    spread = floor
    for step in range(10 if len(differences) else 0):
        far = np.einsum(
            "ij,jk,ik->i", differences, np.linalg.inv(spread), differences, optimize=True
        )
        weight = (4 + len(floors)) / (4 + far) if step else 1.0
        spread = (differences.T * weight) @ differences / len(differences) + floor
    return spread


def _looks(shown: Floats, scales: Sequence[Floats], others: _Looks = _NOTHING) -> _Looks:
    parts, start = [], 0
    for scale in scales:
        parts.append(shown[:, start : start + len(scale)] @ scale)
        start += len(scale)
    return _Looks((*parts, *others.parts), (*map(len, scales), *others.spread))


def _settings(marks: Floats, codes: Floats, chosen: Integers, nearest: Integers) -> _Looks:
    """Burned-in marks and file formats as kinds of evidence, weighed by what they are worth.

    That is how much less neighbours in looks differ in them than any two images do.
    """
    floors = list(KINDS["mark"].values())
    steps = (marks[chosen] - marks[nearest]) / np.sqrt(2)
    worth = _worth(marks / floors, chosen, nearest)
    spread = steps.T @ steps / len(steps) + np.diag(np.square(floors))
    return _Looks(
        (
            marks @ _units(spread) * np.sqrt(worth),
            codes * np.sqrt(_worth(codes, chosen, nearest)),
        ),
        (0.0, 0.0),  # within a session they agree, or do not; agreeing brings nothing closer
    )


def _worth(values: Floats, chosen: Integers, nearest: Integers) -> float:
    chance = 2 * float(values[chosen].var(0).sum())
    near = float(np.square(values[chosen] - values[nearest]).sum(1).mean())
    return max(0.0, 1 - near / chance) if chance > 0 else 0.0


def _codes(kept: Sequence[Hashable]) -> Floats:
    """A column for each file format, so that files of two formats lie as far apart as `_CAP`.

    None at all if there is a single format, or so many that they follow from the picture.
    """
    known = sorted(set(kept), key=repr)
    if not 1 < len(known) <= 32:
        return np.zeros((len(kept), 0))
    columns = {one: column for column, one in enumerate(known)}
    codes: Floats = np.eye(len(known))[[columns[one] for one in kept]] * np.sqrt(_CAP / 2)
    return codes


def _pairwise(looks: _Looks) -> Floats:
    """Squared distances of all pairs, condensed; no kind of evidence says more than its cap."""
    from scipy.spatial.distance import pdist

    total = np.zeros(len(looks.parts[0]) * (len(looks.parts[0]) - 1) // 2)
    for part, spread in zip(looks.parts, looks.spread, strict=True):
        if part.shape[1]:
            total += np.minimum(pdist(part, "sqeuclidean"), 2 * spread + _CAP)
    return total


def _nearest(looks: _Looks) -> Integers:
    from scipy.spatial.distance import squareform

    square = squareform(_pairwise(looks))
    np.fill_diagonal(square, np.inf)
    nearest: Integers = square.argmin(1)
    return nearest


def _grouped(looks: _Looks) -> Integers:
    """Groups whose looks lie on average no further apart than `_APART` beyond their spread."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(looks.parts[0]) < 2:
        return np.zeros(len(looks.parts[0]), np.int64)
    tree = linkage(_pairwise(looks), "average")
    label: Integers = fcluster(tree, 2 * sum(looks.spread) + _APART, "distance").astype(np.int64)
    return label - 1


def _within(shown: Floats, label: Integers) -> Floats:
    """Differences from the mean of the own group, scaled to the spread that it underrates."""
    count = np.bincount(label)
    away = shown - _sums(shown, label)[label] / count[label][:, None]
    some = count[label] > 1
    grown: Floats = away[some] * np.sqrt(count / np.maximum(count - 1, 1))[label[some]][:, None]
    return grown


def _sums(values: Floats, label: Integers) -> Floats:
    total = np.zeros((label.max(initial=-1) + 1, values.shape[1]))
    np.add.at(total, label, values)
    return total


def _centres(looks: _Looks, label: Integers) -> _Looks:
    count = np.bincount(label)[:, None]
    return _Looks(tuple(_sums(part, label) / count for part in looks.parts), looks.spread)


def _between(looks: _Looks, centres: _Looks) -> Floats:
    """n×k squared distances of looks from centres, capped as in `_pairwise`."""
    from scipy.spatial.distance import cdist

    total = np.zeros((len(looks.parts[0]), len(centres.parts[0])))
    for part, centre, spread in zip(looks.parts, centres.parts, looks.spread, strict=True):
        if part.shape[1]:
            total += np.minimum(cdist(part, centre, "sqeuclidean"), 2 * spread + _CAP)
    return total


def _everyone(looks: _Looks) -> Integers:
    """The group of every look: those of a sample, then those of the rest that fits none of them."""
    label = np.full(len(looks.parts[0]), -1)
    while len(left := np.flatnonzero(label < 0)):
        chosen = _sample(left)
        found, first = _grouped(looks.of(chosen)), label.max() + 1
        label[chosen] = found + first
        if len(chosen) < len(left):
            centres, rest = _centres(looks.of(chosen), found), np.setdiff1d(left, chosen)
            for rows in np.array_split(rest, len(rest) // _CHUNK + 1):
                away = _between(looks.of(rows), centres)
                fits = away.min(1) <= sum(looks.spread) + _APART
                label[rows[fits]] = away.argmin(1)[fits] + first
    return label


def _absorbed(looks: _Looks, label: Integers, sizes: Integers) -> Integers:
    """The same groups, but those of fewer than `_FEW` images joined to the nearest larger one.

    One against which three kinds of evidence speak as loudly as they can stays what it is.
    """
    images = np.bincount(label, sizes)
    small, large = np.flatnonzero(images < _FEW), np.flatnonzero(images >= _FEW)
    if not len(small) or not len(large):
        return label
    centres, count = _centres(looks, label), np.bincount(label)
    joined = np.arange(len(images))
    for some in np.array_split(small, len(small) // _CHUNK + 1):
        away = _between(centres.of(some), centres.of(large))
        away -= sum(looks.spread) * (1 / count[some][:, None] + 1 / count[large])
        fits = away.min(1) < 3 * _CAP
        joined[some[fits]] = large[away.argmin(1)[fits]]
    return np.unique(joined[label], return_inverse=True)[1].astype(np.int64)


def _silhouettes(looks: _Looks, label: Integers) -> Floats:
    """From the mean looks, as Hruschka, de Castro and Campello (2004) simplify it; 0 if alone."""
    count = np.bincount(label)
    strengths = np.zeros(len(label))
    if len(count) < 2:
        return strengths
    centres = _centres(looks, label)
    for rows in np.array_split(np.arange(len(label)), len(label) // _CHUNK + 1):
        away, at = _between(looks.of(rows), centres), (np.arange(len(rows)), label[rows])
        own = away[at].copy()
        away[at] = np.inf
        other = np.maximum(away.min(1), 1e-12)
        strengths[rows] = np.where(count[label[rows]] > 1, 1 - np.sqrt(own / other), 0)
    return np.clip(strengths, 0, 1)


def _named(label: Integers) -> list[str]:
    """The names of the sessions of rows that are sorted by path."""
    number = {one: rank for rank, one in enumerate(dict.fromkeys(label.tolist()), start=1)}
    width = max(3, len(str(len(number))))
    return [f"s{number[one]:0{width}d}" for one in label.tolist()]


def _verdict(session: Sequence[str], strength: float) -> tuple[bool, str]:
    """Whether the sessions are too weak to trust, and why, for a biologist."""
    sizes = Counter(session)
    if len(session) < 2:
        return True, "One image cannot be compared with another."
    alike = max(sizes.values()) / len(session)
    if len(sizes) == 1:
        return True, (
            "All images look alike: they were taken together, or in several sittings that lamp, "
            "stain and camera do not tell apart."
        )
    if alike > _NEARLY_ALL:
        return True, (
            f"{alike:.0%} of the images look alike: lamp, stain and camera do not tell whether "
            f"they were taken in one sitting or in several."
        )
    if sum(n for n in sizes.values() if n >= _FEW) < len(session) / 2:
        return True, (
            f"Most images look like fewer than {_FEW - 1} others, so that nearly every one would "
            f"be a session of its own."
        )
    if strength < _SUBSTANTIAL:
        return True, (
            f"But the {len(sizes)} looks run into one another: images look hardly more like their "
            f"own session than like the next."
        )
    return False, (
        f"Their {len(sizes)} looks differ in lamp, stain and camera; two sittings with the same "
        f"look count as one session."
    )


def order_agreement(samples: Sequence[Sample], session: Sequence[str]) -> float | None:
    """Cohen's kappa of files that follow each other by number sharing a session.

    Within each folder, where chance is that two files taken at random share one; None if no
    folder has two files or two sessions. Camera software numbers files as they are taken, so
    sessions that are real follow the numbers unless somebody shuffled them.
    """
    folders: dict[PurePosixPath, list[int]] = defaultdict(list)
    for row, sample in enumerate(samples):
        folders[PurePosixPath(sample.path).parent].append(row)
    shared, chance, pairs = 0, 0.0, 0
    for rows in folders.values():
        rows.sort(key=lambda row: in_order(samples[row].path))
        here = [session[row] for row in rows]
        shared += sum(one == other for one, other in pairwise(here))
        alike = sum(n * (n - 1) for n in Counter(here).values())
        chance += alike / max(len(rows), 2) if len(rows) > 1 else 0
        pairs += len(rows) - 1
    return (shared - chance) / (pairs - chance) if chance < pairs else None


def in_order(path: str) -> list[tuple[int, str]]:
    """A key that sorts 9 before 10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", path)]


def agreement(session: Sequence[str], groups: Sequence[str]) -> Agreement:
    """Adjusted Rand index (Hubert and Arabie 1985) and its two sides, as scikit-learn has them."""
    from sklearn.metrics import adjusted_rand_score, homogeneity_completeness_v_measure

    homogeneity, completeness, _ = homogeneity_completeness_v_measure(groups, session)
    return Agreement(float(adjusted_rand_score(groups, session)), homogeneity, completeness)


def write_sessions(samples: Sequence[Sample], sessions: Sessions, path: Path) -> None:
    """`path` as a table with the session of each row and how clearly it belongs there."""
    rows = zip(samples, sessions.session, sessions.strengths, strict=True)
    write_csv(path, COLUMNS, ((s.path, name, f"{strength:.4f}") for s, name, strength in rows))


def read_sessions(path: Path, samples: Sequence[Sample]) -> tuple[str, ...]:
    """The session of each row from a table with `path` and `session`, in whatever order.

    Raises `DataError` for a row that is missing, has no session, or has two.
    """
    _, rows = read_csv(path, ("path", "session"))
    known: dict[str, str] = {}
    for row in rows:
        if known.setdefault(row["path"], row["session"]) != row["session"]:
            raise DataError(f"{path} puts {row['path']} in two sessions.")
    missing = [sample.path for sample in samples if not known.get(sample.path)]
    if missing:
        raise DataError(
            f"{path} has no session for {len(missing)} of {len(samples)} images; "
            f"the first is {missing[0]}."
        )
    return tuple(known[sample.path] for sample in samples)
