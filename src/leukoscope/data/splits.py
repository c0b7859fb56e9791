"""Who trains, who validates, who is kept for the test."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from leukoscope.data.samples import SPLITS, Sample
from leukoscope.errors import DataError, UsageError, nearest

PROTOCOLS = {
    "random": "nothing: fields of the same smear, scene and session may be on both sides",
    "scene": "equal and overlapping fields",
    "session": "images that look taken together",
    "group": "images of one group (the group column of samples.csv)",
}
"""What each protocol keeps from being on two sides of a split."""

_TENTHS = 10  # train : validation : test is 8 : 1 : 1, as in the reference table
_EIGHTHS = 8  # of what a fold leaves: validation


@dataclass(frozen=True, slots=True)
class Fold:
    """One of `count` parts of the images, each of which is the test split once."""

    number: int  # from 0
    count: int


def assign(
    samples: Sequence[Sample], *, protocol: str, seed: int = 0, fold: Fold | None = None
) -> list[Sample]:
    """The same rows in the same order, each with its split: eight tenths train, one validation,
    one test, in every class. With `fold`, that part is the test, and an eighth of the rest the
    validation split.

    Under every protocol but `random` the `group` of a row (its scene, session or patient) is on
    one side. The split follows from the seed and the paths alone, never from the order in which a
    disk lists files. Raises `DataError` when a split would lack a class.
    """
    check_protocol(protocol)
    rows = sorted(samples, key=lambda sample: sample.path)
    if protocol != "random":
        _check_groups(rows, protocol, fold)
    divide = _random if protocol == "random" else _grouped
    if fold is None:
        fewest = _TENTHS if protocol == "random" else min(_TENTHS, _fewest_groups(rows)[0])
        parts = divide(rows, fewest, seed)
        test = parts == 0
        validation = parts == (1 if protocol == "random" else _typical(parts, rows, 1))
    else:
        test = _folds(rows, protocol, fold.count, seed) == fold.number
        rest = np.flatnonzero(~test)
        kept = [rows[row] for row in rest]
        eighths = _EIGHTHS if protocol == "random" else min(_EIGHTHS, _fewest_groups(kept)[0])
        validation = np.zeros(len(rows), bool)
        parts = divide(kept, eighths, seed)
        chosen = 0 if protocol == "random" else _typical(parts, kept)
        validation[rest[parts == chosen]] = True
    split_of = {
        row.path: SPLITS[2] if tested else SPLITS[1] if validated else SPLITS[0]
        for row, tested, validated in zip(rows, test, validation, strict=True)
    }
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


def _folds(rows: Sequence[Sample], protocol: str, parts: int, seed: int) -> NDArray[np.int64]:
    if protocol != "random":
        return _grouped(rows, parts, seed)
    return _random(rows, parts, seed, filled=True)


def _random(
    rows: Sequence[Sample], parts: int, seed: int, *, filled: bool = False
) -> NDArray[np.int64]:
    """The part of each row, classes alike in all; the first parts are rounded up, so that small
    classes are tested. With `filled`, a class whose last part would then be empty is divided
    evenly."""
    part_of: dict[str, int] = {}
    for number, label in enumerate(sorted({row.label for row in rows})):
        paths = [row.path for row in rows if row.label == label]
        shuffled = np.random.default_rng([seed, number]).permutation(paths).tolist()
        count, size = len(paths), math.ceil(len(paths) / parts)
        evenly = filled and size * (parts - 1) >= count
        part_of |= {
            path: position * parts // count if evenly else position // size
            for position, path in enumerate(shuffled)
        }
    return np.array([part_of[row.path] for row in rows])


def _grouped(rows: Sequence[Sample], parts: int, seed: int) -> NDArray[np.int64]:
    """The part of each row, no group in two, classes as alike as the groups allow."""
    from sklearn.model_selection import StratifiedGroupKFold

    part_of = np.zeros(len(rows), np.int64)
    if parts < 2:
        return part_of
    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    labels, groups = [row.label for row in rows], [row.group for row in rows]
    for part, (_, held_out) in enumerate(folds.split(rows, labels, groups)):
        part_of[held_out] = part
    return _completed(part_of, np.array(labels), np.array(groups), parts)


def _completed(
    part_of: NDArray[np.int64], labels: NDArray[np.str_], groups: NDArray[np.str_], parts: int
) -> NDArray[np.int64]:
    """The same parts, but one that lacked a class has the smallest group of it that another part
    can spare: where one group holds most of a class, the folds balance its images alone."""
    part_of = part_of.copy()
    sizes = Counter(groups.tolist())
    by_size = sorted(sizes, key=lambda group: (sizes[group], group))
    for label, part in product(sorted(set(labels.tolist())), range(parts)):
        if label in labels[part_of == part]:
            continue
        for group in by_size:
            inside = groups == group
            left = labels[(part_of == part_of[inside][0]) & ~inside]
            if label in labels[inside] and set(labels[inside]) <= set(left):
                part_of[inside] = part
                break
    return part_of


def _typical(parts: NDArray[np.int64], rows: Sequence[Sample], first: int = 0) -> int:
    """The number of the first part, from `first` on, that has at most twice its due of every class,
    or else of the one nearest to it: most of a class may be in one group, which had better be
    learned from than validated with."""
    labels = np.array([row.label for row in rows])
    numbers = range(first, int(parts.max()) + 1)
    shares = [
        [np.mean(parts[labels == label] == part) for label in set(labels.tolist())]
        for part in numbers
    ]
    most = [max(each) if min(each) > 0 else np.inf for each in shares]
    due = 2 / (parts.max() + 1)
    fair = (part for part, share in zip(numbers, most, strict=True) if share <= due)
    return next(fair, first + int(np.argmin(most or [0])))


def _fewest_groups(rows: Sequence[Sample]) -> tuple[int, str]:
    """The class that the fewest groups hold, and how many do."""
    groups_of: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        groups_of[row.label].add(row.group)
    return min((len(groups), label) for label, groups in groups_of.items())


def _check_groups(rows: Sequence[Sample], protocol: str, fold: Fold | None) -> None:
    ungrouped = [row.path for row in rows if not row.group]
    if ungrouped:
        raise DataError(
            f"The protocol {protocol!r} needs a group for every image; {len(ungrouped)} have none, "
            f"the first is {ungrouped[0]}."
        )
    label_of: dict[str, str] = {}
    for row in rows:
        # A patient has one diagnosis. A scene or session is inferred, and may hold a label error.
        if protocol == "group" and label_of.setdefault(row.group, row.label) != row.label:
            raise DataError(
                f"The group {row.group} has two labels, {label_of[row.group]} and "
                f"{row.label} ({row.path})."
            )
    fewest, label = _fewest_groups(rows)
    need = "three splits need three" if fold is None else f"{fold.count} folds need {fold.count}"
    if fewest < (len(SPLITS) if fold is None else fold.count):
        raise DataError(
            f"The class {label} has {fewest} {protocol}{'s' * (fewest != 1)}; {need}. Add "
            f"images of others, or choose a protocol that keeps less apart."
        )


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
    if protocol not in PROTOCOLS or protocol == "random":
        return
    sides: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        sides[sample.group].add(sample.split)
    crossing = next((group for group, splits in sides.items() if len(splits) > 1), None)
    if crossing is not None:
        raise DataError(
            f"The {protocol} {crossing} is on two sides: {' and '.join(sorted(sides[crossing]))}."
        )


def lopsided(samples: Sequence[Sample]) -> str:
    """A sentence where less than half of the images is left to learn from; else nothing."""
    train = sum(row.split == SPLITS[0] for row in samples)
    if 2 * train >= len(samples):
        return ""
    return (
        f"{train:,} of {len(samples):,} images are left to learn from: groups are kept whole, and "
        f"a few large ones hold most of a class."
    )


def summary(samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    """Images per split and label."""
    counted = Counter((sample.split, sample.label) for sample in samples)
    labels = sorted({sample.label for sample in samples})
    return {split: {label: counted[split, label] for label in labels} for split in SPLITS}
