"""A network as a probe of a set of images: trained many times, briefly, on small images."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from leukoscope.learn import networks
from leukoscope.learn.augment import resize
from leukoscope.learn.prediction import predict
from leukoscope.learn.training import TrainingData, train
from leukoscope.settings import TrainingSettings, settings_for

Rows = NDArray[np.int64]

_BRIEF = {"size": 64, "epochs": 8, "early_epochs": 0}
_HELD_OUT = 10  # one training image in so many chooses the epoch
_PART = 256  # images that are made smaller together


def check(network: str) -> None:
    """Nothing, or `UsageError`: no such network, or one that small images are too small for."""
    networks.check(_settings(network))


def learner(network: str, pixels: NDArray[np.uint8], targets: Rows) -> Callable[[Rows, Rows], Rows]:
    """A function of rows to learn from and rows to be told: the network's answers for the latter.

    `pixels` are N×S×S×3. Each training has the network's recipe for eight epochs of 64 px, from
    random weights; a tenth of what it learns from chooses the epoch.
    """
    settings = _settings(network)
    parts = (pixels[start : start + _PART] for start in range(0, len(pixels), _PART))
    small = np.concatenate([resize(torch.tensor(p), settings.size).numpy() for p in parts])
    classes = tuple(f"class {target}" for target in np.unique(targets))

    def learn(rows: Rows, test: Rows) -> Rows:
        shuffled = np.random.default_rng([0, len(rows)]).permutation(rows)
        held = len(rows) // _HELD_OUT
        data = TrainingData(small, targets, classes, shuffled[held:], shuffled[:held])
        with tempfile.TemporaryDirectory() as folder:
            classifier, _ = train(data, settings, Path(folder), quiet=True)
        told: Rows = predict(classifier, small[test], quiet=True).argmax(axis=1)
        return told

    return learn


def _settings(network: str) -> TrainingSettings:
    return settings_for(network, overrides=_BRIEF)[0]
