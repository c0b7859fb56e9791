"""Single trainings: each fold by itself, each seed counted once, and only errors called so."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_up import build
from sklearn import metrics as sklearn

from leukoscope.data.predictions import Predictions, read_predictions, write_predictions
from leukoscope.report import mistakes, seeds
from leukoscope.report.comparison import Comparison, compare
from leukoscope.report.run import read_results
from leukoscope.report.tables import bounds, shown
from leukoscope.report.trainings import trainings


def comparison(run: Path) -> Comparison:
    return compare(list(read_results(run)))[0]


def fold(folder: Path, sizes: tuple[int, int]) -> list[Predictions]:
    """The trial as two folds of so many test images, with two and four validation images; the table
    of all folds is older than the column of folds."""
    whole = read_predictions(folder / "predictions.csv")
    order = np.random.default_rng(0).permutation(len(whole.paths))
    parts = np.split(order, np.cumsum(sizes)[:-1])
    found = []
    for number, rows in enumerate(parts, start=1):
        inside = folder / f"fold{number}"
        inside.mkdir()
        found.append(whole.rows(rows))
        write_predictions(found[-1], inside / "predictions.csv")
        others = np.setdiff1d(order, rows)[: 2 * number]
        write_predictions(whole.rows(others), inside / "validation.csv")
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(
        json.dumps({key: value for key, value in metrics.items() if key != "folds"})
    )
    return found


def test_of_folds_there_is_a_row_for_each(tmp_path: Path) -> None:
    run = build(tmp_path / "run", networks=("alexnet", "majority"), counts=(60, 80, 80, 60))
    parts = fold(run / "alexnet-random-seed0", (8, 20))
    first, second, other = trainings(comparison(run))
    assert [(one.name, one.fold) for one in (first, second, other)] == [
        ("AlexNet", 1),
        ("AlexNet", 2),
        ("Majority class", None),
    ]
    assert (first.sides, second.sides) == ("18 / 2 / 8", "4 / 4 / 20")
    for one, part in zip((first, second), parts, strict=True):
        predicted = part.probabilities.argmax(axis=1)
        assert one.accuracy == pytest.approx((predicted == part.targets).mean())
        assert one.interval.low <= one.accuracy <= one.interval.high
        assert one.loss == pytest.approx(sklearn.log_loss(part.targets, part.probabilities))
        assert one.f1.value == pytest.approx(
            sklearn.f1_score(part.targets, predicted, average="weighted")
        )
        assert np.sum(one.confusion) == len(part.paths)


def test_figures_of_an_older_run_in_folds_are_those_within_folds(tmp_path: Path) -> None:
    run = build(tmp_path / "run", networks=("alexnet",), counts=(100, 120, 80, 60))
    parts = fold(run / "alexnet-random-seed0", (12, 24))
    (result,) = read_results(run)
    each = [sklearn.roc_auc_score(one.targets, one.probabilities[:, 1]) for one in parts]
    expected = np.average(each, weights=[12, 24])
    figures = result.figures()
    assert result.auroc == figures["auroc"].value == pytest.approx(expected)
    assert figures["auroc"].interval is not None
    assert figures["accuracy"].value == result.accuracy
    predictions = result.predictions()
    assert predictions is not None
    assert predictions.folds is not None
    assert [predictions.folds.count(name) for name in "12"] == [12, 24]


def test_a_single_seed_has_no_range_and_seeds_are_counted(tmp_path: Path) -> None:
    run = build(tmp_path / "run", networks=("alexnet", "vgg16"), seeds=2)
    table = run / "results.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    assert lines[-1].startswith("vgg16,random,binary,1,")
    table.write_text("".join(lines[:-1]), encoding="utf-8")
    found = seeds.spread(comparison(run))
    assert found is not None
    several, single = found.rows
    assert (several[1], single[1]) == (2, 1)
    accuracy = found.columns[2]
    assert bounds(accuracy, single[2]) == ""
    low, high = (shown(accuracy, end) for end in _ends(several[2]))
    assert bounds(accuracy, several[2]) == f"{low} to {high}"


def _ends(cell: object) -> tuple[float, float]:
    interval = getattr(cell, "interval", None)
    assert interval is not None
    return interval.low, interval.high


def test_the_largest_errors_are_errors_of_the_first_seeds(tmp_path: Path) -> None:
    run = build(tmp_path / "run", networks=("alexnet", "vgg16"), seeds=2, skills={"alexnet": 1.0})
    found = mistakes.largest(comparison(run), count=100)
    said = [
        read_predictions(run / f"{name}-random-seed0" / "predictions.csv")
        for name in ("alexnet", "vgg16")
    ]
    wrong = {
        path: sum(one.predicted[row] != one.labels[row] for one in said)
        for row, path in enumerate(said[0].paths)
    }
    assert {one.path: one.wrong for one in found} == {p: n for p, n in wrong.items() if n}
    assert all(one.runs == 2 for one in found)
    assert [one.given for one in found] == sorted(one.given for one in found)
    place = said[0].paths.index(found[0].path)
    truth = said[0].targets[place]
    assert found[0].given == pytest.approx(
        np.mean([one.probabilities[place, truth] for one in said])
    )
