"""What a leak is worth: the same model, tested on images ever less like those it learned from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.cores import each_in_processes
from leukoscope.audit.sessions import in_order
from leukoscope.audit.shortcuts import grouped
from leukoscope.evaluate.intervals import Interval, group_bootstrap
from leukoscope.progress import bar

Rows = NDArray[np.int64]
Learner = Callable[[Rows, Rows], Rows]  # rows to learn from and rows to be told: their targets

FOREST = "colour forest"

FOLDS = 5
_EMBARGOES = (0, 37, 100)  # positions in the order of the files
_TREES = 30


@dataclass(frozen=True, slots=True)
class Point:
    """A model's figures when this much keeps training and test apart."""

    protocol: str
    accuracy: float
    interval: Interval
    balanced_accuracy: float
    trained: int  # images per training; the same for all points of a curve
    model: str = FOREST


def forest(histograms: NDArray[np.float64], targets: Rows, *, seed: int = 0) -> Learner:
    """A random forest on colour histograms: what can be known without seeing a cell."""

    def learn(train: Rows, test: Rows) -> Rows:
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(_TREES, random_state=seed)
        told: Rows = model.fit(histograms[train], targets[train]).predict(histograms[test])
        return told

    return learn


def price(
    learners: Mapping[str, Learner],
    targets: Rows,
    paths: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    *,
    seed: int = 0,
    quiet: bool = False,
) -> tuple[list[Point], dict[str, str]]:
    """For each model, by its name, a point for `random`, for each set of `groups`, and for
    contiguous blocks of files with a growing embargo: as many files before and behind a tested
    block are not used.

    `groups` has the group of each image, by protocol, the nearest to `random` first (scenes, then
    sessions); the points are in the order in which test images get less like the training images.

    Every image is tested once. All trainings have as many images as the smallest of them, so that
    the curve shows the distance and not the size. A protocol that the set is too small for is
    left out, and so is an embargo that would leave less than half of the images to learn from:
    the second answer says why. With one protocol there is nothing to compare, and no point.
    """
    near = next(iter(groups))
    sides, left_out = _sides(targets, paths, groups, seed)
    if len(sides) < 2:
        return [], left_out | dict.fromkeys(sides, "there is no other to compare it with")
    trained = min(len(train) for folds in sides.values() for train, _ in folds)

    def point(
        model: str, learn: Learner, name: str, after: Callable[[], None] = lambda: None
    ) -> Point:
        right = np.zeros(len(targets))
        for train, test in sides[name]:
            some = np.random.default_rng([seed, len(test)]).permutation(train)[:trained]
            right[test] = learn(some, test) == targets[test]
            after()
        shares = [right[targets == label].mean() for label in np.unique(targets)]
        return Point(
            protocol=name,
            accuracy=float(right.mean()),
            interval=group_bootstrap(right, groups.get(name, groups[near])),
            balanced_accuracy=float(np.mean(shares)),
            trained=trained,
            model=model,
        )

    points: list[Point] = []
    for model, learn in learners.items():
        said = f"the price of leaking, {model}"
        if model == FOREST:
            work = partial(point, model, learn)
            points += each_in_processes(work, list(sides), said, count=len(targets), quiet=quiet)
            continue
        trainings = sum(map(len, sides.values()))
        with bar(said, trainings, quiet=quiet) as advance:  # each takes all cores by itself
            points += [point(model, learn, name, advance) for name in sides]
    return points, left_out


def _sides(
    targets: Rows, paths: Sequence[str], groups: Mapping[str, Sequence[str]], seed: int
) -> tuple[dict[str, list[tuple[Rows, Rows]]], dict[str, str]]:
    """The folds of each protocol that the set is large enough for, and why there are no others."""
    near, *far = groups
    sides = {"random": list(_random(targets, seed)), near: _grouped(targets, groups[near], seed)}
    blocks = {_blocks_with(gap): list(_blocks(targets, paths, gap)) for gap in _EMBARGOES}
    if not any(blocks.values()):
        blocks = {_blocks_with(0): []}
    sides |= blocks
    sides |= {name: _grouped(targets, groups[name], seed) for name in far}
    left_out = {}
    for name, folds in sides.items():
        if not folds:
            unit = f"{name}s" if name in groups else "images"
            left_out[name] = f"a class has fewer than {FOLDS} {unit}"
        elif any(2 * len(train) < len(targets) for train, _ in folds) and name in blocks:
            left_out[name] = "it would leave less than half of the images to learn from"
        elif any(len(np.unique(targets[train])) < 2 for train, _ in folds):
            left_out[name] = "it would leave one class to learn from"
    return {name: folds for name, folds in sides.items() if name not in left_out}, left_out


def _blocks_with(embargo: int) -> str:
    return f"blocks of files, embargo {embargo}" if embargo else "blocks of files"


def _random(targets: Rows, seed: int) -> Iterator[tuple[Rows, Rows]]:
    from sklearn.model_selection import StratifiedKFold

    if np.bincount(targets).min() >= FOLDS:
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        yield from folds.split(np.zeros(len(targets)), targets)


def _grouped(targets: Rows, groups: Sequence[str], seed: int) -> list[tuple[Rows, Rows]]:
    names = np.asarray(groups)
    fewest = min(len(np.unique(names[targets == label])) for label in np.unique(targets))
    return grouped(targets, groups, folds=FOLDS, seed=seed) if fewest >= FOLDS else []


def _blocks(targets: Rows, paths: Sequence[str], embargo: int) -> Iterator[tuple[Rows, Rows]]:
    order = {
        label: np.array(
            sorted(np.flatnonzero(targets == label).tolist(), key=lambda row: in_order(paths[row]))
        )
        for label in np.unique(targets)
    }
    if min(map(len, order.values())) < FOLDS:
        return
    for fold in range(FOLDS):
        train: list[Rows] = []
        test: list[Rows] = []
        for rows in order.values():
            start, stop = (len(rows) * f // FOLDS for f in (fold, fold + 1))
            test.append(rows[start:stop])
            train += [rows[: max(0, start - embargo)], rows[stop + embargo :]]
        yield np.concatenate(train), np.concatenate(test)
