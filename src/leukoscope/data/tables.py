"""How do rows become a table that a kill cannot spoil: CSV, JSON Lines or Parquet by its name?

While the rows come, they are kept in a journal beside the table, a line of JSON each. The table
itself appears when all are there. The same work goes on from the journal of a run that was killed.
"""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal, Self

from leukoscope.errors import UsageError, nearest
from leukoscope.files import replacing

FORMATS = (".csv", ".jsonl", ".parquet")
_AT_ONCE = 10_000  # rows of a Parquet file that are in memory together

Kind = Literal["text", "number", "count", "flag", "texts"]
Columns = Mapping[str, Kind]
Row = dict[str, Any]  # column to value; None where there is none


def check_format(path: Path) -> None:
    """Nothing, or `UsageError` when no such table can be written here."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        hint = nearest(suffix, FORMATS)
        raise UsageError(f"{path}: tables end in {', '.join(FORMATS)}, not {suffix!r}.{hint}")
    if suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise UsageError(
                f"{path}: Parquet needs pyarrow, which is not here; pip install "
                f"'leukoscope[parquet]', or name a .csv or .jsonl file."
            ) from error


def write_table(path: Path, columns: Columns, rows: Iterable[Row]) -> None:
    """`path` with these rows, in a format by its suffix; they are never all in memory.

    In CSV a list is joined by `|`, a flag is `true` or `false`, and None is empty.
    """
    writers = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
    with replacing(path) as beside:
        writers[path.suffix.lower()](beside, columns, rows)


def _write_csv(path: Path, columns: Columns, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row[name]) for name in columns] for row in rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "|".join(value)
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _write_jsonl(path: Path, columns: Columns, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({name: row[name] for name in columns}, ensure_ascii=False) + "\n")


def _write_parquet(path: Path, columns: Columns, rows: Iterable[Row]) -> None:
    import pyarrow
    from pyarrow import parquet

    kinds = {
        "text": pyarrow.string(),
        "number": pyarrow.float64(),
        "count": pyarrow.int64(),
        "flag": pyarrow.bool_(),
        "texts": pyarrow.list_(pyarrow.string()),
    }
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    remaining = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while part := list(islice(remaining, _AT_ONCE)):
            writer.write_table(pyarrow.Table.from_pylist(part, schema=schema))


@dataclass(frozen=True, slots=True)
class Journal:
    """The rows that are there so far."""

    path: Path
    file: IO[bytes]
    count: int  # of rows when it was opened

    def append(self, rows: Iterable[Row]) -> None:
        """Nothing; when it returns, the rows outlive this process and the machine's power."""
        lines = (json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        self.file.write(b"".join(lines))
        self.file.flush()
        os.fsync(self.file.fileno())

    def rows(self) -> Iterator[Row]:
        """All rows, in their order."""
        with self.path.open("rb") as file:
            next(file)
            for line in file:
                yield json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def open_journal(table: Path, header: Mapping[str, Any]) -> Journal:
    """The journal of a table, new or with what an earlier run left; half a line is cut off.

    The header says what the work is, in JSON's terms. A journal of other work raises `UsageError`
    that names the first difference.
    """
    path = table.with_name(f"{table.name}.unfinished")
    file = path.open("a+b")
    try:
        file.seek(0)
        count, end = _sound(file, header, path)
        file.truncate(end)
        if end == 0:
            file.write(json.dumps(header).encode() + b"\n")
            file.flush()
    except BaseException:
        file.close()
        raise
    return Journal(path, file, count)


def _sound(file: IO[bytes], header: Mapping[str, Any], path: Path) -> tuple[int, int]:
    """How many whole rows there are, and the byte at which they end."""
    count, end = -1, 0
    for line in file:
        try:
            content = json.loads(line)
        except ValueError:
            break
        if not line.endswith(b"\n"):
            break
        if count == -1:
            _compare(content, header, path)
        count, end = count + 1, end + len(line)
    return max(0, count), end


def _compare(before: object, header: Mapping[str, Any], path: Path) -> None:
    for key, value in header.items():
        earlier = before.get(key) if isinstance(before, dict) else None
        if earlier != value:
            raise UsageError(
                f"{path} is of a run with another {key} ({earlier}, now {value}); choose another "
                f"--out, or delete it."
            )
