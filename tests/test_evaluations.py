"""A predictions.csv, ours or another program's, becomes evidence and tables, or a sentence."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from leukoscope.data.predictions import Predictions, write_predictions
from leukoscope.errors import DataError, LeukoscopeError, UsageError
from leukoscope.evaluate.abstention import class_thresholds, prediction_sets
from leukoscope.evaluate.calibration import fit_temperature
from leukoscope.evaluate.intervals import Interval
from leukoscope.evaluations import Evaluation, run
from leukoscope.evidence import Options
from leukoscope.report.evaluation import tables
from leukoscope.report.export import write_tables
from leukoscope.report.wording import ends

BINARY = ("Benign", "Malignant")
SUBTYPES = ("Benign", "Early", "Pre", "Pro")


def drawn(
    n: int,
    seed: int,
    *,
    classes: tuple[str, ...] = BINARY,
    groups: int | None = 20,
    split: str = "test",
    name: str = "image",
    skill: float = 2.0,
) -> Predictions:
    rng = np.random.default_rng(seed)
    k = len(classes)
    labels = np.arange(n) % k
    scores = np.exp(rng.normal(size=(n, k)) + skill * np.eye(k)[labels])
    return Predictions(
        paths=tuple(f"{name}{row:04d}.png" for row in range(n)),
        labels=tuple(classes[label] for label in labels),
        classes=classes,
        probabilities=scores / scores.sum(axis=1, keepdims=True),
        splits=(split,) * n,
        groups=("",) * n if groups is None else tuple(f"p{row % groups}" for row in range(n)),
    )


def write(predictions: Predictions, path: Path) -> Path:
    write_predictions(predictions, path)
    return path


def evaluated(predictions: Predictions, folder: Path, **options: Any) -> Evaluation:
    return run(write(predictions, folder / "predictions.csv"), folder / "out", **options)


def of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "out" / "metrics.json").read_text())
    return content


def test_the_figures_of_a_training_are_not_written_over(tmp_path: Path) -> None:
    path = write(drawn(40, 0), tmp_path / "predictions.csv")
    (tmp_path / "metrics.json").write_text("{}")
    (tmp_path / "settings.json").write_text('{"network": "vgg16", "fingerprint": "0f"}')
    with pytest.raises(UsageError, match="holds a training or a benchmark; choose another --out"):
        run(path, tmp_path)
    assert (tmp_path / "metrics.json").read_text() == "{}"
    assert not (tmp_path / "tables").exists()


def test_the_file_alone_gives_every_figure(tmp_path: Path) -> None:
    made = drawn(200, 0)
    found = evaluated(made, tmp_path)
    content = of(tmp_path)
    truth = made.targets
    assert content["auroc"]["value"] == pytest.approx(
        sk.roc_auc_score(truth, made.probabilities[:, 1])
    )
    assert content["groups"] == 20
    assert content["auroc"]["method"] == "DeLong over 20 groups"
    assert content["binary"]["sensitivity"]["value"] == pytest.approx(
        sk.recall_score(truth, made.probabilities.argmax(axis=1))
    )
    assert (content["operating_point"], content["calibration"]["temperature"]) == (None, None)
    assert content["abstention"]["sets"] is None
    assert content["per_group"]["groups"] == 20
    assert content["per_group"]["worst"]["n"] == 10
    assert any("--validation" in note for note in found.notes)
    written = {path.name for path in (tmp_path / "out" / "tables").iterdir()}
    names = ("figures", "classes", "binary", "groups", "calibration", "risk_coverage")
    assert written == {f"{name}.{suffix}" for name in names for suffix in ("csv", "md", "tex")}


def test_rows_that_name_their_fold_are_ranked_within_it(tmp_path: Path) -> None:
    made = drawn(200, 0, groups=None)
    folded = replace(made, folds=("1", "1", "1", "2", "2") * 40)
    found = evaluated(folded, tmp_path)
    content = of(tmp_path)
    folds = np.array(folded.folds)
    each = [
        sk.roc_auc_score(made.targets[folds == fold], made.probabilities[folds == fold, 1])
        for fold in "12"
    ]
    assert content["folds"] == 2
    assert content["auroc"]["value"] == pytest.approx(0.6 * each[0] + 0.4 * each[1])
    assert any("within each of the 2 folds" in note for note in found.notes)
    other = write(made, tmp_path / "other.csv")
    evaluated(folded, tmp_path, others=[other])
    (compared,) = [one for one in of(tmp_path)["comparisons"] if one["figure"] == "auroc"]
    assert compared["first"] == compared["second"] == content["auroc"]["value"]


def test_validation_images_give_a_temperature_a_threshold_and_sets(tmp_path: Path) -> None:
    test, held_out = drawn(300, 1), drawn(200, 2, name="other", split="validation")
    found = evaluated(test, tmp_path, validation=write(held_out, tmp_path / "validation.csv"))
    content = of(tmp_path)
    temperature = fit_temperature(held_out.targets, held_out.probabilities)
    assert content["calibration"]["temperature"]["value"] == pytest.approx(temperature, rel=1e-6)
    after = content["calibration"]["temperature"]["after"]
    assert after["loss"]["value"] < content["loss"]["value"]
    point = content["operating_point"]
    called = test.probabilities[:, 1] >= point["threshold"] * (1 - 1e-8)
    assert point["test"]["sensitivity"]["value"] == pytest.approx(
        sk.recall_score(test.targets, called)
    )
    assert point["validation"]["sensitivity"] >= 0.99
    thresholds = class_thresholds(held_out.targets, held_out.probabilities)
    sets = prediction_sets(test.probabilities, thresholds)
    covered = sets[np.arange(300), test.targets]
    every, benign, malignant = content["abstention"]["sets"]["classes"]
    assert every["coverage"]["value"] == pytest.approx(covered.mean(), abs=0.01)
    assert malignant["n_calibration"] == 100
    assert malignant["expected"]["low"] < 0.95 < malignant["expected"]["high"]
    assert benign["coverage"]["low"] < benign["coverage"]["value"]
    alike = content["abstention"]["sets"]["groups"]["alike"]
    assert alike["p_value"] > 0.01
    assert found.notes == []


def test_validation_rows_of_the_same_file_are_taken(tmp_path: Path) -> None:
    test, held_out = drawn(120, 3), drawn(100, 4, name="other", split="validation")
    train = drawn(50, 5, name="third", split="train")
    both = Predictions(
        paths=test.paths + held_out.paths + train.paths,
        labels=test.labels + held_out.labels + train.labels,
        classes=BINARY,
        probabilities=np.vstack([one.probabilities for one in (test, held_out, train)]),
        splits=test.splits + held_out.splits + train.splits,
        groups=test.groups + held_out.groups + train.groups,
    )
    found = evaluated(both, tmp_path)
    assert found.metrics.n == 120
    assert of(tmp_path)["operating_point"]["n_validation"] == 50
    assert "50 rows of" in found.notes[0]
    assert "left out" in found.notes[0]


def test_other_columns_in_another_order_are_the_same(tmp_path: Path) -> None:
    made = drawn(80, 6)
    evaluated(made, tmp_path)
    theirs = tmp_path / "theirs.csv"
    with theirs.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["probability_Malignant", "note", "group", "label", "probability_Benign", "path"]
        )
        for row in range(80):
            benign, malignant = made.probabilities[row]
            writer.writerow(
                [malignant, "a, b", made.groups[row], made.labels[row], benign, made.paths[row]]
            )
    run(theirs, tmp_path / "theirs")
    content = json.loads((tmp_path / "theirs" / "metrics.json").read_text())
    assert content["classes"] == ["Benign", "Malignant"]
    for key in ("accuracy", "auroc", "average_precision", "brier"):
        assert content[key]["value"] == pytest.approx(of(tmp_path)[key]["value"])


def test_without_groups_images_are_independent(tmp_path: Path) -> None:
    found = evaluated(drawn(100, 7, groups=None), tmp_path)
    assert found.metrics.groups is None
    assert found.metrics.intervals["accuracy"].method == "Clopper-Pearson"
    assert of(tmp_path)["per_group"] is None
    assert not (tmp_path / "out" / "groups.csv").exists()


def test_rows_without_a_group_are_groups_of_their_own(tmp_path: Path) -> None:
    made = drawn(60, 8, groups=10)
    some = Predictions(
        made.paths, made.labels, BINARY, made.probabilities, made.splits, ("", "", *made.groups[2:])
    )
    found = evaluated(some, tmp_path)
    assert found.metrics.groups == 12
    assert found.notes[0].startswith("2 rows have no group")


def test_one_group_only_says_that_nothing_is_known(tmp_path: Path) -> None:
    found = evaluated(drawn(40, 9, groups=1), tmp_path)
    interval = found.metrics.intervals["accuracy"]
    assert (interval.low, interval.high, interval.method) == (0, 1, "one group")
    assert "one group" in (tmp_path / "out" / "tables" / "figures.md").read_text()


def test_a_class_absent_from_the_test_images_has_no_figures(tmp_path: Path) -> None:
    made = drawn(90, 10, classes=SUBTYPES)
    rows = np.flatnonzero(made.targets != 2)
    evaluated(made.rows(rows), tmp_path)
    content = of(tmp_path)
    assert content["per_class"][2] == content["per_class"][2] | {"n": 0, "recall": {"value": None}}
    assert content["auroc"] == {"value": None}
    assert content["binary"]["positive"] == "Malignant"
    assert "| Pre | 0 | " in (tmp_path / "out" / "tables" / "classes.md").read_text()


def test_networks_on_the_same_images_are_compared_in_any_order(tmp_path: Path) -> None:
    test = drawn(150, 11)
    weaker = drawn(150, 12, skill=0.5)
    turned = weaker.rows(np.random.default_rng(0).permutation(150))
    (tmp_path / "weak").mkdir()
    others = [write(turned.ordered(BINARY[::-1]), tmp_path / "weak" / "predictions.csv")]
    others.append(write(test, tmp_path / "itself.csv"))
    evaluated(test, tmp_path, others=others)
    found = {(one["other"], one["figure"]): one for one in of(tmp_path)["comparisons"]}
    accuracy = found["weak", "accuracy"]
    expected = np.mean(np.array(weaker.predicted) == np.array(weaker.labels))
    assert accuracy["second"] == pytest.approx(expected)
    assert accuracy["p_value_holm"] == pytest.approx(2 * accuracy["p_value"])
    assert accuracy["difference"]["low"] > 0
    assert found["itself", "accuracy"]["p_value_holm"] == 1
    table = (tmp_path / "out" / "tables" / "comparisons.md").read_text()
    assert "| weak | AUROC |" in table


def test_the_prevalence_changes_the_predictive_values_alone(tmp_path: Path) -> None:
    made = drawn(100, 13)
    evaluated(made, tmp_path)
    own = of(tmp_path)["binary"]
    evaluated(made, tmp_path, options=Options(prevalence=0.01))
    stated = of(tmp_path)["binary"]
    assert stated["ppv"]["value"] < own["ppv"]["value"]
    assert stated["npv"]["value"] > own["npv"]["value"]
    assert stated["sensitivity"] == own["sensitivity"]


def test_a_negative_class_can_be_named(tmp_path: Path) -> None:
    made = drawn(90, 14, classes=("aml", "all", "normal"))
    assert evaluated(made, tmp_path).metrics.binary is None
    found = evaluated(made, tmp_path, options=Options(negative="normal")).metrics
    assert found.classes[0] == "normal"
    assert found.binary is not None
    assert (found.binary.n_negative, found.binary.positive) == (30, "not normal")
    with pytest.raises(UsageError, match="negative class Benign is not among"):
        evaluated(made, tmp_path, options=Options(negative="Benign"))


def test_without_a_positive_validation_image_there_is_no_threshold(tmp_path: Path) -> None:
    held_out = drawn(60, 15, name="other")
    negative = held_out.rows(np.flatnonzero(held_out.targets == 0))
    found = evaluated(
        drawn(60, 16), tmp_path, validation=write(negative, tmp_path / "validation.csv")
    )
    assert of(tmp_path)["operating_point"] is None
    assert of(tmp_path)["abstention"]["sets"]["classes"][2]["threshold"] == 1
    assert "no positive validation image" in found.notes[0]


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (drawn(40, 0), "image0000.png is among the test images, too .40 are."),
        (drawn(40, 0, name="b", classes=SUBTYPES), "cannot be held against those of Benign, Mal"),
    ],
)
def test_validation_images_are_others_of_the_same_classes(
    tmp_path: Path, other: Predictions, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        evaluated(drawn(40, 1), tmp_path, validation=write(other, tmp_path / "validation.csv"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (drawn(39, 0), "has no row for image0039.png: networks are compared on the same images"),
        (drawn(40, 0, classes=BINARY[::-1]), "image0000.png is Malignant there and Benign in the"),
    ],
)
def test_networks_are_compared_on_the_same_images_only(
    tmp_path: Path, other: Predictions, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        evaluated(drawn(40, 1), tmp_path, others=[write(other, tmp_path / "other.csv")])


@pytest.mark.parametrize("name", ["prevalence", "sensitivity", "coverage"])
@pytest.mark.parametrize("value", [0.0, 1.0, 95.0, float("nan")])
def test_shares_in_per_cent_are_a_wrong_call(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"--{name} must lie between 0 and 1"):
        Options(**{name: value})


def test_names_from_outside_do_not_break_a_table(tmp_path: Path) -> None:
    classes = ("Benign", "B & C_50%|x")
    evaluated(drawn(60, 2, classes=classes, groups=3), tmp_path)
    folder = tmp_path / "out" / "tables"
    row = (folder / "classes.tex").read_text()
    assert r"B \& C\_50\%$|$x & 30 &" in row
    assert r"B & C\_50%\|x | 30 |" in (folder / "classes.md").read_text()
    with (folder / "classes.csv").open() as file:
        assert [one["class"] for one in csv.DictReader(file)] == list(classes)


def test_tables_hold_the_digits_of_the_evidence(tmp_path: Path) -> None:
    evaluated(drawn(80, 3), tmp_path)
    content = of(tmp_path)
    with (tmp_path / "out" / "tables" / "figures.csv").open() as file:
        rows = {row["figure"]: row for row in csv.DictReader(file)}
    assert float(rows["AUROC"]["value"]) == content["auroc"]["value"]
    assert float(rows["AUROC"]["value_low"]) == content["auroc"]["low"]
    text = (tmp_path / "out" / "tables" / "figures.md").read_text()
    auroc = content["auroc"]
    low, high = ends(Interval(auroc["low"], auroc["high"], ""))
    assert f"| AUROC | {auroc['value']:.4f} ({low} to {high}) |" in text


def test_a_table_can_be_written_again_from_metrics_json(tmp_path: Path) -> None:
    evaluated(drawn(80, 3), tmp_path)
    before = {path.name: path.read_text() for path in (tmp_path / "out" / "tables").iterdir()}
    write_tables(tables(of(tmp_path)), tmp_path / "again")
    after = {path.name: path.read_text() for path in (tmp_path / "again").iterdir()}
    assert before == after


def test_one_row_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("path,label,probability_A,probability_B\na,A,0.75,0.25\n")
    found = run(path, tmp_path / "out")
    assert found.metrics.accuracy == 1
    assert found.metrics.intervals["accuracy"].low == pytest.approx(0.025)
    assert found.metrics.auroc is None


def test_every_wrong_file_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    header = "path,label,probability_A,probability_B\n"
    for text, part in (
        ("", "is empty"),
        (header, "has no rows"),
        (header + "a,C,1,0\n", "line 2: the label 'C' is not among the classes A, B"),
        (header + "a,A,1.5,-0.5\n", "line 2: 1.5, -0.5 are not probabilities"),
        (header + "a,A,0.5,0.4\n", "line 2: 0.5, 0.4 are not probabilities"),
        (header + "a,A,nan,0.4\n", "line 2: nan, 0.4 are not probabilities"),
        (header + "a,A,1,0\na,A,1,0\n", "line 3: a is listed twice"),
        ("path,probability_A,probability_B\na,1,0\n", "has no column label"),
    ):
        path = tmp_path / "wrong.csv"
        path.write_text(text)
        with pytest.raises(LeukoscopeError, match=part):
            run(path, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def with_seen(predictions: Predictions, seen: list[str], path: Path) -> Path:
    """The file as `leukoscope predict` writes it: no split, but what the classifier has seen."""
    write(replace(predictions, splits=("",) * len(seen)), path)
    header, *lines = path.read_text().splitlines()
    rows = [f"{line},{one}" for line, one in zip(lines, seen, strict=True)]
    path.write_text("\n".join([f"{header},seen", *rows]) + "\n")
    return path


def test_images_that_it_was_trained_on_are_no_test_images(tmp_path: Path) -> None:
    made = drawn(200, 7, groups=None)
    seen = ["train"] * 100 + ["validation"] * 60 + [""] * 40
    found = run(with_seen(made, seen, tmp_path / "p.csv"), tmp_path / "out")
    new = made.rows(np.arange(160, 200))
    right = (new.probabilities.argmax(1) == new.targets).mean()
    assert (found.metrics.n, found.metrics.accuracy) == (40, pytest.approx(right))
    assert found.notes[0].startswith("100 of 200 rows show images that the classifier was trained")
    assert "those of the other 40 rows" in found.notes[0]
    all_right = float((made.probabilities.argmax(1) == made.targets).mean())
    assert f"accuracy is {all_right:.4f}, which is no test figure" in found.notes[0]
    content = of(tmp_path)
    assert (content["seen"]["train"], content["seen"]["judged"]) == (100, 40)
    # Those that it was chosen by choose the threshold, too: 30 of the 60 are malignant.
    assert content["operating_point"]["n_validation"] == 30
    assert len(found.notes) == 1


def test_when_it_has_seen_all_of_them_there_are_no_test_figures(tmp_path: Path) -> None:
    made = drawn(40, 8, groups=None)
    found = run(with_seen(made, ["train"] * 40, tmp_path / "p.csv"), tmp_path / "out")
    assert found.metrics.n == 40
    assert "These are no test figures" in found.notes[0]
    assert of(tmp_path)["seen"]["judged"] == 0


def test_a_classifier_that_has_seen_none_of_them_needs_no_word(tmp_path: Path) -> None:
    made = drawn(40, 8, groups=None)
    found = run(with_seen(made, [""] * 40, tmp_path / "p.csv"), tmp_path / "out")
    assert not any("trained on" in note for note in found.notes)
    assert of(tmp_path)["seen"] is None


def test_a_network_that_saw_the_images_it_is_compared_on_is_named(tmp_path: Path) -> None:
    made, other = drawn(60, 9), drawn(60, 10)
    path = with_seen(other, ["train"] * 6 + [""] * 54, tmp_path / "other.csv")
    found = evaluated(made, tmp_path, others=[path])
    assert any(note.startswith("other has seen 6 of these images") for note in found.notes)
