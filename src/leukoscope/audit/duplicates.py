"""Equal files, and fields that overlap: what lets a test image be known from the training set."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from functools import lru_cache, partial
from itertools import chain, combinations, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.candidates import Candidate, candidates
from leukoscope.audit.cores import batches, each, each_in_processes, threads
from leukoscope.audit.registration import (
    CERTAIN,
    TURNS,
    Agreement,
    Picture,
    Placement,
    picture,
    register,
)
from leukoscope.data.samples import Sample
from leukoscope.errors import UsageError
from leukoscope.files import read_csv, write_csv
from leukoscope.progress import bar

SCORE = 0.6  # least correlation of the common area
COPIED = 0.85  # the same after a turn or a scale: no second photograph, but the file changed
LENS = 0.1  # how far off 1 the scale of a second photograph may be
EVIDENCE = 8.0  # least number of standard errors above what two unrelated fields reach
AGREEING = 0.5  # least share of the textured tiles that agree by themselves
COMMON = 0.2  # least share of the field in common
SAME = 0.95  # share of the field in common from which on it is the same field
FLAT = 2  # grey levels that the channels of a picture of one colour spread at most
LISTED = 8  # equal images of which every pair is listed

KINDS = ("equal bytes", "equal pixels", "same field", "overlap")


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two images of the same field, or of a part of it, and where the one lies in the other.

    Turn b (`turn`, counter-clockwise; `mirror` swaps left and right, before any rotation), scale
    it, and put its upper left corner at (dx, dy) of a: the two then show the same. So at the
    scale 1, a shows at (x + dx, y + dy) what the turned b shows at (x, y).
    """

    path_a: str
    path_b: str
    score: float  # normalised cross-correlation of the common area at a quarter of the size
    dx: int  # pixels of the array that was searched
    dy: int
    kind: str  # one of KINDS
    turn: str  # one of registration.TURNS
    scale: float
    common: float  # share of the smaller field


COLUMNS = tuple(field.name for field in fields(Overlap))


def find_overlaps(
    samples: Sequence[Sample], pixels: NDArray[np.uint8], *, quiet: bool = False
) -> list[Overlap]:
    """The pairs of images that show the same field or share a fifth of it or more, by path.

    `pixels` is N×S×S×3, one image per row, and may be memory-mapped. Found are equal files, equal
    pixels, and whatever the eye would take for the same cells: another focus, brightness or
    compression, the stage moved, a turn by quarters, a mirror, another scale (0.7 to 1.4). Marks
    that are burned into many images at the same place are noticed and left out.

    The first by path of several equal images is compared with the rest, and its pairs are
    listed for all of them. Of more than eight equal images only the pairs with the first are
    listed, and the first alone stands for them elsewhere; likewise a field photographed many
    times over is connected by its pairs, without all of them being listed.
    """
    if len(samples) != len(pixels):
        raise ValueError(f"{len(samples)} rows, but {len(pixels)} images.")
    equal = _equal(samples, pixels, quiet)
    # By contents: the result must not depend on the order of the rows, nor the sample on names.
    firsts = [rows[0] for _, rows in sorted(equal.items())]
    found = _equal_pairs(samples, equal.values())
    members = {rows[0]: rows if len(rows) <= LISTED else rows[:1] for rows in equal.values()}
    for candidate, agreement in _confirmed(pixels, firsts, quiet):
        for a, b in product(members[candidate.a], members[candidate.b]):
            found.append(_overlap(samples, a, b, agreement, pixels.shape[1]))
    return sorted(found, key=lambda overlap: (overlap.path_a, overlap.path_b))


def scenes(samples: Sequence[Sample], overlaps: Iterable[Overlap]) -> list[str]:
    """Per row the scene it belongs to: all that overlaps, directly or through others.

    A scene is named after the first of its images by path, so its name depends neither on the
    order of the rows nor on the other scenes.
    """
    paths = [sample.path for sample in samples]
    first = _connected(paths, ((one.path_a, one.path_b) for one in overlaps))
    return [first[path] for path in paths]


def joined(groups: Sequence[str], links: Iterable[tuple[int, int]]) -> list[str]:
    """Per row its group, but those that overlapping fields connect as one, named after all of
    them: the same cells cannot be learned from in one and tested in the other. `links` are pairs
    of row numbers."""
    first = _connected(groups, ((groups[a], groups[b]) for a, b in links))
    members: dict[str, list[str]] = defaultdict(list)
    for name in sorted(first):
        members[first[name]].append(name)
    return [" + ".join(members[first[name]]) for name in groups]


