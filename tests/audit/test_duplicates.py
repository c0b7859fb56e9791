"""All that was planted is found, with its place, and nothing where nothing was planted."""

import io
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.sparse.csgraph import connected_components

from leukoscope.audit import duplicates
from leukoscope.audit.duplicates import (
    LISTED,
    Overlap,
    find_overlaps,
    read_overlaps,
    scenes,
    write_overlaps,
)
from leukoscope.audit.registration import TURNS, Placement
from leukoscope.data import synthetic
from leukoscope.data.samples import Sample
from leukoscope.errors import UsageError

Pixels = NDArray[np.uint8]


def rows_of(pixels: Pixels) -> list[Sample]:
    return [Sample(f"{row:03d}.png", "Early") for row in range(len(pixels))]


def found_in(pixels: Pixels) -> list[Overlap]:
    return find_overlaps(rows_of(pixels), pixels, quiet=True)


def pairs(overlaps: list[Overlap]) -> list[tuple[str, str]]:
    return [(overlap.path_a, overlap.path_b) for overlap in overlaps]


@pytest.fixture(scope="module")
def clean() -> Pixels:
    return synthetic.draw(per_class=4, seed=5, marks="label").pixels


@pytest.mark.parametrize("seed", range(3))
def test_all_that_was_planted_is_found_and_nothing_else(seed: int) -> None:
    smears = synthetic.draw(
        per_class=4,
        seed=seed,
        copies=3,
        shifted=6,
        turned=8,
        marks=("label", "random", "none")[seed],
    )
    rows = [Sample(field.path, field.label) for field in smears.fields]
    found = {
        (overlap.path_a, overlap.path_b): overlap
        for overlap in find_overlaps(rows, smears.pixels, quiet=True)
    }
    scene = {field.path: field.scene for field in smears.fields}
    assert all(scene[a] == scene[b] for a, b in found)
    for field in smears.fields:
        if field.copy_of is None:
            continue
        a, b = sorted((field.path, field.copy_of))
        overlap = found[a, b]
        sign = 1 if b == field.path else -1
        if not field.turn:
            assert abs(overlap.dx - sign * field.dx) <= 1
            assert abs(overlap.dy - sign * field.dy) <= 1
            assert overlap.turn == ""
        else:
            back = {"rot90": "rot270", "rot270": "rot90"}.get(field.turn, field.turn)
            assert overlap.turn == (back if b == field.path else field.turn)
        assert overlap.scale == 1


def test_clean_smears_have_no_pair(clean: Pixels) -> None:
    assert found_in(clean) == []


def test_small_fields_with_little_in_them_have_no_pair() -> None:
    """A lone nucleus in each picture: many lie on one another well, in some turn and scale."""
    smears = synthetic.draw(per_class=40, classes=("Early",), size=96, seed=3, marks="label")
    assert found_in(smears.pixels) == []


def photographed_again(image: Pixels, how: str) -> Pixels:
    picture = Image.fromarray(image)
    if how == "focus":
        picture = picture.filter(ImageFilter.GaussianBlur(2.5))
    elif how == "brightness":
        picture = Image.fromarray((image * 0.6 + 20).astype(np.uint8))
    else:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=30)
        picture = Image.open(file)
    return np.asarray(picture)


@pytest.mark.parametrize("how", ["focus", "brightness", "compression"])
def test_the_same_field_photographed_again(clean: Pixels, how: str) -> None:
    again = photographed_again(clean[3], how)
    (overlap,) = found_in(np.concatenate([clean, again[None]]))
    assert (overlap.path_a, overlap.path_b) == ("003.png", "016.png")
    assert (overlap.kind, overlap.dx, overlap.dy, overlap.turn) == ("same field", 0, 0, "")
    assert overlap.score > 0.8


