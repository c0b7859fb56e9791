"""Classifier and pixels to probabilities, in row order."""

from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from leukoscope.learn.classifier import Classifier
from leukoscope.learn.devices import fabric_for
from leukoscope.progress import bar

FEW = 64  # images, which are soon done in float32
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier says of N images; None where it has not learned to say it."""

    probabilities: NDArray[np.float64]  # N×K, calibrated
    sets: NDArray[np.bool_] | None = None  # N×K: the classes that cannot be ruled out
    novelty: NDArray[np.float64] | None = None  # N: how unlike the training images, higher is more
    novel: NDArray[np.bool_] | None = None  # N: novelty above the classifier's threshold

    def part(self, rows: slice) -> "Answers":
        """The answers to some of the images."""
        return Answers(
            self.probabilities[rows],
            None if self.sets is None else self.sets[rows],
            None if self.novelty is None else self.novelty[rows],
            None if self.novel is None else self.novel[rows],
        )


def answer(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    *,
    fabric: Fabric | None = None,
    quiet: bool = False,
) -> Answers:
    """All that the classifier says of N×S×S×3 pixels of its size S."""
    return Answers(predict(classifier, pixels, fabric=fabric, quiet=quiet))


@torch.inference_mode()
def predict(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    *,
    fabric: Fabric | None = None,
    quiet: bool = False,
) -> NDArray[np.float64]:
    """N×K probabilities of N×S×S×3 pixels of the classifier's size S.

    By itself it computes up to 64 images in float32, so that one image has the same answer to four
    digits wherever it is asked, and more as fast as this machine can.
    """
    size = classifier.config.size
    if pixels.shape[1:] != (size, size, 3):
        raise ValueError(f"The classifier takes N×{size}×{size}×3 pixels, not {pixels.shape}.")
    fabric = fabric or fabric_for("float32" if len(pixels) <= FEW else "auto")
    classifier = classifier.to(fabric.device).eval()
    probabilities = np.empty((len(pixels), len(classifier.config.classes)))
    with bar("predicting", len(pixels), quiet=quiet) as advance:
        for start in range(0, len(pixels), _BATCH):
            part = torch.from_numpy(np.array(pixels[start : start + _BATCH])).to(fabric.device)
            with fabric.autocast():
                logits = classifier(part)
            rows = torch.softmax(logits.double(), dim=1).cpu().numpy()
            probabilities[start : start + len(part)] = rows
            advance(len(part))
    return probabilities
