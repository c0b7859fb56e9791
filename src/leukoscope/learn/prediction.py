"""Classifier and pixels to probabilities, in row order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from leukoscope.evaluate.novelty import Memory, novelty
from leukoscope.learn.classifier import Classifier, ClassifierConfig
from leukoscope.learn.devices import Inference, inference_device
from leukoscope.progress import bar

if TYPE_CHECKING:
    from lightning_fabric import Fabric

FEW = 64  # images, which are soon done in float32
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier says of N images; None where it has not learned to say it."""

    probabilities: NDArray[np.float64]  # N×K, calibrated
    sets: NDArray[np.bool_] | None = None  # N×K: the classes that cannot be ruled out
    novelty: NDArray[np.float64] | None = None  # N: how unlike the training images; 1: the limit
    novel: NDArray[np.bool_] | None = None  # N: novelty above 1

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
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = False,
) -> Answers:
    """All that the classifier says of N×S×S×3 pixels of its size S, from one forward pass."""
    logits, features = outputs(
        classifier, pixels, layers=classifier.memories or (), fabric=fabric, quiet=quiet
    )
    probabilities = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    return judge(classifier.config, classifier.memories, probabilities, features)


def judge(
    config: ClassifierConfig,
    memories: Mapping[str, Memory] | None,
    probabilities: NDArray[np.float64],
    features: Mapping[str, NDArray[np.float32]],
) -> Answers:
    """What a classifier that was calibrated so makes of N×K probabilities and of N×D features of
    each layer that it remembers."""
    sets = unlike = novel = None
    if config.set_thresholds is not None:
        # With scikit-learn behind it, which takes a second to import; a service starts without.
        from leukoscope.evaluate.abstention import prediction_sets

        sets = prediction_sets(probabilities, np.array(config.set_thresholds))
    if memories is not None:
        unlike = novelty(features, memories) if len(probabilities) else np.empty(0)
        novel = ~(unlike <= 1)  # also where a feature is not a number
    return Answers(probabilities, sets, unlike, novel)


def predict(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    *,
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = False,
) -> NDArray[np.float64]:
    """N×K probabilities of N×S×S×3 pixels of the classifier's size S."""
    return answer(classifier, pixels, fabric=fabric, quiet=quiet).probabilities


@torch.inference_mode()
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
    with bar("predicting", len(pixels), quiet=quiet) as advance:
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


def together(answers: Sequence[Answers]) -> Answers:
    """What several classifiers of the same classes say of the same images: mean probabilities and
    novelty, and the classes that not all of them rule out.

    Lakshminarayanan, Pritzel and Blundell, Simple and Scalable Predictive Uncertainty Estimation
    using Deep Ensembles, NeurIPS 2017. A set that holds all others keeps the coverage of each.
    """
    sets = [one.sets for one in answers if one.sets is not None]
    unlike = [one.novelty for one in answers if one.novelty is not None]
    mean = np.mean(unlike, axis=0) if len(unlike) == len(answers) else None
    return Answers(
        probabilities=np.mean([one.probabilities for one in answers], axis=0),
        sets=np.any(sets, axis=0) if len(sets) == len(answers) else None,
        novelty=mean,
        novel=None if mean is None else ~(mean <= 1),
    )