@pytest.mark.parametrize("factor", [0.7, 0.85, 1.2, 1.4])
def test_scaled_copies(clean: Pixels, factor: float) -> None:
    size = clean.shape[1]
    side = round(size * factor)
    scaled = Image.fromarray(clean[3]).resize((side, side), Image.Resampling.BICUBIC)
    if factor > 1:
        left = (side - size) // 2
        pixels = np.asarray(scaled.crop((left, left, left + size, left + size)))
    else:  # in a frame of another field
        pixels = clean[4].copy()
        pixels[-side:, -side:] = np.asarray(scaled)
    (overlap,) = [
        o for o in found_in(np.concatenate([clean, pixels[None]])) if o.path_a == "003.png"
    ]
    assert overlap.path_b == "016.png"
    assert overlap.scale == pytest.approx(1 / factor, abs=0.02)
    where = (side - size) // 2 if factor > 1 else side - size
    assert abs(overlap.dx - where / factor) <= 3
    assert abs(overlap.dy - where / factor) <= 3


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_copy_is_brought_back_by_its_turn(clean: Pixels, turn: str) -> None:
    mirrored = turn.startswith("mirror")
    quarters = int(turn[-3:].lstrip("ot") or 0) // 90 if "rot" in turn else 0
    # b must become a when it is mirrored and then turned.
    b = np.rot90(clean[3], -quarters)
    b = b[:, ::-1] if mirrored else b
    b = np.clip(b.astype(int) + 9, 0, 255).astype(np.uint8)  # not equal pixels
    (overlap,) = found_in(np.concatenate([clean, b[None]]))
    assert (overlap.turn, overlap.dx, overlap.dy, overlap.scale) == (turn, 0, 0, 1)


def test_the_order_of_the_rows_changes_nothing() -> None:
    smears = synthetic.draw(per_class=4, seed=1, copies=2, shifted=6, turned=4, marks="random")
    rows = [Sample(field.path, field.label) for field in smears.fields]
    found = find_overlaps(rows, smears.pixels, quiet=True)
    order = np.random.default_rng(0).permutation(len(rows))
    again = find_overlaps([rows[i] for i in order], smears.pixels[order], quiet=True)
    assert again == found
    assert len(found) >= 12
    named = dict(zip((row.path for row in rows), scenes(rows, found), strict=True))
    assert scenes([rows[i] for i in order], reversed(found)) == [named[rows[i].path] for i in order]


def test_equal_files_and_equal_pixels(clean: Pixels) -> None:
    pixels = np.concatenate([clean, clean[[2, 2]]])
    rows = [replace(row, sha256=f"{k:064x}") for k, row in enumerate(rows_of(pixels))]
    rows[16] = replace(rows[16], sha256=rows[2].sha256)
    found = find_overlaps(rows, pixels, quiet=True)
    assert pairs(found) == [("002.png", "016.png"), ("002.png", "017.png"), ("016.png", "017.png")]
    assert [overlap.kind for overlap in found] == ["equal bytes", "equal pixels", "equal pixels"]


def test_what_overlaps_one_of_two_equal_images_overlaps_both() -> None:
    smears = synthetic.draw(per_class=2, seed=2, shifted=1, classes=("Pre",))
    pixels = np.concatenate([smears.pixels, smears.pixels])
    assert len(found_in(pixels)) == 3 + 4


def test_many_equal_images_are_connected_without_all_their_pairs() -> None:
    pixels = np.repeat(synthetic.draw(per_class=1, classes=("Pre",), size=64).pixels, 300, axis=0)
    found = found_in(pixels)
    assert len(found) == 299
    assert set(scenes(rows_of(pixels), found)) == {"000.png"}
    assert len(found_in(pixels[:LISTED])) == LISTED * (LISTED - 1) // 2


