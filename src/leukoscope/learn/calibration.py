"""A trained classifier and images it has not learned from to one that knows its own limits."""

from dataclasses import replace

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray
from scipy.special import softmax

from leukoscope.evaluate.abstention import COVERAGE, class_thresholds
from leukoscope.evaluate.calibration import apply_temperature, fit_temperature
from leukoscope.evaluate.novelty import ACCEPTED, remember
from leukoscope.learn import networks
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.prediction import outputs

_REMEMBERED = 512  # training images at most: their number changes little (benchmarks/novelty.py)


def calibrate(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    targets: NDArray[np.int64],
    *,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    coverage: float = COVERAGE,
    fabric: Fabric | None = None,
    quiet: bool = False,
) -> tuple[Classifier, NDArray[np.float64]]:
    """The classifier with temperature, prediction sets and novelty; and the N×K probabilities of
    the validation rows before any of these, from which the first two can be fitted again.

    `train` and `validation` are row numbers of `pixels`. An earlier calibration is forgotten. The
    validation images have also chosen the epoch, and under a random split some overlap a training
    image: so the calibration is slightly optimistic about new images, and images of another
    session are called novel more often than the threshold promises.
    """
    plain = Classifier(classifier.network, replace(classifier.config, temperature=1.0)).eval()
    layers = networks.early_layers(classifier.network)
    logits, held_out = outputs(plain, pixels[validation], layers=layers, fabric=fabric, quiet=quiet)
    raw = softmax(logits, axis=1)
    temperature = fit_temperature(targets[validation], raw)
    thresholds = class_thresholds(
        targets[validation], apply_temperature(raw, temperature), coverage
    )
    some = np.sort(np.random.default_rng(0).permutation(train)[:_REMEMBERED])
    _, learned = outputs(plain, pixels[some], layers=layers, fabric=fabric, quiet=quiet)
    config = replace(
        classifier.config,
        temperature=temperature,
        coverage=coverage,
        set_thresholds=tuple(thresholds.tolist()),
        accepted=ACCEPTED,
    )
    return Classifier(classifier.network, config, remember(learned, held_out)).eval(), raw
