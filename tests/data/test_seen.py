"""A classifier knows the files it learned from by their content, and says so of no other."""

from hashlib import sha256
from pathlib import Path

import pytest

from leukoscope.data import seen
from leukoscope.data.samples import Sample
from leukoscope.data.seen import Seen
from leukoscope.errors import DataError


def sample(content: str, split: str) -> Sample:
    digest = sha256(content.encode()).hexdigest()
    return Sample(f"{content}-{split}.png", "Benign", split=split, sha256=digest)


ROWS = [sample("a", "train"), sample("b", "validation"), sample("c", "test")]


def split(known: Seen | None, content: str) -> str:
    assert known is not None
    return known.split(sha256(content.encode()).hexdigest())


def test_training_and_validation_files_are_known_and_test_files_are_not(tmp_path: Path) -> None:
    seen.write(seen.of_samples(ROWS), tmp_path)
    known = seen.read(tmp_path)
    assert [split(known, content) for content in "abcd"] == ["train", "validation", "", ""]
    assert (tmp_path / "seen.csv").read_text().splitlines()[0] == "sha256,split"


def test_the_table_is_the_same_for_every_order_of_the_rows(tmp_path: Path) -> None:
    tables = []
    for rows in (ROWS, ROWS[::-1]):
        seen.write(seen.of_samples(rows), tmp_path)
        tables.append((tmp_path / "seen.csv").read_bytes())
    assert tables[0] == tables[1]


def test_a_copy_on_both_sides_was_trained_on() -> None:
    for rows in ([sample("a", "validation"), ROWS[0]], [ROWS[0], sample("a", "validation")]):
        assert split(seen.of_samples(rows), "a") == "train"


def test_rows_without_a_hash_are_not_known() -> None:
    known = seen.of_samples([Sample("a.png", "Benign", split="train")])
    assert (known.splits, known.split("")) == ({}, "")


def test_several_classifiers_know_what_each_knows() -> None:
    one = seen.of_samples([sample("a", "train"), sample("b", "validation")])
    other = seen.of_samples([sample("a", "validation"), sample("c", "train")])
    both = seen.together([one, other])
    assert [split(both, content) for content in "abcd"] == ["train", "validation", "train", ""]
    assert seen.together([one, None]) is None


def test_a_classifier_that_does_not_say_is_not_taken_for_one_that_saw_nothing(
    tmp_path: Path,
) -> None:
    assert seen.read(tmp_path) is None


def test_a_table_that_cannot_be_is_refused(tmp_path: Path) -> None:
    for row in ("0123456789abcdef,test", "0123,train"):
        (tmp_path / "seen.csv").write_text(f"sha256,split\n{row}\n")
        with pytest.raises(DataError, match=r"seen\.csv, line 2"):
            seen.read(tmp_path)


def test_nothing_is_said_of_pictures_that_were_not_seen() -> None:
    assert seen.sentence(0, 0) == ""
    assert "trained on 3 of them, and 1 chose" in seen.sentence(3, 1)
