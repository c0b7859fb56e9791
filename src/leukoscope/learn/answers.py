"""What a classifier says of images, whatever computed it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukoscope.evaluate.novelty import Memory, novelty
from leukoscope.learn.folder import ClassifierConfig

FEW = 64  # images, which are soon done in float32


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
