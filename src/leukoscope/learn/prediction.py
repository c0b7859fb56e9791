"""Classifier and pixels to probabilities, in row order."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from leukoscope.learn.answers import FEW, Answers, judge
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.devices import Inference, inference_device
from leukoscope.progress import bar

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_BATCH = 64


def answer(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    *,
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = False,
) -> Answers:
    """All that the classifier says of N×S×S×3 pixels of its size S, from one forward pass."""
    logits, features = outputs(
        classifier, pixels, layers=classifier.memories or (), fabric=fabric, quiet=quiet
    )
    probabilities = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    return judge(classifier.config, classifier.memories, probabilities, features)


def predict(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    *,
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = False,
) -> NDArray[np.float64]:
    """N×K probabilities of N×S×S×3 pixels of the classifier's size S."""
    return answer(classifier, pixels, fabric=fabric, quiet=quiet).probabilities


def outputs(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    *,
    layers: Iterable[str] = (),
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = False,
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
    """N×K logits of N×S×S×3 pixels, and what these layers of the network see: N×D features each.

    By itself it computes up to 64 images in float32, so that one image has the same answer to four
    digits wherever it is asked, and more as fast as this machine can. Without an image there are no
    features to know the width of.
    """
    size = classifier.config.size
    if pixels.shape[1:] != (size, size, 3):
        raise ValueError(f"The classifier takes N×{size}×{size}×3 pixels, not {pixels.shape}.")
    fabric = fabric or inference_device("float32" if len(pixels) <= FEW else "auto")
    classifier = classifier.to(fabric.device).eval()
    logits = np.empty((len(pixels), len(classifier.config.classes)))
    features: dict[str, list[NDArray[np.float32]]] = {name: [] for name in layers}
    # Not around the whole: what is moved to a GPU in inference mode can have no gradient any more.
    with torch.inference_mode(), bar("predicting", len(pixels), quiet=quiet) as advance:
        for start in range(0, len(pixels), _BATCH):
            rows = slice(start, start + _BATCH)
            part = torch.from_numpy(np.array(pixels[rows])).to(fabric.device)
            with fabric.autocast():
                answered, seen = classifier.with_features(part, features)
            logits[rows] = answered.double().cpu().numpy()
            for name, values in seen.items():
                features[name].append(values.cpu().numpy())
            advance(len(part))
    return logits, {name: np.concatenate(parts) for name, parts in features.items() if parts}
