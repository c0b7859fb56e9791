"""Probabilities come in the order of the rows, whoever asks for them."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from leukoscope.learn import networks
from leukoscope.learn.answers import together
from leukoscope.learn.calibration import calibrate
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.devices import fabric_for
from leukoscope.learn.folder import ClassifierConfig
from leukoscope.learn.prediction import answer, predict

CLASSES = ("Benign", "Early", "Pre")


def classifier() -> Classifier:
    torch.manual_seed(0)
    config = ClassifierConfig("squeezenet1_1", CLASSES, 32, (0.5,) * 3, (0.05,) * 3)
    network = networks.build(config.network, 3)
    torch.nn.init.normal_(network.get_submodule("classifier.1").weight, std=0.1)
    return Classifier(network.to(memory_format=torch.channels_last), config).eval()


def noise(count: int, size: int = 32) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 200, (count, 1, 1, 3))
    return (base + rng.integers(0, 56, (count, size, size, 3))).astype(np.uint8)


def test_equals_a_loop_over_single_images() -> None:
    ours, pixels = classifier(), noise(70)  # more than one batch
    probabilities = predict(ours, pixels, fabric=fabric_for("float32"), quiet=True)
    by_hand = np.empty((70, 3))
    with torch.no_grad():
        for row, image in enumerate(pixels):
            logits = ours(torch.from_numpy(image)[None])[0].double().numpy()
            odds = np.exp(logits - logits.max())
            by_hand[row] = odds / odds.sum()
    np.testing.assert_allclose(probabilities, by_hand, atol=1e-5)
    assert probabilities.std(axis=0).min() > 1e-3  # the images do differ
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)


def test_order_of_the_rows_is_kept() -> None:
    ours, pixels, fabric = classifier(), noise(70), fabric_for("float32")
    order = np.random.default_rng(1).permutation(70)
    straight = predict(ours, pixels, fabric=fabric, quiet=True)
    shuffled = predict(ours, pixels[order], fabric=fabric, quiet=True)
    np.testing.assert_allclose(shuffled, straight[order], atol=1e-5)


def test_a_classifier_in_training_mode_predicts_all_the_same() -> None:
    ours, pixels, fabric = classifier(), noise(3), fabric_for("float32")
    straight = predict(ours, pixels, fabric=fabric, quiet=True)
    np.testing.assert_array_equal(
        predict(ours.train(), pixels, fabric=fabric, quiet=True), straight
    )


def test_a_few_images_are_answered_in_float32() -> None:
    """So that one image has one answer, whatever this machine is fast in."""
    ours, pixels = classifier(), noise(3)
    exact = predict(ours, pixels, fabric=fabric_for("float32"), quiet=True)
    np.testing.assert_array_equal(predict(ours, pixels, quiet=True), exact)
    assert (predict(ours, pixels, fabric=fabric_for("bf16"), quiet=True) != exact).any()


def test_a_part_of_the_answers_is_that_of_its_rows() -> None:
    said = answer(calibrated(1), noise(5), quiet=True)
    part = said.part(slice(1, 3))
    np.testing.assert_array_equal(part.probabilities, said.probabilities[1:3])
    np.testing.assert_array_equal(part.sets, said.sets[1:3])
    np.testing.assert_array_equal(part.novelty, said.novelty[1:3])
    np.testing.assert_array_equal(part.novel, said.novel[1:3])
    assert answer(classifier(), noise(2), quiet=True).part(slice(0, 1)).sets is None


def test_no_image_gives_no_row() -> None:
    assert predict(classifier(), noise(0), quiet=True).shape == (0, 3)


@pytest.mark.parametrize("shape", [(2, 48, 48, 3), (2, 3, 32, 32), (32, 32, 3)])
def test_pixels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="takes N×32×32×3 pixels"):
        predict(classifier(), np.zeros(shape, dtype=np.uint8), quiet=True)


def calibrated(seed: int) -> Classifier:
    """A classifier that knows its limits, of another training for another seed."""
    ours = classifier()
    torch.manual_seed(seed)
    torch.nn.init.normal_(ours.network.get_submodule("classifier.1").weight, std=0.1)
    pixels, targets = noise(60), np.arange(60) % 3
    rows = {"train": np.arange(30), "validation": np.arange(30, 60)}
    return calibrate(ours, pixels, targets, **rows, coverage=0.5, quiet=True)[0]


def test_several_classifiers_answer_together() -> None:
    ours, pixels = [calibrated(seed) for seed in (1, 2)], noise(40)[30:]
    fabric = fabric_for("float32")
    one, two = (answer(each, pixels, fabric=fabric, quiet=True) for each in ours)
    both = together([one, two])
    np.testing.assert_allclose(both.probabilities, (one.probabilities + two.probabilities) / 2)
    assert both.sets is not None
    np.testing.assert_array_equal(both.sets, one.sets | two.sets)
    np.testing.assert_allclose(both.novelty, (one.novelty + two.novelty) / 2)
    np.testing.assert_array_equal(both.novel, both.novelty > 1)
    assert (both.sets != one.sets).any()


def test_one_that_knows_no_sets_leaves_the_ensemble_without() -> None:
    pixels = noise(3)
    both = together([answer(c, pixels, quiet=True) for c in (calibrated(1), classifier())])
    assert both.probabilities.shape == (3, 3)
    assert both.sets is both.novelty is both.novel is None


def test_an_ensemble_of_one_is_itself() -> None:
    said = answer(calibrated(1), noise(3), quiet=True)
    again = together([said])
    np.testing.assert_array_equal(again.probabilities, said.probabilities)
    np.testing.assert_array_equal(again.sets, said.sets)
    np.testing.assert_array_equal(again.novel, said.novel)
