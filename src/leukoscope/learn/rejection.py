"""Does a classifier find pictures novel that are unlike its training images?"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from leukoscope.data import novelties
from leukoscope.data.novelties import Novel
from leukoscope.evaluate.scores import separation
from leukoscope.learn.prediction import answer
from leukoscope.learn.robustness import HeldOut
from leukoscope.progress import bar


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row of `novelty.csv`: pictures of one kind against the held-out test images."""

    kind: str
    near_or_far: str  # see data.novelties
    n: int  # pictures, each asked about once per fold
    auroc: float  # the chance that such a picture is more novel than a test image
    auroc_low: float  # of DeLong's 95 % interval
    auroc_high: float
    accepted: float  # share of the pictures that are not called novel


def rejections(
    parts: Iterable[HeldOut],
    given: Sequence[Novel] = (),
    *,
    fabric: Fabric | None = None,
    quiet: bool = False,
) -> list[Rejection]:
    """How well novelty parts drawn and given pictures from test images; nothing from classifiers
    that have not learned it.

    Several classifiers are those of several folds, each with the images it was not trained on.
    What they say of one picture, and of test images of one group, is not independent: the intervals
    keep it together.
    """
    tested: list[NDArray[np.float64]] = []
    groups: list[str] = []
    found: defaultdict[tuple[str, str], list[NDArray[np.float64]]] = defaultdict(list)
    for part in parts:
        if part.classifier.memories is None:
            return []
        groups += [group or f"image {len(groups) + row}" for row, group in enumerate(part.groups)]
        kinds = [*novelties.drawn(part.pixels), *given]
        with bar("asking what is novel", 1 + len(kinds), quiet=quiet) as step:
            tested.append(_novelty(part, part.pixels, fabric))
            step()
            for one in kinds:
                found[one.kind, one.near_or_far].append(_novelty(part, one.pixels, fabric))
                step(note=one.kind)
    like = np.concatenate(tested)
    return [_rejection(*key, scores, like, groups) for key, scores in found.items()]


def _novelty(
    part: HeldOut, pixels: NDArray[np.uint8], fabric: Fabric | None
) -> NDArray[np.float64]:
    said = answer(part.classifier, pixels, fabric=fabric, quiet=True).novelty
    assert said is not None  # it has memories
    return said


def _rejection(
    kind: str,
    near_or_far: str,
    scores: Sequence[NDArray[np.float64]],
    like: NDArray[np.float64],
    groups: Sequence[str],
) -> Rejection:
    unlike = np.concatenate(scores)
    pictures = [f"picture {row}" for each in scores for row in range(len(each))]
    apart = separation(
        np.repeat([False, True], [len(like), len(unlike)]),
        np.concatenate([like, unlike]),
        groups=[*(f"test {group}" for group in groups), *pictures],
    )
    assert apart.value is not None
    assert apart.interval is not None
    return Rejection(
        kind=kind,
        near_or_far=near_or_far,
        n=len(scores[0]),
        auroc=apart.value,
        auroc_low=apart.interval.low,
        auroc_high=apart.interval.high,
        accepted=float((unlike <= 1).mean()),
    )
