"""Numbers as a reader sees them."""

import pytest

from leukoscope.evaluate.intervals import Interval, Measured
from leukoscope.report import wording

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.97857, "97.9 %"),
        (1.0, "100 %"),
        (0.9996, "99.96 %"),
        (1 - 1e-6, "99.9999 %"),
        (0.0, "0 %"),
        (0.0004, "0.04 %"),
    ],
)
def test_percent_never_rounds_up_to_all(value: float, text: str) -> None:
    assert wording.percent(value).replace(NBSP, " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.97857, "0.9786"), (1.0, "1.0000"), (0.99997, "0.99997"), (None, "–"), (float("nan"), "–")],
)
def test_share_never_rounds_up_to_one(value: float | None, text: str) -> None:
    assert wording.share(value) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.98304, 0.99146, ("0.9830", "0.9915")),
        (0.0, 1.0, ("0.0000", "1.0000")),
        (0.00001, 0.99999, ("0.00001", "0.99999")),
        (-0.00004, 1e-12, ("-0.00004", "1e-12")),
    ],
)
def test_ends_have_the_digits_of_the_figure(low: float, high: float, text: tuple[str, str]) -> None:
    assert wording.ends(Interval(low, high, "")) == text
    said = wording.bounded(Measured(0.9871, Interval(low, high, "")))
    assert said == f"0.9871 [{text[0]}, {text[1]}]"


def test_percent_is_never_rounded_down_to_none() -> None:
    assert wording.hundredths(0.0003) == "0.03"
    assert wording.hundredths(0.0) == "0"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.0, "0.0 s"),
        (59.4, "59 s"),
        (59.7, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (9509.4, "2 h 38 min"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert wording.duration(seconds).replace(NBSP, " ") == text


def test_losses_that_are_tiny_or_no_number() -> None:
    assert wording.loss(0.00001).replace(NBSP, " ") == "< 0.0001"
    assert wording.loss(float("nan")) == "not finite"
    assert wording.loss(0.02341) == "0.0234"


def test_moments() -> None:
    assert wording.moment("2026-03-12T14:03:11+00:00") == "12 March 2026, 14:03 UTC"
    assert wording.moment("yesterday") == "yesterday"
    assert wording.moment("") == "not recorded"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("resnet152", "ResNet-152"),
        ("vgg16_bn", "vgg16_bn"),
        ("inception_v3", "Inception v3"),
        ("vgg16", "VGG-16"),
    ],
)
def test_network_names(name: str, text: str) -> None:
    assert wording.network(name) == text


def test_settings_as_text() -> None:
    values = [None, True, 3e-4, ["a", 1], [], {"a": None}, "x"]
    texts = ["–", "yes", "0.0003", "a, 1", "none", '{"a": null}', "x"]
    assert [wording.setting(value) for value in values] == texts


def test_listings_and_counts() -> None:
    assert wording.listing(["a"]) == "a"
    assert wording.listing(["a", "b", "c"]) == "a, b and c"
    assert wording.count(1, "image") == "1 image"
    assert wording.count(3256, "image") == "3,256 images"
