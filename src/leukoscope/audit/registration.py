"""Two pictures laid on one another: where one lies in the other, and how well they agree there."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

TURNS = (
    "",
    "rot90",
    "rot180",
    "rot270",
    "mirror",
    "mirror-rot90",
    "mirror-rot180",
    "mirror-rot270",
)
QUARTER = 56  # side of the small pictures: a quarter of the usual 224 pixels
_LOW = 6.0  # standard deviation of the blur that is subtracted, in small pixels
_REACH = 2  # how far off a proposed place may be, in small pixels
_HOPELESS = 0.35  # a pair that correlates less at a quarter of the size is looked at no further
_FACTORS = tuple(np.linspace(0.92, 1.08, 9).tolist())  # by which a proposed scale may be off
CERTAIN = 0.9  # correlation from which on no other scale or place is tried
_TILE = 14  # side of the tiles that are compared one by one, at half the size
_TEXTURED = 0.5  # contrast of a tile, over that of the whole, from which on it has a say
_AGREES = 0.5  # correlation from which on a tile agrees

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where b lies in a: turned, then scaled, then its upper left corner put at (dx, dy).

    The unit of dx and dy is the side of the field.
    """

    turn: int  # place in TURNS
    scale: float
    dx: float
    dy: float

    def inverse(self) -> "Placement":
        """Where a lies in b."""
        back = turn_back(self.turn)
        middle = (self.scale - 1) / 2
        x, y = turn_point(self.dx + middle, self.dy + middle, back)
        shift = (1 / self.scale - 1) / 2
        return Placement(
            back, 1 / self.scale, -float(x) / self.scale - shift, -float(y) / self.scale - shift
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well two pictures agree where they have the field in common."""

    place: Placement
    score: float  # normalised cross-correlation at a quarter of the size
    common: float  # share of the smaller of the two fields
    agreeing: float  # share of the textured tiles that agree by themselves
    evidence: float  # the correlation in standard errors of what chance gives


@dataclass(frozen=True, slots=True)
class Picture:
    """A high-passed grey picture, and 1 where it shows the field, 0 where a mark is burned in."""

    grey: Floats
    seen: Floats
    small: Floats  # the grey picture on `QUARTER` pixels

    def turned(self, turn: int) -> "Picture":
        """Mirrored left for right from the fifth turn on, then turned counter-clockwise."""

        def each(image: Floats) -> Floats:
            return np.ascontiguousarray(np.rot90(image[:, ::-1] if turn >= 4 else image, turn % 4))

        return Picture(*map(each, (self.grey, self.seen, self.small))) if turn else self


def turn_back(turn: int) -> int:
    """The turn that undoes this one; a mirror, turned or not, is its own way back."""
    return turn if turn >= 4 else -turn % 4


def turn_point(x: Any, y: Any, turn: int) -> tuple[Any, Any]:
    """Where a turn takes a point, both counted from the middle of the field."""
    if turn >= 4:
        x = -x
    return ((x, y), (y, -x), (-x, -y), (-y, x))[turn % 4]


def picture(image: NDArray[np.uint8], marks: NDArray[np.bool_]) -> Picture:
    """The grey picture without its slow shading, and 0 where marks are burned in."""
    import cv2

    grey: Floats = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    shading = cv2.GaussianBlur(_resized(grey, QUARTER, QUARTER), (0, 0), _LOW)
    grey -= _resized(shading, *image.shape[:2])
    grey[marks] = 0
    return Picture(grey, (~marks).astype(np.float32), _resized(grey, QUARTER, QUARTER))


def register(a: Picture, b: Picture, proposed: Placement) -> Agreement | None:
    """The best place for b near the proposed one and how well the two agree there, if at all.

    First at a quarter of the size, then to the pixel at full size, where a scale other than 1
    is refined, too.
    """
    b = b.turned(proposed.turn)
    found = _registered(a, b, proposed, [proposed.scale]) if proposed.scale == 1 else None
    if found is not None and found.score >= CERTAIN:
        return found
    scales = [proposed.scale * factor for factor in _FACTORS]
    fitted = _registered(a, b, proposed, scales)
    # Resizing smooths away noise and so correlates a little better at any rate.
    if found is None or (fitted is not None and fitted.score > found.score + 0.03):
        return fitted
    return found


def _registered(
    a: Picture, b: Picture, proposed: Placement, scales: list[float]
) -> Agreement | None:
    score, place = _best(a.small, b.small, proposed, scales, _REACH)
    if score < _HOPELESS:
        return None
    if len(scales) > 1:
        scales = [place.scale * factor for factor in (0.99, 1.0, 1.01)]
    reach = -(-len(a.grey) // QUARTER)
    score, place = _best(a.grey, b.grey, place, scales, reach)
    return _agreement(a, b, place) if score >= _HOPELESS else None


def _best(
    a: Floats, b: Floats, near: Placement, scales: list[float], reach: int
) -> tuple[float, Placement]:
    """The best correlation of b with a over the scales and all shifts up to `reach` pixels."""
    found = []
    for scale in scales:
        # The middle of b stays where it is while its scale changes.
        moved = (near.scale - scale) / 2
        place = replace(near, scale=scale, dx=near.dx + moved, dy=near.dy + moved)
        side = round(scale * len(b))
        found.append(_slide(a, _resized(b, side, side), place, reach))
    return max(found, key=lambda each: each[0])


def _slide(a: Floats, b: Floats, place: Placement, reach: int) -> tuple[float, Placement]:
    """The part of a that b covers at every one of the shifts is compared at all of them."""
    import cv2

    side = len(a)
    x, y = round(place.dx * side), round(place.dy * side)
    left, right = max(0, x + reach), min(side, x + len(b) - reach)
    top, bottom = max(0, y + reach), min(side, y + len(b) - reach)
    if min(right - left, bottom - top) < 2 * reach + 4:
        return 0.0, place
    piece = a[top:bottom, left:right]
    around = b[top - y - reach : bottom - y + reach, left - x - reach : right - x + reach]
    if min(cv2.meanStdDev(image)[1].item() for image in (piece, around)) < 1:
        return 0.0, place
    _, score, _, (i, j) = cv2.minMaxLoc(cv2.matchTemplate(around, piece, cv2.TM_CCOEFF_NORMED))
    return score, replace(
        place, scale=len(b) / side, dx=(x + reach - i) / side, dy=(y + reach - j) / side
    )


def _agreement(a: Picture, b: Picture, place: Placement) -> Agreement:
    side = len(a.grey)
    side_b = round(place.scale * side)
    grey, seen = (_resized(image, side_b, side_b) for image in (b.grey, b.seen))
    x, y = round(place.dx * side), round(place.dy * side)
    left, right = max(0, x), min(side, x + side_b)
    top, bottom = max(0, y), min(side, y + side_b)
    in_a = np.s_[top:bottom, left:right]
    in_b = np.s_[top - y : bottom - y, left - x : right - x]
    pieces = a.grey[in_a], grey[in_b], a.seen[in_a] * seen[in_b]
    height, width = (max(1, round(n * QUARTER / side)) for n in pieces[0].shape)
    small, middle = (
        [_resized(piece, times * height, times * width) for piece in pieces] for times in (1, 2)
    )
    return Agreement(
        place,
        score=_correlation(*small),
        common=pieces[0].size / min(side, side_b) ** 2,
        agreeing=_agreeing(*middle),
        evidence=_evidence(*small),
    )


def _agreeing(a: Floats, b: Floats, seen: Floats) -> float:
    """The share of the tiles with something to see in a or b that agree by themselves.

    One dark nucleus upon another correlates well over the whole, and so do two scale bars; the
    cells around them then disagree.
    """
    contrast = [max(np.sqrt((p * p * seen).sum() / max(seen.sum(), 1)), 1) for p in (a, b)]
    votes = []
    rows, columns = (np.array_split(np.arange(n), max(1, round(n / _TILE))) for n in a.shape)
    for down in rows:
        for across in columns:
            tile = np.s_[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
            if seen[tile].mean() < 0.5:
                continue
            if max(p[tile].std() / c for p, c in zip((a, b), contrast, strict=True)) >= _TEXTURED:
                votes.append(_correlation(a[tile], b[tile], seen[tile]) >= _AGREES)
    return float(np.mean(votes)) if votes else 0.0


def _evidence(a: Floats, b: Floats, seen: Floats) -> float:
    """How many standard errors the correlation lies above that of two unrelated fields.

    One nucleus upon another correlates well, but is one thing only; so many cells never do by
    chance. The variance of a chance correlation is the mean, over all shifts, of the product of
    the two autocorrelations (Bartlett, 1935): of the power spectra, since either gives the other.
    """
    total = max(float(seen.sum()), 1.0)
    powers = []
    for image in (a, b):
        flat = (image - (image * seen).sum() / total) * seen
        power = np.abs(np.fft.fft2(flat)) ** 2
        powers.append(power / max(power.sum(), 1e-12))
    variance = float((powers[0] * powers[1]).sum())
    likeness = np.arctanh(min(_correlation(a, b, seen), 0.999))  # Fisher's z
    return float(likeness / np.sqrt(variance)) if variance > 0 else 0.0


def _correlation(a: Floats, b: Floats, weight: Floats) -> float:
    """Pearson's correlation of the weighted pixels; 0 where one of the two is flat."""
    total = float(weight.sum())
    if total == 0:
        return 0.0
    a = a - (a * weight).sum() / total
    b = b - (b * weight).sum() / total
    aa, bb, ab = ((u * v * weight).sum() / total for u, v in ((a, a), (b, b), (a, b)))
    return float(ab / np.sqrt(aa * bb)) if min(aa, bb) > 0.5 else 0.0


def _resized(image: NDArray[Any], height: int, width: int) -> Floats:
    import cv2

    if image.shape == (height, width):
        return image
    method = cv2.INTER_AREA if height < len(image) else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=method).astype(np.float32, copy=False)
