"""The drawn smears hold exactly the truth that they claim."""

import csv
import itertools
import subprocess
import sys
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, label

from leukoscope.data.synthetic import CLASSES, MARKS, Field, Smears, draw, write


def by_scene(smears: Smears) -> dict[str, NDArray[np.uint8]]:
    """The first photograph of every scene."""
    pairs = zip(smears.fields, smears.pixels, strict=True)
    return {field.scene: picture for field, picture in pairs if field.copy_of is None}


def by_path(smears: Smears) -> dict[str, NDArray[np.uint8]]:
    return {f.path: picture for f, picture in zip(smears.fields, smears.pixels, strict=True)}


@pytest.fixture(scope="module")
def twins() -> Smears:
    return draw(per_class=8, size=128, copies=6, shifted=10, turned=8, marks="random", seed=0)


@pytest.fixture(scope="module")
def alike() -> Smears:
    """Fields that differ in their cells only."""
    return draw(per_class=14, looks="same", seed=2)


@pytest.mark.parametrize("seed", [0, 7])
def test_the_seed_decides_every_pixel(seed: int) -> None:
    first = draw(per_class=2, size=64, shifted=2, marks="random", seed=seed)
    other = draw(per_class=2, size=64, shifted=2, marks="random", seed=seed + 1)
    again = draw(per_class=2, size=64, shifted=2, marks="random", seed=seed)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert first.fields == again.fields
    ours, theirs = by_scene(first), by_scene(other)
    assert all((ours[scene] != theirs[scene]).mean() > 0.5 for scene in ours)


def test_a_scene_does_not_depend_on_how_many_others_are_drawn() -> None:
    few = by_scene(draw(per_class=2, classes=("Pro", "Early"), size=64))
    many = by_scene(draw(per_class=5, size=64, copies=3, shifted=2, turned=2))
    assert len(few) == 4
    for scene, picture in few.items():
        np.testing.assert_array_equal(picture, many[scene])


def test_additions_come_on_top_and_are_dealt_to_the_classes_in_turn(twins: Smears) -> None:
    assert twins.pixels.shape == (8 * 4 + 6 + 10 + 8, 128, 128, 3)
    assert twins.pixels.dtype == np.uint8
    labels = [field.label for field in twins.fields]
    assert [labels.count(name) for name in CLASSES] == [14] * 4
    paths = [field.path for field in twins.fields]
    for name in CLASSES:
        assert [p for p in paths if p.startswith(name)] == [
            f"{name}/smear-{k:04d}.png" for k in range(1, 15)
        ]
    kinds = [(f.copy_of is not None, bool(f.dx or f.dy), bool(f.turn)) for f in twins.fields]
    assert kinds.count((True, False, False)) == 6
    assert kinds.count((True, True, False)) == 10
    assert kinds.count((True, False, True)) == 8
    assert kinds.count((False, False, False)) == 32


def test_a_twin_shares_scene_session_and_label_with_its_original(twins: Smears) -> None:
    truth = {field.path: field for field in twins.fields}
    originals = [field for field in twins.fields if field.copy_of is None]
    assert len({field.scene for field in originals}) == len(originals)
    for field in twins.fields:
        if field.copy_of is not None:
            original = truth[field.copy_of]
            assert original.copy_of is None
            assert (field.scene, field.session, field.label) == (
                original.scene,
                original.session,
                original.label,
            )


def test_exactly_the_copies_are_equal(twins: Smears) -> None:
    equal = {
        frozenset((a.path, b.path))
        for (a, x), (b, y) in itertools.combinations(
            list(zip(twins.fields, twins.pixels, strict=True)), 2
        )
        if np.array_equal(x, y)
    }
    planted = {
        frozenset((field.path, field.copy_of))
        for field in twins.fields
        if field.copy_of is not None and not (field.dx or field.dy or field.turn)
    }
    assert equal == planted


def test_turned_fields_are_equal_once_turned_back(twins: Smears) -> None:
    pictures, seen = by_path(twins), set()
    back = {
        "mirror": lambda x: x[:, ::-1],
        "rot90": lambda x: np.rot90(x, -1),
        "rot180": lambda x: x[::-1, ::-1],
        "rot270": np.rot90,
    }
    for field in twins.fields:
        if field.turn and field.copy_of is not None:
            seen.add(field.turn)
            turned_back = back[field.turn](pictures[field.path])
            np.testing.assert_array_equal(turned_back, pictures[field.copy_of])
    assert seen == {"rot90", "mirror"}  # each class got two


