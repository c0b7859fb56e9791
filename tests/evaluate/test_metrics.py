"""The figures against scikit-learn, hand calculations, and what must not change them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from leukoscope.evaluate.intervals import Interval, Measured, group_bootstrap
from leukoscope.evaluate.metrics import Metrics, as_json, evaluate, from_json

NAMES = ("Benign", "Early", "Pre", "Pro")


def drawn(n: int, k: int, seed: int, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities that know something about them; with ties, on a coarse grid."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(k, size=n - k)])
    scores = rng.gamma(1.0, size=(n, k)) + 1.5 * np.eye(k)[labels] * rng.random((n, 1))
    if ties:
        scores = np.round(scores) + 1
    return labels, scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("ties", [False, True])
def test_figures_are_those_of_scikit_learn(k: int, ties: bool) -> None:
    labels, probabilities = drawn(200, k, seed=k, ties=ties)
    got = evaluate(labels, probabilities, classes=NAMES[:k])
    predicted = probabilities.argmax(axis=1)
    for average, suffix in (("weighted", ""), ("macro", "_macro")):
        precision, recall, f1, _ = sk.precision_recall_fscore_support(
            labels, predicted, average=average, zero_division=0
        )
        assert getattr(got, f"precision{suffix}") == pytest.approx(precision)
        assert getattr(got, f"recall{suffix}") == pytest.approx(recall)
        assert getattr(got, f"f1{suffix}") == pytest.approx(f1)
    assert got.accuracy == pytest.approx(sk.accuracy_score(labels, predicted))
    assert got.balanced_accuracy == pytest.approx(sk.balanced_accuracy_score(labels, predicted))
    assert got.loss == pytest.approx(sk.log_loss(labels, probabilities, labels=range(k)))
    assert got.confusion == tuple(map(tuple, sk.confusion_matrix(labels, predicted).tolist()))
    assert got.mcc == pytest.approx(sk.matthews_corrcoef(labels, predicted))
    brier = sk.brier_score_loss(labels, probabilities[:, 1] if k == 2 else probabilities)
    assert got.brier == pytest.approx(brier)
    score = probabilities[:, 1] if k == 2 else probabilities
    auroc = sk.roc_auc_score(labels, score, multi_class="ovr")
    assert got.auroc == pytest.approx(auroc)
    truth = labels if k == 2 else np.eye(k)[labels]
    assert got.average_precision == pytest.approx(sk.average_precision_score(truth, score))
    for index, one in enumerate(got.per_class):
        rest = sk.confusion_matrix(labels == index, predicted == index)
        assert one.specificity == pytest.approx(rest[0, 0] / rest[0].sum())
        assert one.recall == pytest.approx(rest[1, 1] / rest[1].sum())
        assert one.npv == pytest.approx(rest[0, 0] / rest[:, 0].sum())


def test_the_reference_tables_alexnet_row() -> None:
    # [[49, 2], [5, 271]]: accuracy 0.9786, precision 0.9794, recall 0.9786, F1 0.9788
    labels = np.repeat([0, 0, 1, 1], [49, 2, 5, 271])
    predicted = np.repeat([0, 1, 0, 1], [49, 2, 5, 271])
    got = evaluate(labels, np.eye(2)[predicted], classes=("Benign", "Malignant"))
    figures = (got.accuracy, got.precision, got.recall, got.f1)
    assert [round(figure, 4) for figure in figures] == [0.9786, 0.9794, 0.9786, 0.9788]
    assert got.confusion == ((49, 2), (5, 271))
    assert got.per_class[0].recall == pytest.approx(49 / 51)
    assert got.intervals["recall:Benign"].high == pytest.approx(0.9952, abs=1e-4)


def test_a_perfect_classifier_is_perfect_and_has_a_lower_bound() -> None:
    labels = np.repeat([0, 1], [51, 276])
    got = evaluate(labels, np.eye(2)[labels], classes=("Benign", "Malignant"))
    assert got.loss == pytest.approx(0, abs=1e-12)
    for name in ("accuracy", "precision", "recall", "f1", "f1_macro", "balanced_accuracy", "auroc"):
        assert getattr(got, name) == 1.0
    assert got.average_precision == 1.0
    assert got.intervals["recall:Benign"].low == pytest.approx(0.025 ** (1 / 51))
    assert got.intervals["accuracy"].low == pytest.approx(0.025 ** (1 / 327))


def test_equal_probabilities_go_to_the_first_class() -> None:
    got = evaluate(np.array([0, 1]), np.full((2, 2), 0.5), classes=("a", "b"))
    assert got.confusion == ((1, 0), (1, 0))
    assert got.auroc == 0.5
    assert got.per_class[1].precision == 0.0


def test_an_absent_class_has_no_ranking_and_does_not_lower_the_means() -> None:
    labels, probabilities = np.array([0, 1, 0]), np.array([[0.8, 0.2, 0], [0, 1, 0], [0.9, 0.1, 0]])
    got = evaluate(labels, probabilities, classes=("a", "b", "c"))
    assert (got.auroc, got.average_precision) == (None, None)
    assert got.recall_macro == got.balanced_accuracy == 1.0
    absent = got.per_class[2]
    assert (absent.n, absent.recall, absent.auroc, absent.f1) == (0, None, None, 0.0)
    assert "recall:c" not in got.intervals


def test_a_class_predicted_but_never_true_counts_in_the_macro_recall_only() -> None:
    labels, probabilities = np.array([0, 0]), np.array([[0.9, 0.1], [0.2, 0.8]])
    got = evaluate(labels, probabilities, classes=("a", "b"))
    assert got.recall_macro == 0.25
    assert got.balanced_accuracy == 0.5


@settings(deadline=None, database=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 4), st.randoms(use_true_random=False))
def test_row_order_changes_nothing(seed: int, k: int, random: object) -> None:
    labels, probabilities = drawn(30, k, seed, ties=True)
    order = np.random.default_rng(seed).permutation(30)
    one = evaluate(labels, probabilities, classes=NAMES[:k])
    other = evaluate(labels[order], probabilities[order], classes=NAMES[:k])
    assert one.confusion == other.confusion
    assert one.intervals.keys() == other.intervals.keys()
    for key, interval in one.intervals.items():
        expected = pytest.approx((interval.low, interval.high), abs=1e-9)
        assert (other.intervals[key].low, other.intervals[key].high) == expected
    assert other.loss == pytest.approx(one.loss)
    assert other.auroc == pytest.approx(one.auroc)


@settings(deadline=None, database=None, max_examples=40)
@given(hnp.arrays(np.int64, st.integers(1, 20), elements=st.integers(0, 2)))
def test_any_labels_give_figures_within_their_bounds(labels: np.ndarray) -> None:
    probabilities = np.random.default_rng(len(labels)).dirichlet(np.ones(3), size=len(labels))
    got = evaluate(labels, probabilities, classes=NAMES[:3])
    for name in ("accuracy", "precision", "recall", "f1", "precision_macro", "f1_macro"):
        assert 0 <= getattr(got, name) <= 1
    assert got.recall == pytest.approx(got.accuracy)
    assert got.intervals["accuracy"].low <= got.accuracy <= got.intervals["accuracy"].high


def test_as_dict_is_json_with_intervals() -> None:
    labels, probabilities = drawn(40, 2, seed=0)
    got: Metrics = evaluate(labels, probabilities, classes=NAMES[:2])
    read = json.loads(json.dumps(got.as_dict(), allow_nan=False))
    assert read["accuracy"] == {
        "value": got.accuracy,
        "low": got.intervals["accuracy"].low,
        "high": got.intervals["accuracy"].high,
        "method": "Clopper-Pearson",
    }
    assert set(read["loss"]) == {"value", "low", "high", "method"}
    assert read["per_class"][1]["recall"]["low"] == got.intervals["recall:Early"].low
    assert read["confusion"] == [list(row) for row in got.confusion]


GOOD = np.array([[0.5, 0.5], [0.2, 0.8], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([0.2, np.nan], "Row 2 of 3 has a probability that is not a number"),
        ([np.inf, 0.0], "Row 2 of 3 has a probability that is not a number"),
        ([-0.1, 1.1], "Row 2 of 3 has a probability outside 0 to 1"),
        ([0.5, 0.52], "Row 2 of 3 has probabilities that do not sum to one"),
    ],
)
def test_bad_probabilities_name_their_row(value: list[float], sentence: str) -> None:
    probabilities = GOOD.copy()
    probabilities[1] = value
    with pytest.raises(ValueError, match=sentence):
        evaluate(np.array([0, 1, 0]), probabilities, classes=("a", "b"))


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_outside_the_classes_names_its_row(label: int) -> None:
    with pytest.raises(ValueError, match=rf"Row 3 of 3 .*none of the classes .*{label}"):
        evaluate(np.array([0, 1, label]), GOOD, classes=("a", "b"))


@pytest.mark.parametrize(
    ("labels", "probabilities", "classes", "sentence"),
    [
        (np.array([], dtype=int), np.empty((0, 2)), ("a", "b"), "predictions are empty"),
        (np.array([0, 1]), GOOD, ("a", "b"), r"shape \(2, 2\), not \(3, 2\)"),
        (np.array([0, 1, 0]), GOOD, ("a", "b", "c"), r"shape \(3, 3\), not \(3, 2\)"),
        (np.array([0, 1, 0]), GOOD[:, 0], ("a", "b"), r"not \(3,\)"),
        (np.array([0.0, 1.0, 0.0]), GOOD, ("a", "b"), "whole number"),
        (np.array([[0, 1, 0]]), GOOD, ("a", "b"), "whole number"),
        (np.array([0, 0, 0]), np.ones((3, 1)), ("a",), "two classes"),
        (np.array([0, 1, 0]), GOOD, ("a", "a"), "must differ"),
    ],
)
def test_wrong_shapes_are_refused(
    labels: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        evaluate(labels, probabilities, classes=classes)


def test_probabilities_rounded_in_a_file_are_accepted() -> None:
    labels, probabilities = drawn(50, 3, seed=1)
    got = evaluate(labels, np.round(probabilities, 4).astype(np.float32), classes=NAMES[:3])
    exact = evaluate(labels, probabilities, classes=NAMES[:3])
    assert got.loss == pytest.approx(exact.loss, abs=1e-3)


def test_intervals_over_groups_are_those_of_the_shares_they_belong_to() -> None:
    labels, probabilities = drawn(200, 3, seed=4)
    groups = [f"scene{row // 4}" for row in range(200)]
    found = evaluate(labels, probabilities, classes=("a", "b", "c"), groups=groups)
    right = (probabilities.argmax(axis=1) == labels).astype(float)
    assert found.intervals["accuracy"] == group_bootstrap(right, groups)
    ones = labels == 1
    expected = group_bootstrap(right[ones], np.array(groups)[ones])
    assert found.intervals["recall:b"].low == pytest.approx(expected.low, abs=0.02)
    assert found.intervals["recall:b"].high == pytest.approx(expected.high, abs=0.02)
    assert found.intervals["recall:b"].method == expected.method
    plain = evaluate(labels, probabilities, classes=("a", "b", "c"))
    assert plain.intervals["accuracy"].method == "Clopper-Pearson"
    assert plain.accuracy == found.accuracy


def test_every_figure_has_an_interval_around_it() -> None:
    labels, probabilities = drawn(120, 4, seed=2)
    for groups in (None, [str(row % 15) for row in range(120)]):
        got = evaluate(labels, probabilities, classes=NAMES, groups=groups).as_dict()
        parts = [got, *got["per_class"], got["binary"]]
        figures = [one for part in parts for one in part.values() if isinstance(one, dict)]
        with_value = [one for one in figures if "value" in one]
        assert len(with_value) == 16 + 4 * 7 + 12
        for one in with_value:
            assert one["low"] <= one["value"] <= one["high"]
            assert one["low"] < one["high"]


@pytest.mark.parametrize("groups", [None, [str(row // 3) for row in range(60)]])
def test_nothing_perfect_is_without_a_lower_bound(groups: list[str] | None) -> None:
    labels = np.arange(60) // 3 % 3
    got = evaluate(labels, np.eye(3)[labels], classes=("Benign", "A", "B"), groups=groups)
    figures = [*got.as_dict().values(), *got.as_dict()["per_class"][0].values()]
    perfect = [one for one in figures if isinstance(one, dict) and one.get("value") == 1]
    assert len(perfect) == 18
    for one in perfect:
        assert 0.5 < one["low"] < 0.99
    assert 0 < got.intervals["aurc"].high < 0.3
    assert got.intervals["loss"].high > 0.5


def test_a_subtype_model_has_its_binary_figures() -> None:
    labels, probabilities = drawn(150, 4, seed=6)
    got = evaluate(labels, probabilities, classes=NAMES, negative="Benign").binary
    assert got is not None
    assert (got.negative, got.positive) == ("Benign", "Malignant")
    truth, score = labels != 0, probabilities[:, 1:].sum(axis=1)
    called = score > 0.5
    value = {name: one.value for name, one in got.measured.items()}
    assert value["sensitivity"] == pytest.approx(sk.recall_score(truth, called))
    assert value["specificity"] == pytest.approx(sk.recall_score(~truth, ~called))
    assert value["ppv"] == pytest.approx(sk.precision_score(truth, called))
    assert value["npv"] == pytest.approx(sk.precision_score(~truth, ~called))
    assert value["f1"] == pytest.approx(sk.f1_score(truth, called))
    assert value["mcc"] == pytest.approx(sk.matthews_corrcoef(truth, called))
    assert value["auroc"] == pytest.approx(sk.roc_auc_score(truth, score))
    assert value["average_precision"] == pytest.approx(sk.average_precision_score(truth, score))
    assert value["loss"] == pytest.approx(sk.log_loss(truth, score))
    assert value["brier"] == pytest.approx(sk.brier_score_loss(truth, score))
    assert (got.n_negative, got.n_positive) == ((~truth).sum(), truth.sum())


def test_predictive_values_are_at_the_stated_prevalence() -> None:
    labels, probabilities = drawn(150, 2, seed=6)
    own = evaluate(labels, probabilities, classes=("N", "P"))
    stated = evaluate(labels, probabilities, classes=("N", "P"), prevalence=0.01)
    assert own.binary is not None
    assert stated.binary is not None
    assert own.binary.as_dict()["prevalence"] == np.mean(labels)
    assert own.binary.as_dict()["prevalence_is"] == "of the test images"
    assert stated.binary.as_dict()["prevalence"] == 0.01
    sensitivity, specificity = (
        own.binary.measured[name].value for name in ("sensitivity", "specificity")
    )
    ppv = stated.binary.measured["ppv"]
    expected = sensitivity * 0.01 / (sensitivity * 0.01 + (1 - specificity) * 0.99)
    assert ppv.value == pytest.approx(expected)
    assert ppv.interval is not None
    assert ppv.interval.low < expected < ppv.interval.high
    same = evaluate(labels, probabilities, classes=("N", "P"), prevalence=float(np.mean(labels)))
    assert same.binary is not None
    assert same.binary.measured["ppv"].value == pytest.approx(own.binary.measured["ppv"].value)


def test_without_a_negative_class_there_are_no_binary_figures() -> None:
    labels, probabilities = drawn(30, 3, seed=1)
    assert evaluate(labels, probabilities, classes=("A", "B", "C")).binary is None
    with pytest.raises(ValueError, match="negative class D is not among"):
        evaluate(labels, probabilities, classes=("A", "B", "C"), negative="D")


def test_one_group_only_leaves_every_figure_open() -> None:
    labels, probabilities = drawn(30, 2, seed=1)
    got = evaluate(labels, probabilities, classes=("A", "B"), groups=["one"] * 30)
    for key in ("accuracy", "balanced_accuracy", "auroc", "recall:A", "brier"):
        interval = got.intervals[key]
        assert interval.low <= 0
        assert interval.high >= 1
        assert interval.method.startswith("one group")


def test_an_absent_class_leaves_json_without_nan() -> None:
    labels, probabilities = np.zeros(5, int), np.full((5, 2), [0.9, 0.1])
    got = evaluate(labels, probabilities, classes=("A", "B"), prevalence=0.1).as_dict()
    read = json.loads(json.dumps(got, allow_nan=False))
    assert read["auroc"] == {"value": None}
    assert read["binary"]["sensitivity"] == {"value": None}
    assert read["binary"]["ppv"] == {"value": None}


def test_a_figure_is_read_as_it_was_written() -> None:
    for one in (
        Measured(0.5, Interval(0.25, 0.75, "exact")),
        Measured(0.5),
        Measured(None),
    ):
        assert from_json(json.loads(json.dumps(as_json(one)))) == one
    assert from_json(None) == Measured(None)
