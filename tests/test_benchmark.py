"""The main job ends with figures that anyone can recompute, whatever happened on the way."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

import leukoscope
from leukoscope import outcome, trial
from leukoscope.audit.shortcuts import colour_forest
from leukoscope.benchmark import Comparison, benchmark, train_listed
from leukoscope.data import sources, splits, synthetic
from leukoscope.data.images import decode
from leukoscope.data.samples import read_samples, write_samples
from leukoscope.errors import Interrupted, LeukoscopeError, UsageError
from leukoscope.evaluate.metrics import Metrics
from leukoscope.learn.classifier import load
from leukoscope.learn.devices import fabric_for
from leukoscope.learn.prediction import predict
from leukoscope.results import COLUMNS, write_results

NETWORK, OTHER = "shufflenet_v2_x0_5", "squeezenet1_1"
FIGURES = COLUMNS[COLUMNS.index("loss") : COLUMNS.index("confusion")]
OURS = (
    *("samples.csv", "settings.json", "card.json", "results.csv", "report.html"),
    f"{NETWORK}-random-seed0/predictions.csv",
    f"{NETWORK}-random-seed0/classifier/model.safetensors",
)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def content(out: Path, *names: str) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in names or OURS}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def smears(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 48 drawn smears, 12 of each class: 32 train, 8 validate, 8 test."""
    folder = tmp_path_factory.mktemp("data") / "smears"
    synthetic.write(synthetic.draw(per_class=12, size=64, seed=3), folder)
    return folder


