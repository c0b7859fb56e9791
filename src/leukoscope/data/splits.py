"""Who trains, who validates, who is kept for the test."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from leukoscope.data.samples import SPLITS, Sample
from leukoscope.errors import DataError, UsageError, nearest

PROTOCOLS = {
    "random": "nothing: fields of the same smear, scene and session may be on both sides",
    "group": "images of one group (the group column of samples.csv)",
}
"""What each protocol keeps from being on two sides of a split."""

_TENTHS = 10  # train : validation : test is 8 : 1 : 1, as in the reference table


def assign(samples: Sequence[Sample], *, protocol: str, seed: int = 0) -> list[Sample]:
    """The same rows in the same order, each with its split: eight tenths train, one validation,
    one test, in every class.

    The split follows from the seed and the paths alone, never from the order in which a disk
    lists files. Raises `DataError` when a split would lack a class.
    """
    check_protocol(protocol)
    split_of = {"random": _random, "group": _group}[protocol](samples, seed)
    assigned = [replace(sample, split=split_of[sample.path]) for sample in samples]
    check(assigned, protocol=protocol)
    return assigned


def check_protocol(protocol: str) -> None:
    """Nothing, or `UsageError` with the known names."""
    if protocol not in PROTOCOLS:
        raise UsageError(
            f"There is no protocol {protocol!r}; known are {', '.join(PROTOCOLS)}."
            + nearest(protocol, PROTOCOLS)
        )


def _random(samples: Sequence[Sample], seed: int) -> dict[str, str]:
    split_of: dict[str, str] = {}
    for number, label in enumerate(sorted({sample.label for sample in samples})):
        paths = sorted(sample.path for sample in samples if sample.label == label)
        shuffled = np.random.default_rng([seed, number]).permutation(paths).tolist()
        tenth = math.ceil(len(paths) / _TENTHS)  # rounded up, so that small classes are tested
        for position, path in enumerate(shuffled):
            split_of[path] = SPLITS[2 if position < tenth else 1 if position < 2 * tenth else 0]
    return split_of


def _group(samples: Sequence[Sample], seed: int) -> dict[str, str]:
    from sklearn.model_selection import StratifiedGroupKFold

    ungrouped = [sample.path for sample in samples if not sample.group]
    if ungrouped:
        raise DataError(
            f"The protocol 'group' needs a group for every image; {len(ungrouped)} have none, "
            f"the first is {ungrouped[0]}."
        )
    label_of: dict[str, str] = {}
    for sample in samples:
        if label_of.setdefault(sample.group, sample.label) != sample.label:
            raise DataError(
                f"The group {sample.group} has two labels, {label_of[sample.group]} and "
                f"{sample.label} ({sample.path})."
            )
    fewest, label = min((n, label) for label, n in Counter(label_of.values()).items())
    if fewest < len(SPLITS):
        raise DataError(
            f"The class {label} has {fewest} group{'s' * (fewest != 1)}; three splits need three."
        )
    rows = sorted(samples, key=lambda sample: sample.path)
    folds = StratifiedGroupKFold(min(_TENTHS, fewest), shuffle=True, random_state=seed)
    labels, groups = [row.label for row in rows], [row.group for row in rows]
    split_of = {row.path: "train" for row in rows}
    held_out = [test for _, test in folds.split(rows, labels, groups)]
    for split, fold in (("test", held_out[0]), ("validation", held_out[1])):
        split_of.update({rows[row].path: split for row in fold})
    return split_of


def check(samples: Sequence[Sample], *, protocol: str) -> None:
    """Nothing, or `DataError`: a row without split, a split without a class, a group on two sides.

    It is asked again of every split that is read from a file.
    """
    unassigned = next((sample.path for sample in samples if sample.split not in SPLITS), None)
    if unassigned is not None:
        raise DataError(f"{unassigned} is in no split.")
    present = {(sample.split, sample.label) for sample in samples}
    for label, n in sorted(Counter(sample.label for sample in samples).items()):
        lacking = [split for split in SPLITS if (split, label) not in present]
        if lacking:
            raise DataError(
                f"The class {label} has {n} image{'s' * (n != 1)}, and none of them in the "
                f"{' and '.join(lacking)} split: more images (or groups) of it are needed."
            )
    if protocol != "group":
        return
    sides: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        sides[sample.group].add(sample.split)
    crossing = next((group for group, splits in sides.items() if len(splits) > 1), None)
    if crossing is not None:
        raise DataError(
            f"The group {crossing} is on two sides: {' and '.join(sorted(sides[crossing]))}."
        )


def summary(samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    """Images per split and label."""
    counted = Counter((sample.split, sample.label) for sample in samples)
    labels = sorted({sample.label for sample in samples})
    return {split: {label: counted[split, label] for label in labels} for split in SPLITS}
