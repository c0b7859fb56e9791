"""Is this image like anything the network was trained on?

A classifier answers every picture, a photograph of a cat too, and with certainty. What its last
layer sees cannot tell: trained to part two classes, it has forgotten all else (docs/results/
novelty.md has the comparison). What its first layers see does tell. So an image is held against
remembered training images at several depths, and is novel when it is far from all of them at one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]

ACCEPTED = 0.95  # share of the held-out images that are not called novel
_LEAST_SPREAD = 0.01  # of a layer's mean spread: a feature that never varied may vary a little
_LEAST_LIMIT = 1e-6  # where all images are alike


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What one layer saw in M training images, and how far from the nearest of them is too far.

    `images` is M×D, each of the D features as (x - centre) / spread.
    """

    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    images: NDArray[np.float16]
    limit: float


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
        memories[name] = replace(memory, limit=max(usual, _LEAST_LIMIT))
    joint = max(_quantile(novelty(held_out, memories), accepted), _LEAST_LIMIT)
    return {name: replace(one, limit=one.limit * joint) for name, one in memories.items()}


def novelty(
    features: Mapping[str, Features], memories: Mapping[str, Memory]
) -> NDArray[np.float64]:
    """How unlike the remembered images each of N images is: above 1, more than a held-out image
    should be.

    Per layer, the distance to the nearest remembered image (Sun et al., Out-of-Distribution
    Detection with Deep Nearest Neighbors, ICML 2022, but of standardised features instead of
    normalised ones) over the limit; over layers (Lee et al., A Simple Unified Framework for
    Detecting Out-of-Distribution Samples, NeurIPS 2018), the largest.
    """
    ratios = [
        _distances(features[name], memory) / memory.limit for name, memory in memories.items()
    ]
    largest: NDArray[np.float64] = np.max(ratios, axis=0)
    return largest


def _memory(features: Features) -> Memory:
    values = features.astype(np.float64)
    centre, spread = values.mean(axis=0), values.std(axis=0)
    spread = np.maximum(spread, max(_LEAST_SPREAD * spread.mean(), _LEAST_LIMIT))
    images = ((values - centre) / spread).astype(np.float16)
    return Memory(centre.astype(np.float32), spread.astype(np.float32), images, 1.0)


def _distances(features: Features, memory: Memory) -> NDArray[np.float64]:
    """The root mean square difference, in spreads, of N×D features to the nearest image."""
    x = (features.astype(np.float64) - memory.centre) / memory.spread
    images = memory.images.astype(np.float64)
    squares = (x**2).sum(axis=1)[:, None] + (images**2).sum(axis=1) - 2 * x @ images.T
    nearest = np.maximum(squares.min(axis=1, initial=np.inf), 0) / x.shape[1]
    return np.asarray(np.sqrt(nearest), dtype=np.float64)


def _quantile(values: NDArray[np.float64], share: float) -> float:
    rank = min(math.ceil((len(values) + 1) * share - 1e-9), len(values))
    return float(np.sort(values)[rank - 1])
