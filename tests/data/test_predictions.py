"""Predictions come back as they were written, and what is no probability is refused."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leukoscope import files
from leukoscope.data.predictions import (
    Predictions,
    in_fold,
    join,
    read_predictions,
    write_predictions,
)
from leukoscope.errors import DataError, LeukoscopeError, UsageError

HEADER = "path,label,probability_Benign,probability_Malignant\n"


def example(n: int = 50, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    classes = ("Benign", "Early", "Pre-B, late")
    return Predictions(
        paths=tuple(f"a/{number}, ü.png" for number in range(n)),
        labels=tuple(rng.choice(classes, n)),
        classes=classes,
        probabilities=rng.dirichlet([0.3, 0.3, 0.3], n),
        splits=("test",) * n,
        groups=tuple(f"p{number % 7}" for number in range(n)),
    )


def test_predictions_come_back_to_nine_digits(tmp_path: Path) -> None:
    written = example()
    write_predictions(written, tmp_path / "predictions.csv")
    read = read_predictions(tmp_path / "predictions.csv")
    for name in ("paths", "labels", "classes", "splits", "groups", "predicted"):
        assert getattr(read, name) == getattr(written, name)
    np.testing.assert_allclose(read.probabilities, written.probabilities, rtol=5e-9)
    np.testing.assert_array_equal(
        read.probabilities.astype(np.float32), written.probabilities.astype(np.float32)
    )


def test_the_table_has_the_documented_columns(tmp_path: Path) -> None:
    one = Predictions(
        paths=("a.png",),
        labels=("Benign",),
        classes=("Benign", "Malignant"),
        probabilities=np.array([[0.25, 0.75]]),
        splits=("test",),
        groups=("p1",),
    )
    write_predictions(one, tmp_path / "predictions.csv")
    assert (tmp_path / "predictions.csv").read_text() == (
        "path,label,predicted,probability_Benign,probability_Malignant,split,group\n"
        "a.png,Benign,Malignant,0.25,0.75,test,p1\n"
    )


def test_novelty_comes_back_where_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    written = replace(example(), novelty=np.linspace(0, 30, 50))
    write_predictions(written, path)
    assert path.read_text().splitlines()[0].endswith(",split,group,novelty")
    read = read_predictions(path)
    assert read.novelty is not None
    np.testing.assert_allclose(read.novelty, written.novelty, rtol=1e-5)
    write_predictions(example(), path)
    assert read_predictions(path).novelty is None


def test_folds_come_back_where_every_row_has_one(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    whole = example()
    parts = [in_fold(whole.rows(np.arange(start, 50, 2)), start + 1) for start in (0, 1)]
    joined = join(parts)
    assert joined.folds is not None
    of = dict(zip(joined.paths, joined.folds, strict=True))
    assert [of[name] for name in whole.paths] == ["1", "2"] * 25
    write_predictions(joined, path)
    assert path.read_text().splitlines()[0].endswith(",split,group,fold")
    assert read_predictions(path).folds == joined.folds
    assert read_predictions(path).rows(np.array([3, 1])).folds == joined.folds[3:0:-2]
    write_predictions(replace(joined, folds=("", *joined.folds[1:])), path)
    assert read_predictions(path).folds is None
    assert join([parts[0], replace(parts[1], folds=None)]).folds is None


def test_novelty_that_is_no_number_is_named(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(HEADER.strip() + ",novelty\na,Benign,1,0,0.5\nb,Benign,1,0,much\n")
    with pytest.raises(DataError, match=r"line 3: could not convert string to float: 'much'"):
        read_predictions(path)


def test_novelty_is_joined_where_all_parts_know_it() -> None:
    one = replace(example(3), paths=("a", "c", "e"), novelty=np.array([1.0, 3.0, 5.0]))
    two = replace(example(2), paths=("b", "d"), novelty=np.array([2.0, 4.0]))
    both = join([one, two])
    assert both.novelty is not None
    assert both.novelty.tolist() == [1, 2, 3, 4, 5]
    assert join([one, replace(two, novelty=None)]).novelty is None


def test_targets_and_predicted_follow_the_order_of_the_classes() -> None:
    made = example()
    assert [made.classes[target] for target in made.targets] == list(made.labels)
    best = [made.classes[row.tolist().index(max(row))] for row in made.probabilities]
    assert made.predicted == tuple(best)


@given(st.permutations(["path", "label", "predicted", "probability_B", "probability_M", "extra"]))
def test_columns_come_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    values = {"path": "x", "label": "M", "probability_B": "0.1", "probability_M": "0.9"}
    path = tmp_path_factory.getbasetemp() / "any-order.csv"
    path.write_text(",".join(names) + "\n" + ",".join(values.get(n, "?") for n in names) + "\n")
    read = read_predictions(path)
    assert set(read.classes) == {"B", "M"}
    assert (read.paths, read.labels, read.predicted) == (("x",), ("M",), ("M",))
    assert (read.splits, read.groups) == (("",), ("",))
    assert read.probabilities[0, read.classes.index("B")] == 0.1


def test_rounded_probabilities_of_another_program_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text(HEADER + "a,Benign,0.333,0.6665\n")
    assert read_predictions(path).probabilities.tolist() == [[0.333, 0.6665]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEADER, "has no rows"),
        (
            "path,label,probability_Benign\na,Benign,1\n",
            "fewer than two columns named probability_",
        ),
        (HEADER + "a,Benign,1,0\nb,Pro,1,0\n", "line 3: the label 'Pro' is not among the classes"),
        (HEADER + "a,Benign,much,0\n", "line 2: could not convert string to float: 'much'"),
        (HEADER + "a,Benign,,1\n", "line 2: could not convert string to float"),
        (HEADER + "a,Benign,0.5,0.5\nb,Benign,-0.2,1.2\n", "line 3: -0.2, 1.2 are not probabil"),
        (
            "path,label,probability_A,probability_B,probability_C\na,A,-0.2,0.6,0.6\n",
            "line 2: -0.2, 0.6, 0.6 are not probabilities",
        ),
        (HEADER + "a,Benign,0.7,0.7\n", "line 2: 0.7, 0.7 are not probabilities"),
        (HEADER + "a,Benign,nan,1\n", "line 2: nan, 1 are not probabilities"),
        (HEADER + "a,Benign,inf,0\n", "line 2: inf, 0 are not probabilities"),
        (HEADER + "a,Benign,1,0\nb,Benign,1,0\na,Benign,1,0\n", "line 4: a is listed twice"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=sentence) as caught:
        read_predictions(path)
    assert str(path) in str(caught.value)


def test_a_missing_column_is_a_wrong_call(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("path,probability_Benign,probability_Malignant\na,1,0\n")
    with pytest.raises(UsageError, match="has no column label"):
        read_predictions(path)


@given(st.binary(max_size=300))
def test_any_other_file_is_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    with pytest.raises(LeukoscopeError, match=r"any\.csv"):
        read_predictions(path)


def test_parts_are_joined_in_the_order_of_their_paths() -> None:
    whole = example()
    order = np.random.default_rng(0).permutation(len(whole.paths))

    def part(rows: np.ndarray) -> Predictions:
        listed = rows.tolist()
        return Predictions(
            paths=tuple(whole.paths[r] for r in listed),
            labels=tuple(whole.labels[r] for r in listed),
            classes=whole.classes,
            probabilities=whole.probabilities[rows],
            splits=tuple(whole.splits[r] for r in listed),
            groups=tuple(whole.groups[r] for r in listed),
        )

    joined = join([part(order[:20]), part(order[20:])])
    by_path = sorted(range(len(whole.paths)), key=whole.paths.__getitem__)
    assert joined.paths == tuple(whole.paths[row] for row in by_path)
    assert joined.labels == tuple(whole.labels[row] for row in by_path)
    np.testing.assert_array_equal(joined.probabilities, whole.probabilities[by_path])
    with pytest.raises(DataError, match="was predicted twice"):
        join([whole, part(order[:1])])


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = functools.partial(files.read_csv_columns, rows=2)
    monkeypatch.setattr("leukoscope.data.predictions.read_csv_columns", parts)


@pytest.mark.usefixtures("small_parts")
def test_a_file_read_in_parts_is_the_same(tmp_path: Path) -> None:
    written = example(n=7)
    write_predictions(written, tmp_path / "predictions.csv")
    read = read_predictions(tmp_path / "predictions.csv")
    assert (read.paths, read.labels, read.groups) == (written.paths, written.labels, written.groups)
    np.testing.assert_allclose(read.probabilities, written.probabilities, rtol=5e-9)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        ("e,Pro,1,0", "line 6: the label 'Pro'"),
        ("e,Benign,x,0", "line 6: could not convert string to float: 'x'"),
        ("e,Benign,0.9,0.9", "line 6: 0.9, 0.9 are not probabilities"),
        ("e,Benign,1", "line 6: not 4 fields"),
        ("b,Benign,1,0", "line 6: b is listed twice"),
    ],
)
def test_lines_are_counted_through_all_parts(tmp_path: Path, last: str, sentence: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(HEADER + "a,Benign,1,0\nb,Benign,1,0\nc,Benign,1,0\nd,Benign,1,0\n" + last)
    with pytest.raises(LeukoscopeError, match=sentence):
        read_predictions(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty; it needs the columns path, label"),
        ("path,label,label,probability_A,probability_B\na,A,B,1,0\n", "more than one column label"),
        (HEADER + "a,Benign,1,0,1\n", "line 2: not 4 fields as in its header"),
    ],
)
def test_a_table_that_is_none_is_a_wrong_call(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=sentence):
        read_predictions(path)


def test_rows_that_name_a_less_probable_class_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    rows = ("a,A,A,0.6,0.4", "b,A,B,0.6,0.4", "c,A,B,0.5,0.5", "d,A,?,0.6,0.4")
    path.write_text("\n".join(["path,label,predicted,probability_A,probability_B", *rows]))
    read = read_predictions(path)
    assert read.overruled == 1  # b alone: equal ones may go either way, and ? names no class
    assert read.predicted == ("A", "A", "A", "A")


def test_a_picture_that_could_not_be_read_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    header = "path,label,predicted,probability_A,probability_B,error"
    rows = ["a,A,A,0.6,0.4,", "b,A,,,,cannot be decoded", "c,B,B,0.2,0.8,"]
    path.write_text("\n".join([header, *rows]))
    read = read_predictions(path)
    assert (read.paths, read.unreadable) == (("a", "c"), 1)
    path.write_text("\n".join([header, *rows, "d,A,A,0.6,0.6,"]))
    with pytest.raises(DataError, match=r"line 5: 0\.6, 0\.6 are not probabilities"):
        read_predictions(path)
    path.write_text("\n".join([header, *rows, "c,B,B,0.2,0.8,"]))
    with pytest.raises(DataError, match="line 5: c is listed twice"):
        read_predictions(path)
    path.write_text("\n".join([header, rows[1]]))
    with pytest.raises(DataError, match="no rows without an error"):
        read_predictions(path)


def test_classes_change_their_order_with_their_columns() -> None:
    made = example()
    turned = made.ordered(("Pre-B, late", "Benign", "Early"))
    assert turned.predicted == made.predicted
    assert turned.labels == made.labels
    np.testing.assert_array_equal(turned.probabilities[:, 1], made.probabilities[:, 0])
    with pytest.raises(DataError, match="cannot be held against those of A, B"):
        made.ordered(("A", "B"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [(("train", "", "validation"), ("train", "", "validation")), (("yes", "", "train"), None)],
)
def test_what_was_seen_is_read_and_another_column_of_that_name_is_not(
    values: tuple[str, ...], expected: tuple[str, ...] | None, tmp_path: Path
) -> None:
    lines = ["path,label,probability_A,probability_B,seen"]
    lines += [f"{number}.png,A,0.5,0.5,{value}" for number, value in enumerate(values)]
    (tmp_path / "p.csv").write_text("\n".join(lines) + "\n")
    read = read_predictions(tmp_path / "p.csv")
    assert read.seen == expected
    assert read.rows(np.array([2])).seen == (None if expected is None else expected[2:])
