"""Does a stated certainty of 90 % mean 9 right in 10, and how is it made to?"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from leukoscope.evaluate.metrics import Labels, Probabilities, check

_HOTTEST = 100.0  # the search goes from its inverse to it
_FLOOR = float(np.finfo(np.float32).smallest_subnormal)  # what a network's softmax rounds to 0


def fit_temperature(labels: Labels, probabilities: Probabilities) -> float:
    """The T whose `apply_temperature` has the least log loss on these N images; above 1 it makes
    a classifier less certain, below 1 more.

    Fit it on validation images, never on test images. Guo et al., On Calibration of Modern Neural
    Networks, ICML 2017. The loss is taken against Platt's targets (Probabilistic Outputs for
    Support Vector Machines, 1999): (N + 1) / (N + K) for the true class and 1 / (N + K) for each
    other, as if one more image of each kind had been seen. Without them the best T of a classifier
    that is right on all validation images is 0, and it would call every later answer certain.

    The loss is convex in 1 / T, so the search cannot stop beside the minimum. T stays within 0.01
    and 100, and is 1 where it changes nothing: all rows uniform, or all zeros and ones.
    Raises ValueError as `check` does.
    """
    n, k = probabilities.shape
    check(labels, probabilities, k)
    logits = _logarithms(probabilities)
    targets = np.full((n, k), 1 / (n + k))
    targets[np.arange(n), labels] = (n + 1) / (n + k)
    target_mean = float((targets * logits).sum(axis=1).mean())
    if np.ptp(logits, axis=1).max() == 0:
        return 1.0

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        return float(np.log(np.exp(logits * inverse).sum(axis=1)).mean()) - inverse * target_mean

    bound = math.log(_HOTTEST)
    found = minimize_scalar(loss, bounds=(-bound, bound), method="bounded")
    return math.exp(found.x)


def apply_temperature(probabilities: Probabilities, temperature: float) -> NDArray[np.float64]:
    """N×K probabilities of softmax(log p / T), which is what the logits divided by T give.

    No image's order of classes changes. A probability of 0 counts as 1.4e-45, the smallest float32.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"A temperature must be a positive number, not {temperature}.")
    powers = np.exp(_logarithms(probabilities) / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def _logarithms(probabilities: Probabilities) -> NDArray[np.float64]:
    """N×K logarithms, the largest of each row 0."""
    values = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), _FLOOR))
    return np.asarray(values - values.max(axis=1, keepdims=True), dtype=np.float64)
