"""How well the label is predicted without looking at a cell."""

import numpy as np
from numpy.typing import NDArray

BINS = 16  # per channel


def colour_histogram(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """N×48 shares of the pixels in 16 equal bins of red, green and blue; no place, no shape."""
    features = np.empty((len(pixels), 3 * BINS))
    for row, image in enumerate(pixels):
        bins = image.reshape(-1, 3) // (256 // BINS) + np.arange(3, dtype=np.uint8) * BINS
        features[row] = np.bincount(bins.ravel(), minlength=3 * BINS)
    shares: NDArray[np.float64] = features / (pixels.shape[1] * pixels.shape[2])
    return shares


def colour_forest(
    train: NDArray[np.uint8],
    targets: NDArray[np.int64],
    test: NDArray[np.uint8],
    *,
    classes: int,
    seed: int = 0,
) -> NDArray[np.float64]:
    """N×K probabilities for the test pixels, of a random forest on colour histograms.

    The baseline of every table: it sees no cell, so a network that does not beat it has shown
    nothing.
    """
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(500, random_state=seed, n_jobs=-1)
    forest.fit(colour_histogram(train), targets)
    probabilities = np.zeros((len(test), classes))
    probabilities[:, forest.classes_] = forest.predict_proba(colour_histogram(test))
    return probabilities


def majority(targets: NDArray[np.int64], count: int, *, classes: int) -> NDArray[np.float64]:
    """count×K: each class's share of the training set, for whatever image."""
    shares = np.bincount(targets, minlength=classes) / len(targets)
    return np.tile(shares, (count, 1))
