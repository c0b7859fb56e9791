"""Exact intervals against published values, closed forms and their own coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom, binomtest

from leukoscope.evaluate import figures, scores
from leukoscope.evaluate.intervals import (
    Spread,
    around,
    clopper_pearson,
    group_bootstrap,
    linearised,
    ratio,
    reach,
)
from leukoscope.evaluate.resampling import Units, resample


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


def test_bootstrap_of_many_groups_is_that_of_drawing_them_one_by_one() -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 300, 2000)
    right = (rng.random(2000) < 0.8 + 0.0005 * groups).astype(float)
    means = []
    for _ in range(2000):
        drawn = np.bincount(rng.choice(300, 300), minlength=300)
        means.append(np.repeat(right, drawn[groups]).mean())
    low, high = np.percentile(means, (2.5, 97.5))
    found = group_bootstrap(right, groups.astype(str), resamples=4000)
    assert found.low == pytest.approx(low, abs=0.003)
    assert found.high == pytest.approx(high, abs=0.003)


def test_bootstrap_of_a_perfect_score_keeps_a_lower_bound() -> None:
    found = group_bootstrap(np.ones(51), [str(row // 3) for row in range(51)], resamples=20_000)
    # Jeffreys' bound for 17 of 17, which lies above the exact one, moved outwards by Student's.
    assert clopper_pearson(17, 17).low - 0.04 < found.low < beta(17.5, 0.5).ppf(0.025)
    assert found.high == 1.0
    assert group_bootstrap(np.zeros(4), list("aabb")).low == 0


@pytest.mark.parametrize("count", [1, 5])
def test_bootstrap_of_one_group_knows_nothing(count: int) -> None:
    found = group_bootstrap(np.ones(count), ["a"] * count)
    assert (found.low, found.high, found.method) == (0, 1, "one group")


# The published example: 43 patients with ovarian cancer and a bowel obstruction, of DeLong, DeLong
# and Clarke-Pearson (Biometrics 44, 1988). Columns: albumin, total protein, K-G score, outcome.
# SAS/STAT User's Guide, "Comparing Receiver Operating Characteristic Curves", has the errors.
OVARIAN = np.loadtxt(
    """