def common_parts(
    ours: NDArray[np.uint8], theirs: NDArray[np.uint8], dx: int, dy: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What both show, in grey and without the slow shading of the lamp."""
    size = len(ours)

    def part(picture: NDArray[np.uint8], x: int, y: int) -> NDArray[np.float64]:
        cut = picture[max(y, 0) : size + min(y, 0), max(x, 0) : size + min(x, 0)].mean(2)
        return cut - gaussian_filter(cut, 8)

    return part(ours, -dx, -dy), part(theirs, dx, dy)


def test_shifted_fields_show_the_same_cells_where_the_truth_says() -> None:
    smears = draw(per_class=3, size=128, shifted=12, seed=3)
    pictures = by_path(smears)
    shifted = [field for field in smears.fields if field.copy_of is not None]
    assert len(shifted) == 12
    for field in shifted:
        ours, theirs = pictures[field.path], pictures[field.copy_of or ""]
        errors = {
            (x, y): np.subtract(*common_parts(ours, theirs, field.dx + x, field.dy + y)).std()
            for x in (-1, 0, 1)
            for y in (-1, 0, 1)
        }
        assert min(errors, key=errors.__getitem__) == (0, 0)
        # Grey noise of two photographs: at most 3.0 per channel, over sqrt(3) channels, twice.
        assert errors[0, 0] < 3.0 / np.sqrt(3) * np.sqrt(2) * 1.2


@pytest.mark.parametrize("seed", [0, 1])
def test_shifts_move_and_keep_a_quarter_of_the_field(seed: int) -> None:
    smears = draw(per_class=1, classes=("Pre",), size=64, shifted=60, seed=seed)
    shifts = [(f.dx, f.dy) for f in smears.fields if f.copy_of is not None]
    common = [(1 - abs(dx) / 64) * (1 - abs(dy) / 64) for dx, dy in shifts]
    assert min(common) >= 0.25
    assert max(common) < 1
    assert {(dx > 0, dy > 0) for dx, dy in shifts} == set(
        itertools.product((True, False), (True, False))
    )


@pytest.mark.parametrize("size", [96, 224])
def test_marks_change_the_corner_and_nothing_else(size: int) -> None:
    plain = draw(per_class=2, size=size)
    marked = draw(per_class=2, size=size, marks="label")
    changed = (plain.pixels != marked.pixels).any(3)
    height, width = round(24 * size / 224), round(44 * size / 224)
    assert changed[:, -height:, -width:].any((1, 2)).all()
    changed[:, -height:, -width:] = False
    assert not changed.any()
    assert {field.mark for field in plain.fields} == {""}


def test_each_mark_has_ink_of_its_own() -> None:
    plain = draw(per_class=5, looks="same")
    marked = draw(per_class=5, looks="same", marks="label")
    difference = plain.pixels.astype(int) - marked.pixels
    labels = np.array([field.label for field in marked.fields])
    ink = {name: np.median(difference[labels == name], 0)[-24:, -44:] > 60 for name in CLASSES}
    for one, other in itertools.combinations(ink.values(), 2):
        assert one.any()
        assert (one != other).sum() > 20


def test_marks_follow_label_session_or_nothing() -> None:
    def styles(marks: str, key: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        smears = draw(per_class=16, size=64, marks=marks, copies=1, shifted=1)  # type: ignore[arg-type]
        for field in smears.fields:
            found.setdefault(getattr(field, key), set()).add(field.mark)
        return found

    assert styles("label", "label") == {
        name: {mark} for name, mark in zip(CLASSES, MARKS, strict=True)
    }
    assert all(len(found) == 1 for found in styles("session", "session").values())
    assert all(found == set(MARKS) for found in styles("session", "label").values())
    assert all(found == set(MARKS) for found in styles("random", "label").values())


def backgrounds(smears: Smears) -> tuple[float, float]:
    """How much the empty slide varies between sessions and within them, in grey levels."""
    empty = np.quantile(smears.pixels[:, 32:-32, 32:-32], 0.9, axis=(1, 2))
    names = np.array([field.session for field in smears.fields])
    groups = [empty[names == name] for name in np.unique(names)]
    between = np.std([group.mean(0) for group in groups], axis=0).mean()
    return float(between), float(np.mean([group.std(0).mean() for group in groups]))


def test_sessions_differ_in_background_unless_looks_are_the_same(alike: Smears) -> None:
    between, within = backgrounds(draw(per_class=12, size=128))
    assert between > 3 * within
    between, within = backgrounds(alike)
    assert between < 2 * within


def test_a_session_belongs_to_one_class_and_sittings_are_mixed() -> None:
    smears = draw(per_class=32, size=64, sessions_per_class=3)
    sessions = [field.session for field in smears.fields]
    assert len(set(sessions)) == 12
    assert len({(f.session, f.label) for f in smears.fields}) == 12
    runs = len(list(itertools.groupby(sessions)))
    assert 12 < runs < len(sessions) / 2


def test_the_class_shows_in_the_nuclei_and_not_in_the_mean_colour(alike: Smears) -> None:
    areas: dict[str, list[float]] = {name: [] for name in CLASSES}
    colours: dict[str, list[NDArray[np.float64]]] = {name: [] for name in CLASSES}
    for field, picture in zip(alike.fields, alike.pixels, strict=True):
        green = gaussian_filter(picture[..., 1].astype(float), 1)
        parts, _ = label(green < 0.55 * np.quantile(green, 0.9))
        found = np.bincount(parts.ravel())[1:]
        areas[field.label] += list(found[found > 100])
        colours[field.label].append(picture.mean((0, 1)))
    benign, early, pre, pro = (float(np.median(areas[name])) for name in CLASSES)
    assert benign * 1.15 < min(early, pre)
    assert max(early, pre) * 1.05 < pro
    spread = np.mean([np.std(group, axis=0) for group in colours.values()], axis=0)
    middles = np.array([np.mean(group, axis=0) for group in colours.values()])
    assert (np.ptp(middles, axis=0) < 1.5 * spread).all()


def test_write_leaves_lossless_pictures_and_their_truth(tmp_path: Path, twins: Smears) -> None:
    folder = tmp_path / "new" / "smears"
    write(twins, folder)
    for path, picture in by_path(twins).items():
        with Image.open(folder / path) as opened:
            assert opened.format == "PNG"
            np.testing.assert_array_equal(np.asarray(opened), picture)
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as file:
        columns, *rows = csv.reader(file)
    assert columns == [column.name for column in fields(Field)]
    assert rows == [["" if v is None else str(v) for v in astuple(f)] for f in twins.fields]
    pictures = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    assert pictures == {field.path for field in twins.fields}
    assert [path.name for path in folder.parent.iterdir()] == ["smears"]


def test_copies_are_equal_as_files_too(tmp_path: Path) -> None:
    smears = draw(per_class=1, classes=("Pro",), size=64, copies=1)
    write(smears, tmp_path / "smears")
    first, second = (tmp_path / "smears" / field.path for field in smears.fields)
    assert first.read_bytes() == second.read_bytes()


def test_write_leaves_a_finished_folder_alone_and_refuses_any_other(tmp_path: Path) -> None:
    folder = tmp_path / "smears"
    smears = draw(per_class=1, classes=("Pre",), size=64, sessions_per_class=1, seed=0)
    other = draw(per_class=1, classes=("Pre",), size=64, sessions_per_class=1, seed=1)
    assert smears.fields == other.fields
    folder.mkdir()  # an empty folder is as good as none
    write(smears, folder)
    picture = folder / smears.fields[0].path
    before = picture.stat().st_ino, picture.read_bytes()
    write(smears, folder)
    with pytest.raises(FileExistsError, match="something else"):
        write(other, folder)
    assert (picture.stat().st_ino, picture.read_bytes()) == before
    picture.unlink()
    with pytest.raises(FileExistsError, match="something else"):
        write(smears, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["smears"]


def test_write_leaves_nothing_when_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smears = draw(per_class=2, classes=("Pre",), size=64)
    save, calls = Image.Image.save, []

    def save_once(picture: Image.Image, *arguments: object, **options: object) -> None:
        calls.append(picture)
        if len(calls) == 2:
            raise KeyboardInterrupt
        save(picture, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "save", save_once)
    with pytest.raises(KeyboardInterrupt):
        write(smears, tmp_path / "smears")
    assert len(calls) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"size": 63}, "size must be a whole number of at least 64, not 63"),
        ({"size": 100.0}, "size must be a whole number"),
        ({"per_class": 0}, "per_class must be a whole number of at least 1, not 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, not -1"),
        ({"sessions_per_class": 0}, "sessions_per_class must be"),
        ({"copies": -1}, "copies must be"),
        ({"shifted": -1}, "shifted must be"),
        ({"turned": -1}, "turned must be"),
        ({"marks": "corner"}, "marks must be none or label or session or random, not 'corner'"),
        ({"looks": ""}, "looks must be distinct or same"),
        ({"classes": ()}, "classes must be different ones of"),
        ({"classes": "Pro"}, "classes must be different ones of"),
        ({"classes": ("Pro", "Pro")}, "classes must be different ones of"),
        ({"classes": ("Pro", "Late")}, "classes must be different ones of"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        draw(**({"per_class": 1, "size": 64} | arguments))  # type: ignore[arg-type]


def test_importing_the_package_draws_nothing() -> None:
    code = "import sys, leukoscope; print('leukoscope.data.synthetic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
