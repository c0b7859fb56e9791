"""What crosses a split is counted, and what nobody looked for is not called clear."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukoscope import audits
from leukoscope.audit.duplicates import Overlap
from leukoscope.audit.leaks import find, pooled
from leukoscope.data.predictions import Predictions, write_predictions
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


def predict(path: Path, *tested: str) -> None:
    write_predictions(
        Predictions(
            paths=tested,
            labels=("A",) * len(tested),
            classes=("A", "B"),
            probabilities=np.tile([0.75, 0.25], (len(tested), 1)),
            splits=("test",) * len(tested),
            groups=("",) * len(tested),
        ),
        path,
    )


def test_figures_of_images_that_the_split_does_not_test_are_refused(tmp_path: Path) -> None:
    write_samples(rows("test", "train", "validation"), tmp_path / "samples.csv")
    table = tmp_path / "predictions.csv"
    predict(table, "a.png")
    behind = audits.leaks_behind(table)
    assert behind is not None
    assert behind[1] == "given"
    assert audits.as_json(*behind) == {
        **{"protocol": "given", "tested": 1, "known": 0, "pairs": 0, "groups": 0, "sessions": 0},
        **{"searched": "nothing", "forbidden": False},
    }
    predict(table, "a.png", "b.png")
    with pytest.raises(DataError, match=r"judges 1 of its 2 images, b\.png first, that .*train"):
        audits.leaks_behind(table)
    predict(table, "elsewhere.png")
    with pytest.raises(DataError, match="has none of the images of"):
        audits.leaks_behind(table)


def test_groups_that_share_a_field_are_one_group() -> None:
    known = [replace(row, group=name) for row, name in zip(rows(*"   "), "pqr", strict=True)]
    audited = audits.Audited({}, {}, [TWIN], [])
    joined = audits.grouped(known, audited, "group")
    assert [row.group for row in joined] == ["p + q", "p + q", "r"]
    assert audits.grouped(known, audited, "random") == known


def test_a_given_split_promises_what_its_groups_say() -> None:
    known = [replace(r, group="p") for r in rows("test", "train", "train")]
    with pytest.raises(DataError, match="has the group p in training and test; keep each group"):
        audits.crossing(known, None, "given")
    assert audits.crossing(known, None, "random").groups == ("p",)


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
    predict(tmp_path / "net" / "predictions.csv", "a.png", "b.png")
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
