"""Do 95 % intervals hold the truth 95 times in 100? Simulated test sets with a known truth.

Groups (scenes, patients, sessions) are of one class, as on the Taleqani set; the images of a group
share a shift of their logit, so that they err together. The truth is the figure on very many groups
drawn in the same way. Beside each interval of Leukoscope stands the usual one: the percentiles of
resamples that draw whole groups anew, one image counted as often as its group was drawn.

    python benchmarks/coverage.py --simulations 500
"""

import argparse
import time
from collections import defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from leukoscope.evaluate import calibration, comparisons, figures, resampling, scores
from leukoscope.evaluate.intervals import Interval

NAMES = ("Benign", "Malignant")
PREVALENCE = 0.1
RESAMPLES = 1000
SHOWN = {
    "accuracy": "accuracy",
    "recall:Malignant": "sensitivity",
    "recall:Benign": "specificity",
    "precision:Malignant": "PPV",
    "ppv": "PPV at prevalence 0.1",
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "F1, macro",
    "mcc": "MCC",
    "loss": "log loss",
    "brier": "Brier score",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "aurc": "AURC",
    "ece": "ECE",
    "ece_equal_mass": "ECE, equal mass",
    "difference:accuracy": "difference in accuracy",
    "difference:mcc": "difference in MCC",
    "difference:auroc": "difference in AUROC",
    "difference:loss": "difference in log loss",
}
Floats = NDArray[np.float64]


class Scenario(NamedTuple):
    """How many groups of how many images are tested, and how the classifier does."""

    groups: int
    size: float  # images of a group, the mean
    benign: float  # the share of benign groups
    skill: float  # the mean logit of a malignant image, in standard deviations
    together: float  # the standard deviation of a group's shift; of a single image's it is 1
    uneven: float = 0.0  # the standard deviation of the logarithm of a group's size
    stated: float = 2.0  # what logits are multiplied by; above their true slope, overconfident


SCENARIOS = {
    "327 single images": Scenario(327, 1, 0.155, 2.2, 0.0),
    "260 scenes": Scenario(260, 1.25, 0.155, 1.9, 0.6),
    "2,610 scenes": Scenario(2610, 1.25, 0.155, 1.9, 0.6),
    "60 patients": Scenario(60, 20, 0.28, 2.3, 0.7),
    "45 patients": Scenario(45, 30, 0.28, 1.0, 1.0),
    "20 sessions": Scenario(20, 30, 0.3, 1.6, 0.8),
    "20 sessions, alike": Scenario(20, 40, 0.3, 2.6, 1.0),
    "12 sessions": Scenario(12, 40, 0.4, 1.2, 0.8),
    "38 sessions, uneven": Scenario(38, 86, 0.35, 1.2, 0.8, uneven=1.7),  # like 9 even ones
}


class Images(NamedTuple):
    """A test set, with the answers of two networks."""

    labels: NDArray[np.int64]
    first: Floats
    second: Floats
    groups: NDArray[np.int64]


def draw(scenario: Scenario, groups: int, rng: np.random.Generator) -> Images:
    benign = rng.random(groups) < scenario.benign
    size = np.ones(groups, int)
    if scenario.size > 1:
        shift = scenario.uneven * rng.normal(size=groups) - scenario.uneven**2 / 2
        size += rng.poisson((scenario.size - 1) * np.exp(shift))
    of = np.repeat(np.arange(groups), size)
    labels = (~benign[of]).astype(np.int64)
    mean = np.where(labels == 1, 1.0, -0.8) * scenario.skill
    common = (rng.normal(size=groups) * scenario.together)[of]
    image = rng.normal(size=len(of))
    answers = []
    for _ in range(2):  # networks agree on what is hard, about half
        own = (rng.normal(size=groups) * scenario.together)[of] + rng.normal(size=len(of))
        logit = scenario.stated * (mean + 0.5**0.5 * (common + image + own))
        second = 1 / (1 + np.exp(-logit))
        answers.append(np.stack([1 - second, second], axis=1))
    first, other = answers
    return Images(labels, first, other, of)


def measure(
    images: Images, *, single: bool, resamples: int, seed: int = 0
) -> dict[str, tuple[float, Interval | None]]:
    """Every figure of the first network, and its differences from the second, with intervals."""
    labels, first, second, of = images
    groups = None if single else [str(group) for group in of]
    units = resampling.units(labels, first, groups)
    drawn = resampling.resample(units, resamples=resamples, seed=seed)
    found = figures.measure(labels, first.argmax(axis=1), NAMES, drawn, prevalence=PREVALENCE)
    found |= scores.measure(labels, first, NAMES, units)
    found |= calibration.measure(labels, first, drawn)
    known = {key: (one.value, one.interval) for key, one in found.items() if one.value is not None}
    for one in comparisons.compare(
        labels, first, second, classes=NAMES, groups=groups, resamples=resamples, seed=seed
    ):
        known[f"difference:{one.figure}"] = one.value, one.interval
    return known


