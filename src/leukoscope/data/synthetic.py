"""Drawn blood smears whose truth is known, for the demonstration and for every test.

A real set never says which pictures were taken together or show the same cells twice; a drawn one
does. Each picture is made the way a microscope makes it: cells hold dye (haemoglobin, chromatin,
cytoplasm), dye absorbs light, and the lamp, the lens and the camera of a session colour, shade,
blur and roughen the rest. A network learns about drawings from these, nothing about patients.
"""

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from leukoscope.files import write_csv

CLASSES = ("Benign", "Early", "Pre", "Pro")
TURNS = ("rot90", "mirror", "rot180", "rot270")  # rot: counter-clockwise; mirror: left for right
_STYLES = {  # number, ink, white plate, long bar: the scale bars of camera software
    "long-black": ("200", (15, 15, 15), True, True),
    "short-red": ("100", (205, 40, 40), False, False),
    "short-black": ("100", (30, 30, 30), True, False),
    "long-blue": ("500", (40, 60, 190), False, True),
}
_DIGITS = {
    "1": ".#.##..#..#.###",
    "2": "###..#####..###",
    "5": "####..###..####",
    "0": "####.##.##.####",
}
MARKS = tuple(_STYLES)

Marks = Literal["none", "label", "session", "random"]
Looks = Literal["distinct", "same"]
Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# The second number of every seed, so that no two purposes share a stream of random numbers.
_LOOK, _SCENE, _CAMERA, _SHIFT, _ORDER, _TWINS, _MARK, _CHROMATIN = range(8)
_REACH = 30  # no cell extends further from its centre, in pixels
_RED_RADIUS = 8.8
_RIM = 4  # drawn beyond the frame, so that the blur at the edge sees what lies outside


@dataclass(frozen=True, slots=True)
class Field:
    """The truth about one drawn field of view.

    What a shifted field shows at (row, column), `copy_of` shows at (row + dy, column + dx).
    `scene` is equal for fields that overlap or are copies; `mark` names the style of scale bar.
    """

    path: str
    label: str
    session: str
    scene: str
    copy_of: str | None
    dx: int
    dy: int
    turn: str
    mark: str


