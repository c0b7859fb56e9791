"""Paired comparisons against enumeration, published examples and their own false alarms."""

import itertools

import numpy as np
import pytest
from scipy.stats import ttest_rel
from sklearn import metrics as sk

from leukoscope.evaluate.comparisons import Difference, compare, holm, mcnemar
from leukoscope.evaluate.scores import auroc


def drawn(n: int, seed: int, *, skill: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1], rng.integers(2, size=n - 2)])
    common = rng.normal(size=n)
    score = [
        1 / (1 + np.exp(-(by * (2 * labels - 1) + common + rng.normal(size=n) / 2)))
        for by in (1.0, skill)
    ]
    one, other = (np.stack([1 - p, p], axis=1) for p in score)
    return labels, one, other


def named(found: tuple[Difference, ...]) -> dict[str, Difference]:
    return {one.figure: one for one in found}


def test_mcnemar_is_the_binomial_test_of_the_discordant_images() -> None:
    first = np.array([True] * 8 + [False] * 1 + [True] * 20)
    second = np.array([False] * 8 + [True] * 1 + [True] * 20)
    # 8 against 1: 2 · (1 + 9) / 2^9
    assert mcnemar(first, second) == pytest.approx(20 / 512)
    assert mcnemar(first, first) == 1.0


def test_holms_own_steps() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_values_are_those_of_each_network_alone() -> None:
    labels, one, other = drawn(150, 0, skill=2.0)
    found = named(compare(labels, one, other, classes=("a", "b")))
    for name, expected in (
        ("accuracy", lambda p: sk.accuracy_score(labels, p.argmax(axis=1))),
        ("balanced_accuracy", lambda p: sk.balanced_accuracy_score(labels, p.argmax(axis=1))),
        ("mcc", lambda p: sk.matthews_corrcoef(labels, p.argmax(axis=1))),
        ("auroc", lambda p: sk.roc_auc_score(labels, p[:, 1])),
        ("loss", lambda p: sk.log_loss(labels, p)),
        ("brier", lambda p: sk.brier_score_loss(labels, p[:, 1])),
    ):
        assert found[name].first == pytest.approx(expected(one))
        assert found[name].second == pytest.approx(expected(other))
        assert found[name].value == pytest.approx(expected(one) - expected(other))
    assert found["accuracy"].test == "exact McNemar"
    assert found["accuracy"].p_value == mcnemar(
        one.argmax(axis=1) == labels, other.argmax(axis=1) == labels
    )


def test_swaps_of_groups_are_all_swaps_there_are() -> None:
    labels, one, other = drawn(60, 3, skill=0.5)
    groups = np.arange(60) % 8
    found = named(compare(labels, one, other, classes=("a", "b"), groups=[str(g) for g in groups]))[
        "accuracy"
    ]
    gain = (one.argmax(axis=1) == labels).astype(int) - (other.argmax(axis=1) == labels)
    sums = np.bincount(groups, weights=gain)
    totals = [abs(np.dot(signs, sums)) for signs in itertools.product((1, -1), repeat=8)]
    expected = np.mean(np.array(totals) >= abs(sums.sum()) - 1e-9)
    assert found.p_value == pytest.approx(expected, abs=0.03)
    assert found.test == "swaps of 8 groups"


def test_the_loss_of_independent_images_has_the_paired_t_test() -> None:
    labels, one, other = drawn(400, 5, skill=0.96)
    found = named(compare(labels, one, other, classes=("a", "b")))["loss"]
    losses = [-np.log(p[np.arange(400), labels]) for p in (one, other)]
    expected = ttest_rel(*losses)
    assert found.p_value == pytest.approx(expected.pvalue, rel=0.1)
    interval = expected.confidence_interval()
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(interval), rel=0.02)


def test_the_ranking_is_that_of_paired_curves() -> None:
    labels, one, other = drawn(200, 6, skill=0.6)
    found = named(compare(labels, one, other, classes=("a", "b")))["auroc"]
    rng = np.random.default_rng(0)
    resampled = []
    for _ in range(800):
        rows = rng.integers(200, size=200)
        positive = labels[rows] == 1
        resampled.append(
            auroc(positive, one[rows, 1]).value - auroc(positive, other[rows, 1]).value
        )
    low, high = np.percentile(resampled, (2.5, 97.5))
    assert found.interval.low == pytest.approx(low, abs=0.012)
    assert found.interval.high == pytest.approx(high, abs=0.012)
    assert found.p_value < 0.05


