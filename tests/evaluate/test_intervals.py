"""Exact intervals against published values, closed forms and their own coverage."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from leukoscope.evaluate.intervals import clopper_pearson, group_bootstrap


def test_all_of_51_has_the_closed_form_lower_bound() -> None:
    got = clopper_pearson(51, 51)
    assert got.low == pytest.approx(0.025 ** (1 / 51))
    assert round(got.low, 2) == 0.93
    assert got.high == 1.0
    assert clopper_pearson(0, 51).high == pytest.approx(1 - got.low)


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 2), (7, 20), (320, 327), (3000, 3256)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_it_equals_scipys_exact_test(successes: int, n: int, confidence: float) -> None:
    got = clopper_pearson(successes, n, confidence)
    expected = binomtest(successes, n).proportion_ci(confidence, method="exact")
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high))
    assert got.method == "Clopper-Pearson"


@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_it_covers_the_truth_at_least_as_often_as_it_says(share: float) -> None:
    counts = np.arange(31)
    inside = [
        (found := clopper_pearson(int(count), 30)).low <= share <= found.high for count in counts
    ]
    assert binom.pmf(counts, 30, share)[inside].sum() >= 0.95


def test_nothing_seen_is_nothing_known() -> None:
    got = clopper_pearson(0, 0)
    assert (got.low, got.high) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "n"), [(2, 1), (-1, 3), (0, -1)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        clopper_pearson(successes, n)


def test_a_confidence_in_per_cent_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        clopper_pearson(1, 2, 95)


def test_bootstrap_of_single_images_is_close_to_the_exact_interval() -> None:
    right = np.array([1.0] * 90 + [0.0] * 10)
    found = group_bootstrap(right, [str(row) for row in range(100)])
    exact = clopper_pearson(90, 100)
    assert found.low == pytest.approx(exact.low, abs=0.03)
    assert found.high == pytest.approx(exact.high, abs=0.03)


def test_bootstrap_over_groups_that_err_together_is_wider() -> None:
    right = np.repeat(np.array([1.0] * 18 + [0.0] * 2), 10)
    alone = group_bootstrap(right, [str(row) for row in range(200)])
    together = group_bootstrap(right, [str(row // 10) for row in range(200)])
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert together.method == "bootstrap over 20 groups"


def test_bootstrap_equals_drawing_groups_one_by_one() -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 30, 400)
    right = (rng.random(400) < 0.8 + 0.005 * groups).astype(float)
    means = []
    for _ in range(4000):
        drawn = rng.choice(np.unique(groups), 30)
        means.append(np.concatenate([right[groups == g] for g in drawn]).mean())
    low, high = np.percentile(means, (2.5, 97.5))
    found = group_bootstrap(right, groups.astype(str), resamples=4000)
    assert (found.low, found.high) == (
        pytest.approx(low, abs=0.006),
        pytest.approx(high, abs=0.006),
    )


def test_bootstrap_of_a_perfect_score_keeps_a_lower_bound() -> None:
    found = group_bootstrap(np.ones(51), [str(row // 3) for row in range(51)])
    exact = clopper_pearson(17, 17)
    assert (found.low, found.high) == (exact.low, 1.0)
    assert group_bootstrap(np.zeros(4), list("aabb")).low == 0


@pytest.mark.parametrize("count", [0, 5])
def test_bootstrap_of_one_group_knows_nothing(count: int) -> None:
    found = group_bootstrap(np.ones(count), ["a"] * count)
    assert (found.low, found.high) == (0, 1)


def test_bootstrap_of_many_groups_takes_the_same_draws_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = np.random.default_rng(0).random(60)
    whole = group_bootstrap(right, [str(row) for row in range(60)])
    monkeypatch.setattr("leukoscope.evaluate.intervals._AT_ONCE", 60 * 7)
    assert group_bootstrap(right, [str(row) for row in range(60)]) == whole