def ordinary(images: Images, rng: np.random.Generator, resamples: int) -> dict[str, Interval]:
    """The percentiles of resamples of whole groups: every image counts as its group was drawn."""
    labels, given, _, of = images
    count = of.max() + 1
    drawn = rng.integers(count, size=(resamples, count)) + np.arange(resamples)[:, None] * count
    weights = np.bincount(drawn.ravel(), minlength=resamples * count).reshape(resamples, count)
    w = weights[:, of].astype(np.float64)
    positive, score, certainty = labels == 1, given[:, 1], given.max(axis=1)
    right = (score > 0.5) == positive
    order = np.argsort(score)
    below = np.cumsum((w * ~positive)[:, order], axis=1)
    bins = np.eye(15)[np.minimum((certainty * 15).astype(int), 14)]
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity = w @ (right & positive) / (w @ positive)
        specificity = w @ (right & ~positive) / (w @ ~positive)
        found = {
            "accuracy": w @ right / w.sum(axis=1),
            "recall:Malignant": sensitivity,
            "recall:Benign": specificity,
            "balanced_accuracy": (sensitivity + specificity) / 2,
            "loss": w @ -np.log(np.where(positive, score, 1 - score)) / w.sum(axis=1),
            "auroc": ((w * positive)[:, order] * below).sum(axis=1)
            / ((w @ positive) * (w @ ~positive)),
            "ece": np.abs(w @ (bins * (certainty - right)[:, None])).sum(axis=1) / w.sum(axis=1),
        }
    limits = {key: np.nanpercentile(values, (2.5, 97.5)) for key, values in found.items()}
    return {key: Interval(float(a), float(b), "percentiles") for key, (a, b) in limits.items()}


def simulate(
    name: str, simulations: int, resamples: int
) -> tuple[dict[str, float], dict[str, float]]:
    """The share of intervals that hold the truth: ours, and the ordinary percentiles'."""
    scenario = SCENARIOS[name]
    single = scenario.size == 1
    rng = np.random.default_rng(20261123)
    many = draw(scenario, max(20_000, int(1_000_000 / scenario.size)), rng)
    truth = {key: value for key, (value, _) in measure(many, single=True, resamples=2).items()}
    inside: dict[str, list[bool]] = defaultdict(list)
    plain: dict[str, list[bool]] = defaultdict(list)
    for seed in range(simulations):
        images = draw(scenario, scenario.groups, rng)
        if len(set(images.labels)) < 2:
            continue
        found = measure(images, single=single, resamples=resamples, seed=seed)
        for key in SHOWN:
            interval = found[key][1]
            assert interval is not None
            inside[key].append(interval.low <= truth[key] <= interval.high)
        for key, interval in ordinary(images, rng, resamples).items():
            plain[key].append(interval.low <= truth[key] <= interval.high)
    return (
        {key: float(np.mean(held)) for key, held in inside.items()},
        {key: float(np.mean(held)) for key, held in plain.items()},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--simulations", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    parser.add_argument("--scenarios", nargs="*", default=list(SCENARIOS), metavar="NAME")
    arguments = parser.parse_args()
    ours, plain = {}, {}
    for name in arguments.scenarios:
        start = time.process_time()
        ours[name], plain[name] = simulate(name, arguments.simulations, arguments.resamples)
        print(f"{name}: {time.process_time() - start:.0f} s", flush=True)
    print("\nIntervals that hold the truth, in per cent\n")
    _print(ours)
    print("\nThe same of ordinary percentiles\n")
    _print(plain)
    held = np.array([share for found in ours.values() for share in found.values()])
    within = ((held >= 0.93) & (held <= 0.97)).mean()
    print(f"\nwithin 93 to 97 %: {within:.0%}; lowest {held.min():.1%}, highest {held.max():.1%}")


def _print(found: dict[str, dict[str, float]]) -> None:
    print("| figure | " + " | ".join(found) + " |")
    print("|---" * (len(found) + 1) + "|")
    for key, shown in SHOWN.items():
        if any(key in shares for shares in found.values()):
            cells = " | ".join(f"{100 * shares[key]:.1f}" for shares in found.values())
            print(f"| {shown} | {cells} |")


if __name__ == "__main__":
    main()
