"""Drawn sittings are found by their looks alone, and what looks alike is called weak."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leukoscope.audit import sessions
from leukoscope.audit.sessions import (
    agreement,
    infer,
    order_agreement,
    read_sessions,
    write_sessions,
)
from leukoscope.data import images, synthetic
from leukoscope.data.images import Facts, UnreadableImage
from leukoscope.data.samples import Sample
from leukoscope.errors import DataError, UsageError

PNG = Facts("PNG", "RGB", 96, 96, 20_000, "")


def drawn(**options: Any) -> tuple[synthetic.Smears, list[Sample], list[str]]:
    """Smears, their rows, and the sessions that were planted."""
    smears = synthetic.draw(**{"per_class": 20, "size": 96, "sessions_per_class": 4} | options)
    rows = [Sample(field.path, field.label) for field in smears.fields]
    return smears, rows, [field.session for field in smears.fields]


def found(pixels: np.ndarray, rows: list[Sample], **options: Any) -> sessions.Sessions:
    facts = options.pop("facts", [PNG] * len(rows))
    return infer(rows, pixels, facts, options.pop("links", ()), quiet=True, **options)


def plain(*greys: int) -> np.ndarray:
    """One even picture for each grey."""
    return np.array(greys, np.uint8)[:, None, None, None].repeat(96, 1).repeat(96, 2).repeat(3, 3)


def rows_of(count: int) -> list[Sample]:
    return [Sample(f"a/{number:04d}.png", "a") for number in range(count)]


@pytest.mark.parametrize(
    ("seed", "options"),
    [
        (0, {"sessions_per_class": 2}),
        (1, {"marks": "random"}),
        (2, {"marks": "label", "sessions_per_class": 5}),
        (3, {"marks": "session", "shifted": 8, "copies": 4}),
        (4, {"per_class": 50, "sessions_per_class": 10}),
        (5, {"size": 224, "per_class": 12, "marks": "random"}),
        (6, {"classes": ["Pre"], "per_class": 40}),
    ],
)
def test_planted_sessions_are_found(seed: int, options: dict[str, Any]) -> None:
    smears, rows, truth = drawn(seed=seed, **options)
    inferred = found(smears.pixels, rows)
    assert agreement(inferred.session, truth).adjusted_rand >= 0.95
    assert not inferred.weak
    assert inferred.strength > 0.4
    assert "looks" in inferred.reason


@pytest.mark.parametrize(("seed", "marks"), [(0, "none"), (1, "random"), (2, "none")])
def test_sessions_of_one_look_are_called_weak(seed: int, marks: str) -> None:
    smears, rows, _ = drawn(seed=seed, looks="same", marks=marks)
    inferred = found(smears.pixels, rows)
    assert inferred.weak
    assert "alike" in inferred.reason


def test_neither_labels_nor_the_order_of_rows_matter() -> None:
    smears, rows, _ = drawn(marks="random")
    inferred = found(smears.pixels, rows)
    order = np.random.default_rng(0).permutation(len(rows))
    unlabelled = [replace(rows[row], label="?") for row in order]
    again = found(smears.pixels[order], unlabelled)
    assert again.session == tuple(inferred.session[row] for row in order)
    np.testing.assert_allclose(again.strengths, np.take(inferred.strengths, order), atol=1e-9)
    assert again.order == inferred.order


def test_linked_rows_are_one_session_however_they_look() -> None:
    smears, rows, _ = drawn(sessions_per_class=2)
    inferred = found(smears.pixels, rows)
    first, last = 0, len(rows) - 1
    assert inferred.session[first] != inferred.session[last]
    linked = found(smears.pixels, rows, links=[(last, 30), (30, first)])
    assert linked.session[first] == linked.session[30] == linked.session[last]


def test_large_sets_are_grouped_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    smears, rows, truth = drawn(per_class=30, sessions_per_class=3)
    monkeypatch.setattr(sessions, "_MOST", 50)
    monkeypatch.setattr(sessions, "_CHUNK", 7)
    inferred = found(smears.pixels, rows)
    assert agreement(inferred.session, truth).adjusted_rand >= 0.95
    assert not inferred.weak


def test_formats_that_do_not_go_with_the_looks_say_nothing() -> None:
    smears, rows, truth = drawn(sessions_per_class=2, classes=["Benign", "Pre"])
    facts = [(PNG, replace(PNG, format="JPEG"))[number % 3 == 0] for number in range(len(rows))]
    inferred = found(smears.pixels, rows, facts=facts)
    assert agreement(inferred.session, truth).adjusted_rand == 1
    smears, rows, _ = drawn(looks="same", classes=["Pre"], per_class=40)
    assert len(set(found(smears.pixels, rows, facts=facts[:40]).session)) == 1


@pytest.mark.parametrize("count", [0, 1, 2, 3, 40])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_equal_pictures_are_one_session_and_weak(count: int, grey: int) -> None:
    inferred = found(plain(*[grey] * count), rows_of(count))
    assert inferred.session == ("s001",) * count
    assert inferred.strengths == (0.0,) * count
    assert inferred.weak
    assert inferred.order is None


def test_few_and_uneven_pictures_are_taken() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (5, 40, 65, 3), dtype=np.uint8)
    sizes = [replace(PNG, width=number) for number in range(5)]
    assert len(found(noise, rows_of(5), facts=sizes).session) == 5
    assert found(plain(0, 255, 0, 255), rows_of(4)).weak


def test_counts_must_agree() -> None:
    with pytest.raises(ValueError, match="2 rows, 3 pictures"):
        found(plain(1, 2, 3), rows_of(2))


def test_order_agrees_with_runs_and_not_with_chance() -> None:
    rows = [Sample(f"{label}/x{number}.png", label) for label in "ab" for number in range(200)]
    runs = ["s1" if number < 100 else "s2" for _ in "ab" for number in range(200)]
    kappa = order_agreement(rows, runs)
    assert kappa == pytest.approx(1 - (1 / 199) / (1 - 99 / 199))  # one step in 199 goes across
    shuffled = np.random.default_rng(0).permutation(runs).tolist()
    by_chance = order_agreement(rows, shuffled)
    assert by_chance is not None
    assert abs(by_chance) < 0.15
    assert order_agreement(rows, ["s1"] * len(rows)) is None


def test_nine_comes_before_ten() -> None:
    rows = [Sample(f"a/x{number}.png", "a") for number in (8, 9, 10, 11)]
    assert order_agreement(rows, ["s1", "s1", "s2", "s2"]) == pytest.approx(0.5)


def test_agreement_is_that_of_a_hand_calculation() -> None:
    perfect = agreement(["s1", "s1", "s2"], ["b", "b", "a"])
    assert (perfect.adjusted_rand, perfect.homogeneity, perfect.completeness) == (1, 1, 1)
    split = agreement(["s1", "s2", "s3", "s3"], ["a", "a", "b", "b"])
    # Two pairs are together in the groups, one in the sessions too, of six: (1 - 1/3) / (3/2 - 1/3)
    assert split.adjusted_rand == pytest.approx(4 / 7)
    assert split.homogeneity == pytest.approx(1)
    assert split.completeness == pytest.approx(2 / 3)


def test_the_table_comes_back(tmp_path: Path) -> None:
    smears, rows, _ = drawn(per_class=8, sessions_per_class=2)
    inferred = found(smears.pixels, rows)
    table = tmp_path / "sessions.csv"
    write_sessions(rows, inferred, table)
    assert table.read_text(encoding="utf-8").startswith("path,session,strength\n")
    assert read_sessions(table, rows[::-1]) == inferred.session[::-1]


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ("path,session\na/0000.png,s001\n", DataError, "no session for 1 of 2 .* a/0001.png"),
        ("path,session\na/0000.png,s1\na/0001.png,\n", DataError, "no session for 1 of 2"),
        ("path,session\na/0000.png,s1\na/0000.png,s2\n", DataError, "0000.png in two sessions"),
        ("path,group\na/0000.png,s1\n", UsageError, "no column session"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    tmp_path: Path, content: str, error: type[Exception], words: str
) -> None:
    table = tmp_path / "sessions.csv"
    table.write_text(content, encoding="utf-8")
    with pytest.raises(error, match=words):
        read_sessions(table, rows_of(2))


def test_facts_come_from_the_file(tmp_path: Path) -> None:
    picture = Image.new("RGB", (30, 20), "pink")
    fine, coarse, lossless = (tmp_path / name for name in ("f.jpg", "c.jpg", "p.png"))
    picture.save(fine, quality=95)
    picture.save(coarse, quality=30)
    picture.convert("L").save(lossless)
    one, other, grey = map(images.facts, (fine, coarse, lossless))
    assert (one.format, one.mode, one.width, one.height) == ("JPEG", "RGB", 30, 20)
    assert one.bytes == fine.stat().st_size
    assert one.tables != other.tables
    assert replace(grey, bytes=0) == Facts("PNG", "L", 30, 20, 0, "")
    (tmp_path / "no.png").write_bytes(b"no picture")
    for name in ("no.png", "absent.png"):
        with pytest.raises(UnreadableImage, match=name):
            images.facts(tmp_path / name)
