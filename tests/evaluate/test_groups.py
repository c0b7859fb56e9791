"""Figures of a group are those of its images alone."""

import numpy as np
import pytest
from sklearn import metrics as sk

from leukoscope.evaluate.groups import by_group, worst
from leukoscope.evaluate.intervals import clopper_pearson


def drawn() -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=120)
    scores = rng.gamma(1.0, size=(120, 3)) + np.eye(3)[labels]
    groups = [f"p{number}" for number in rng.integers(6, size=120)]
    return labels, scores / scores.sum(axis=1, keepdims=True), groups


def test_each_group_is_judged_by_its_own_images() -> None:
    labels, probabilities, groups = drawn()
    found = by_group(labels, probabilities, groups)
    assert sorted(one.name for one in found) == sorted(set(groups))
    assert [one.accuracy for one in found] == sorted(one.accuracy for one in found)
    for one in found:
        rows = np.array(groups) == one.name
        true, given = labels[rows], probabilities[rows]
        assert one.n == rows.sum()
        assert one.accuracy == pytest.approx(sk.accuracy_score(true, given.argmax(axis=1)))
        assert one.loss == pytest.approx(sk.log_loss(true, given, labels=range(3)))
        assert one.brier == pytest.approx(sk.brier_score_loss(true, given, labels=range(3)))
        assert one.interval == clopper_pearson(round(one.accuracy * one.n), one.n)
        expected = sk.recall_score(true, given.argmax(axis=1), average=None, labels=range(3))
        assert one.recall == pytest.approx(tuple(expected))


def test_the_worst_group_has_enough_images_to_be_one() -> None:
    labels = np.zeros(16, int)
    right = np.array([[0.9, 0.1]] * 15 + [[0.1, 0.9]])
    groups = ["large"] * 12 + ["small"] * 3 + ["lone"]
    found = by_group(labels, right, groups)
    assert [one.name for one in found] == ["lone", "large", "small"]  # of equal ones the largest
    chosen = worst(found)
    assert chosen is not None
    assert (chosen.name, chosen.n, chosen.accuracy) == ("large", 12, 1.0)
    assert chosen.interval.low == pytest.approx(0.025 ** (1 / 12))
    assert chosen.recall == (1.0, None)
    assert worst(found, smallest=13) is None