3.0 5.8 10 0, 3.2 6.3 5 1, 3.9 6.8 3 1, 2.8 4.8 6 0, 3.2 5.8 3 1, 0.9 4.0 5 0, 2.5 5.7 8 0
1.6 5.6 5 1, 3.8 5.7 5 1, 3.7 6.7 6 1, 3.2 5.4 4 1, 3.8 6.6 6 1, 4.1 6.6 5 1, 3.6 5.7 5 1
4.3 7.0 4 1, 3.6 6.7 4 0, 2.3 4.4 6 1, 4.2 7.6 4 0, 4.0 6.6 6 0, 3.5 5.8 6 1, 3.8 6.8 7 1
3.0 4.7 8 0, 4.5 7.4 5 1, 3.7 7.4 5 1, 3.1 6.6 6 1, 4.1 8.2 6 1, 4.3 7.0 5 1, 4.3 6.5 4 1
3.2 5.1 5 1, 2.6 4.7 6 1, 3.3 6.8 6 0, 1.7 4.0 7 0, 3.7 6.1 5 1, 3.3 6.3 7 1, 4.2 7.7 6 1
3.5 6.2 5 1, 2.9 5.7 9 0, 2.1 4.8 7 1, 2.8 6.2 8 0, 4.0 7.0 7 1, 3.3 5.7 6 1, 3.7 6.9 5 1
3.6 6.6 5 1
""".strip()
    .replace(",", "\n")
    .splitlines()
)
OUTCOME = OVARIAN[:, 3] == 1
TESTS = {"albumin": OVARIAN[:, 0], "protein": OVARIAN[:, 1], "K-G": -OVARIAN[:, 2]}
ALONE = Units(np.arange(43), 43, "images")


@pytest.mark.parametrize(
    ("name", "area", "error"),
    [("albumin", 0.7366, 0.0927), ("protein", 0.6478, 0.1000), ("K-G", 0.7258, 0.1028)],
)
def test_delongs_own_example(name: str, area: float, error: float) -> None:
    found = scores.auroc(OUTCOME, TESTS[name])
    assert round(found.value, 4) == area
    assert round(linearised(found.influence, OUTCOME, ALONE).error, 4) == error


@pytest.mark.parametrize(
    ("name", "difference", "error"), [("albumin", 0.0108, 0.0953), ("protein", -0.0780, 0.1046)]
)
def test_delongs_own_paired_example(name: str, difference: float, error: float) -> None:
    one, other = scores.auroc(OUTCOME, TESTS[name]), scores.auroc(OUTCOME, TESTS["K-G"])
    assert round(one.value - other.value, 4) == difference
    spread = linearised(one.influence - other.influence, OUTCOME, ALONE)
    assert round(spread.error, 4) == error


def test_over_groups_it_is_obuchowskis_variance() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 13)
    positive = np.tile(np.arange(13) < 5, 12)
    score = np.round(rng.normal(size=156) + positive + 0.1 * groups, 1)
    pairs = np.sign(score[positive][:, None] - score[~positive][None]) / 2 + 0.5
    area, (m, n) = pairs.mean(), pairs.shape
    sums = np.zeros((2, 12))  # her S10 and S01 parts, of each cluster
    np.add.at(sums[0], groups[positive], pairs.mean(axis=1) - area)
    np.add.at(sums[1], groups[~positive], pairs.mean(axis=0) - area)
    # Obuchowski 1997, section 3, with clusters of equal size.
    s10, s01 = (12 / 11 * sums**2).sum(axis=1) / (m, n)
    s11 = 12 / 11 * (sums[0] * sums[1]).sum()
    found = scores.auroc(positive, score)
    spread = linearised(found.influence, positive, Units(groups, 12, "groups"))
    assert spread.error**2 == pytest.approx(s10 / m + s01 / n + 2 * s11 / (m * n))


def test_the_error_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(0).normal(size=80)
    influence = (values - values.mean()) / 80
    spread = linearised(influence, np.zeros(80, int), Units(np.arange(80), 80, "images"))
    assert spread.error == pytest.approx(values.std(ddof=1) / 80**0.5)
    assert 40 < spread.freedom <= 79


def test_few_groups_that_carry_the_variance_leave_few_degrees_of_freedom() -> None:
    influence = np.zeros(100)
    influence[:2] = 1, -1
    spread = linearised(influence, np.zeros(100, int), Units(np.arange(100), 100, "images"))
    assert spread.freedom == pytest.approx(6)


def sized(sizes: list[int], means: np.ndarray) -> tuple[np.ndarray, Units]:
    """The influences of images of such groups on the mean of all, each image as its group is."""
    of = np.repeat(np.arange(len(sizes)), sizes)
    influence = (means[of] - means[of].mean()) / len(of)
    return influence, Units(of, len(sizes), "groups")


@pytest.mark.parametrize("sizes", [[10] * 8, [40, 20, 5, 5, 4, 3, 1, 1], [60, 12, 12]])
def test_degrees_of_freedom_by_size_are_those_of_units_unlike_whatever_their_size(
    sizes: list[int],
) -> None:
    pull = np.array(sizes) / sum(sizes)
    centred = np.eye(len(sizes)) - np.outer(np.ones(len(sizes)), pull)
    form = centred.T @ np.diag(pull**2 / (1 - pull)) @ centred
    expected = np.trace(form) ** 2 / np.trace(form @ form)
    means = np.resize([1.0, -1.0], len(sizes))  # whose squares leave more degrees of freedom
    influence, units = sized(sizes, means)
    spread = linearised(influence, np.zeros(len(influence), int), units)
    assert spread.freedom <= expected * (1 + 1e-9)
    if len(set(sizes)) == 1:
        assert spread.freedom == pytest.approx(len(sizes) - 1) == pytest.approx(expected)
        assert spread.raised == pytest.approx(9 / 7)
    else:
        assert spread.freedom == pytest.approx(expected)
        assert spread.raised > 9 / 7


def test_the_interval_of_a_share_holds_where_few_large_groups_have_most_images() -> None:
    rng, sizes = np.random.default_rng(0), [150, 120, 70, 50, *[6] * 20]
    groups = np.repeat([str(n) for n in range(len(sizes))], sizes)
    held = 0
    for seed in range(150):
        right = np.repeat(rng.beta(4, 1, size=len(sizes)), sizes)  # 0.8 in the mean
        interval = group_bootstrap(right, groups, resamples=400, seed=seed)
        held += interval.low <= 0.8 <= interval.high
    assert held / 150 >= 0.92


@pytest.mark.parametrize("most", [10**4, 10**6, 10**9])
def test_one_group_with_almost_all_images_leaves_one_degree_of_freedom(most: int) -> None:
    # Images that count so often, by their weights.
    influence, weights = np.array([-3.0, 1.0, 1.0, 1.0]) / most, np.array([most, 1.0, 1.0, 1.0])
    units = Units(np.arange(4), 4, "groups")
    spread = linearised(influence, np.zeros(4, int), units, weights)
    assert spread.freedom == pytest.approx(1, abs=0.05)
    assert np.isfinite([*around(0.5, spread, count=4), spread.raised]).all()


def test_strata_that_cancel_have_an_interval() -> None:
    labels, predicted = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 0, 1, 0, 1, 1, 1])
    drawn = resample(Units(np.array([0, 0, 0, 1, 0, 1, 1, 1]), 2, "groups"))
    found = figures.measure(labels, predicted, ["a", "b"], drawn)["balanced_accuracy"]
    assert found.interval is not None
    assert found.interval.low < 0.5 < 0.9 < found.interval.high


def test_a_class_in_one_group_leaves_figures_of_classes_unknown() -> None:
    labels, groups = np.repeat([0, 1, 1, 1], 40), np.repeat([0, 1, 2, 3], 40)
    predicted = np.where(np.arange(160) % 5 == 0, 1 - labels, labels)
    found = figures.measure(labels, predicted, ["a", "b"], resample(Units(groups, 4, "groups")))
    for key in ("recall:a", "balanced_accuracy", "f1_macro"):
        interval = found[key].interval
        assert interval is not None
        assert (interval.low, interval.high) == (0.0, 1.0)
    assert found["f1"].interval is not None
    assert found["f1"].interval.low > 0.1


@pytest.mark.parametrize(("count", "known"), [(3, False), (4, False), (5, True)])
def test_a_ratio_of_few_units_has_no_interval(count: int, known: bool) -> None:
    whole = np.ones(count)
    found = ratio(np.linspace(0.5, 1.5, count), whole, Units(np.arange(count), count, "images"))
    assert found.value == pytest.approx(1)
    assert (found.interval is not None) == known


def test_a_ratio_that_few_units_carry_is_known_less_well() -> None:
    rng = np.random.default_rng(0)
    of, held = np.repeat(np.arange(20), 10), 0
    whole = np.where(of < 2, 20.0, 1.0)  # two units have almost all of it
    for _ in range(60):
        part = whole * rng.gamma(25, 1 / 25, size=20)[of]
        interval = ratio(part, whole, Units(of, 20, "groups")).interval
        assert interval is not None
        held += interval.low <= 1 <= interval.high
    assert held >= 56


def test_one_group_of_a_class_leaves_the_ranking_unknown() -> None:
    units = Units(np.array([0, 0, 1, 2]), 3, "groups")
    figure = scores.auroc(np.array([True, True, False, False]), np.array([0.9, 0.2, 0.5, 0.1]))
    spread = linearised(figure.influence, np.array([1, 1, 0, 0]), units)
    assert around(figure.value, spread, count=1) == (0.0, 1.0)
    assert reach(spread) == np.inf


def test_a_ranking_without_an_error_keeps_a_lower_bound() -> None:
    # m disjoint pairs are all in order with probability AUROC^m.
    assert around(1.0, Spread(0.0, 9.0), count=10) == (pytest.approx(0.025**0.1), 1.0)
    assert around(0.0, Spread(0.0, 9.0), count=10)[1] == pytest.approx(1 - 0.025**0.1)


@given(
    st.floats(1e-6, 1 - 1e-6), st.floats(1e-9, 1e3), st.floats(1, 1e6), st.sampled_from([1.0, 36.0])
)
def test_bounds_stay_around_the_value_and_in_range(
    share: float, error: float, freedom: float, top: float
) -> None:
    low, high = around(share * top, Spread(error, freedom), count=20, top=top)
    assert 0 <= low <= share * top * (1 + 1e-9)
    assert share * top * (1 - 1e-9) <= high <= top


def test_the_interval_of_a_ratio_holds_the_truth_as_often_as_it_says() -> None:
    rng, inside = np.random.default_rng(3), 0
    for _ in range(200):
        whole = rng.gamma(0.6, 0.2, size=60)  # skewed
        part = whole * rng.choice([0.4, 1.6], size=60)  # 1 on average
        found = ratio(part, whole, Units(np.arange(60), 60, "images"))
        assert found.interval is not None
        inside += found.interval.low <= 1 <= found.interval.high
    assert 180 <= inside <= 199
