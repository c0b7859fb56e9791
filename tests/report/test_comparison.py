"""Means, bounds and the sentence that says what they amount to."""

from dataclasses import replace

import pytest

from leukoscope.evaluate.comparisons import Difference
from leukoscope.evaluate.intervals import Interval, clopper_pearson
from leukoscope.report.comparison import Comparison, compare, measured, protocol_sentence
from leukoscope.report.expectation import expectation
from leukoscope.report.pairs import Pair, told
from leukoscope.report.run import Result
from leukoscope.report.verdict import verdict


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


def pair(
    first: str,
    low: float,
    high: float,
    *,
    second: str = "Colour forest",
    p: float = 0.01,
    sessions: tuple[float, float] | None = None,
) -> Pair:
    middle = (low + high) / 2
    one = Difference("accuracy", 0.9 + middle, 0.9, Interval(low, high, "made up"), p, "made up")
    over = None if sessions is None else Interval(*sessions, "made up")
    return Pair(first, second, 300, one, one, None, None, over, 26 if sessions else 0, p)


@pytest.mark.parametrize(
    ("low", "high", "p", "sentence"),
    [
        (0.01, 0.05, 0.01, "VGG-16 is ahead of the colour baseline"),
        (0.01, 0.05, 0.09, "VGG-16 is not told apart from the colour baseline"),
        (-0.01, 0.05, 0.09, "VGG-16 is not told apart from the colour baseline"),
        (-0.05, -0.01, 0.01, "VGG-16 is behind the colour baseline"),
    ],
)
def test_the_verdict_is_that_of_the_paired_difference(
    low: float, high: float, p: float, sentence: str
) -> None:
    found = compared(result("vgg16", 295), result("colour-forest", 200))
    said = verdict(found, [pair("VGG-16", low, high, p=p)])
    assert said.startswith(sentence)
    assert f"{100 * low:+.1f} to {100 * high:+.1f}".replace("-", "−") in said


def test_the_wider_interval_over_inferred_sessions_decides() -> None:
    found = compared(result("vgg16", 290), result("colour-forest", 295))
    said = verdict(found, [pair("VGG-16", -0.05, -0.01, sessions=(-0.08, 0.02))])
    said = said.replace("\N{NO-BREAK SPACE}", " ")
    assert "is not told apart" in said
    assert "95 % interval −8.0 to +2.0 over 26 sessions" in said
    assert "if images are taken as independent −5.0 to −1.0, p = 0.010" in said


def test_without_pairs_nothing_says_who_is_ahead() -> None:
    found = compared(result("vgg16", 300), result("colour-forest", 200))
    assert "nothing says which of them is ahead" in verdict(found, [])


def test_naming_the_commonest_class_is_not_beaten_by_its_equal() -> None:
    found = compared(result("vgg16", 250), result("colour-forest", 240), result("majority", 250))
    said = verdict(found, [pair("VGG-16", 0.01, 0.05)])
    assert "No network is ahead of always naming the commonest class" in said


def test_the_verdict_names_every_other_network_on_its_side() -> None:
    networks = ("vgg16", "vgg19", "alexnet", "googlenet", "resnet50")
    found = compared(
        *(result(name, 300 - place) for place, name in enumerate(networks)),
        result("colour-forest", 250),
    )
    said = verdict(
        found,
        [
            pair("VGG-16", 0.01, 0.05),
            pair("VGG-19", 0.01, 0.04),
            pair("AlexNet", -0.01, 0.04, p=1.0),
            pair("GoogLeNet", -0.04, -0.02),
        ],
    )
    assert said.endswith(
        " Ahead of it, too: VGG-19. Behind it: GoogLeNet. Not told apart from it: AlexNet. Tested "
        "on other images, or without predictions: ResNet-50."
    )


def test_the_verdict_without_a_baseline_or_without_a_network() -> None:
    assert "No colour baseline was measured" in verdict(compared(result("vgg16", 300)), [])
    assert "No network" in verdict(compared(result("majority", 250)), [])


def test_networks_of_equal_accuracy_are_tied() -> None:
    found = compared(result("a", 300, loss=0.2), result("b", 300, loss=0.1), result("c", 299))
    assert [one.network for one in found.tied] == ["b", "a"]
    assert [found.place(one) for one in found.networks] == ["best, tied", "best, tied", ""]
    alone = compared(result("a", 300), result("majority", 300))
    assert alone.tied == []
    assert alone.place(alone.networks[0]) == ""


@pytest.mark.parametrize(
    ("pairs", "sentences"),
    [
        ([pair("A", -0.1, 0.2, p=0.4)], ["The difference is not more than chance (p = 0.400)."]),
        (
            [pair("A", -0.2, -0.1)],
            [
                "The difference is more than chance (p = 0.010).",
                "Here Colour forest is ahead of A.",
            ],
        ),
        (
            [pair("A", 0.1, 0.2), pair("B", -0.1, 0.2, p=1.0)],
            [
                "1 of the 2 differences is more than chance after Holm’s adjustment for their "
                "number."
            ],
        ),
    ],
)
def test_differences_are_counted_in_whole_sentences(
    pairs: list[Pair], sentences: list[str]
) -> None:
    assert [one.replace("\N{NO-BREAK SPACE}", " ") for one in told(pairs)] == sentences


def test_the_best_of_one_network_was_not_picked() -> None:
    assert not any("picked" in one for one in told([pair("A", -0.1, 0.2, p=0.4)]))
    assert "picked" in told([pair("A", -0.1, 0.2, second="B", p=0.4)])[-1]


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
    assert expectation(under("random", 290), None, [under("session", 280)]) == ""


def test_what_a_harder_split_costs_is_said_with_intervals() -> None:
    lenient, hard = under("random", 297), under("session", 240)
    told = expectation(hard, None, [lenient, hard]).replace("\N{NO-BREAK SPACE}", " ")
    low, high = (100 * bound for bound in (hard.entrants[0].bounds))
    assert f"80.0 % (95 % interval {low:.1f} % to {high:.1f} %) under session" in told
    assert "19.0 percentage points less; without the predictions there is no interval" in told
    assert "another day" in told


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (289, "0.3 percentage points less"),
        (290, "the same, not worse as was to be expected"),
        (293, "1.0 percentage point more, not worse as was to be expected"),
    ],
)
def test_a_split_that_costs_nothing_is_said_too(right: int, said: str) -> None:
    told = expectation(under("scene", right), None, [under("random", 290)])
    assert told.replace("\N{NO-BREAK SPACE}", " ").endswith(
        f"{said}; without the predictions there is no interval of the difference."
    )


def test_the_cost_over_several_seeds_is_that_of_their_means() -> None:
    two = [replace(result("vgg16", 270 + 6 * n, seed=n), protocol="session") for n in range(2)]
    told = expectation(compared(*two), None, [under("random", 290)]).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert "91.0 % (mean of 2 seeds, their 95 % intervals within" in told


def test_only_the_same_network_is_compared() -> None:
    told = expectation(under("session", 280), None, [under("random", 290, "alexnet")])
    assert "accuracy of" not in told
    assert "expected to be worse" in told
