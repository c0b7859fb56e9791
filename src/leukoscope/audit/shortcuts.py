"""How well the label is predicted without looking at a cell."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.cores import each, each_in_processes
from leukoscope.data.images import Facts
from leukoscope.evaluate.intervals import Interval, group_bootstrap

Pixels = NDArray[np.uint8]
Features = NDArray[np.float64]
Targets = NDArray[np.int64]

BINS = 16  # per channel
MAP_SIDE = 56  # places of the information map, each way
_LEVELS = 8  # of brightness at a place of the information map
_TREES = 40
_IMPOSSIBLE, _SURE = 0.05, 0.8  # probabilities of a label and of its contradiction


def colour_histogram(pixels: Pixels) -> Features:
    """N×48 shares of the pixels in 16 equal bins of red, green and blue; no place, no shape."""
    return np.array([_histogram(image) for image in pixels]).reshape(len(pixels), 3 * BINS)


def _histogram(image: Pixels, mask: NDArray[np.bool_] | None = None) -> Features:
    import cv2

    inside = None if mask is None else mask.astype(np.uint8)
    counts = [cv2.calcHist([image], [c], inside, [BINS], [0, 256]) for c in range(3)]
    total = np.concatenate(counts).ravel().astype(np.float64)
    shares: Features = total / max(1.0, total[:BINS].sum())
    return shares


def colour_forest(
    train: Pixels,
    targets: Targets,
    test: Pixels,
    *,
    classes: int,
    seed: int = 0,
) -> Features:
    """N×K probabilities for the test pixels, of a random forest on colour histograms.

    The baseline of every table: it sees no cell, so a network that does not beat it has shown
    nothing.
    """
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(500, random_state=seed, n_jobs=-1)
    forest.fit(colour_histogram(train), targets)
    probabilities = np.zeros((len(test), classes))
    probabilities[:, forest.classes_] = forest.predict_proba(colour_histogram(test))
    return probabilities


def majority(targets: Targets, count: int, *, classes: int) -> Features:
    """count×K: each class's share of the training set, for whatever image."""
    shares = np.bincount(targets, minlength=classes) / len(targets)
    return np.tile(shares, (count, 1))


@dataclass(frozen=True, slots=True)
class View:
    """What one probe sees of the images: in words, and N×F numbers."""

    sees: str
    features: Features


@dataclass(frozen=True, slots=True)
class Probe:
    """How often a forest that sees one thing only is right about images of unseen groups."""

    name: str
    sees: str  # the thing, in words
    accuracy: float
    interval: Interval
    balanced_accuracy: float
    shuffled: float  # accuracy when the labels are dealt to the images at random
    shuffled_interval: Interval

    def skill(self, chance: float) -> float:
        """The share of what the commonest class gets wrong that this gets right, at the lower
        end of its interval: 0 is chance, 1 is every image."""
        return (self.interval.low - chance) / (1 - chance) if chance < 1 else 0.0


def probe(
    views: Mapping[str, View],
    targets: Targets,
    groups: Sequence[str],
    *,
    folds: int = 5,
    seed: int = 0,
    quiet: bool = False,
) -> list[Probe]:
    """How well the label is predicted from each of the views.

    All see the same folds, in which no group is on two sides. A probe that does no better than
    the commonest class within its own training images (out of bag) answers that class, so that
    one which finds nothing scores the majority share rather than the worse score of a guess.
    """
    sides = grouped(targets, groups, folds=folds, seed=seed)
    shuffled = np.random.default_rng(seed).permutation(targets)
    # Folds of their own: in folds that are not stratified, what is common in training is rare in
    # the test, and the commonest class would score less than its share.
    shuffled_sides = grouped(shuffled, groups, folds=folds, seed=seed)

    def look(named: tuple[str, View]) -> Probe:
        name, view = named
        right = _right(view.features, targets, sides, seed)
        chance = _right(view.features, shuffled, shuffled_sides, seed)
        shares = [right[targets == label].mean() for label in np.unique(targets)]
        return Probe(
            name=name,
            sees=view.sees,
            accuracy=float(right.mean()),
            interval=group_bootstrap(right, groups),
            balanced_accuracy=float(np.mean(shares)),
            shuffled=float(chance.mean()),
            shuffled_interval=group_bootstrap(chance, groups),
        )

    # Not in threads: scikit-learn changes the filters of warnings, which threads share.
    return each_in_processes(
        look, list(views.items()), "looking for shortcuts", count=len(targets), quiet=quiet
    )


