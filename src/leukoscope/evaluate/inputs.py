"""Can these labels and probabilities be judged, and which of them belong together?"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer]
Probabilities = NDArray[np.floating]
Numbers = NDArray[np.int64]

_SUM_TOLERANCE = 1e-3


def check(labels: Labels, probabilities: Probabilities, classes: int) -> None:
    """Nothing, or a ValueError whose sentence names the first row that is wrong (from 1)."""
    if classes < 2:
        raise ValueError(f"At least two classes are needed, not {classes}.")
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"The labels must be one whole number per image, not {labels.dtype} {labels.shape}."
        )
    if len(labels) == 0:
        raise ValueError("There is no image to evaluate: the predictions are empty.")
    if probabilities.shape != (len(labels), classes):
        raise ValueError(
            f"{len(labels)} labels and {classes} classes need probabilities of shape "
            f"{(len(labels), classes)}, not {probabilities.shape}."
        )
    _first(
        ~np.isfinite(probabilities).all(axis=1), "has a probability that is not a number", labels
    )
    outside = ((probabilities < 0) | (probabilities > 1)).any(axis=1)
    _first(outside, "has a probability outside 0 to 1", labels)
    sums = probabilities.sum(axis=1, dtype=np.float64)
    _first(np.abs(sums - 1) > _SUM_TOLERANCE, "has probabilities that do not sum to one", labels)
    _first((labels < 0) | (labels >= classes), "has a label that is none of the classes", labels)


def number(groups: Sequence[str] | NDArray[np.str_], n: int) -> tuple[Numbers, tuple[str, ...]]:
    """For each of n images the number of its group, and the groups' names, sorted."""
    if len(groups) != n:
        raise ValueError(f"{n} images need {n} groups, not {len(groups)}.")
    names = tuple(sorted(set(groups)))
    numbers = {name: index for index, name in enumerate(names)}
    return np.fromiter((numbers[name] for name in groups), np.int64, n), names


def binary(
    labels: Labels, probabilities: Probabilities, classes: Sequence[str], negative: str
) -> tuple[Labels, Probabilities, tuple[str, str]]:
    """The same images as two classes: `negative` (0) against all others together (1).

    The probability of the positive class is the sum of theirs. Hence its answer need not be that
    of the K classes: 0.4 Benign, 0.3 Early, 0.3 Pre is Benign there and Malignant here. The
    positive class is named like the only other one, else Malignant beside Benign.
    """
    if negative not in classes:
        raise ValueError(f"The negative class {negative} is not among {', '.join(classes)}.")
    index = list(classes).index(negative)
    others = [name for name in classes if name != negative]
    together = "Malignant" if negative == "Benign" else f"not {negative}"
    rest = np.delete(probabilities, index, axis=1).sum(axis=1)
    pair = np.stack([probabilities[:, index], np.minimum(rest, 1)], axis=1)
    name = others[0] if len(others) == 1 else together
    return (labels != index).astype(np.int64), pair, (negative, name)


def _first(wrong: NDArray[np.bool_] | np.bool_, reason: str, labels: Labels) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"Row {row + 1} of {len(labels)} {reason} (its label is {labels[row]}).")
