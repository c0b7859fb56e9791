"""Which few of all the pairs may show the same field, at a cost far below that of trying all.

Every picture is described by its most striking points (SIFT: place, size, direction, and 128
numbers for the look of the surroundings; Lowe, IJCV 2004). Points that look alike are found in a
nearest-neighbour index (faiss), and each likeness is a vote that one picture lies in the other at
a certain place, turn and scale. Look-alike cells vote at random; pictures of the same field agree.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.registration import Placement, turn_point

SIDE = 112  # of the pictures that are described: finer detail does not survive another focus
POINTS = 128  # per picture, the most striking
_MIRRORED = 48  # of them that also look for a mirrored twin
_CODE = 32  # numbers kept of the 128
_SAMPLE = 1000  # pictures from which the code and the marks are learned
_BLOCK = 256  # pictures that look for their like at a time
_NEIGHBOURS = 5
_PROBES = 8  # lists of the index that are searched for each point
_EXACT = 5000  # points up to which the index is exhaustive
_SCALES = (0.707, 0.841, 1.0, 1.189, 1.414)
_RATIO = 1.25  # how far off the sizes of two points tell the scale
_DEGREES = 20.0  # how far off their directions tell the turn
_LIKELY_ONE = 0.06  # how far off 1 a fitted scale may be and still mean 1
_CELL = 6 / SIDE  # how far off the place may be, in sides of the field
_VOTES = 3  # for a place with a turn or a scale, which usually is a copy and gets many
_UPRIGHT_VOTES = 2  # for a place without: the stage moved, and little may be in common
_PLACES = 3  # that are proposed for one pair
_RECURS = 3  # other pictures with the same point at the same place: it is burned in

Floats = NDArray[np.float32]
Codes = NDArray[np.float16]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
# SIFT's 4 × 4 × 8 numbers of a point in the mirror: rows and directions run the other way.
_MIRROR = np.arange(128).reshape(4, 4, 8)[::-1][:, :, -np.arange(8) % 8].ravel()


@dataclass(frozen=True, slots=True)
class Points:
    """The striking points of many pictures, picture by picture, the most striking first."""

    image: Integers
    x: Floats  # in sides of the field, from its middle
    y: Floats
    size: Floats  # in sides of the field
    angle: Floats  # degrees, clockwise on the screen
    code: Codes
    mirrored: Codes  # of the points with `leads`, in their order
    leads: NDArray[np.bool_]

    def kept(self, keep: NDArray[np.bool_]) -> "Points":
        """The chosen points."""
        values = {f.name: getattr(self, f.name)[keep] for f in fields(self) if f.name != "mirrored"}
        return Points(**values, mirrored=self.mirrored[keep[self.leads]])


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair of pictures, a before b, and where b may lie in a, the likeliest place first."""

    a: int
    b: int
    places: tuple[Placement, ...]


def candidates(
    pixels: NDArray[np.uint8],
    rows: Sequence[int],
    pool: Executor,
    advance: Callable[..., None],
) -> tuple[list[Candidate], NDArray[np.bool_]]:
    """The pairs of these rows that may show the same field, and where marks are burned in.

    The first thousand rows should be no particular ones: how to abridge the descriptions, and
    the marks, are learned from them. A field photographed many times over is not proposed in all
    its pairs, since each point has a few neighbours only, but in a chain of them.
    """
    marks = np.zeros(pixels.shape[1:3], bool)
    if len(rows) < 2:
        return [], marks
    sample = _described(pixels, rows[:_SAMPLE], 0, pool)
    if sum(map(len, sample[0])) < 2:
        return [], marks
    encode = _encoder(np.concatenate(sample[1]))
    described = [_coded(*sample, encode)]
    advance(len(rows[:_SAMPLE]))
    burned = _burned_in(described[0])
    for start in range(_SAMPLE, len(rows), _SAMPLE):
        block = rows[start : start + _SAMPLE]
        described.append(_coded(*_described(pixels, block, start, pool), encode))
        advance(len(block))
    points = _joined(described)
    described.clear()
    points = points.kept(~burned[_cell_of(points.y), _cell_of(points.x)])
    marks = _enlarged(burned, marks.shape)
    if not len(points.image):
        return [], marks
    index = _index(points.code)
    votes: list[Doubles] = []
    starts = np.searchsorted(points.image, np.arange(0, len(rows) + _BLOCK, _BLOCK))
    blocks = [(first, last) for first, last in pairwise(starts.tolist()) if first < last]
    for counted in pool.map(lambda block: _votes(points, block[0], block[1], index), blocks):
        votes += counted
        advance(0)
    return _elected(votes, rows), marks


