"""What crosses a split is counted, and what nobody looked for is not called clear."""

from pathlib import Path

import pytest

from leukoscope import audits
from leukoscope.audit.duplicates import Overlap
from leukoscope.audit.leaks import find, pooled
from leukoscope.data.samples import Sample, write_samples
from leukoscope.errors import DataError, UsageError
from leukoscope.files import write_json

TWIN = Overlap("a.png", "b.png", 0.9, 10, 0, "overlap", "", 1.0, 0.5)


def rows(*splits: str, sha256: str = "") -> list[Sample]:
    names = ("a.png", "b.png", "c.png")
    return [
        Sample(name, "A", split=split, sha256=sha256 and sha256 + name)
        for name, split in zip(names, splits, strict=True)
    ]


def test_what_was_not_looked_for_is_not_clear() -> None:
    assert "were not looked for" in find(rows("test", "train", "train")).sentence
    hashed = rows("test", "train", "train", sha256="0")
    assert "overlapping fields were not looked for" in find(hashed).sentence
    assert find(hashed, []).sentence == (
        "none of the 1 test images has a twin on the training side."
    )
    assert "1 of the 1 test images (100.0%) overlap" in find(hashed, [TWIN]).sentence


def test_folds_are_counted_together(tmp_path: Path) -> None:
    folds = [rows("test", "train", "validation"), rows("train", "test", "train")]
    found = pooled([find(one, [TWIN]) for one in folds])
    assert (found.tested, found.known, len(found.pairs)) == (2, 2, 2)
    for number, one in enumerate(folds):
        folder = tmp_path / "net" / f"fold{number}"
        folder.mkdir(parents=True)
        write_samples(one, folder / "samples.csv")
        write_json(folder / "settings.json", {"protocol": "random"})
    behind = audits.leaks_behind(tmp_path / "net" / "predictions.csv")
    assert behind is not None
    assert (behind[0].tested, behind[0].searched, behind[1]) == (2, "nothing", "random")


def test_a_split_that_the_protocol_forbids_is_refused() -> None:
    audited = audits.Audited({}, {}, [TWIN], [])
    assert audits.crossing(rows("test", "train", "train"), audited, "random").known == 1
    with pytest.raises(DataError, match="The protocol 'scene' forbids this split: 1 of the 1"):
        audits.crossing(rows("test", "train", "train"), audited, "scene")


def test_another_table_of_groups_needs_another_audit(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("path,group\na.png,one\n")
    write_json(tmp_path / "findings.json", {"groups": ""})
    audits.check_groups(tmp_path, None)
    with pytest.raises(UsageError, match=r"was made without .*groups\.csv"):
        audits.check_groups(tmp_path, table)
