"""A verdict is no louder than what was found, and a sentence says what to do."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from leukoscope.audit import clues, findings
from leukoscope.audit.duplicates import Overlap
from leukoscope.audit.findings import Finding
from leukoscope.audit.price import Point
from leukoscope.audit.sessions import Sessions
from leukoscope.audit.shortcuts import Information, Probe
from leukoscope.data.samples import Sample
from leukoscope.evaluate.intervals import Interval


def rows(labels: str, *, hashes: str = "") -> list[Sample]:
    """An image per letter, which is its label; `hashes` has a letter per image, too."""
    return [
        Sample(f"{label}/{number}.png", label, sha256=hashes[number : number + 1])
        for number, label in enumerate(labels)
    ]


def pair(a: Sample, b: Sample, kind: str, common: float = 1.0) -> Overlap:
    return Overlap(a.path, b.path, 1.0, 0, 0, kind, "", 1.0, common)


def probe(name: str, accuracy: float, *, cells: bool = False) -> Probe:
    near = Interval(accuracy - 0.05, min(1.0, accuracy + 0.05), "")
    chance = Interval(0.25, 0.4, "")
    return Probe(name, "it", accuracy, near, accuracy, 0.33, chance, cells)


def shortcuts(*probes: Probe) -> list[str]:
    return [one.verdict for one in clues.shortcuts(probes, 0.33)]


def test_colours_of_cells_alone_are_no_problem() -> None:
    histogram, corner = probe("colour histogram", 0.95, cells=True), probe("corner", 0.34)
    assert shortcuts(histogram, corner) == ["note", "clear"]
    assert "the cells' own colour" in clues.shortcuts([histogram], 0.33)[0].sentence


def test_colours_are_a_problem_where_the_background_gives_the_class_away_too() -> None:
    histogram = probe("colour histogram", 0.95, cells=True)
    assert shortcuts(histogram, probe("background", 0.85)) == ["problem", "problem"]
    assert shortcuts(histogram, probe("background", 0.55)) == ["note", "note"]


def spotted(high: float, chance: float, *, row: int = 0) -> Finding:
    bits = np.zeros((9, 9))
    bits[row : row + 3, row : row + 3] = high
    return clues.information(Information(bits, chance))


def test_the_highest_place_of_chance_is_no_problem() -> None:
    assert spotted(0.3, 0.25).verdict == "clear"
    assert "with shuffled labels 0.25" in spotted(0.3, 0.25).sentence
    assert spotted(0.3, 0.05).verdict == "problem"
    assert spotted(0.3, 0.05, row=4).verdict == "note"
    assert not re.search("everywhere|anywhere", spotted(0.3, 0.05).sentence)


def test_one_place_by_itself_is_no_mark() -> None:
    """Marks and lamps cover several places; among few images a single one may be high."""
    bits = np.zeros((56, 56))
    bits[3::9, 5::7] = 0.35
    assert clues.information(Information(bits, 0.05)).verdict == "clear"


def test_a_given_split_is_judged_by_fields_groups_and_sessions() -> None:
    some = [
        replace(row, split=split, group=group)
        for row, split, group in zip(rows("aabb"), ("test", "train") * 2, "ppqr", strict=True)
    ]
    apart = [replace(row, group="") for row in some]
    found = findings.given_split(some, [], {})
    assert found.verdict == "problem"
    assert "1 group on both sides. So its test score may be too high" in found.sentence
    assert found.details["groups"] == ("p",)
    overlap = pair(some[0], some[1], "overlap")
    found = findings.given_split(apart, [overlap], {})
    assert found.verdict == "problem"
    assert found.details["pairs"] == [(some[0].path, some[1].path)]
    together = {row.path: "s1" for row in some}
    found = findings.given_split(apart, [], together)
    assert found.verdict == "note"
    assert "1 session on both sides. So it tests new fields, but no new session" in found.sentence
    assert findings.given_split(apart, [], {}).verdict == "clear"


def test_groups_with_two_labels_are_named() -> None:
    found = findings.labels_of_groups(rows("aabb"), ["p1", "p2", "p2", "p3"])
    assert found.verdict == "problem"
    assert "1 of 3 groups has images of more than one class, such as p2 (a, b)" in found.sentence
    assert found.paths == ("a/1.png", "b/2.png")
    assert findings.labels_of_groups(rows("aabb"), ["p1", "p1", "p2", "p3"]).verdict == "clear"


def test_a_split_by_session_is_not_advised_where_it_cannot_be() -> None:
    strong = partial(
        Sessions, strengths=(1.0,) * 6, strength=1.0, order=None, weak=False, reason=""
    )
    three = strong(session=("a", "b", "c", "d", "e", "f"))
    assert "(protocol session)" in findings.inferred(rows("xxxyyy"), three).sentence
    two = strong(session=("a", "b", "b", "d", "e", "f"))
    said = findings.inferred(rows("xxxyyy"), two).sentence
    assert "needs three of each class, and x has 2" in said
    assert "(protocol session)" not in said


def test_all_reasons_of_unreadable_pictures_are_kept() -> None:
    reasons = {f"{number}.png": "is not a picture" for number in range(300)}
    found = findings.readable(reasons, 400)
    assert len(found.details["reasons"]) == 300
    assert len(found.paths) == findings.LISTED


def test_equal_files_are_counted_in_sets_and_listed_together() -> None:
    some = rows("abab", hashes="xyxy")
    found = findings.equal(some, [])
    assert found.paths == ("a/0.png", "a/2.png", "b/1.png", "b/3.png")
    assert found.details["sets"] == [["a/0.png", "a/2.png"], ["b/1.png", "b/3.png"]]
    assert found.sentence.startswith("2 files are copies of another one, byte for byte, in 2 sets")


def test_ten_equal_files_are_one_set() -> None:
    found = findings.equal(rows("a" * 10, hashes="x" * 10), [])
    assert "9 files are copies" in found.sentence
    assert "in 1 set of equal pictures" in found.sentence


def test_equal_pixels_join_a_set_of_equal_bytes() -> None:
    some = rows("aab", hashes="xxy")
    found = findings.equal(some, [pair(some[0], some[2], "equal pixels")])
    assert found.details["sets"] == [["a/0.png", "a/1.png", "b/2.png"]]
    assert "and 1 picture has the pixels of another one, in 1 set" in found.sentence


def test_partners_stay_together_in_the_listing_of_overlaps() -> None:
    some = rows("aaaa")
    overlaps = [pair(some[0], some[3], "overlap"), pair(some[1], some[2], "overlap")]
    found = findings.overlapping(some, overlaps)
    assert found.paths == ("a/0.png", "a/3.png", "a/1.png", "a/2.png")
    assert "in 2 sets; in all there are 2 different places" in found.sentence


def test_what_was_not_found_is_not_denied() -> None:
    said = findings.overlapping(rows("aa"), []).sentence
    assert "were found" in said
    assert "not looked for" in said


def classed(labels: str, session: Sequence[str], *, given: bool = False) -> Finding:
    return findings.classes(rows(labels), session, given=given)


def test_sessions_of_one_class_give_it_away() -> None:
    pure = [f"s{number // 10}" for number in range(40)]
    found = classed("a" * 20 + "b" * 20, pure)
    assert (found.verdict, found.figure) == ("problem", 1.0)
    assert classed("ab" * 20, pure).verdict == "clear"


def test_known_groups_of_one_class_are_usual() -> None:
    patients = [f"s{number // 10}" for number in range(40)]
    found = classed("a" * 20 + "b" * 20, patients, given=True)
    assert found.verdict == "note"
    assert "one patient" in found.sentence
    assert "knows the group" in found.sentence


def test_a_session_of_one_image_says_nothing() -> None:
    found = classed("ab" * 20 + "b", ["one"] * 20 + ["two"] * 20 + ["alone"])
    assert found.details["of_two_or_more"] == 2
    assert found.verdict == "clear"


def test_small_sessions_are_measured_against_chance() -> None:
    labels = "".join(np.random.default_rng(0).permutation(list("ab" * 60)))
    found = classed(labels, [f"s{number // 2}" for number in range(120)])
    assert found.figure > 0.7  # of two images, one is always of the commonest class
    assert found.verdict == "clear"


def test_one_class_is_said_to_be_one() -> None:
    assert "one class only" in findings.balance(rows("aaa")).sentence


@pytest.mark.parametrize(("labels", "session"), [("a", "s"), ("aaa", "sst"), ("ab", "st")])
def test_without_two_classes_in_shared_sessions_nothing_is_said(labels: str, session: str) -> None:
    assert classed(labels, session).verdict == "not run"


def test_one_session_says_nothing_about_the_class() -> None:
    assert classed("abab", "ssss").verdict == "clear"


def point(protocol: str, balanced: float, *, give: float = 0.05) -> Point:
    return Point(protocol, balanced, Interval(balanced - give, balanced + give, ""), balanced, 10)


def test_one_protocol_has_no_price() -> None:
    why = {"scene": "a class has fewer than 5 scenes"}
    found = clues.price([], why)
    assert found.verdict == "not run"
    assert "scene (a class has fewer than 5 scenes)" in found.sentence


def test_a_price_compares_two_protocols() -> None:
    found = clues.price([point("random", 0.7), point("scene", 0.8)], {})
    assert "is 0.700 in a random split and 0.800 with overlapping images kept" in found.sentence
    assert found.verdict == "clear"


@pytest.mark.parametrize(("give", "verdict"), [(0.05, "problem"), (0.3, "clear")])
def test_a_loss_within_chance_is_no_problem(give: float, verdict: str) -> None:
    points = [point("random", 0.9), point("session", 0.7, give=give)]
    assert clues.price(points, {}).verdict == verdict


@pytest.mark.parametrize(("count", "verdict"), [(60, "clear"), (49, "not run")])
def test_few_images_clear_no_label(count: int, verdict: str) -> None:
    own = ["a"] * count + ["b"] * 60
    found = clues.doubtful([], ["p"] * len(own), own, ["a", "b"])
    assert found.verdict == verdict
    assert "confidence" not in found.sentence


def test_one_is_singular() -> None:
    some = rows("ab")
    (found,) = findings.strange(some, {"blurred": [0]})
    assert found.sentence.startswith("1 of 2 images is blurred.")
    assert findings.readable({"x": "y"}, 1).sentence.startswith("1 of 1 picture cannot be read")
    assert findings.twins(some, [pair(*some, "overlap", 0.5)]).sentence.startswith("1 pair shows")


def test_pictures_of_one_colour_are_left_out_of_the_other_faults() -> None:
    found = findings.strange(rows("ab"), {"one colour all over": [0], "under-exposed": []})
    assert found[1].sentence == "No image is under-exposed, apart from those of one colour."