def test_a_mark_on_empty_fields_makes_no_pair() -> None:
    """The mark is all that these pictures have in common, and it is found without being told."""
    noise = np.random.default_rng(0)
    pixels = noise.integers(225, 235, (30, 128, 128, 3), dtype=np.uint8)
    mark = synthetic.draw(per_class=1, classes=("Pre",), size=128, marks="label").pixels[0]
    for row, image in enumerate(pixels):
        image[-14:, -26:] = mark[-14:, -26:]
        if row % 2:
            image[:14, :26] = mark[-14:, -26:]
    assert found_in(pixels) == []


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((5, 96, 96, 3), np.uint8) + np.arange(5, dtype=np.uint8)[:, None, None, None],
        np.full((1, 96, 96, 3), 7, np.uint8),
        np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8),
        np.empty((0, 96, 96, 3), np.uint8),
    ],
    ids=["flat", "one", "noise", "none"],
)
def test_pictures_without_anything_to_see(pixels: Pixels) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert found_in(pixels) == []


def test_one_smear_alone(clean: Pixels) -> None:
    assert found_in(clean[:1]) == []


def test_more_images_than_the_exhaustive_index_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The approximate index, and pictures beyond those from which marks are learned."""
    from leukoscope.audit import candidates

    monkeypatch.setattr(candidates, "_EXACT", 100)
    monkeypatch.setattr(candidates, "_SAMPLE", 10)
    smears = synthetic.draw(per_class=4, seed=3, copies=2, shifted=6, marks="label")
    rows = [Sample(field.path, field.label) for field in smears.fields]
    found = set(pairs(find_overlaps(rows, smears.pixels, quiet=True)))
    planted = {tuple(sorted((f.path, f.copy_of))) for f in smears.fields if f.copy_of}
    assert planted <= found
    scene = {field.path: field.scene for field in smears.fields}
    assert all(scene[a] == scene[b] for a, b in found)


def test_rows_must_match_the_images(clean: Pixels) -> None:
    with pytest.raises(ValueError, match="3 rows, but 16 images"):
        find_overlaps(rows_of(clean)[:3], clean, quiet=True)


def overlap_of(a: int, b: int) -> Overlap:
    return Overlap(f"{a:03d}.png", f"{b:03d}.png", 0.9, 3, -4, "overlap", "", 1.0, 0.5)


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=14))
def test_scenes_are_the_connected_components(edges: list[tuple[int, int]]) -> None:
    graph = np.zeros((12, 12))
    for a, b in edges:
        graph[a, b] = 1
    _, part = connected_components(graph, directed=False)
    rows = [Sample(f"{row:03d}.png", "Early") for row in range(12)]
    named = scenes(rows, [overlap_of(min(edge), max(edge)) for edge in edges])
    for row in range(12):
        assert named[row] == f"{np.flatnonzero(part == part[row])[0]:03d}.png"


def test_the_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    overlaps = [overlap_of(0, 1), replace(overlap_of(1, 2), turn="mirror-rot90", score=0.1234)]
    path = tmp_path / "overlaps.csv"
    write_overlaps(overlaps, path)
    assert path.read_text().startswith("path_a,path_b,score,dx,dy,")
    assert read_overlaps(path) == overlaps


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("overlap", "lap", "line 2: kind is 'lap'"),
        (",0.9,", ",high,", "line 2: could not convert"),
        ("path_b", "path_c", "no column path_b"),
    ],
)
def test_a_table_that_somebody_changed(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    path = tmp_path / "pairs.csv"
    write_overlaps([overlap_of(0, 1)], path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UsageError, match=complaint):
        read_overlaps(path)


@given(
    turn=st.integers(0, 7),
    scale=st.floats(0.7, 1.4),
    dx=st.floats(-0.8, 0.8),
    dy=st.floats(-0.8, 0.8),
)
def test_a_placement_inverted_twice_is_itself(
    turn: int, scale: float, dx: float, dy: float
) -> None:
    place = Placement(turn, scale, dx, dy)
    again = place.inverse().inverse()
    assert again.turn == turn
    np.testing.assert_allclose((again.scale, again.dx, again.dy), (scale, dx, dy), atol=1e-9)


def test_kinds_and_turns_are_those_of_the_table() -> None:
    assert set(duplicates.KINDS) == {"equal bytes", "equal pixels", "same field", "overlap"}
    assert len(set(TURNS)) == 8
