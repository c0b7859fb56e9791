"""Files that are either whole or not there: written beside, then renamed."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from leukoscope.errors import UsageError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; it becomes `path` when the block ends without an error."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        # The person asked for `path`; a full disk names no file at all.
        if error.errno is not None and error.filename in (None, beside, str(beside)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`path` with this text, or, after an error, what it was before."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """`path` as indented JSON."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """`path` as a comma-separated table in UTF-8 with these columns."""
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; `UsageError` when there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {reason(error)}.") from error
    except json.JSONDecodeError as error:
        raise UsageError(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no JSON object.")
    return content


def read_csv(path: Path, required: Sequence[str]) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a CSV file, whatever their order; `UsageError` if one is missing."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
            columns = list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as CSV: {reason(error)}.") from error
    _require(path, columns, required)
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise UsageError(f"{path}, line {number}: not {len(columns)} fields as in its header.")
    return columns, rows


def read_csv_columns(
    path: Path, required: Sequence[str], *, rows: int = 65_536
) -> Iterator[dict[str, tuple[str, ...]]]:
    """The columns of a CSV file, so many rows at a time, in whatever order and however long they
    are; `UsageError` if one is missing or a row has another number of fields."""
    done = 2  # line numbers as a person counts them, the header included
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = filter(None, csv.reader(file, strict=True))
            columns = next(reader, [])
            _require(path, columns, required)
            while block := list(islice(reader, rows)):
                if set(map(len, block)) != {len(columns)}:
                    row = next(row for row in block if len(row) != len(columns))
                    raise UsageError(
                        f"{path}, line {done + block.index(row)}: not {len(columns)} fields as in "
                        f"its header."
                    )
                yield dict(zip(columns, zip(*block, strict=True), strict=True))
                done += len(block)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as CSV: {reason(error)}.") from error


def make_folder(path: Path) -> Path:
    """The folder, made if need be and shown to be writable before any work is done for it."""
    if path.is_file():
        raise UsageError(f"{path} is a file; name a folder.")
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".{os.getpid()}.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"{path} cannot be written to: {reason(error)}.") from error
    return path


def reason(error: Exception) -> str:
    """What went wrong in the system's words, without the number and the path."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")


def _require(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    if not columns:
        raise UsageError(f"{path} is empty; it needs the columns {', '.join(required)}.")
    missing = [name for name in required if name not in columns]
    if missing:
        raise UsageError(
            f"{path} has no column {', '.join(missing)}; its columns are {', '.join(columns)}."
        )
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise UsageError(f"{path} has more than one column {twice[0]}.")