def _connected(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """For each name the first, in their order, of those that pairs connect it with."""
    first = {name: name for name in names}

    def root(name: str) -> str:
        while first[name] != name:
            first[name] = name = first[first[name]]
        return name

    for pair in pairs:
        a, b = sorted(map(root, pair))
        first[b] = a
    return {name: root(name) for name in first}


def flat(samples: Sequence[Sample], pixels: NDArray[np.uint8]) -> set[str]:
    """The paths of the pictures of one colour, which show no field."""
    import cv2

    return {
        sample.path
        for sample, image in zip(samples, pixels, strict=True)
        if cv2.meanStdDev(image)[1].max() < FLAT
    }


def write_overlaps(overlaps: Iterable[Overlap], path: Path) -> None:
    """`path` as the table of these pairs."""
    write_csv(path, COLUMNS, map(astuple, overlaps))


def read_overlaps(path: Path) -> list[Overlap]:
    """The pairs that `write_overlaps` wrote, checked."""
    _, rows = read_csv(path, COLUMNS)
    return [_parsed(row, f"{path}, line {number}") for number, row in enumerate(rows, start=2)]


def _parsed(row: dict[str, str], where: str) -> Overlap:
    for name, known in (("kind", KINDS), ("turn", TURNS)):
        if row[name] not in known:
            raise UsageError(f"{where}: {name} is {row[name]!r}, not one of {', '.join(known)}.")
    try:
        return Overlap(
            path_a=row["path_a"],
            path_b=row["path_b"],
            score=float(row["score"]),
            dx=int(row["dx"]),
            dy=int(row["dy"]),
            kind=row["kind"],
            turn=row["turn"],
            scale=float(row["scale"]),
            common=float(row["common"]),
        )
    except ValueError as error:
        raise UsageError(f"{where}: {error}.") from error


def _equal(
    samples: Sequence[Sample], pixels: NDArray[np.uint8], quiet: bool
) -> dict[bytes, list[int]]:
    """The rows of each picture, by the hash of its pixels, first by path."""
    digests = each(
        lambda row: hashlib.sha256(pixels[row].tobytes()).digest(),
        range(len(pixels)),
        "comparing pixels",
        quiet=quiet,
    )
    groups = defaultdict(list)
    for row, digest in enumerate(digests):
        groups[digest].append(row)
    return {
        digest: sorted(rows, key=lambda row: samples[row].path) for digest, rows in groups.items()
    }


def _equal_pairs(samples: Sequence[Sample], groups: Iterable[list[int]]) -> list[Overlap]:
    found = []
    for rows in groups:
        pairs = combinations(rows, 2) if len(rows) <= LISTED else product(rows[:1], rows[1:])
        for a, b in ((samples[i], samples[j]) for i, j in pairs):
            kind = "equal bytes" if a.sha256 and a.sha256 == b.sha256 else "equal pixels"
            found.append(Overlap(a.path, b.path, 1.0, 0, 0, kind, "", 1.0, 1.0))
    return found


def _confirmed(
    pixels: NDArray[np.uint8], rows: Sequence[int], quiet: bool
) -> Iterator[tuple[Candidate, Agreement]]:
    """The candidates among these rows that agree when they are laid on one another."""
    with threads() as pool, bar("looking for the same cells", len(rows), quiet=quiet) as advance:
        proposed, marks = candidates(pixels, rows, pool, advance)
    checked = each_in_processes(
        partial(_checked, pixels, marks),
        batches(proposed),
        "laying one on the other",
        count=len(proposed),
        quiet=quiet,
    )
    for candidate, agreement in zip(proposed, chain.from_iterable(checked), strict=True):
        if agreement is not None:
            yield candidate, agreement


def _checked(
    pixels: NDArray[np.uint8], marks: NDArray[np.bool_], proposed: Sequence[Candidate]
) -> list[Agreement | None]:
    @lru_cache(maxsize=256)
    def shown(row: int) -> Picture:
        return picture(pixels[row], marks)

    return [_best(shown(one.a), shown(one.b), one.places) for one in proposed]


def _best(a: Picture, b: Picture, places: Sequence[Placement]) -> Agreement | None:
    best = None
    for place in places:
        found = register(a, b, place)
        if found and _agrees(found) and (best is None or found.score > best.score):
            best = found
        if best and best.score >= CERTAIN:
            break
    return best


def _agrees(found: Agreement) -> bool:
    copied = found.place.turn != 0 or abs(found.place.scale - 1) > LENS
    return (
        found.score >= (COPIED if copied else SCORE)
        and found.agreeing >= AGREEING
        and found.common >= COMMON
        and found.evidence >= EVIDENCE
    )


def _overlap(samples: Sequence[Sample], a: int, b: int, agreement: Agreement, side: int) -> Overlap:
    place = agreement.place
    if samples[a].path > samples[b].path:
        a, b, place = b, a, place.inverse()
    same = agreement.common >= SAME
    return Overlap(
        path_a=samples[a].path,
        path_b=samples[b].path,
        score=round(agreement.score, 4),
        dx=round(place.dx * side),
        dy=round(place.dy * side),
        kind="same field" if same else "overlap",
        turn=TURNS[place.turn],
        scale=round(place.scale, 3),
        common=round(agreement.common, 4),
    )
