"""The baselines see colours and class sizes, and nothing else."""

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.shortcuts import BINS, colour_forest, colour_histogram, majority


def noise(count: int = 5) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 13, 17, 3), dtype=np.uint8)


def test_histogram_equals_numpy_s() -> None:
    pixels = noise()
    pixels[0] = 255
    pixels[1] = 0
    features = colour_histogram(pixels)
    assert features.shape == (5, 48)
    for image, row in zip(pixels, features, strict=True):
        for channel in range(3):
            counts, _ = np.histogram(image[..., channel], bins=BINS, range=(0, 256))
            np.testing.assert_allclose(row[channel * BINS : (channel + 1) * BINS], counts / 221)


def test_histogram_sees_no_place() -> None:
    pixels = noise()
    shuffled = np.random.default_rng(1).permutation(pixels.reshape(5, -1, 3), axis=1)
    same = colour_histogram(shuffled.reshape(pixels.shape))
    np.testing.assert_array_equal(same, colour_histogram(pixels))


def test_forest_tells_colours_apart() -> None:
    rng = np.random.default_rng(0)
    targets = np.arange(60) % 3
    pixels = rng.integers(0, 120, (60, 8, 8, 3), dtype=np.uint8)
    for row, target in enumerate(targets):
        pixels[row, ..., target] += 60
    probabilities = colour_forest(pixels[:45], targets[:45], pixels[45:], classes=3)
    assert probabilities.shape == (15, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), targets[45:])
    again = colour_forest(pixels[:45], targets[:45], pixels[45:], classes=3)
    np.testing.assert_array_equal(again, probabilities)


def test_forest_finds_nothing_in_shuffled_labels() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (300, 6, 6, 3), dtype=np.uint8)
    targets = rng.integers(0, 2, 300)
    probabilities = colour_forest(pixels[:150], targets[:150], pixels[150:], classes=2)
    assert abs((probabilities.argmax(axis=1) == targets[150:]).mean() - 0.5) < 0.15


def test_forest_keeps_the_place_of_a_class_that_it_never_saw() -> None:
    pixels = noise(6)
    probabilities = colour_forest(pixels, np.array([0, 2, 0, 2, 0, 2]), pixels, classes=3)
    np.testing.assert_array_equal(probabilities[:, 1], 0)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), [0, 2, 0, 2, 0, 2])


def test_majority_says_the_shares_of_the_training_set() -> None:
    shares = majority(np.array([1, 1, 0, 1]), 2, classes=3)
    np.testing.assert_array_equal(shares, [[0.25, 0.75, 0], [0.25, 0.75, 0]])
