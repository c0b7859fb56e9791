"""Means, bounds and the sentence that says what they amount to."""

from dataclasses import replace

import pytest

from leukoscope.evaluate.intervals import clopper_pearson
from leukoscope.report.comparison import Comparison, compare, measured, protocol_sentence, verdict
from leukoscope.report.expectation import expectation
from leukoscope.report.run import Result


def result(network: str, right: int, *, seed: int = 0, loss: float = 0.1, n: int = 300) -> Result:
    return Result(
        network=network,
        protocol="random",
        classes="binary",
        seed=seed,
        n_train=2000,
        n_validation=300,
        n_test=n,
        loss=loss,
        accuracy=right / n,
        precision=0.9,
        recall=right / n,
        f1=0.9,
        balanced_accuracy=0.9,
        auroc=None,
        average_precision=None,
        confusion=((50, 0), (n - right, right - 50)),
        train_seconds=None,
        train_images_per_second=None,
        folder=None,
    )


def under(protocol: str, right: int, network: str = "vgg16") -> Comparison:
    return compared(replace(result(network, right), protocol=protocol))


def compared(*results: Result) -> Comparison:
    (found,) = compare(results)
    return found


def test_means_spreads_and_bounds_over_seeds() -> None:
    one = compared(result("vgg16", 290), result("vgg16", 300, seed=1)).entrants[0]
    assert one.accuracy == pytest.approx(590 / 600)
    assert one.spread("accuracy") == pytest.approx((2 * (5 / 300) ** 2) ** 0.5)
    assert one.bounds == (clopper_pearson(290, 300).low, 1.0)
    assert one.confusion == ((100, 0), (10, 490))
    assert one.mean("auroc") is None
    assert one.spread("auroc") is None


def test_one_seed_has_no_spread() -> None:
    one = compared(result("vgg16", 290)).entrants[0]
    assert one.spread("accuracy") is None
    assert "95" in measured(one)
    assert "seed" not in measured(one)


def test_the_best_of_equals_has_the_lowest_loss() -> None:
    found = compared(
        result("a", 300, loss=0.2), result("b", 300, loss=0.1), result("majority", 300, loss=0)
    )
    assert found.best is not None
    assert found.best.network == "b"
    assert [one.network for one in found.baselines] == ["majority"]


@pytest.mark.parametrize(
    ("network", "forest", "sentence"),
    [
        (290, 290, "No network beats the colour baseline"),
        (290, 295, "No network beats the colour baseline"),
        (295, 290, "do not settle it"),
        (300, 250, "do not overlap"),
    ],
)
def test_the_verdict_against_the_colour_baseline(network: int, forest: int, sentence: str) -> None:
    found = compared(result("vgg16", network), result("colour-forest", forest))
    assert sentence in verdict(found)


def test_naming_the_commonest_class_is_not_beaten_by_its_equal() -> None:
    found = compared(result("vgg16", 250), result("colour-forest", 240), result("majority", 250))
    assert "No network is ahead of always naming the commonest class" in verdict(found)


def test_the_verdict_names_the_networks_that_stay_behind() -> None:
    found = compared(result("vgg16", 300), result("alexnet", 249), result("colour-forest", 250))
    assert "Not ahead of it: AlexNet." in verdict(found)


def test_the_verdict_without_a_baseline_or_without_a_network() -> None:
    assert "No colour baseline was measured" in verdict(compared(result("vgg16", 300)))
    assert "No network" in verdict(compared(result("majority", 250)))


def test_protocols_and_tasks_are_not_mixed() -> None:
    other = Result(
        **{**{f: getattr(result("a", 300), f) for f in Result.__slots__}, "classes": "x"}
    )
    found = compare([result("a", 300), other, result("a", 299, seed=1)])
    assert [one.classes for one in found] == ["binary", "x"]
    assert [len(one.entrants[0].results) for one in found] == [2, 1]


def test_a_random_split_says_what_it_does_not_exclude() -> None:
    assert "same field can be on both sides" in protocol_sentence("random")
    assert "“moon”" in protocol_sentence("moon")


def test_a_random_split_is_expected_to_be_nothing_else() -> None:
    assert expectation(under("random", 290), [under("session", 280)]) == ""


def test_what_a_harder_split_costs_is_said_with_intervals() -> None:
    lenient, hard = under("random", 297), under("session", 240)
    told = expectation(hard, [lenient, hard]).replace("\N{NO-BREAK SPACE}", " ")
    low, high = (100 * bound for bound in (hard.entrants[0].bounds))
    assert f"80.0 % (95 % interval {low:.1f} % to {high:.1f} %) under session" in told
    assert "19.0 percentage points less; the intervals do not overlap." in told
    assert "another day" in told


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (289, "0.3 percentage points less; the intervals overlap."),
        (290, "the same, not worse as was to be expected; the intervals overlap."),
        (293, "1.0 percentage point more, not worse as was to be expected; the intervals overlap."),
    ],
)
def test_a_split_that_costs_nothing_is_said_too(right: int, said: str) -> None:
    told = expectation(under("scene", right), [under("random", 290)])
    assert told.replace("\N{NO-BREAK SPACE}", " ").endswith(said)


def test_the_cost_over_several_seeds_is_that_of_their_means() -> None:
    two = [replace(result("vgg16", 270 + 6 * n, seed=n), protocol="session") for n in range(2)]
    told = expectation(compared(*two), [under("random", 290)]).replace("\N{NO-BREAK SPACE}", " ")
    assert "91.0 % (mean of 2 seeds, their 95 % intervals within" in told


def test_only_the_same_network_is_compared() -> None:
    told = expectation(under("session", 280), [under("random", 290, "alexnet")])
    assert "accuracy of" not in told
    assert "expected to be worse" in told
