"""Exact intervals against published values, closed forms and their own coverage."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from leukoscope.evaluate.intervals import clopper_pearson


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
