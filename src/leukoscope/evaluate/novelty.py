"""Is this image like anything the network was trained on?

A classifier answers every picture, a photograph of a cat too, and with certainty. What its last
layer sees cannot tell: trained to part two classes, it has forgotten all else. What its early
layers see can (benchmarks/novelty.py compares them). So an image is held against remembered
training images at several depths, and is novel when it is far from all of them at one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]

ACCEPTED = 0.95  # share of the held-out images that are not called novel
_DIRECTIONS = 32  # along which neighbours differ most
_LEAST_SPREAD = 0.01  # of a layer's mean spread: a feature that never varied may vary a little
_LEAST = 1e-6  # limit, spread or variance, where all images are alike


@dataclass(frozen=True, eq=False)  # without slots, for the cached property
class Memory:
    """What one layer saw in M training images, and how far from the nearest of them is too far.

    Of D features, z = (x - centre) / spread; z - (z @ directions.T) @ directions then weighs the
    directions, r×D, in which neighbours differ much anyway, less. `images` is M×D, weighed.
    """

    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    directions: NDArray[np.float32]
    images: NDArray[np.float16]
    limit: float

    @cached_property
    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The images as numbers to compute with, M×D, and the square of the length of each."""
        images = self.images.astype(np.float64)
        return images, (images**2).sum(axis=1)


def remember(
    learned: Mapping[str, Features], held_out: Mapping[str, Features], *, accepted: float = ACCEPTED
) -> dict[str, Memory]:
    """A memory per layer, so that this share of held-out images has a novelty of at most 1.

    `learned` holds M×D features of training images by layer, `held_out` N×D ones of images that
    were not learned from. The limits keep the layers in proportion to what is usual in each, and
    the ⌈(N + 1) · accepted⌉-th smallest novelty is 1, as in split conformal prediction; with too
    few images for that rank, the largest.
    """
    memories = {name: _memory(features) for name, features in learned.items()}
    for name, memory in memories.items():
        usual = _quantile(_distances(held_out[name], memory), accepted)
        memories[name] = replace(memory, limit=max(usual, _LEAST))
    joint = max(_quantile(novelty(held_out, memories), accepted), _LEAST)
    return {name: replace(one, limit=one.limit * joint) for name, one in memories.items()}


def novelty(
    features: Mapping[str, Features], memories: Mapping[str, Memory]
) -> NDArray[np.float64]:
    """How unlike the remembered images each of N images is: above 1, more than a held-out image
    should be.

    Per layer, the Mahalanobis distance to the nearest remembered image over the limit; over layers,
    the largest. Nearest neighbours as in Sun et al., Out-of-Distribution Detection with Deep
    Nearest Neighbors, ICML 2022; several layers and one covariance each as in Lee et al., A Simple
    Unified Framework for Detecting Out-of-Distribution Samples, NeurIPS 2018.
    """
    ratios = [
        _distances(features[name], memory) / memory.limit for name, memory in memories.items()
    ]
    largest: NDArray[np.float64] = np.max(ratios, axis=0)
    return largest


def _memory(features: Features) -> Memory:
    """What is remembered of M×D features, without a limit yet.

    The covariance is that of the differences between neighbours, not of all images: what parts two
    looks of a training set is not what two images of a look differ in. It is Ledoit and Wolf's
    (Journal of Multivariate Analysis 88, 2004), shrunk towards a multiple of one, since there are
    fewer images than features; only its largest directions count.
    """
    from sklearn.covariance import ledoit_wolf_shrinkage  # what only answers starts without it

    values = features.astype(np.float64)
    centre, spread = values.mean(axis=0), values.std(axis=0)
    spread = np.maximum(spread, max(_LEAST_SPREAD * spread.mean(), _LEAST))
    z = (values - centre) / spread
    apart = _squares(z, z, (z**2).sum(1))
    np.fill_diagonal(apart, np.inf)
    differences = z - z[apart.argmin(axis=1)]
    shrinkage = float(ledoit_wolf_shrinkage(differences, assume_centered=True))
    _, lengths, directions = np.linalg.svd(differences, full_matrices=False)
    variances = lengths**2 / len(z)
    rest = max(shrinkage * variances.sum() / z.shape[1], _LEAST)
    weights = 1 - np.sqrt(rest / ((1 - shrinkage) * variances + rest))
    memory = Memory(
        centre=centre.astype(np.float32),
        spread=spread.astype(np.float32),
        directions=(directions * np.sqrt(weights)[:, None])[:_DIRECTIONS].astype(np.float32),
        images=np.empty((0, z.shape[1]), np.float16),
        limit=1.0,
    )
    return replace(memory, images=_weighed(values, memory).astype(np.float16))


def _weighed(features: Features, memory: Memory) -> NDArray[np.float64]:
    z = (features.astype(np.float64) - memory.centre) / memory.spread
    return np.asarray(z - (z @ memory.directions.T) @ memory.directions, dtype=np.float64)


def _distances(features: Features, memory: Memory) -> NDArray[np.float64]:
    """How far N×D features are from the nearest remembered image: the root mean square over D."""
    squares = _squares(_weighed(features, memory), *memory.points)
    nearest = np.maximum(squares.min(axis=1), 0) / features.shape[1]
    return np.asarray(np.sqrt(nearest), dtype=np.float64)


def _squares(
    x: NDArray[np.float64], y: NDArray[np.float64], lengths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """N×M squared distances; `lengths` are the squared ones of y."""
    squares: NDArray[np.float64] = (x**2).sum(1)[:, None] + lengths - 2 * x @ y.T
    return squares


def _quantile(values: NDArray[np.float64], share: float) -> float:
    rank = min(math.ceil((len(values) + 1) * share - 1e-9), len(values))
    return float(np.sort(values)[rank - 1])
