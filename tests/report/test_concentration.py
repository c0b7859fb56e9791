"""What one group that is almost the whole class means for the figures on the page."""

import csv
import re
from pathlib import Path

import pytest
from made_up import FakeRun

from leukoscope.report import report, style
from leukoscope.report.comparison import Comparison, compare
from leukoscope.report.evidence import gather
from leukoscope.report.figures import confusions
from leukoscope.report.run import read

FOLDER = "alexnet-subtype-session-seed0"


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("png", "svg"):
        monkeypatch.setattr(style, kind, lambda figure: b"drawn")


def build(fake_run: FakeRun) -> Path:
    """Of Pro one session has all images but one; the other classes have one session an image."""
    networks = ("alexnet", "majority")
    counts = (80, 90, 80, 80)
    run = fake_run(
        networks=networks, classes="subtype", protocols=("session",), groups=True, evidence=True,
        counts=counts,
    )  # fmt: skip
    for network in networks:
        table = run / FOLDER.replace("alexnet", network) / "predictions.csv"
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for number, row in enumerate(rows):
            big = row["label"] == "Pro" and not row["path"].endswith("-000.jpg")
            row["group"] = "big" if big else f"s{number}"
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        (table.parent / "metrics.json").unlink()
    return run


def compared(run: Path) -> Comparison:
    return compare(read(run).results)[0]


def test_no_interval_by_class_where_one_session_is_the_class(fake_run: FakeRun) -> None:
    run = build(fake_run)
    page = report.write(run, images=False).read_text(encoding="utf-8")
    text = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    assert "1.3 of 2; one session holds 88 % of this class" in text
    assert "8.0 of 8" in text
    assert "The sessions are of very different size" not in text  # of all images they are not
    with (run / "tables" / "subtype-session-classes.csv").open(encoding="utf-8") as file:
        of = {(row["network"], row["class"]): row for row in csv.DictReader(file)}
    assert of["AlexNet", "Pro"]["recall_low"] == ""
    assert of["AlexNet", "Pro"]["auroc_low"] == ""
    assert of["AlexNet", "Pro"]["specificity_low"] != ""  # of the images of the other classes
    assert of["AlexNet", "Benign"]["recall_low"] != ""


def test_the_matrix_has_the_intervals_of_the_table(fake_run: FakeRun) -> None:
    comparison = compared(build(fake_run))
    found = gather(comparison, sessions={})
    drawing = confusions(comparison, found, "")[0]
    shown = [text.get_text() for text in drawing.figure.axes[0].texts]
    diagonal = shown[:: len(comparison.names) + 1]
    assert ["[" in text for text in diagonal] == [True, True, True, False]
    low = found[0].metrics.intervals["recall:Early"].low
    assert f"[{100 * low:.1f}–" in diagonal[1]


def test_novelty_is_as_sure_as_its_groups(fake_run: FakeRun) -> None:
    run = build(fake_run)
    found = gather(compared(run), sessions={})[0]
    assert found.novelty is not None
    assert "groups" in found.novelty.intervals["all"].method
    report.write(run, images=False)
    with (run / "tables" / "subtype-session-novelty.csv").open(encoding="utf-8") as file:
        low = {row["class"]: row["called_novel_low"] for row in csv.DictReader(file)}
    assert float(low["all"]) == pytest.approx(found.novelty.intervals["all"].low)
    assert low["Pro"] == ""
