"""Resampled figures against scikit-learn with the same weights, one resample at a time."""

import numpy as np
import pytest
from scipy.stats import beta
from sklearn import metrics as sk

from leukoscope.evaluate import resampling
from leukoscope.evaluate.figures import of_tables, predictive_values
from leukoscope.evaluate.resampling import Resamples, Units


def drawn(n: int = 200, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(k, size=n - k)])
    predicted = np.where(rng.random(n) < 0.8, labels, rng.integers(k, size=n))
    return labels, predicted, rng.integers(25, size=n)


def without_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "_alike", lambda *_: 0.0)


def test_tables_are_those_of_repeating_whole_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    without_halves(monkeypatch)
    labels, predicted, groups = drawn()
    rng = np.random.default_rng(1)
    counts = rng.multinomial(25, np.full(25, 1 / 25), size=30).astype(float)
    found = resampling.tables(
        Resamples(Units(groups, 25, "groups"), groups, counts, 0), labels, predicted, 3
    )
    figures = of_tables(found, sk.confusion_matrix(labels, predicted))
    for row, count in enumerate(counts.astype(int)):
        true, called = (np.repeat(values, count[groups]) for values in (labels, predicted))
        np.testing.assert_array_equal(
            found[row], sk.confusion_matrix(true, called, labels=range(3))
        )
        assert figures.mcc[row] == pytest.approx(sk.matthews_corrcoef(true, called))
        assert figures.balanced_accuracy[row] == pytest.approx(
            sk.balanced_accuracy_score(true, called)
        )
        for average, suffix in (("weighted", ""), ("macro", "_macro")):
            expected = sk.precision_recall_fscore_support(
                true, called, average=average, labels=range(3), zero_division=0
            )
            for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
                assert getattr(figures, name + suffix)[row] == pytest.approx(value)


def test_weights_are_sample_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    without_halves(monkeypatch)
    labels, predicted, groups = drawn()
    units = Units(groups, 25, "groups")
    made = resampling.resample(units, resamples=10, seed=3)
    shares = resampling.share(made, predicted == labels, labels == 1)
    for row in range(10):
        weights = made.weights[row][groups]
        expected = sk.recall_score(labels == 1, predicted == 1, sample_weight=weights)
        assert shares[row] == pytest.approx(expected)


def test_shares_of_single_images_are_jeffreys() -> None:
    right = np.arange(60) < 57
    made = resampling.resample(Units(np.arange(60), 60, "images"), resamples=40_000)
    shares = resampling.share(made, right, np.ones(60, bool))
    for level in (0.025, 0.5, 0.975):
        assert np.quantile(shares, level) == pytest.approx(beta(57.5, 3.5).ppf(level), abs=0.003)
    table = resampling.tables(made, np.zeros(60, int), (~right).astype(int), 2)
    recall = table[:, 0, 0] / table[:, 0].sum(axis=1)
    assert np.quantile(recall, 0.025) == pytest.approx(beta(57.5, 3.5).ppf(0.025), abs=0.003)


def test_the_halves_leave_the_classes_as_common_as_they_were() -> None:
    labels, predicted, groups = drawn()
    made = resampling.resample(Units(groups, 25, "groups"), resamples=20)
    tables = resampling.tables(made, labels, predicted, 3)
    for index in range(3):
        expected = resampling.total(made, labels == index)
        np.testing.assert_allclose(tables[:, index].sum(axis=1), expected)


def test_a_class_without_images_stays_empty() -> None:
    made = resampling.resample(Units(np.arange(40), 40, "images"), resamples=5)
    tables = resampling.tables(made, np.zeros(40, int), np.zeros(40, int), 3)
    assert (tables[:, 1:] == 0).all()
    assert (tables[:, 0, 1:] > 0).all()


def test_images_alike_within_groups_count_as_one() -> None:
    of = np.repeat(np.arange(30), 10)
    among = np.ones(300, bool)
    units = Units(of, 30, "groups")
    alike = resampling._alike(units, of < 24, among)
    assert 9 < alike <= 10
    apart = resampling._alike(units, np.random.default_rng(0).random(300) < 0.8, among)
    assert 1 <= apart < 2
    assert resampling._alike(units, among, among) == 10  # all right: nothing tells


def test_more_units_than_weights_leave_the_variance_what_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = np.random.default_rng(0).random(3000) < 0.9
    spread = []
    for most in (4096, 500):
        monkeypatch.setattr(resampling, "_MOST", most)
        made = resampling.resample(Units(np.arange(3000), 3000, "images"), resamples=3000)
        assert made.weights.shape[1] == min(most, 3000)
        spread.append(resampling.share(made, right, np.ones(3000, bool)).std())
    assert spread[1] == pytest.approx(spread[0], rel=0.12)


def test_units_without_groups_do_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(2, size=50), rng.dirichlet([1, 1], size=50)
    order = rng.permutation(50)
    one = resampling.units(labels, probabilities)
    other = resampling.units(labels[order], probabilities[order])
    np.testing.assert_array_equal(one.of[order], other.of)


def test_predictive_values_follow_bayes() -> None:
    # 99 % sensitive, 95 % specific, one in a hundred ill: a positive is ill once in six.
    ppv, npv = predictive_values(np.array([0.99]), np.array([0.95]), 0.01)
    assert ppv[0] == pytest.approx(0.0099 / (0.0099 + 0.0495))
    assert npv[0] == pytest.approx(0.9405 / (0.9405 + 0.0001))
    assert np.isnan(predictive_values(np.array([0.0]), np.array([1.0]), 0.5)[0])
    with pytest.raises(ValueError, match="between 0 and 1, not 10"):
        predictive_values(np.array([1.0]), np.array([1.0]), 10)


def test_the_effective_number_of_groups_is_that_of_equal_ones() -> None:
    equal = resampling.effective_groups(["a", "b", "c", "d"] * 5)
    assert (equal.count, equal.effective, equal.largest) == (4, pytest.approx(4), 0.25)
    uneven = resampling.effective_groups(["one"] * 736 + ["other"] * 60 + ["third"] * 8)
    assert uneven.effective == pytest.approx(804**2 / (736**2 + 60**2 + 8**2))
    assert uneven.largest == pytest.approx(736 / 804)
    assert uneven == resampling.effective_groups(["x"] * 60 + ["y"] * 736 + ["z"] * 8)
    assert resampling.effective_groups([]).effective == 0