def _right(
    features: Features, targets: Targets, sides: Sequence[tuple[Targets, Targets]], seed: int
) -> Features:
    """1 for each row that a forest trained on the other folds is right about, else 0."""
    right = np.zeros(len(targets))
    for train, test in sides:
        commonest = np.bincount(targets[train]).argmax()
        forest = _forest(seed, bootstrap=True, oob_score=True)
        forest.fit(features[train], targets[train])
        answers = forest.predict(features[test])
        if forest.oob_score_ <= (targets[train] == commonest).mean():
            answers = np.full(len(test), commonest)
        right[test] = answers == targets[test]
    return right


def _forest(seed: int, *, bootstrap: bool = False, oob_score: bool = False) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(
        _TREES,
        min_samples_leaf=2,
        bootstrap=bootstrap,
        oob_score=oob_score,
        random_state=seed,
    )


def contradicted(
    views: Mapping[str, View],
    targets: Targets,
    groups: Sequence[str],
    *,
    folds: int = 5,
    seed: int = 0,
) -> list[tuple[int, int]]:
    """Rows whose label a forest that never saw their group holds for almost impossible, each with
    the class it is sure of instead; the surest first.

    The forest sees colours and a thumbnail, and so shares every shortcut of the set: what it
    contradicts looks like another class, and may well be right.
    """
    features = np.hstack([views[name].features for name in ("colour histogram", "thumbnail")])
    probabilities = np.zeros((len(targets), int(targets.max()) + 1))
    for train, test in grouped(targets, groups, folds=folds, seed=seed):
        forest = _forest(seed).fit(features[train], targets[train])
        probabilities[np.ix_(test, forest.classes_)] = forest.predict_proba(features[test])
    own = probabilities[np.arange(len(targets)), targets]
    answers = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1)
    doubted = np.flatnonzero((own <= _IMPOSSIBLE) & (sure >= _SURE))
    return [(int(row), int(answers[row])) for row in sorted(doubted, key=lambda r: -sure[r])]


def grouped(
    targets: Targets, groups: Sequence[str], *, folds: int, seed: int
) -> list[tuple[Targets, Targets]]:
    """Rows to learn from and rows to be tested on, per fold: no group on two sides, classes as
    alike as the groups allow."""
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(targets)), targets, np.asarray(groups)))


def _facts(facts: Sequence[Facts]) -> Features:
    columns = [[f.bytes, f.width, f.height, f.bytes / (f.width * f.height)] for f in facts]
    kinds = [
        np.unique([getattr(f, name) for f in facts], return_inverse=True)[1]
        for name in ("format", "mode", "tables")
    ]
    return np.column_stack([np.array(columns), *kinds]).astype(np.float64)


def _order(paths: Sequence[str]) -> Features:
    numbers = [re.findall(r"\d+", PurePosixPath(path).stem) for path in paths]
    return np.array([[float(found[-1][-15:]) if found else -1.0] for found in numbers])