def _described(
    pixels: NDArray[np.uint8], rows: Sequence[int], offset: int, pool: Executor
) -> tuple[list[Floats], list[NDArray[np.uint8]], int]:
    """Per picture the points (x, y, size, angle) and their 128 numbers; the first one's number."""
    import cv2

    def describe(row: int) -> tuple[Floats, NDArray[np.uint8]]:
        grey = cv2.cvtColor(pixels[row], cv2.COLOR_RGB2GRAY)
        grey = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        # Half the usual least contrast: pale red cells on a bright ground count, too.
        sift = cv2.SIFT.create(POINTS, contrastThreshold=0.02, enable_precise_upscale=True)
        found, numbers = sift.detectAndCompute(grey, None)
        if numbers is None:
            return np.empty((0, 4), np.float32), np.empty((0, 128), np.uint8)
        strongest = sorted(range(len(found)), key=lambda i: -found[i].response)[:POINTS]
        points = [(*found[i].pt, found[i].size, found[i].angle) for i in strongest]
        return np.array(points, np.float32), numbers[strongest].astype(np.uint8)

    points, numbers = zip(*pool.map(describe, rows), strict=True)
    return list(points), list(numbers), offset


def _encoder(numbers: NDArray[np.uint8]) -> Callable[[NDArray[np.uint8]], Codes]:
    """How to abridge the 128 numbers: to their principal components, square roots first.

    The square root turns distances into those of Hellinger (Arandjelović and Zisserman,
    CVPR 2012). The mirrored numbers are learned from, too, since they are searched for.
    """
    chosen = numbers[:: -(-len(numbers) // 50_000)]
    rooted = _rooted(np.concatenate([chosen, chosen[:, _MIRROR]]))
    mean = rooted.mean(0)
    _, vectors = np.linalg.eigh(np.cov((rooted - mean).T))
    axes = vectors[:, : -_CODE - 1 : -1].astype(np.float32)
    return lambda numbers: ((_rooted(numbers) - mean) @ axes).astype(np.float16)


def _rooted(numbers: NDArray[np.uint8]) -> Floats:
    values = numbers.astype(np.float32)
    rooted: Floats = np.sqrt(values / np.maximum(values.sum(1, keepdims=True), 1))
    return rooted


def _coded(
    points: list[Floats],
    numbers: list[NDArray[np.uint8]],
    offset: int,
    encode: Callable[[NDArray[np.uint8]], Codes],
) -> Points:
    counts = [len(each) for each in points]
    leads = np.concatenate([np.arange(n) < _MIRRORED for n in counts])
    x, y, size, angle = np.concatenate(points).T
    every = np.concatenate(numbers)
    return Points(
        image=np.repeat(np.arange(offset, offset + len(points)), counts),
        x=(x + 0.5) / SIDE - 0.5,
        y=(y + 0.5) / SIDE - 0.5,
        size=size / SIDE,
        angle=angle,
        code=encode(every),
        mirrored=encode(every[leads][:, _MIRROR]),
        leads=leads,
    )


def _joined(parts: list[Points]) -> Points:
    return Points(
        **{
            f.name: np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(Points)
        }
    )


def _index(codes: Codes) -> Any:
    """A nearest-neighbour index of the codes, a byte per number."""
    import faiss

    byte = faiss.ScalarQuantizer.QT_8bit
    index: Any = faiss.IndexFlatL2(_CODE)
    if len(codes) > _EXACT:
        lists = int(4 * len(codes) ** 0.5)
        index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatL2(_CODE), _CODE, lists, byte)
        index.cp.niter = 6
        index.cp.min_points_per_centroid = 1
        index.nprobe = _PROBES
        index.train(codes[:: max(1, len(codes) // (40 * lists))].astype(np.float32))
    for start in range(0, len(codes), 1 << 18):
        index.add(codes[start : start + (1 << 18)].astype(np.float32))
    return index


def _likenesses(points: Points, chosen: Integers, codes: Codes, index: Any) -> list[Integers]:
    """Which of the chosen points look like which others, in other pictures: two columns."""
    _, found = index.search(codes.astype(np.float32), _NEIGHBOURS + 1)
    one, other = np.repeat(chosen, found.shape[1]), found.ravel()
    apart = (other >= 0) & (points.image[one] != points.image[other])
    return [one[apart], other[apart]]


def _burned_in(points: Points) -> NDArray[np.bool_]:
    """SIDE×SIDE, true where something is burned into many pictures, such as a scale bar.

    The same point at the same place in several pictures is either burned in or the same field
    photographed again. In the latter case it is not alone: such points are all over the field.
    """
    every = np.arange(len(points.image))
    one, other = _likenesses(points, every, points.code, _index(points.code))
    ratio = points.size[one] / points.size[other]
    same = (
        (np.abs(points.x[one] - points.x[other]) < 1 / SIDE)
        & (np.abs(points.y[one] - points.y[other]) < 1 / SIDE)
        & (np.abs(_turned_by(points.angle[one], points.angle[other])) < 10)
        & (np.maximum(ratio, 1 / ratio) < 1.2)
    )
    one, other = one[same], other[same]
    pair = points.image[one] * (points.image[-1] + 1) + points.image[other]
    ninth = 3 * _cell_of(points.y[one], 3) + _cell_of(points.x[one], 3)
    pairs, spread = np.unique(np.unique(pair * 9 + ninth) // 9, return_counts=True)
    alone = spread[np.searchsorted(pairs, pair)] <= 2
    recurs = np.bincount(one[alone], minlength=len(every)) >= _RECURS
    place = _cell_of(points.y, SIDE) * SIDE + _cell_of(points.x, SIDE)
    often = np.bincount(place[recurs], minlength=SIDE * SIDE) >= _RECURS
    burned = np.zeros((SIDE, SIDE), bool)
    down, across = np.mgrid[:SIDE, :SIDE]
    for i in np.flatnonzero(recurs & often[place]):
        x, y = ((v + 0.5) * SIDE for v in (points.x[i], points.y[i]))
        radius = 1.5 * points.size[i] * SIDE  # what the point's numbers were computed from
        burned |= (across + 0.5 - x) ** 2 + (down + 0.5 - y) ** 2 <= radius**2
    return burned


def _cell_of(position: Floats, cells: int = SIDE) -> Integers:
    """Which of so many equal parts of the side a position lies in."""
    cell: Integers = np.clip((position + 0.5) * cells, 0, cells - 1).astype(np.int64)
    return cell


def _turned_by(one: Floats, other: Floats) -> Floats:
    """Degrees from one direction to the other, within ±180."""
    return (other - one + 180) % 360 - 180


def _enlarged(burned: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    import cv2

    grown = cv2.resize(burned.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST)
    return grown.astype(bool)


def _votes(points: Points, first: int, last: int, index: Any) -> list[Doubles]:
    """What the points from the first to the last say, upright and mirrored: see `_counted`."""
    asking = np.arange(first, last)
    leads = points.leads[first:last]
    before = int(points.leads[:first].sum())
    mirrored = points.mirrored[before : before + int(leads.sum())]
    votes: list[Doubles] = []
    for asks, codes, flip in (
        (asking, points.code[first:last], False),
        (asking[leads], mirrored, True),
    ):
        one, other = _likenesses(points, asks, codes, index)
        direction = points.angle[other]
        between = _turned_by(points.angle[one], 180 - direction if flip else direction)
        quarters = np.rint(between / 90)
        straight = np.abs(between - 90 * quarters) <= _DEGREES
        turn = quarters.astype(np.int64) % 4 + 4 * flip
        ratio = points.size[one] / points.size[other]
        for scale in _SCALES:
            fits = straight & (np.maximum(ratio / scale, scale / ratio) < _RATIO)
            votes += _counted(points, one[fits], other[fits], turn[fits], scale)
    return votes


def _counted(
    points: Points, one: Integers, other: Integers, turn: Integers, scale: float
) -> Iterator[Doubles]:
    """The places with enough votes: columns a, b, turn, count, scale, x, y.

    x and y say where the middle of b lies, from the middle of a.
    """
    ax, ay = points.x[one], points.y[one]
    bx, by = np.empty((2, len(one)), np.float32)
    for each in np.unique(turn):
        chosen = turn == each
        at = other[chosen]
        bx[chosen], by[chosen] = turn_point(points.x[at], points.y[at], int(each))
    pair = (points.image[one] << 24 | points.image[other]) << 3 | turn
    needed = np.where((turn == 0) & (scale == 1), _UPRIGHT_VOTES, _VOTES)
    for offset_x, offset_y in ((0.0, 0.0), (0.0, 0.5), (0.5, 0.0), (0.5, 0.5)):
        # Half-shifted cells: a place at the edge of one lies in the middle of another.
        right = np.floor((ax - scale * bx) / _CELL + offset_x).astype(np.int64) + 64
        down = np.floor((ay - scale * by) / _CELL + offset_y).astype(np.int64) + 64
        key = pair << 14 | right << 7 | down
        _, cell, count = np.unique(key, return_inverse=True, return_counts=True)
        crowd = np.flatnonzero(count[cell] >= needed)
        ballot = cell[crowd] * len(points.image) + one[crowd]
        _, first = np.unique(ballot, return_index=True)
        voter = crowd[first]  # a point has one vote per cell
        _, place, count = np.unique(cell[voter], return_inverse=True, return_counts=True)
        mean = [np.bincount(place, v[voter]) / count for v in (ax, ay, bx, by)]
        fitted = np.full(len(count), scale)
        if scale != 1:
            away = [v[voter] - m[place] for v, m in zip((ax, ay, bx, by), mean, strict=True)]
            along = np.bincount(place, away[0] * away[2] + away[1] * away[3])
            length = np.bincount(place, away[2] ** 2 + away[3] ** 2)
            fitted = np.clip(along / np.maximum(length, 1e-6), scale / _RATIO, scale * _RATIO)
            fitted[np.abs(fitted - 1) < _LIKELY_ONE] = 1
        at = voter[np.unique(place, return_index=True)[1]]
        enough = count >= needed[at]
        yield np.stack(
            [
                points.image[one[at]],
                points.image[other[at]],
                turn[at],
                count,
                fitted,
                mean[0] - fitted * mean[2],
                mean[1] - fitted * mean[3],
            ],
            axis=1,
        )[enough]


def _elected(votes: list[Doubles], rows: Sequence[int]) -> list[Candidate]:
    """The pairs with their likeliest places, at most one per turn and scale."""
    table = np.concatenate(votes) if votes else np.empty((0, 7))
    table = table[np.lexsort((*table.T, -table[:, 3]))]
    places: dict[tuple[int, int], dict[tuple[int, int], Placement]] = {}
    for a, b, turn, _, scale, x, y in table.tolist():
        corner = (1 - scale) / 2
        place = Placement(int(turn), scale, x + corner, y + corner)
        pair = int(a), int(b)
        if a > b:
            pair, place = pair[::-1], place.inverse()
        known = places.setdefault(pair, {})
        if len(known) < _PLACES:
            known.setdefault((place.turn, round(10 * math.log(place.scale))), place)
    return [
        Candidate(rows[a], rows[b], tuple(known.values()))
        for (a, b), known in sorted(places.items())
    ]
