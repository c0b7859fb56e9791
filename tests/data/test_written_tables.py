"""A table is the same in every format, and what a kill leaves behind is gone on with."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from leukoscope.data import tables
from leukoscope.data.tables import Columns, check_format, open_journal, write_table
from leukoscope.errors import UsageError

COLUMNS: Columns = {
    "path": "text",
    "p": "number",
    "n": "count",
    "novel": "flag",
    "set": "texts",
}
ROWS = [
    {"path": 'a,"b".png', "p": 1 / 3, "n": 2, "novel": True, "set": ["A", "B"]},
    {"path": "é\n.png", "p": None, "n": None, "novel": None, "set": None},
    {"path": "=1+1", "p": 1e-20, "n": 0, "novel": False, "set": []},
]
HEADER = {"classifier": "abc", "tile": None}


def test_csv(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", COLUMNS, iter(ROWS))
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        list(COLUMNS),
        ['a,"b".png', "0.333333333", "2", "true", "A|B"],
        ["é\n.png", "", "", "", ""],
        ["=1+1", "1e-20", "0", "false", ""],
    ]


def test_json_lines(tmp_path: Path) -> None:
    write_table(tmp_path / "t.jsonl", COLUMNS, iter(ROWS))
    lines = (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == ROWS


def test_parquet_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_AT_ONCE", 2)
    write_table(tmp_path / "t.parquet", COLUMNS, iter(ROWS))
    assert pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pylist() == ROWS


@pytest.mark.parametrize("suffix", tables.FORMATS)
def test_no_row_makes_an_empty_table(tmp_path: Path, suffix: str) -> None:
    write_table(tmp_path / f"t{suffix}", COLUMNS, iter([]))
    assert (tmp_path / f"t{suffix}").is_file()


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tables end in \.csv.* not '\.json'.* mean \.jsonl"):
        check_format(tmp_path / "t.json")


def test_parquet_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'leukoscope\[parquet\]'"):
        check_format(tmp_path / "t.parquet")


def test_a_table_that_fails_half_way_is_not_there(tmp_path: Path) -> None:
    def rows() -> object:
        yield ROWS[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_table(tmp_path / "t.csv", COLUMNS, rows())
    assert list(tmp_path.iterdir()) == []


def test_a_journal_goes_on_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    with open_journal(out, HEADER) as journal:
        assert journal.count == 0
        journal.append(ROWS[:2])
        journal.append([])
    with open_journal(out, HEADER) as journal:
        assert journal.count == 2
        journal.append(ROWS[2:])
        assert list(journal.rows()) == ROWS


@pytest.mark.parametrize("torn", [1, 5, 30, 70, 100])
def test_half_a_line_is_cut_off(tmp_path: Path, torn: int) -> None:
    out = tmp_path / "t.csv"
    with open_journal(out, HEADER) as journal:
        journal.append(ROWS)
    content = journal.path.read_bytes()
    journal.path.write_bytes(content[:-torn])
    with open_journal(out, HEADER) as journal:
        assert list(journal.rows()) == ROWS[: journal.count]
        assert journal.count < 3
        journal.append(ROWS[journal.count :])
    assert journal.path.read_bytes() == content


def test_what_a_power_cut_leaves_is_cut_off(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    with open_journal(out, HEADER) as journal:
        journal.append(ROWS[:1])
    with journal.path.open("ab") as file:
        file.write(bytes(50) + b"\n")
    with open_journal(out, HEADER) as journal:
        assert (journal.count, list(journal.rows())) == (1, ROWS[:1])


def test_a_journal_of_other_work_is_refused_and_kept(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    with open_journal(out, HEADER) as journal:
        journal.append(ROWS)
    before = journal.path.read_bytes()
    with pytest.raises(UsageError, match=r"another tile \(None, now 512\); choose another --out"):
        open_journal(out, HEADER | {"tile": 512})
    assert journal.path.read_bytes() == before


def test_rows_outlive_a_kill(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from leukoscope.data.tables import open_journal
journal = open_journal(Path({str(tmp_path / "t.csv")!r}), {HEADER!r})
journal.append([{{"path": "a"}}, {{"path": "b"}}])
journal.file.write(b'{{"path": "c')
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, check=False)
    assert done.returncode == -9
    with open_journal(tmp_path / "t.csv", HEADER) as journal:
        assert list(journal.rows()) == [{"path": "a"}, {"path": "b"}]