@pytest.fixture(scope="module")
def comparison(smears: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    """A small comparison that has not been made; its pixel cache is its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEUKOSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield Comparison(
            data=str(smears),
            networks=(NETWORK,),
            # Batch statistics would need more steps before two pictures get two answers.
            overrides={
                **{"size": 64, "epochs": 2, "batch": 8, "precision": "float32"},
                **{"normalization": "group"},
            },
            audit=False,  # tested in test_audits.py; it would cost as much as the training
            out=tmp_path_factory.mktemp("run") / "out",
            quiet=True,
        )


@pytest.fixture(scope="module")
def run(comparison: Comparison) -> Path:
    """The finished comparison, binary and subtype. No test writes into it."""
    benchmark(comparison)
    benchmark(replace(comparison, classes="subtype"))
    return comparison.out


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A copy of the finished comparison, to go on with."""
    return shutil.copytree(run, tmp_path / "copy")


@pytest.mark.parametrize("classes", ["binary", "subtype"])
@pytest.mark.parametrize("name", [NETWORK, "colour-forest", "majority"])
def test_figures_are_those_of_scikit_learn(name: str, classes: str, run: Path) -> None:
    (row,) = (
        row
        for row in table(run / "results.csv")
        if (row["network"], row["classes"]) == (name, classes)
    )
    kind = "" if classes == "binary" else "-subtype"
    predictions = table(run / f"{name}{kind}-random-seed0" / "predictions.csv")
    names = [column[12:] for column in predictions[0] if column.startswith("probability_")]
    p = np.array([[float(one[f"probability_{c}"]) for c in names] for one in predictions])
    labels = [one["label"] for one in predictions]
    predicted = [names[k] for k in p.argmax(axis=1)]
    assert [one["predicted"] for one in predictions] == predicted
    truth = np.array([[label == c for c in names] for label in labels])
    weighted: dict[str, Any] = {"average": "weighted", "zero_division": 0}
    scores, hits = (p[:, 1], truth[:, 1]) if classes == "binary" else (p, truth)
    expected = {
        "loss": -np.log(p[truth]).mean(),
        "accuracy": sk.accuracy_score(labels, predicted),
        "precision": sk.precision_score(labels, predicted, **weighted),
        "recall": sk.recall_score(labels, predicted, **weighted),
        "f1": sk.f1_score(labels, predicted, **weighted),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
        "auroc": sk.roc_auc_score(hits, scores),
        "average_precision": sk.average_precision_score(hits, scores),
    }
    assert expected.keys() == set(FIGURES)
    assert expected["loss"] == pytest.approx(
        sk.log_loss(truth.argmax(axis=1), p, labels=range(len(names)))
    )
    assert {key: float(row[key]) for key in FIGURES} == pytest.approx(expected, rel=1e-6)
    confusion = sk.confusion_matrix(labels, predicted, labels=names)
    assert json.loads(row["confusion"]) == confusion.tolist()
    assert [int(row[f"n_{split}"]) for split in ("train", "validation", "test")] == [32, 8, 8]


def test_results_have_a_row_for_each_network_and_baseline(run: Path) -> None:
    rows = table(run / "results.csv")
    assert list(rows[0]) == list(COLUMNS)
    assert [(row["network"], row["classes"]) for row in rows] == [
        (name, classes)
        for classes in ("binary", "subtype")
        for name in (NETWORK, "colour-forest", "majority")
    ]
    assert all(float(row["train_seconds"]) > 0 for row in rows if row["network"] == NETWORK)


@pytest.mark.parametrize("folder", [f"{NETWORK}-random-seed0", "majority-subtype-random-seed0"])
def test_predictions_are_those_of_exactly_the_test_rows(folder: str, run: Path) -> None:
    samples = table(run / "samples.csv")
    assert len(samples) == 48
    assert (run / folder / "samples.csv").read_bytes() == (run / "samples.csv").read_bytes()
    tested = [row for row in samples if row["split"] == "test"]
    predictions = table(run / folder / "predictions.csv")
    assert [row["path"] for row in predictions] == [row["path"] for row in tested]
    assert {row["split"] for row in predictions} == {"test"}
    label_of = dict.fromkeys(("Early", "Pre", "Pro"), "Malignant") | {"Benign": "Benign"}
    if "subtype" in folder:
        label_of = {name: name for name in label_of}
    assert [row["label"] for row in predictions] == [label_of[row["label"]] for row in tested]


def test_each_prediction_is_the_classifier_s_for_that_picture(run: Path, smears: Path) -> None:
    folder = run / f"{NETWORK}-random-seed0"
    rows = table(folder / "predictions.csv")
    pixels = np.array([decode(smears / row["path"], 64) for row in rows])
    given = np.array([float(row["probability_Malignant"]) for row in rows])
    answers = predict(load(folder / "classifier"), pixels, fabric=fabric_for("float32"), quiet=True)
    assert np.abs(np.diff(given)).min() > 1e-5  # no two of them could be mistaken
    np.testing.assert_allclose(given, answers[:, 1], atol=2e-6)


def test_each_prediction_of_the_forest_is_for_that_picture(run: Path, smears: Path) -> None:
    rows = table(run / "colour-forest-random-seed0" / "predictions.csv")
    trained = [row for row in table(run / "samples.csv") if row["split"] == "train"]
    train, test = (
        np.array([decode(smears / row["path"], 64) for row in part]) for part in (trained, rows)
    )
    targets = np.array([int(row["label"] != "Benign") for row in trained])
    given = [float(row["probability_Malignant"]) for row in rows]
    expected = colour_forest(train, targets, test, classes=2, seed=0)[:, 1]
    assert given == pytest.approx(expected.tolist(), abs=1e-8)
    assert len(set(given)) > 4


def test_settings_tell_how_it_was_made(run: Path) -> None:
    settings = json.loads((run / f"{NETWORK}-random-seed0" / "settings.json").read_text())
    assert (settings["epochs"], settings["size"], settings["batch"]) == (2, 64, 8)
    assert "learning_rate" in settings["reasons"]
    assert "epochs" not in settings["reasons"]  # the recipe's reason is not for another's value
    whole = json.loads((run / "settings.json").read_text())
    assert whole["fingerprint"] == settings["fingerprint"]
    assert whole["versions"]["torch"]
    assert "float32" in whole["device"]


def test_the_same_call_again_computes_nothing(
    copy: Path, comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        pytest.fail("a finished network was computed again")

    monkeypatch.setattr(outcome, "finish", forbidden)
    same = ("samples.csv", "card.json", "results.csv", *OURS[-2:])
    before = content(copy, *same)
    times = [(copy / name).stat().st_mtime_ns for name in OURS[-2:]]
    benchmark(replace(comparison, out=copy))
    assert content(copy, *same) == before
    assert [(copy / name).stat().st_mtime_ns for name in OURS[-2:]] == times


def test_another_run_with_the_same_seed_predicts_the_same(
    run: Path, comparison: Comparison, tmp_path: Path
) -> None:
    benchmark(replace(comparison, out=tmp_path / "again"))
    same = [f"{name}-random-seed0/predictions.csv" for name in (NETWORK, "colour-forest")]
    same += ["samples.csv", f"{NETWORK}-random-seed0/classifier/model.safetensors"]
    assert content(tmp_path / "again", *same) == content(run, *same)


def test_a_table_with_the_same_split_gives_the_same_network(
    run: Path, comparison: Comparison, tmp_path: Path
) -> None:
    figures = train_listed(
        run / "samples.csv",
        NETWORK,
        tmp_path / "one",
        root=Path(comparison.data),
        overrides=comparison.overrides,
        quiet=True,
    )
    ours = tmp_path / "one" / "predictions.csv"
    assert ours.read_bytes() == (run / f"{NETWORK}-random-seed0/predictions.csv").read_bytes()
    row = table(run / "results.csv")[0]
    assert figures.accuracy == float(row["accuracy"])
    assert figures.loss == pytest.approx(float(row["loss"]), rel=1e-6)


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "older"])
def test_another_split_in_the_same_folder_is_refused(
    recorded: bool, run: Path, comparison: Comparison, tmp_path: Path
) -> None:
    """Also where the folder is older than the fingerprint of the split in its record."""
    rows = read_samples(run / "samples.csv")
    write_samples(splits.assign(rows, protocol="random", seed=1), tmp_path / "other.csv")
    out = shutil.copytree(run / f"{NETWORK}-random-seed0", tmp_path / "copy")
    settings = json.loads((out / "settings.json").read_text()) | {"protocol": "given"}
    if not recorded:
        del settings["split_fingerprint"]
    (out / "settings.json").write_text(json.dumps(settings))
    before = content(out, "samples.csv", "predictions.csv", "metrics.json")

    def again(samples: Path) -> Metrics:
        return train_listed(
            samples,
            NETWORK,
            out,
            root=Path(comparison.data),
            overrides=comparison.overrides,
            quiet=True,
        )

    with pytest.raises(UsageError, match="copy was made with another split of the images"):
        again(tmp_path / "other.csv")
    assert again(run / "samples.csv").n == 8
    assert content(out, *before) == before


