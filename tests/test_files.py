"""A file is either whole or as it was, and a folder is writable before any work is done for it."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from leukoscope.errors import DataError, LeukoscopeError, UsageError, nearest
from leukoscope.files import (
    make_folder,
    read_csv,
    read_json,
    reason,
    replacing,
    write_csv,
    write_json,
    write_text,
)


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def write_half(path: Path, error: BaseException) -> None:
    with replacing(path) as beside:
        beside.write_text("half of the n")
        raise error


def test_what_is_written_beside_becomes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
        assert beside.parent == tmp_path
    assert content(tmp_path) == {"a.txt": "new"}


@pytest.mark.parametrize("error", [ValueError("no"), OSError("no"), KeyboardInterrupt()])
def test_an_error_leaves_the_file_as_it_was_and_nothing_beside(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)):
        write_half(path, error)
    assert content(tmp_path) == {"a.txt": "old"}


def test_a_table_whose_rows_fail_is_not_written(tmp_path: Path) -> None:
    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_csv(tmp_path / "a.csv", ["n"], rows())
    assert content(tmp_path) == {}


def test_errors_name_the_file_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "a.txt"
    with pytest.raises(FileNotFoundError) as caught:
        write_text(path, "text")
    assert caught.value.filename == str(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as occupied:
        write_text(tmp_path / "folder", "text")
    assert occupied.value.filename == str(tmp_path / "folder")
    assert ".part" not in f"{caught.value}{occupied.value}"
    assert content(tmp_path / "folder") == {}


def test_a_full_disk_names_the_file_and_any_other_error_stays_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(OSError, match="No space left") as caught, replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(path)
    with pytest.raises(FileNotFoundError) as other, replacing(path):
        (tmp_path / "other.txt").read_text()
    assert other.value.filename == str(tmp_path / "other.txt")


def test_json_comes_back_with_every_letter(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"Größe": [1, None, 0.5], "b": {"c": "–"}})
    assert read_json(path) == {"Größe": [1, None, 0.5], "b": {"c": "–"}}
    assert "Größe" in path.read_text(encoding="utf-8")
    assert path.read_text(encoding="utf-8").endswith("}\n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"{", "is not JSON: Expecting property name"),
        (b"[1, 2]", "holds no JSON object"),
        (b'"\xff"', "cannot be read: .*utf-8"),
    ],
)
def test_what_is_no_json_object_is_a_wrong_call(tmp_path: Path, text: bytes, sentence: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text)
    with pytest.raises(UsageError, match=sentence) as caught:
        read_json(path)
    assert str(path) in str(caught.value)
    with pytest.raises(UsageError, match=r"none\.json cannot be read: No such file"):
        read_json(tmp_path / "none.json")


def test_a_table_comes_back_with_commas_quotes_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    written = [("1, 2", 'say "3"'), ("two\nlines", ""), ("ü", "–")]
    write_csv(path, ["a", "b c"], written)
    columns, rows = read_csv(path, ["b c"])
    assert columns == ["a", "b c"]
    assert [tuple(row.values()) for row in rows] == written


def test_a_folder_is_made_with_its_parents_and_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert make_folder(folder) == folder
    assert make_folder(folder) == folder
    assert content(folder) == {}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match=r"file is a file; name a folder\."):
        make_folder(tmp_path / "file")
    with pytest.raises(UsageError, match=r"below cannot be written to: Not a dir"):
        make_folder(tmp_path / "file" / "below")
    assert content(tmp_path) == {"file": "mine"}


def test_reasons_are_words_without_numbers_and_full_stops() -> None:
    assert reason(FileNotFoundError(2, "No such file or directory", "x")) == (
        "No such file or directory"
    )
    assert reason(ValueError("It broke.")) == "It broke"
    assert reason(EOFError()) == "EOFError"


def test_exit_statuses_tell_a_wrong_call_from_failed_work() -> None:
    statuses = [error.exit_status for error in (LeukoscopeError, UsageError, DataError)]
    assert statuses == [1, 2, 1]


def test_the_nearest_name_is_suggested_and_a_far_one_is_not() -> None:
    known = ("resnet50", "vgg16", "alexnet")
    assert nearest("ResNet5", known) == " Did you mean resnet50?"
    assert nearest("transformer", known) == ""