@dataclass(frozen=True, slots=True)
class Smears:
    """Drawn pictures, N x size x size x 3, and row by row the truth about them."""

    pixels: Pixels
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What tells one sort of white cell from another."""

    radius: float  # pixels
    fill: float  # radius of the nucleus over that of the cell
    density: float  # dye in the nucleus
    fine: float  # contrast of fine-grained chromatin
    patchy: float  # contrast of clumped chromatin
    nucleoli: float  # mean number
    indent: float  # depth of the notch in the nucleus over its radius
    cytoplasm: float  # dye in the cytoplasm
    rough: float  # unevenness of the outline over the radius


# In the order of CLASSES, then the bystanders that any smear may hold.
_KINDS = (
    _Kind(10.0, 0.94, 0.99, 0.03, 0.05, 0.0, 0.05, 0.70, 0.03),  # hematogone
    _Kind(12.3, 0.89, 0.95, 0.07, 0.10, 0.5, 0.14, 0.75, 0.05),  # early blast
    _Kind(14.3, 0.82, 0.93, 0.10, 0.24, 1.4, 0.24, 0.85, 0.05),  # pre-B blast
    _Kind(16.2, 0.75, 0.92, 0.20, 0.10, 2.4, 0.34, 0.95, 0.06),  # pro-B blast
    _Kind(9.5, 0.88, 1.20, 0.04, 0.20, 0.0, 0.10, 0.60, 0.04),  # mature lymphocyte
    _Kind(15.5, 0.93, 0.38, 0.20, 0.30, 0.5, 0.10, 0.15, 0.16),  # smudge: a crushed cell
    _Kind(2.6, 0.85, 0.45, 0.10, 0.30, 0.0, 0.10, 0.40, 0.12),  # platelet
)


@dataclass(frozen=True, slots=True)
class _Look:
    """What the pictures of one session share: stain, smear, lamp, lens and camera."""

    dyes: Floats  # 3 x 3: absorbance of haemoglobin, chromatin, cytoplasm in red, green, blue
    light: Floats  # 3 x size x size: the empty slide
    pallor: float  # of the middle of a red cell
    closeness: float  # least distance of two cells over the sum of their radii
    zoom: float
    blur: float  # pixels
    noise: float  # grey levels


@dataclass(frozen=True, slots=True)
class _Cells:
    """Cells on a slide, so far around the first field that the stage has room to move."""

    places: NDArray[np.float64]  # n x 2: x, y in pixels of the first field
    radius: Floats
    kind: NDArray[np.intp]  # place in _KINDS, -1 for a red cell
    dice: Floats  # n x 29, normal: all else that differs from cell to cell


def draw(
    *,
    per_class: int = 50,
    classes: Sequence[str] = CLASSES,
    size: int = 224,
    seed: int = 0,
    sessions_per_class: int = 4,
    copies: int = 0,
    shifted: int = 0,
    turned: int = 0,
    marks: Marks = "none",
    looks: Looks = "distinct",
) -> Smears:
    """Drawn smears and the truth about them, the same for the same arguments.

    Each class gets `per_class` scenes, photographed once. The `copies`, `shifted` and `turned`
    fields come on top, in the whole set, and are dealt to the classes in turn. A shifted field is
    another photograph of the same cells in the same session, with at least a quarter of the field
    in common; the shading of the lamp stays with the camera and the noise is new. A turned field
    is the finished picture turned, mark and all.

    The class shows in the white cells: size, nucleus, chromatin, nucleoli, cytoplasm. How much of
    a field they cover does not depend on it, nor does the look of a session. A session belongs to
    one class, as in real sets, so colour gives the label away until whole sessions are held out;
    `looks="same"` gives all sessions one look. `marks` burns a scale bar into the bottom right
    corner, its style chosen by label, by session (each class has the same styles) or at random.

    Cells keep their size in pixels: a smaller field shows fewer. Every field that is not shifted
    has a white cell of its class near the middle. A scene, known by its name, is drawn the same
    however many others there are; only its path changes. Raises ValueError on wrong arguments.
    """
    _check(locals())
    extras = ["copy"] * copies + ["shift"] * shifted + ["turn"] * turned
    table: list[tuple[Field, int]] = []
    for k, label in enumerate(classes):
        dealt = extras[k :: len(classes)]
        table += _plan(label, per_class, size, seed, sessions_per_class, dealt, marks)
    rows = {field.path: row for row, (field, _) in enumerate(table)}
    pixels = np.empty((len(table), size, size, 3), np.uint8)
    prints = []
    for row, (field, number) in enumerate(table):
        if field.copy_of is not None and not (field.dx or field.dy):
            prints.append((row, rows[field.copy_of], field.turn))
            continue
        which = CLASSES.index(field.label)
        look = _look(size, seed, which, number % sessions_per_class, looks)
        cells = _scatter(size, look, which, default_rng([seed, _SCENE, which, number]))
        key = [seed, _CAMERA, which, number, field.dx + size, field.dy + size]
        pixels[row] = _photograph(cells, look, field.dx, field.dy, seed, default_rng(key))
        _burn(pixels[row], field.mark)
    for row, original, turn in prints:
        pixels[row] = _turn(pixels[original], turn)
    return Smears(pixels, tuple(field for field, _ in table))


def write(smears: Smears, folder: Path) -> None:
    """A folder of lossless PNG files, one per field, and `truth.csv`, whole or not at all.

    All is written beside the folder, then renamed. A folder that already holds these smears is
    left alone; raises FileExistsError if it holds anything else.
    """
    beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    try:
        beside.mkdir(parents=True)
        truth = beside / "truth.csv"
        write_csv(truth, [column.name for column in fields(Field)], map(astuple, smears.fields))
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            if not _holds(folder, smears, truth.read_bytes()):
                raise FileExistsError(f"{folder} holds something else: name a new folder.")
            return
        for field, picture in zip(smears.fields, smears.pixels, strict=True):
            path = beside / field.path
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(picture).save(path, format="PNG", compress_level=1)
        beside.replace(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def is_drawn(folder: Path) -> bool:
    """Whether a folder holds smears that `write` left there."""
    truth = folder / "truth.csv"
    if not truth.is_file():
        return False
    with truth.open(encoding="utf-8", errors="replace") as file:
        return file.readline().strip() == ",".join(column.name for column in fields(Field))


def _holds(folder: Path, smears: Smears, truth: bytes) -> bool:
    """Whether a folder is the finished copy of these smears."""
    paths = [folder / field.path for field in smears.fields]
    there = folder / "truth.csv"
    if not there.is_file() or there.read_bytes() != truth or not all(p.is_file() for p in paths):
        return False
    # Two seeds can share the whole truth, but not a single picture.
    with Image.open(paths[0]) as picture:
        return np.array_equal(np.asarray(picture), smears.pixels[0])


def _check(arguments: Mapping[str, Any]) -> None:
    least = {"per_class": 1, "size": 64, "seed": 0, "sessions_per_class": 1}
    for name, limit in (least | dict.fromkeys(("copies", "shifted", "turned"), 0)).items():
        value = arguments[name]
        if not isinstance(value, int) or value < limit:
            raise ValueError(f"{name} must be a whole number of at least {limit}, not {value!r}.")
    for name, known in (("marks", get_args(Marks)), ("looks", get_args(Looks))):
        if arguments[name] not in known:
            raise ValueError(f"{name} must be {' or '.join(known)}, not {arguments[name]!r}.")
    classes = arguments["classes"]
    is_list = not isinstance(classes, str) and len(classes) > 0
    if not is_list or len(set(classes)) < len(classes) or not set(classes) <= set(CLASSES):
        raise ValueError(f"classes must be different ones of {CLASSES}, not {classes!r}.")


def _plan(
    label: str, per_class: int, size: int, seed: int, sessions: int, extras: list[str], marks: Marks
) -> list[tuple[Field, int]]:
    """The fields of one class by path, each with the number of its scene.

    Files are numbered by sitting: a few pictures of one session, then a few of any other. Four
    twins in five lie in the sitting of their original, the fifth anywhere, as in real sets.
    """
    which = CLASSES.index(label)
    order = default_rng([seed, _TWINS, which]).permutation(per_class)
    numbers = [*range(per_class), *(int(order[k % per_class]) for k in range(len(extras)))]
    keys = []
    for k, number in enumerate(numbers, start=-per_class):
        strays = k >= 0 and k % 5 == 4
        sitting = (k, 0, 1) if strays else (number % sessions, number // sessions // 4, 0)
        keys.append(default_rng([seed, _ORDER, which, *sitting]).random())
    ranks = np.lexsort((numbers, keys)).argsort()
    paths = [f"{label}/smear-{rank + 1:04d}.png" for rank in ranks]
    table = []
    for k, number in enumerate(numbers, start=-per_class):
        extra, session = extras[k] if k >= 0 else "", number % sessions
        dx, dy = _shift(size, default_rng([seed, _SHIFT, which, k])) if extra == "shift" else (0, 0)
        turn = TURNS[extras[:k].count("turn") % len(TURNS)] if extra == "turn" else ""
        dice = default_rng([seed, _MARK, which, number, dx + size, dy + size])
        styles = {"label": which, "session": session, "random": dice.integers(len(MARKS))}
        field = Field(
            path=paths[k + per_class],
            label=label,
            session=f"session-{which * sessions + session + 1:02d}",
            scene=f"{label}-{number + 1:04d}",
            copy_of=paths[number] if extra else None,
            dx=dx,
            dy=dy,
            turn=turn,
            mark="" if marks == "none" else MARKS[styles[marks] % len(MARKS)],
        )
        table.append((field, number))
    return sorted(table, key=lambda entry: entry[0].path)


def _shift(size: int, rng: Generator) -> tuple[int, int]:
    """How far the stage moved, leaving 27 to 90 % of the field in common."""
    common, split = rng.uniform(0.27, 0.9), rng.random()
    x, y = size * (1 - common**split), size * (1 - common ** (1 - split))
    right, down = rng.choice((-1, 1), 2)
    return round(x) * int(right), round(y) * int(down)


def _turn(picture: Pixels, turn: str) -> Pixels:
    if turn == "mirror":
        return picture[:, ::-1]
    return np.rot90(picture, int(turn.removeprefix("rot") or 0) // 90)


@lru_cache(maxsize=16)
def _look(size: int, seed: int, which: int, session: int, looks: Looks) -> _Look:
    """The look of a session; all looks of a seed are spread evenly over what a stain can be."""
    order = 0 if looks == "same" else 1 + session * len(CLASSES) + which
    offset = default_rng([seed, _LOOK]).random(5)
    # Roberts' low-discrepancy sequence in 5 dimensions: 1.1347 solves x^6 = x + 1.
    warm, bright, pink, strong, red = (offset + order * 1.1347241 ** -np.arange(1.0, 6)) % 1
    rng = default_rng([seed, _LOOK, order])

    def between(a: Sequence[float], b: Sequence[float], share: float) -> NDArray[np.float64]:
        return np.asarray(a) * (1 - share) + np.asarray(b) * share

    lamp = between((226, 237, 252), (252, 250, 228), warm) * (0.96 + 0.07 * bright)
    haemoglobin = between((0.46, 0.32, 0.18), (0.22, 0.30, 0.17), red) * rng.uniform(0.9, 1.35)
    chromatin = between((0.74, 1.00, 0.25), (0.26, 0.84, 0.16), pink) * (0.64 + 0.34 * strong)
    cytoplasm = between((0.52, 0.46, 0.08), (0.26, 0.44, 0.10), pink) * (0.68 + 0.34 * strong)
    along = np.linspace(-1, 1, size)
    x, y = along[None, :], along[:, None]
    middle, slope = rng.uniform(-0.3, 0.3, 2), rng.uniform(-0.05, 0.05, 2)
    distance = (x - middle[0]) ** 2 + (y - middle[1]) ** 2
    shade = 1 - rng.uniform(0.02, 0.12) * distance + slope[0] * x + slope[1] * y
    return _Look(
        dyes=np.stack([haemoglobin, chromatin, cytoplasm]).astype(np.float32),
        light=(lamp[:, None, None] * shade).astype(np.float32),
        pallor=rng.uniform(0.3, 0.9),
        closeness=rng.uniform(0.55, 0.95),
        zoom=rng.uniform(0.92, 1.08),
        blur=rng.uniform(0.5, 1.1),
        noise=rng.uniform(1.0, 3.0),
    )


def _scatter(size: int, look: _Look, which: int, rng: Generator) -> _Cells:
    """The cells around a field: white ones first, each pushing away what is too close to it."""
    low, high = -0.75 * size - _REACH - _RIM, 1.75 * size + _REACH + _RIM
    views = ((high - low) / 224) ** 2
    share = np.exp(rng.uniform(np.log(0.02), np.log(0.20)))  # of the area, whatever the class
    count = rng.poisson(share * views * 224**2 / (np.pi * (_KINDS[which].radius * look.zoom) ** 2))
    bystanders = rng.poisson(np.array([1.2, 0.8, 6.0]) * rng.random(3) * views)
    red = rng.poisson(np.exp(rng.uniform(np.log(120), np.log(330))) * views)
    kind = np.repeat([which, 4, 5, 6, -1], [count + 1, *bystanders, red])
    places = rng.uniform(low, high, (len(kind), 2))
    places[0] = size * rng.uniform(0.3, 0.7, 2)
    # Red cells leave bare patches: a landscape of a few long waves says where.
    waves = rng.normal(0, 2.2 / 224, (4, 2))
    landscape = np.cos(2 * np.pi * (places @ waves.T + rng.random(4))).sum(1)
    keep = (kind >= 0) | (landscape > rng.uniform(-3, -0.2))
    places, kind = places[keep], kind[keep]
    dice = rng.standard_normal((len(kind), 29), np.float32)
    dice[:, [8, 21, 28]] += 1.3 * rng.standard_normal(3, np.float32)  # dye varies over a slide
    radius = np.where(kind < 0, _RED_RADIUS, np.take([k.radius for k in _KINDS], kind))
    radius *= look.zoom * np.exp(np.clip(dice[:, 0], -2.2, 2.2) * 0.085)
    first, second = cKDTree(places).query_pairs(1.84 * radius.max(), output_type="ndarray").T
    x, y = (places[first] - places[second]).T
    least = np.where(kind[first] >= 0, 0.92, look.closeness) * (radius[first] + radius[second])
    keep = np.ones(len(kind), bool)
    keep[second[x * x + y * y < least * least]] = False
    return _Cells(places[keep], radius[keep].astype(np.float32), kind[keep], dice[keep])


def _photograph(cells: _Cells, look: _Look, dx: int, dy: int, seed: int, rng: Generator) -> Pixels:
    """One picture of the slide with the stage at (dx, dy)."""
    size, frame = look.light.shape[-1], _REACH + _RIM
    places = cells.places - (dx, dy)
    near = ((places > -frame) & (places < size + frame - 1)).all(1)
    dye = np.zeros((3, size + 2 * (frame + _REACH), size + 2 * (frame + _REACH)), np.float32)
    for kind in (-1, *range(len(_KINDS))):  # red cells first: white ones cover them
        chosen = np.flatnonzero(near & (cells.kind == kind))
        if not len(chosen):
            continue
        whole = np.floor(places[chosen])
        centre, radius = (places[chosen] - whole).astype(np.float32), cells.radius[chosen]
        if kind < 0:
            patches = _red(centre, radius, cells.dice[chosen], look.pallor)
        else:
            patches = _white(centre, radius, cells.dice[chosen], _KINDS[kind], seed)
        side = patches.shape[-1]
        corners = whole.astype(int) + frame + _REACH - side // 2
        for (x, y), patch in zip(corners, patches, strict=True):
            here = dye[:, y : y + side, x : x + side]
            if kind < 0:
                here[0] += patch[0]
            else:
                here[0] *= 1 - patch[0]
                np.maximum(here[1:], patch[1:], out=here[1:])
    inner = slice(frame + _REACH - _RIM, frame + _REACH + size + _RIM)
    seen = np.exp(-np.tensordot(look.dyes.T, dye[:, inner, inner], 1))
    seen = gaussian_filter(seen, look.blur, axes=(1, 2), truncate=3)[:, _RIM:-_RIM, _RIM:-_RIM]
    seen *= look.light
    one, other = rng.integers(0, 256, (2, *seen.shape), np.uint8)  # their sum is nearly normal
    seen += (np.add(one, other, dtype=np.float32) - 255) * np.float32(look.noise / 104.5)
    seen += np.float32(0.5)
    return np.moveaxis(np.clip(seen, 0, 255, out=seen).astype(np.uint8), 0, 2)


def _depth(
    centre: Floats, radius: Floats, waves: Floats, side: int
) -> tuple[Floats, NDArray[np.complex64]]:
    """How many pixels deep each pixel lies in its cell, and the direction from the centre to it."""
    grid = np.arange(side, dtype=np.float32) - side // 2
    away = np.empty((len(radius), side, side), np.complex64)
    away.real = (grid - centre[:, :1])[:, None, :]
    away.imag = (grid - centre[:, 1:])[:, :, None]
    distance = np.abs(away)
    away /= np.maximum(distance, np.float32(0.5))
    wave = (waves[:, 0::2] + np.complex64(1j) * waves[:, 1::2])[:, :, None, None]
    uneven = away * wave[:, 2]
    uneven += wave[:, 1]
    uneven *= away
    uneven += wave[:, 0]
    uneven *= away * away
    return radius[:, None, None] * (1 + uneven.real) - distance, away


def _red(centre: Floats, radius: Floats, dice: Floats, pallor: float) -> Floats:
    """Haemoglobin of red cells, n x 1 x side x side: discs with a pale middle and a firm rim."""
    waves = dice[:, 1:7] * np.array([0.06, 0.06, 0.025, 0.025, 0.012, 0.012], np.float32)
    depth, _ = _depth(centre, radius, waves, 28)
    hollow = np.clip(depth / (0.75 * radius)[:, None, None], 0, 1)
    hollow *= hollow * np.clip(pallor + 0.15 * dice[:, 7], 0, 0.95)[:, None, None]
    amount: Floats = np.clip(depth + 0.5, 0, 1) * (1 - hollow)
    amount *= np.exp(0.1 * dice[:, 8])[:, None, None]
    return amount[:, None]


def _white(centre: Floats, radius: Floats, dice: Floats, kind: _Kind, seed: int) -> Floats:
    """Body, chromatin and cytoplasm of white cells of one kind, n x 3 x side x side."""
    side = min(2 * _REACH, 2 * int(1.5 * kind.radius * (1 + kind.rough) + 3))
    scale = kind.rough * np.array([0.8, 0.8, 0.6, 0.6, 0.5, 0.5], np.float32)
    depth, _ = _depth(centre, radius, dice[:, 1:7] * scale, side)
    body = np.clip(depth + 0.5, 0, 1)
    own = radius * np.clip(kind.fill + 0.03 * dice[:, 7], 0.4, 0.97)
    middle = centre + np.clip(dice[:, 8:10], -1.2, 1.2) * (0.6 * (radius - own))[:, None]
    depth, away = _depth(middle, own, dice[:, 10:16] * scale, side)
    notch = np.exp(1j * np.pi * dice[:, 16]).astype(np.complex64)[:, None, None]
    notch_depth = kind.indent * own * np.abs(1 + 0.6 * dice[:, 17])
    depth -= np.maximum((away * notch).real, 0) ** 6 * notch_depth[:, None, None]
    sheets = sliding_window_view(_chromatin(seed), (side, side), (1, 2))
    at = (np.abs(dice[:, 18:20]) * 1000).astype(int) % sheets.shape[1]
    fine, patchy = sheets[:, at[:, 0], at[:, 1]]
    chromatin = 1 + kind.fine * fine + kind.patchy * patchy
    chromatin += 0.15 * np.exp(-np.abs(depth) / 1.5)  # the rim of the nucleus
    number = np.clip(np.rint(kind.nucleoli + 0.7 * dice[:, 20]), 0, 3)
    grid = np.arange(side, dtype=np.float32) - side // 2
    for i in range(3 if kind.nucleoli else 0):
        place = middle + own[:, None] * 0.42 * np.clip(dice[:, 22 + 2 * i : 24 + 2 * i], -1.4, 1.4)
        bell = np.exp(-(((grid - place[:, :, None]) / (0.17 * own)[:, None, None]) ** 2))
        chromatin -= (bell[:, 1, :, None] * bell[:, 0, None, :]) * (
            np.float32(0.5) * (number > i)[:, None, None]
        )
    nucleus = np.clip(depth * 0.8 + 0.5, 0, 1) * body * np.maximum(chromatin, 0)
    nucleus *= kind.density * np.exp(0.1 * dice[:, 21])[:, None, None]
    cytoplasm = body * kind.cytoplasm * np.maximum(1 + 0.15 * patchy, 0)
    cytoplasm *= np.exp(0.15 * dice[:, 28])[:, None, None]
    return np.stack([body, nucleus, cytoplasm], 1)


@lru_cache(maxsize=4)
def _chromatin(seed: int) -> Floats:
    """Two sheets of texture, fine and clumped, from which every nucleus cuts its piece."""
    sheets = default_rng([seed, _CHROMATIN]).standard_normal((2, 400, 400), np.float32)
    for sheet, grain in zip(sheets, (0.8, 2.2), strict=True):
        sheet[:] = gaussian_filter(sheet, grain)
        sheet /= sheet.std()
    return sheets


def _burn(picture: Pixels, mark: str) -> None:
    """Burn a scale bar into the bottom right corner, as camera software does."""
    if not mark:
        return
    number, colour, has_plate, is_long = _STYLES[mark]
    digits = [np.array([c == "#" for c in _DIGITS[d]]).reshape(5, 3) for d in number]
    text = np.hstack([np.pad(digit, ((0, 0), (0, 1))) for digit in digits])
    ink, plate = np.zeros((2, 24, 44), bool)
    if is_long:
        plate[:] = has_plate
        ink[4:14, 10:34] = np.kron(text, np.ones((2, 2), bool))
        ink[18:20, 4:] = ink[10:20, 4:6] = True
    else:
        plate[10:22, 20:42] = has_plate
        ink[12:17, 26:38] = text
        ink[19, 22:40] = True
    drawn = np.full((24, 44, 4), 255, np.uint8)
    drawn[ink, :3] = colour
    drawn[..., 3] = 255 * (ink | plate)
    height, width = (max(1, round(side * len(picture) / 224)) for side in ink.shape)
    small = Image.fromarray(drawn).resize((width, height), Image.Resampling.BOX)
    corner = Image.fromarray(picture[-height:, -width:])
    corner.paste(small, (0, 0), small)
    picture[-height:, -width:] = np.asarray(corner)