def test_the_report_is_one_file_that_needs_no_network(run: Path) -> None:
    html = (run / "report.html").read_text(encoding="utf-8")
    assert NETWORK in html
    assert "Colour forest" in html
    fetched = re.findall(r'(?:\bsrc|<link[^>]*\bhref)="([^"]{,20})', html)
    assert fetched
    assert all(address.startswith("data:") for address in fetched)
    assert (run / "report.html").stat().st_size < 5_000_000
    assert (run / f"{NETWORK}-random-seed0" / "classifier" / "README.md").exists()


def test_drawn_smears_are_called_so(
    comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = partial(sources.drawn, per_class=10, size=64)
    monkeypatch.setattr(sources, "drawn", few)
    out = tmp_path / "drawn"
    report = benchmark(replace(comparison, data="synthetic", out=out))
    assert report == out / "report.html"
    assert "drawn smears" in report.read_text(encoding="utf-8").lower()
    assert json.loads((out / "card.json").read_text())["synthetic"] is True
    card = (out / f"{NETWORK}-random-seed0" / "classifier" / "README.md").read_text()
    assert "drawn" in card.lower()


def test_an_evaluation_in_the_folder_of_a_run_is_no_result(copy: Path) -> None:
    before = content(copy, "results.csv")
    (copy / "evaluation").mkdir()
    (copy / "evaluation" / "metrics.json").write_text("{}")
    write_results(copy)
    assert content(copy, "results.csv") == before


def test_other_images_in_the_same_folder_are_refused(
    copy: Path, comparison: Comparison, tmp_path: Path
) -> None:
    others = tmp_path / "others"
    synthetic.write(synthetic.draw(per_class=12, size=64, seed=4), others)
    before = content(copy)
    with pytest.raises(UsageError, match=r"a comparison of other images than .*others"):
        benchmark(replace(comparison, data=str(others), out=copy))
    assert content(copy) == before


def test_other_settings_in_the_same_folder_are_refused(copy: Path, comparison: Comparison) -> None:
    before = content(copy)
    overrides = comparison.overrides | {"epochs": 3}
    with pytest.raises(UsageError, match="was made with epochs 2, not 3; choose another --out"):
        benchmark(replace(comparison, overrides=overrides, out=copy))
    assert content(copy) == before


def test_a_network_is_added_to_a_finished_run(copy: Path, comparison: Comparison) -> None:
    """Even one that sees smaller images, for which the baselines would have been made smaller."""
    before = content(copy, *OURS[-2:], "colour-forest-random-seed0/predictions.csv")
    overrides = comparison.overrides | {"size": 48, "epochs": 1, "normalization": "batch"}
    benchmark(replace(comparison, networks=(OTHER,), overrides=overrides, out=copy))
    assert content(copy, *before) == before
    names = [row["network"] for row in table(copy / "results.csv") if row["classes"] == "binary"]
    assert sorted(names) == sorted([NETWORK, OTHER, "colour-forest", "majority"])
    assert OTHER in (copy / "report.html").read_text(encoding="utf-8")


def test_seeds_are_splits_and_trainings_of_their_own(
    run: Path, comparison: Comparison, tmp_path: Path
) -> None:
    out = tmp_path / "seeds"
    one_epoch = comparison.overrides | {"epochs": 1}
    benchmark(replace(comparison, seeds=2, overrides=one_epoch, out=out))
    rows = table(out / "results.csv")
    assert [(row["network"], row["seed"]) for row in rows] == [
        (name, seed) for name in (NETWORK, "colour-forest", "majority") for seed in "01"
    ]
    zero, one = (table(out / f"{NETWORK}-random-seed{k}" / "samples.csv") for k in (0, 1))
    assert zero == table(run / "samples.csv")
    assert [row["path"] for row in zero] == [row["path"] for row in one]
    assert [row["split"] for row in zero] != [row["split"] for row in one]
    for folder, samples in ((f"{NETWORK}-random-seed{k}", s) for k, s in ((0, zero), (1, one))):
        tested = [row["path"] for row in samples if row["split"] == "test"]
        assert [row["path"] for row in table(out / folder / "predictions.csv")] == tested


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"networks": (NETWORK, "resnet5")}, "Did you mean resnet50"),
        ({"overrides": {"epoch": 3}}, "no setting 'epoch'"),
        ({"overrides": {"size": 32}, "networks": ("alexnet",)}, "alexnet cannot take images of 32"),
        ({"seeds": 0}, "--seeds must be at least 1"),
        ({"classes": "fine"}, "--classes is binary or subtype"),
        ({"protocols": ("patient",)}, "no protocol 'patient'"),
        ({"data": "nowhere"}, "nowhere is not there"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_call_is_refused_before_anything_is_written(
    changes: dict[str, Any], sentence: str, comparison: Comparison, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match=sentence):
        benchmark(replace(comparison, out=out, **changes))
    assert not list(out.glob("*"))


def test_a_training_that_diverges_keeps_what_was_finished(
    copy: Path, comparison: Comparison
) -> None:
    wild = comparison.overrides | {"learning_rate": 1e30, "normalization": "batch"}
    before = content(copy, *OURS[-2:])
    with pytest.raises(LeukoscopeError, match=f"{OTHER} diverged"):
        benchmark(replace(comparison, networks=(OTHER,), overrides=wild, out=copy))
    assert content(copy, *OURS[-2:]) == before
    assert not (copy / f"{OTHER}-random-seed0" / "predictions.csv").exists()


def test_ctrl_c_says_how_to_go_on(
    comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trial, "run", interrupted)
    with pytest.raises(Interrupted, match="The same command goes on from here") as caught:
        benchmark(replace(comparison, out=tmp_path / "out"))
    assert caught.value.exit_status == 130


def start(comparison: Comparison) -> "subprocess.Popen[str]":
    """The command itself, as a process of its own, with one thread like the process of a test."""
    source = str(Path(leukoscope.__file__).parents[1])
    command = [sys.executable, "-m", "leukoscope.cli", "benchmark", "--quiet"]
    command += ["--no-audit", "--data", comparison.data, "--out", str(comparison.out)]
    command += ["--networks", ",".join(comparison.networks)]
    for key, value in comparison.overrides.items():
        command += ["--set", f"{key}={value}"]
    return subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": source, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_killed_run_goes_on_to_the_same_predictions(
    comparison: Comparison, tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    asked = replace(
        comparison,
        networks=(NETWORK, "mobilenet_v3_small"),  # the latter has dropout
        overrides={"size": 64, "epochs": 8, "batch": 16},
        out=cut,
    )
    killed = start(asked)
    folder = cut / "mobilenet_v3_small-random-seed0"
    deadline = time.monotonic() + 300
    while not (folder / "checkpoint.pt").exists():
        assert killed.poll() is None, killed.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    killed.kill()  # kill -9
    killed.communicate()
    epochs = len(table(folder / "history.csv"))
    assert 1 <= epochs < 8
    assert not (folder / "predictions.csv").exists()
    again = start(asked)
    said, _ = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert str(cut / "report.html") in said
    benchmark(replace(asked, out=whole))
    for name in (f"{NETWORK}-random-seed0", "mobilenet_v3_small-random-seed0"):
        files = ("predictions.csv", "metrics.json", "samples.csv", "classifier/model.safetensors")
        assert content(cut / name, *files) == content(whole / name, *files)
        ours, theirs = (table(out / name / "history.csv") for out in (cut, whole))
        assert len(ours) == 8
        for row in (*ours, *theirs):
            del row["seconds"], row["images_per_second"]
        assert ours == theirs
    ours, theirs = (table(out / "results.csv") for out in (cut, whole))
    for row in (*ours, *theirs):
        del row["train_seconds"], row["train_images_per_second"]
    assert ours == theirs
    assert not list(cut.rglob("*.pt"))


def test_folds_test_every_image_once(comparison: Comparison, tmp_path: Path) -> None:
    folded = replace(comparison, folds=3, out=tmp_path / "folds")
    benchmark(folded)
    rows = {row["network"]: row for row in table(folded.out / "results.csv")}
    assert set(rows) == {NETWORK, "colour-forest", "majority"}
    for name, row in rows.items():
        folder = folded.out / f"{name}-random-seed0"
        predictions = table(folder / "predictions.csv")
        assert [one["path"] for one in predictions] == [
            one["path"] for one in table(folded.out / "samples.csv")
        ]
        assert row["n_test"] == "48"
        right = [one["label"] == one["predicted"] for one in predictions]
        assert float(row["accuracy"]) == pytest.approx(np.mean(right))
        assert {one["fold"] for one in predictions} == {"1", "2", "3"}
        metrics = json.loads((folder / "metrics.json").read_text())
        each = [
            json.loads((folder / f"fold{number}" / "metrics.json").read_text())
            for number in (1, 2, 3)
        ]
        values, sizes = [one["auroc"]["value"] for one in each], [one["n"] for one in each]
        assert metrics["folds"] == 3
        assert metrics["auroc"]["value"] == pytest.approx(np.average(values, weights=sizes))
        tested = [
            {
                one["path"]
                for one in table(folder / f"fold{number}" / "samples.csv")
                if one["split"] == "test"
            }
            for number in (1, 2, 3)
        ]
        assert sum(map(len, tested)) == len(set.union(*tested)) == 48
    assert rows[NETWORK]["train_seconds"]
    before = content(folded.out, "results.csv", f"{NETWORK}-random-seed0/predictions.csv")
    benchmark(folded)
    assert content(folded.out, *before) == before
    with pytest.raises(UsageError, match="made with folds 3, not 4"):
        benchmark(replace(folded, folds=4))


def test_fewer_than_three_folds_are_refused(comparison: Comparison) -> None:
    with pytest.raises(UsageError, match="--folds must be at least 3"):
        benchmark(replace(comparison, folds=2))
