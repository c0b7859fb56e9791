"""When should a classifier say "I don't know"?"""

import math

import numpy as np
from numpy.typing import NDArray

from leukoscope.evaluate.metrics import Labels, Probabilities, check

COVERAGE = 0.95
_ROUNDING = 1e-9  # 100 × 0.07 is 7.000000000000001


def class_thresholds(
    labels: Labels, probabilities: Probabilities, coverage: float = COVERAGE
) -> NDArray[np.float64]:
    """K thresholds for `prediction_sets`, so that of each class at least this share of new images
    has its true class in its set.

    Split conformal prediction within each class (Mondrian; Vovk, Gammerman and Shafer, Algorithmic
    Learning in a Random World, 2005; the score 1 - p(true class) of Sadinle, Lei and Wasserman,
    JASA 114, 2019): the threshold of a class is the ⌈(n + 1) · coverage⌉-th smallest score of its n
    calibration images. The promise holds on average over calibration sets, for new images that come
    from where the calibration images come from, and these must not have been trained on.

    A class with too few images for the demanded coverage (fewer than 19 for 0.95) gets 1: it is in
    every set, which keeps the promise and says that nothing is known. Raises ValueError as `check`.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"The coverage must lie between 0 and 1, not {coverage}.")
    k = probabilities.shape[1]
    check(labels, probabilities, k)
    thresholds = np.ones(k)
    for index in range(k):
        scores = np.sort(1 - probabilities[labels == index, index].astype(np.float64))
        rank = math.ceil((len(scores) + 1) * coverage - _ROUNDING)
        if rank <= len(scores):
            thresholds[index] = scores[rank - 1]
    return thresholds


def prediction_sets(
    probabilities: Probabilities, thresholds: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """N×K: which classes cannot be ruled out for each image.

    One class is an answer, several are "I don't know which", none is "like no class I know".
    """
    k = probabilities.shape[1]
    if thresholds.shape != (k,):
        raise ValueError(f"{k} classes need {k} thresholds, not {thresholds.shape}.")
    return np.asarray(1 - probabilities.astype(np.float64) <= thresholds)
