"""What is unlike the training images is told apart, and counted once though asked in folds."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from leukoscope.data.novelties import NEAR, Novel, drawn
from leukoscope.learn import networks
from leukoscope.learn.calibration import calibrate
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.devices import fabric_for
from leukoscope.learn.folder import ClassifierConfig
from leukoscope.learn.prediction import answer
from leukoscope.learn.rejection import Rejection, rejections
from leukoscope.learn.robustness import HeldOut

FABRIC = fabric_for("float32")
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(60, 180, (60, 32, 32, 3)).astype(np.uint8)
DARK = Novel("dark", NEAR, RNG.integers(0, 40, (7, 32, 32, 3)).astype(np.uint8))


def plain() -> Classifier:
    torch.manual_seed(0)
    config = ClassifierConfig("squeezenet1_1", ("red", "blue"), 32, (0.4,) * 3, (0.1,) * 3)
    network = networks.build(config.network, 2)
    return Classifier(network.to(memory_format=torch.channels_last), config).eval()


@pytest.fixture(scope="module")
def ours() -> Classifier:
    rows = {"train": np.arange(16), "validation": np.arange(16, 40)}
    targets = np.arange(60) % 2
    return calibrate(plain(), PIXELS, targets, **rows, fabric=FABRIC, quiet=True)[0]


def held_out(classifier: Classifier, rows: slice, groups: Sequence[str] = ()) -> HeldOut:
    pixels = PIXELS[rows]
    unknown = ("",) * len(pixels)
    return HeldOut(classifier, pixels, np.zeros(len(pixels), np.int64), tuple(groups) or unknown)


def asked(parts: Sequence[HeldOut], given: Sequence[Novel] = ()) -> dict[str, Rejection]:
    return {one.kind: one for one in rejections(parts, given, fabric=FABRIC, quiet=True)}


def novelty(classifier: Classifier, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    said = answer(classifier, pixels, fabric=FABRIC, quiet=True).novelty
    assert said is not None
    return said


def test_each_kind_is_held_against_the_test_images(ours: Classifier) -> None:
    found = asked([held_out(ours, slice(40, 60))], [DARK])
    assert list(found) == ["noise", "blank", "text", "dark"]
    assert [one.near_or_far for one in found.values()] == ["far", "far", "far", "near"]
    like = novelty(ours, PIXELS[40:])
    for one in (*drawn(PIXELS[40:]), DARK):
        row, unlike = found[one.kind], novelty(ours, one.pixels)
        truth = np.repeat([0, 1], [len(like), len(unlike)])
        expected = roc_auc_score(truth, np.concatenate([like, unlike]))
        assert row.auroc == pytest.approx(expected, abs=1e-6)
        assert row.auroc_low <= row.auroc <= row.auroc_high
        assert (row.n, row.accepted) == (len(unlike), (unlike <= 1).mean())
    assert found["dark"].auroc > 0.9


def test_a_picture_asked_about_in_two_folds_counts_once(ours: Classifier) -> None:
    once = asked([held_out(ours, slice(40, 60))], [DARK])["dark"]
    twice = asked([held_out(ours, slice(40, 50)), held_out(ours, slice(50, 60))], [DARK])["dark"]
    assert (twice.n, twice.accepted, twice.auroc) == (7, once.accepted, pytest.approx(once.auroc))
    assert twice.auroc_low == pytest.approx(once.auroc_low, abs=1e-6)


def test_test_images_of_a_group_err_together(ours: Classifier) -> None:
    one = asked([held_out(ours, slice(40, 60))])["noise"]
    grouped = asked([held_out(ours, slice(40, 60), [f"s{n // 10}" for n in range(20)])])["noise"]
    assert grouped.auroc == one.auroc
    assert grouped.auroc_low <= one.auroc_low


def test_a_classifier_that_knows_no_novelty_has_no_rows() -> None:
    assert rejections([held_out(plain(), slice(40, 60))], [DARK], fabric=FABRIC, quiet=True) == []
