"""From which probability on is an image called positive, and what does that give?"""

import math
from dataclasses import dataclass

import numpy as np

from leukoscope.evaluate import figures
from leukoscope.evaluate.inputs import Labels, Probabilities, check
from leukoscope.evaluate.intervals import CONFIDENCE, Measured
from leukoscope.evaluate.resampling import Resamples

SENSITIVITY = 0.99
_ROUNDING = 1e-9  # 100 × 0.07 is 7.000000000000001


@dataclass(frozen=True, slots=True)
class Operating:
    """What a threshold, chosen on validation images, gives on the test images."""

    demanded: float  # sensitivity
    threshold: float  # positive from this probability on
    n_validation: int  # positive validation images
    validation: dict[str, float | None]  # sensitivity and specificity, where they were chosen
    test: dict[str, Measured]  # sensitivity, specificity, ppv, npv


def threshold(labels: Labels, probabilities: Probabilities, sensitivity: float) -> float:
    """The largest probability of the second class from which on at least this share of its images
    is called positive.

    ValueError when there is no image of it, or the labels cannot be judged (see `check`).
    """
    if not 0 < sensitivity <= 1:
        raise ValueError(f"The sensitivity must lie above 0 and up to 1, not {sensitivity}.")
    check(labels, probabilities, 2)
    positive = np.sort(probabilities[labels == 1, 1])[::-1]
    if len(positive) == 0:
        raise ValueError("A threshold for the sensitivity needs images of the positive class.")
    return float(positive[math.ceil(len(positive) * sensitivity - _ROUNDING) - 1])


def operate(
    validation: tuple[Labels, Probabilities],
    test: tuple[Labels, Probabilities],
    drawn: Resamples,
    *,
    sensitivity: float = SENSITIVITY,
    prevalence: float | None = None,
    confidence: float = CONFIDENCE,
) -> Operating:
    """The threshold for `sensitivity` on validation images, and what it gives on the test images.

    Both are two-class labels and N×2 probabilities, see `inputs.binary`; `drawn` resamples the
    test images. PPV and NPV are at `prevalence`, by default that of the test images. A threshold
    chosen on the images on which it is judged would flatter both.
    """
    chosen = threshold(*validation, sensitivity)
    labels, probabilities = validation
    before = figures.confusion(labels, _called(probabilities, chosen), 2)
    at = figures.of_tables(before[None], before)
    check(*test, 2)
    called = _called(test[1], chosen)
    found = figures.measure(
        test[0], called, ("-", "+"), drawn, prevalence=prevalence, confidence=confidence
    )
    stated = prevalence is not None
    return Operating(
        demanded=sensitivity,
        threshold=chosen,
        n_validation=int(before[1].sum()),
        validation={
            "sensitivity": float(at.recall_of[0, 1]),
            "specificity": float(at.specificity_of[0, 1]) if before[0].sum() else None,
        },
        test={
            "sensitivity": found["recall:+"],
            "specificity": found["specificity:+"],
            "ppv": found["ppv" if stated else "precision:+"],
            "npv": found["npv" if stated else "npv:+"],
        },
    )


def _called(probabilities: Probabilities, threshold: float) -> Labels:
    return (probabilities[:, 1] >= threshold).astype(np.int64)
