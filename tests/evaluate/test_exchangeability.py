"""Differences that were planted are found; where there are none, few are."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from leukoscope.evaluate.exchangeability import between_groups, between_sets, between_sets_of_folds

NAMES = ("a", "b")


def drawn(n: int, seed: int, *, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    score = 1 / (1 + np.exp(-(2 * labels - 1 + rng.normal(size=n) + shift * (labels == 1))))
    return labels, np.stack([1 - score, score], axis=1)


def test_a_shift_of_one_class_is_found_in_that_class() -> None:
    found = between_sets(drawn(200, 0), drawn(200, 1, shift=-1.5), NAMES)
    assert found.differs
    assert found.by_class["b"] < 0.001 < found.by_class["a"]
    assert "the scores of b (p < 0.001) differ" in found.sentence
    assert "not promised" in found.sentence


def test_the_p_values_are_scipys_with_holms_adjustment() -> None:
    one, other = drawn(80, 2), drawn(60, 3, shift=0.5)
    found = between_sets(one, other, NAMES)
    raw = []
    for index in range(2):
        before, after = (1 - p[y == index, index] for y, p in (one, other))
        raw.append(ks_2samp(before, after, method="asymp").pvalue)
    expected = [min(1, 2 * min(raw)), max(min(1, 2 * min(raw)), max(raw))]
    assert sorted(found.by_class.values()) == pytest.approx(expected)
    assert found.p_value == pytest.approx(min(expected))


def test_false_alarms_are_rare() -> None:
    alarms = [between_sets(drawn(60, s), drawn(60, 1000 + s), NAMES).differs for s in range(100)]
    assert np.mean(alarms) < 0.1
    assert "does not prove" in between_sets(drawn(60, 0), drawn(60, 1000), NAMES).sentence


def test_too_few_images_are_not_compared() -> None:
    one = np.array([0]), np.array([[0.5, 0.5]])
    found = between_sets(one, drawn(50, 0), NAMES)
    assert (found.p_value, found.differs) == (None, False)
    assert "too few images" in found.sentence


def test_groups_that_differ_are_found_and_dealt_ones_are_not() -> None:
    labels, probabilities = drawn(300, 4)
    rng = np.random.default_rng(0)
    dealt = [str(number) for number in rng.integers(20, size=300)]
    assert not between_groups(labels, probabilities, dealt).differs
    by_score = np.argsort(np.argsort(probabilities[:, 1] + rng.normal(size=300) / 10)) // 15
    found = between_groups(labels, probabilities, [str(number) for number in by_score])
    assert found.p_value == pytest.approx(0.001)
    assert "Groups differ" in found.sentence


def test_groups_of_one_class_each_are_compared_within_it() -> None:
    labels, probabilities = drawn(400, 5)
    groups = [f"{label}-{row % 10}" for row, label in enumerate(labels)]
    assert not between_groups(labels, probabilities, groups).differs


def test_the_order_of_rows_changes_nothing() -> None:
    labels, probabilities = drawn(150, 6)
    groups = np.array([str(number) for number in np.random.default_rng(0).integers(9, size=150)])
    order = np.random.default_rng(1).permutation(150)
    one = between_groups(labels, probabilities, list(groups))
    other = between_groups(labels[order], probabilities[order], list(groups[order]))
    assert one == other


@pytest.mark.parametrize("groups", [["a"] * 50, [str(row) for row in range(50)]])
def test_one_group_or_single_images_have_nothing_to_compare(groups: list[str]) -> None:
    found = between_groups(*drawn(50, 7), groups)
    assert (found.p_value, found.differs) == (None, False)
    assert "too few groups" in found.sentence


def test_many_images_are_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leukoscope.evaluate.exchangeability._MOST", 100)
    labels, probabilities = drawn(1000, 8)
    groups = [str(number) for number in np.argsort(np.argsort(probabilities[:, 1])) // 100]
    assert between_groups(labels, probabilities, groups).differs


def test_folds_that_differ_in_opposite_directions_are_found() -> None:
    folds = [
        (drawn(150, 0), drawn(150, 1, shift=1.5)),
        (drawn(150, 2), drawn(150, 3, shift=-1.5)),
        (drawn(150, 4), drawn(150, 5)),
    ]
    found = between_sets_of_folds(folds, NAMES)
    raw = [
        [
            ks_2samp(*(1 - p[y == index, index] for y, p in fold), method="asymp").pvalue
            for fold in folds
        ]
        for index in range(2)
    ]
    assert found.by_class["b"] == pytest.approx(6 * min(raw[1]))
    assert "b (2 of 3 folds, smallest p < 0.001)" in found.sentence
    assert found.by_class["a"] > 0.05


def test_of_one_fold_it_is_the_plain_test() -> None:
    one, other = drawn(80, 2), drawn(60, 3, shift=0.5)
    assert between_sets_of_folds([(one, other)], NAMES) == between_sets(one, other, NAMES)