def background(image: Pixels) -> NDArray[np.bool_]:
    """Where the empty slide shows, H×W: the brightest of three classes of green, a rim away from
    everything darker. Green, since both stains absorb it."""
    import cv2

    green = np.ascontiguousarray(image[..., 1])
    first, _ = cv2.threshold(green, 0, 255, cv2.THRESH_OTSU)
    bright = green[green > first]
    if not len(bright):
        return np.ones(green.shape, bool)
    second, _ = cv2.threshold(bright, 0, 255, cv2.THRESH_OTSU)
    # The first cut parts nuclei from the rest, the second red cells from the slide.
    empty = (green > max(first, second)).astype(np.uint8)
    rim = max(3, len(image) // 40) | 1
    kept: NDArray[np.bool_] = cv2.erode(empty, np.ones((rim, rim), np.uint8)) > 0
    return kept if kept.any() else empty > 0


def views(
    pixels: Pixels, *, facts: Sequence[Facts], paths: Sequence[str], quiet: bool = False
) -> dict[str, View]:
    """Things that are no cell: file facts, file order, colours, background, border, corners, a
    thumbnail. Rows as in `pixels`, N×H×W×3."""
    looks: dict[str, tuple[str, Callable[[Pixels], Features]]] = {
        "mean colour": ("the mean and spread of red, green and blue", _mean_colour),
        "colour histogram": (
            "how often each brightness of red, green and blue occurs",
            _histogram,
        ),
        "background": (
            "the colours of the empty slide, with all cells masked",
            lambda image: _histogram(image, background(image)),
        ),
        "border": ("the colours of a frame around the field", _border),
        "thumbnail": ("the field at 8 by 8 pixels", lambda image: _shrunk(image, 8, 8)),
    }
    for vertical in ("top", "bottom"):
        for side in ("left", "right"):
            sees = f"the {vertical} {side} corner alone, a fiftieth of the field"
            looks[f"{vertical} {side} corner"] = (sees, _corner(vertical, side))
    rows = each(
        lambda image: [look(image) for _, look in looks.values()], pixels, "measuring", quiet=quiet
    )
    return {
        "file facts": View("size, dimensions, format and compression of the file", _facts(facts)),
        "file order": View("the number in the file's name", _order(paths)),
    } | {
        name: View(sees, np.stack([row[number] for row in rows]))
        for number, (name, (sees, _)) in enumerate(looks.items())
    }


def _mean_colour(image: Pixels) -> Features:
    import cv2

    return np.concatenate(cv2.meanStdDev(image)).ravel().astype(np.float64)


def _border(image: Pixels) -> Features:
    rim = max(1, len(image) // 28)
    frame = np.ones(image.shape[:2], bool)
    frame[rim:-rim, rim:-rim] = False
    return _histogram(image, frame)


def _corner(vertical: str, side: str) -> Callable[[Pixels], Features]:
    def look(image: Pixels) -> Features:
        # 24 by 44 pixels of 224, where camera software burns in its scale bar.
        height, width = max(2, 24 * len(image) // 224), max(2, 44 * len(image) // 224)
        rows = slice(None, height) if vertical == "top" else slice(-height, None)
        columns = slice(None, width) if side == "left" else slice(-width, None)
        return _shrunk(image[rows, columns], 6, 11)

    return look


def _shrunk(image: Pixels, height: int, width: int) -> Features:
    import cv2

    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float64).ravel()


def information(pixels: Pixels, targets: Targets, *, seed: int = 0) -> Features:
    """Bits that the brightness at each place of the field says about the label, 56×56.

    The mutual information of the label and of eight equally frequent levels of brightness,
    relative to the image's own median, so that stain and lamp light up nothing; less the mean
    plus three standard deviations of what shuffled labels give, and at least 0.
    """
    import cv2

    small = np.empty((len(pixels), MAP_SIDE, MAP_SIDE), np.float32)
    for row, image in enumerate(pixels):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        shrunk = cv2.resize(grey, (MAP_SIDE, MAP_SIDE), interpolation=cv2.INTER_AREA)
        small[row] = shrunk.astype(np.float32) - np.median(shrunk)
    cuts = np.quantile(small, np.arange(1, _LEVELS) / _LEVELS, axis=0)
    levels = (small[None] > cuts[:, None]).sum(axis=0, dtype=np.uint8).reshape(len(pixels), -1)
    bits = _bits(levels, targets)
    chance = _bits(levels, np.random.default_rng(seed).permutation(targets))
    above: Features = np.maximum(0, bits - chance.mean() - 3 * chance.std())
    return above.reshape(MAP_SIDE, MAP_SIDE)


def _bits(levels: NDArray[np.uint8], targets: Targets) -> Features:
    """Mutual information, in bits, of the label and the level in each column."""
    classes = int(targets.max()) + 1
    joint = np.stack(
        [
            [(levels[targets == label] == level).sum(axis=0) for level in range(_LEVELS)]
            for label in range(classes)
        ]
    ) / len(targets)
    outer = joint.sum(axis=0, keepdims=True) * joint.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits: Features = np.where(joint > 0, joint * np.log2(joint / outer), 0).sum(axis=(0, 1))
    return bits
