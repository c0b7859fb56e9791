"""What the page knows of the making of a run, and where its digits are."""

import csv
import json
import re
from pathlib import Path

import pytest
from made_up import FakeRun

from leukoscope.benchmark import _joined, _with
from leukoscope.report import checklist, flow, record, report, style
from leukoscope.report.comparison import compare
from leukoscope.report.evidence import gather
from leukoscope.report.run import read


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("png", "svg"):
        monkeypatch.setattr(style, kind, lambda figure: b"drawn")


def words(page: Path) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page.read_text(encoding="utf-8")).split())


def change(run: Path, **values: object) -> None:
    file = run / "settings.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_commands_are_kept_one_after_the_other() -> None:
    assert _with({}, "a") == ["a"]
    assert _with({"command": "a"}, "b") == ["a", "b"]
    assert _with({"command": "b", "commands": ["a", "b"]}, "a") == ["a", "b"]


def test_calls_with_other_protocols_on_other_devices_are_joined() -> None:
    first = {"protocol": "random", "seed": 0, "known": 3}
    second = {"protocol": "scene", "seed": 0, "known": 0}
    there = {"command": "a", "commands": ["a"], "device": "cpu: x", "leaks": [first]}
    own = {"command": "b", "device": "cuda: y", "leaks": [second]}
    joined = _joined(there, own)
    assert joined == {"commands": ["a", "b"], "device": "cpu: x; cuda: y", "leaks": [first, second]}
    assert _joined(there | joined, own) == joined
    again = own | {"leaks": [first | {"known": 4}]}
    assert _joined(joined, again)["leaks"] == [first | {"known": 4}, second]
    assert _joined({}, own) == {"commands": ["b"], "device": "cuda: y", "leaks": [second]}


def test_all_trainings_are_counted_and_their_seconds_added(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet", "resnet50", "majority"), seeds=2, evidence=True)
    found = record.read(read(run))
    spent = 0.0
    for file in run.glob("*/history.csv"):
        with file.open(encoding="utf-8") as table:
            spent += sum(float(row["seconds"]) for row in csv.DictReader(table))
    assert found.trainings == 4
    assert found.seconds == pytest.approx(spent)
    assert found.beyond == 0


def test_one_command_that_cannot_have_made_it_all_is_said(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet", "resnet50"), seeds=2)
    change(run, settings={"seeds": 1, "networks": ["alexnet"]})
    assert record.read(read(run)).beyond == 3
    text = words(report.write(run, images=False))
    assert "does not ask for 3 results of the 4 on this page" in text
    change(run, commands=["leukoscope benchmark --seeds 2", "leukoscope benchmark --seeds 1"])
    text = words(report.write(run, images=False))
    assert "leukoscope benchmark --seeds 2 leukoscope benchmark --seeds 1" in text
    assert "in the order of their first call" in text


def test_the_temperature_is_given_with_all_digits(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet", "majority"), evidence=True)
    comparison = compare(read(run).results)[0]
    said = gather(comparison, sessions={})[0].validated
    assert said is not None
    report.write(run, images=False)
    with (run / "tables" / "binary-random-temperatures.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row["temperature"]) == said.calibration.temperatures[0]


def test_the_checklist_says_what_is_so(fake_run: FakeRun) -> None:
    run = read(
        fake_run(networks=("alexnet",), protocols=("random", "session"), groups=True, evidence=True)
    )
    comparisons = compare(run.results)
    found = [one for each in comparisons for one in gather(each, sessions={})]
    of = {one.asked: one.answer for one in checklist.items(run, comparisons, found, audited=True)}
    assert "over groups under the protocol session" in of["Uncertainty and tests"]
    assert "images taken as independent under random" in of["Uncertainty and tests"]
    assert "Grad-CAM" in of["Explanations of single answers"]
    assert "None" not in of["Changes of the model after its test"]
    assert "tables/ only" in of["Figures with intervals, cross-tabulation"]
    for asked in (
        "Intended use and intended user",
        "Eligible population: who, and how they were found",
    ):
        assert of[asked] == ""
    assert of["Numbers of patients in training, validation and test"] == ""


def test_the_flow_of_folds_has_its_counts(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",))
    change(run, settings={"folds": 3})
    first = flow.sides(read(run))[0]
    assert first.lines[1] == "random: 102 train, 14 validate (first fold)"
    kept = run / "alexnet-random-seed0"
    for number, rows in enumerate((10, 12, 11), start=1):
        (kept / f"fold{number}").mkdir()
        for name, count in (("validation", 5 + number), ("predictions", rows)):
            paths = "".join(f"{place}.jpg\n" for place in range(count))
            (kept / f"fold{number}" / f"{name}.csv").write_text("path\n" + paths)
    lines = flow.sides(read(run))[0].lines
    assert lines[1] == "random: 111 to 114 train, 6 to 8 validate"


def test_equal_recipes_are_printed_once(fake_run: FakeRun) -> None:
    run = fake_run(networks=("alexnet",), protocols=("random", "session"), groups=True)
    text = words(report.write(run, images=False))
    assert text.count("Settings that all networks share") == 1
    assert "random and session split" in text
