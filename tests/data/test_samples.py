"""The table of images: what is read is what was written, and nothing that cannot be used."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leukoscope.data.samples import (
    COLUMNS,
    Sample,
    check,
    counts,
    fingerprint,
    hashed,
    read_samples,
    split_fingerprint,
    task,
    write_samples,
)
from leukoscope.errors import DataError, UsageError

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ABC_SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2

ROWS = (
    Sample("Benign/1.png", "Benign", "p1", "clinic", "train", EMPTY_SHA256),
    Sample("Early/zwei, drei.png", "Early", 'p "2"', "clinic", "test", ABC_SHA256),
    Sample("Pro/Größe 4.png", "Pro"),
)


def labelled(*labels: str) -> list[Sample]:
    return [Sample(f"{number}.png", label) for number, label in enumerate(labels)]


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    write_samples(ROWS, path)
    assert read_samples(path) == list(ROWS)
    assert (
        path.read_text(encoding="utf-8").splitlines()[0] == "path,label,group,source,split,sha256"
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["samples.csv"]


@given(st.permutations(COLUMNS))
def test_columns_come_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-order.csv"
    lines = [",".join(names)]
    lines += [
        ",".join(f'"{getattr(row, n)}"'.replace(' "2"', ' ""2""') for n in names) for row in ROWS
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert read_samples(path) == list(ROWS)


def test_path_and_label_are_enough_and_other_columns_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    # A spreadsheet's byte order mark and line ends, and spaces that nobody sees.
    path.write_bytes("\ufeffage,label,path\r\n7, Benign ,a.png\r\n9,Pro,b.png\r\n".encode())
    assert read_samples(path) == [Sample("a.png", "Benign"), Sample("b.png", "Pro")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("path,group\na.png,1\n", "has no column label; its columns are path, group"),
        ("label\nPro\n", "has no column path; its columns are label"),
        ("", "is empty; it needs the columns path, label"),
        ("path,label\na.png,Pro,more\n", "line 2: not 2 fields as in its header"),
        ("path,label\na.png,Pro\nb.png\n", "line 3: not 2 fields as in its header"),
        ('path,label\n"a.png,Pro\n', "cannot be read as CSV"),
        (b"path,label\n\xff\xfe.png,Pro\n", "cannot be read as CSV"),
    ],
)
def test_a_file_that_is_no_such_table_is_a_wrong_call(
    tmp_path: Path, text: str | bytes, sentence: str
) -> None:
    path = tmp_path / "samples.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=sentence) as caught:
        read_samples(path)
    assert str(path) in str(caught.value)


def test_a_table_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.csv cannot be read as CSV: No such file"):
        read_samples(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="Is a directory"):
        read_samples(tmp_path)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "x.csv holds no images"),
        ([Sample("", "Pro")], "the path '' is not below the root"),
        ([Sample(".", "Pro")], "the path '.' is not below the root"),
        ([Sample("/etc/a.png", "Pro")], "the path '/etc/a.png' is not below the root"),
        ([Sample("../a.png", "Pro")], r"the path '\.\./a.png' is not below the root"),
        ([Sample("a/../../b.png", "Pro")], "is not below the root"),
        ([Sample("a\0.png", "Pro")], "is not below the root"),
        ([Sample("a.png", "Pro"), Sample("a.png", "Pre")], "a.png is listed twice"),
        ([Sample("a/b.png", "Pro"), Sample("./a//b.png", "Pro")], "a//b.png is listed twice"),
        ([Sample("a.png", "")], "a.png has no label"),
        (
            [Sample("a.png", "Pro", split="valid")],
            "a.png has the split 'valid'; known are train, validation, test",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_named(rows: list[Sample], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        check(rows, "x.csv")


def test_reading_checks_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    path.write_text("path,label\n../../etc/passwd,Pro\n")
    with pytest.raises(DataError, match=r"samples\.csv: the path '\.\./\.\./etc/passwd'"):
        read_samples(path)


def test_dots_inside_a_name_are_no_way_out() -> None:
    check([Sample("a..b/...png", "Pro"), Sample("..a.png", "Pro")], "x.csv")


def test_hashes_are_those_of_the_files_and_all_else_stays(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "abc.png").write_bytes(b"abc")
    rows = [Sample("empty.png", "Pro", "g", "s", "train"), Sample("abc.png", "Pre")]
    assert hashed(rows, tmp_path) == [
        replace(rows[0], sha256=EMPTY_SHA256),
        replace(rows[1], sha256=ABC_SHA256),
    ]


def test_a_changed_file_is_noticed_and_an_equal_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"abc")
    rows = hashed([Sample("a.png", "Pro")], tmp_path)
    assert hashed(rows, tmp_path) == rows
    shouted = [replace(row, sha256=row.sha256.upper()) for row in rows]  # as PowerShell writes it
    assert hashed(shouted, tmp_path) == rows
    file.write_bytes(b"abd")
    with pytest.raises(DataError, match=r"a\.png is not the file that the table was written for"):
        hashed(rows, tmp_path)


def test_a_listed_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.png cannot be read: No such file"):
        hashed([Sample("gone.png", "Pro")], tmp_path)


@given(st.randoms(use_true_random=False))
def test_the_fingerprint_does_not_depend_on_the_order_of_rows(shuffler: random.Random) -> None:
    rows = list(ROWS)
    shuffler.shuffle(rows)
    assert fingerprint(rows) == fingerprint(ROWS)


@pytest.mark.parametrize(
    "change",
    [{"path": "Benign/2.png"}, {"label": "Pre"}, {"group": "p9"}, {"sha256": "00"}],
    ids=lambda change: next(iter(change)),
)
def test_the_fingerprint_depends_on_what_makes_the_data(change: dict[str, str]) -> None:
    assert fingerprint([replace(ROWS[0], **change), *ROWS[1:]]) != fingerprint(ROWS)
    assert fingerprint(ROWS[1:]) != fingerprint(ROWS)


def test_the_fingerprint_of_the_split_depends_on_it_alone() -> None:
    rows = [replace(row, split="train") for row in ROWS]
    other = [replace(rows[0], split="test"), *rows[1:]]
    assert split_fingerprint(rows[::-1]) == split_fingerprint(rows)
    assert split_fingerprint(replace(r, group="g") for r in rows) == split_fingerprint(rows)
    assert split_fingerprint(other) != split_fingerprint(rows)


def test_the_fingerprint_is_the_same_for_every_split() -> None:
    assert fingerprint(replace(row, split="") for row in ROWS) == fingerprint(ROWS)


def test_counts_are_by_name() -> None:
    assert list(counts(labelled("Pro", "Early", "Pro")).items()) == [("Early", 1), ("Pro", 2)]


def test_binary_is_the_negative_class_against_the_rest() -> None:
    rows = labelled("Pro", "Benign", "Early", "Pre")
    made = task(rows, "binary")
    assert made.classes == ("Benign", "Malignant")
    assert made.targets(rows) == [1, 0, 1, 1]


def test_subtype_keeps_every_label() -> None:
    rows = labelled("Pro", "Benign", "Early", "Pre", "Early")
    made = task(rows, "subtype")
    assert made.classes == ("Benign", "Early", "Pre", "Pro")
    assert made.targets(rows) == [3, 0, 1, 2, 1]


def test_another_negative_class_names_the_rest_after_it() -> None:
    rows = labelled("normal", "AML", "CLL")
    made = task(rows, "binary", negative="normal")
    assert made.classes == ("normal", "not normal")
    assert made.targets(rows) == [0, 1, 1]


def test_two_labels_without_the_negative_one_are_the_two_classes() -> None:
    rows = labelled("healthy", "ALL")
    made = task(rows, "binary")
    assert made.classes == ("ALL", "healthy")
    assert made.targets(rows) == [1, 0]


def test_several_labels_without_the_negative_one_need_its_name() -> None:
    with pytest.raises(
        UsageError, match=r"needs the class Benign among AML, CLL, normal.*--negative"
    ):
        task(labelled("normal", "AML", "CLL"), "binary")


@pytest.mark.parametrize("name", ["binary", "subtype"])
def test_one_class_is_nothing_to_tell_apart(name: str) -> None:
    with pytest.raises(DataError, match=r"one class only \(Pro\)"):
        task(labelled("Pro", "Pro"), name)