def test_a_network_does_not_differ_from_itself() -> None:
    labels, one, _ = drawn(80, 7)
    for found in compare(labels, one, one, classes=("a", "b")):
        assert found.value == 0
        assert found.p_value == 1
        assert found.interval.low <= 0 <= found.interval.high
    accuracy = named(compare(labels, one, one, classes=("a", "b")))["accuracy"].interval
    assert accuracy.high - accuracy.low > 0  # no difference seen is not none


@pytest.mark.parametrize("groups", [["one"] * 40, None])
def test_nothing_is_certain_of_a_perfect_network_and_a_blind_one(groups: list[str] | None) -> None:
    labels = np.arange(40) % 2
    blind = np.full((40, 2), 0.5)
    found = named(compare(labels, np.eye(2)[labels], blind, classes=("a", "b"), groups=groups))
    for name in ("accuracy", "mcc", "auroc"):
        one = found[name]
        assert one.interval.low < one.value < one.interval.high
        assert one.p_value > 0
    if groups is not None:
        assert found["accuracy"].interval.method == "one group"
        assert found["auroc"].p_value == 1


def test_swapping_the_networks_turns_the_difference_round() -> None:
    labels, one, other = drawn(120, 8, skill=1.6)
    there = named(compare(labels, one, other, classes=("a", "b")))
    back = named(compare(labels, other, one, classes=("a", "b")))
    for name, found in there.items():
        assert back[name].value == pytest.approx(-found.value)
        assert back[name].p_value == pytest.approx(found.p_value, abs=0.02)
        assert back[name].interval.low == pytest.approx(-found.interval.high, abs=0.02)


@pytest.mark.parametrize("grouped", [False, True])
def test_false_alarms_are_as_rare_as_they_should_be(grouped: bool) -> None:
    rng = np.random.default_rng(0)
    p_values: dict[str, list[float]] = {}
    for seed in range(40):
        labels, one, other = drawn(90, 100 + seed)
        groups = None
        if grouped:
            numbers = np.repeat(np.arange(30), 3)
            shift = rng.normal(size=30)[numbers]
            other = _shifted(other, shift)
            one = _shifted(one, rng.normal(size=30)[numbers])
            groups = [str(number) for number in numbers]
        for found in compare(labels, one, other, classes=("a", "b"), groups=groups, resamples=200):
            p_values.setdefault(found.figure, []).append(found.p_value)
    for name, values in p_values.items():
        assert np.mean(np.array(values) < 0.05) <= 0.175, name  # of 40; binomial, p < 0.002
        assert np.mean(np.array(values) < 0.5) >= 0.25, name


def _shifted(probabilities: np.ndarray, shift: np.ndarray) -> np.ndarray:
    score = 1 / (1 + (1 / probabilities[:, 1] - 1) * np.exp(shift))
    return np.stack([1 - score, score], axis=1)


def test_a_class_without_images_leaves_no_ranking_to_compare() -> None:
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], size=30)
    found = named(
        compare(np.arange(30) % 2, probabilities, probabilities[::-1], classes=("a", "b", "c"))
    )
    assert "auroc" not in found
    assert {"accuracy", "loss"} <= found.keys()


def certain(predicted: np.ndarray) -> np.ndarray:
    return np.eye(2)[predicted] * 0.98 + 0.01


def test_a_class_that_tells_nothing_apart_may_hold_what_stayed_unseen() -> None:
    labels = np.repeat([0, 1], (3, 325))
    found = named(compare(labels, certain(labels), certain(labels), classes=["a", "b"]))
    unseen = 1 - 0.025 ** (1 / 3)
    assert found["balanced_accuracy"].interval.high > unseen / 2 > 0.3
    assert found["balanced_accuracy"].interval.low < -unseen / 2
    assert found["accuracy"].interval.high == pytest.approx(1 - 0.025 ** (1 / 328))
    other = labels.copy()
    other[-1] = 0
    found = named(compare(labels, certain(labels), certain(other), classes=["a", "b"]))
    assert found["balanced_accuracy"].interval.high > unseen / 2


@pytest.mark.parametrize(("first", "second"), [(5, 0), (6, 0), (9, 1), (10, 2), (3, 3)])
def test_the_interval_of_the_accuracy_leaves_out_0_only_where_mcnemar_does(
    first: int, second: int
) -> None:
    labels = np.resize([0, 1], 328)
    one, other = labels.copy(), labels.copy()
    other[:first] = 1 - labels[:first]
    one[first : first + second] = 1 - labels[first : first + second]
    found = named(compare(labels, certain(one), certain(other), classes=["a", "b"]))["accuracy"]
    assert found.value == pytest.approx((first - second) / 328)
    assert found.interval.low <= found.value <= found.interval.high
    if found.interval.low > 0:
        assert found.p_value < 0.05
