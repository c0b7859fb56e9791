"""How well the label is predicted from what is no cell, or from colours without any shape."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukoscope.audit.cores import each, each_in_processes
from leukoscope.data.images import Facts
from leukoscope.errors import DataError
from leukoscope.evaluate.intervals import Interval, group_bootstrap

Pixels = NDArray[np.uint8]
Features = NDArray[np.float64]
Targets = NDArray[np.int64]

BINS = 16  # per channel
MAP_SIDE = 56  # places of the information map, each way
_LEVELS = 8  # of brightness at a place of the information map
_TREES = 40
_WITH_CELLS = ("mean colour", "colour histogram", "thumbnail")
_SHUFFLES = 20  # maps of shuffled labels, with which the map of the labels is compared
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
    """What one probe sees of the images: in words, N×F numbers, and whether cells add to them."""

    sees: str
    features: Features
    cells: bool = False


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
    cells: bool = False  # whether cells add to what it sees

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
            cells=view.cells,
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
    alike as the groups allow. `DataError` when fewer than two classes have a group per fold."""
    names = np.asarray(groups)
    counts = sorted(len(np.unique(names[targets == label])) for label in np.unique(targets))
    if len(counts) < 2 or counts[-2] < folds:
        fewest = 0 if len(counts) < 2 else counts[-2]
        raise DataError(
            f"There are too few scenes in a class: {fewest}, and {folds} folds need it."
        )
    return list(_divided(tuple(targets.tolist()), tuple(groups), folds, seed))


@lru_cache(maxsize=4)
def _divided(
    targets: tuple[int, ...], groups: tuple[str, ...], folds: int, seed: int
) -> tuple[tuple[Targets, Targets], ...]:
    """The folds; several checks ask for the same ones."""
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return tuple(splitter.split(np.zeros(len(targets)), targets, groups))


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
    """Things that are no cell: file facts, file order, background, border, corners; and what is
    left of a picture without its shapes: colours, and a thumbnail. Rows as in `pixels`, N×H×W×3."""
    looks: dict[str, tuple[str, Callable[[Pixels], Features]]] = {
        "mean colour": ("the mean and spread of red, green and blue in the picture", _mean_colour),
        "colour histogram": (
            "how often each brightness of red, green and blue occurs in the picture",
            _histogram,
        ),
        "background": (
            "the colours of the empty slide (all cells masked)",
            lambda image: _histogram(image, background(image)),
        ),
        "border": ("the colours of a narrow frame around the picture", _border),
        "thumbnail": ("the picture at 8 by 8 pixels", lambda image: _shrunk(image, 8, 8)),
    }
    for vertical in ("top", "bottom"):
        for side in ("left", "right"):
            sees = f"the {vertical} {side} corner (a fiftieth of the picture)"
            looks[f"{vertical} {side} corner"] = (sees, _corner(vertical, side))
    rows = each(
        lambda image: [look(image) for _, look in looks.values()], pixels, "measuring", quiet=quiet
    )
    return {
        "file facts": View(
            "the size, dimensions, format and compression of the file", _facts(facts)
        ),
        "file order": View("the number in the file's name", _order(paths)),
    } | {
        name: View(sees, np.stack([row[number] for row in rows]), cells=name in _WITH_CELLS)
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


@dataclass(frozen=True, slots=True)
class Information:
    """What the brightness at each place says about the label, and what chance reaches."""

    bits: Features  # 56×56
    chance: float  # the highest place of all maps of shuffled labels


def information(
    pixels: Pixels, targets: Targets, groups: Sequence[str], *, seed: int = 0
) -> Information:
    """Bits that the brightness at each place of the field says about the label, 56×56.

    The mutual information of the label and of eight equally frequent levels of brightness,
    relative to the image's own median, so that stain and lamp light up nothing; less the mean
    plus three standard deviations of what shuffled labels give, and at least 0.

    Of so many places one is always the highest, and the fewer the images, the higher. How high it
    is by chance, 20 maps say for which the labels were dealt to whole groups at random.
    """
    levels = _brightness(pixels)
    rng = np.random.default_rng(seed)
    dealt = [_dealt(targets, groups, rng) for _ in range(_SHUFFLES)]
    bits, *shuffled = _bits(levels, np.stack([targets, *dealt]))
    floor = np.mean(shuffled) + 3 * np.std(shuffled)
    above = np.maximum(0, bits - floor).reshape(MAP_SIDE, MAP_SIDE)
    return Information(above, max(0.0, float(np.max(shuffled) - floor)))


def _brightness(pixels: Pixels) -> NDArray[np.uint8]:
    """The level of each place of the map in each image, N×3136."""
    import cv2

    small = np.empty((len(pixels), MAP_SIDE, MAP_SIDE), np.float32)
    for row, image in enumerate(pixels):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        shrunk = cv2.resize(grey, (MAP_SIDE, MAP_SIDE), interpolation=cv2.INTER_AREA)
        small[row] = shrunk.astype(np.float32) - np.median(shrunk)
    cuts = np.quantile(small, np.arange(1, _LEVELS) / _LEVELS, axis=0)
    levels = np.zeros(small.shape, np.uint8)
    for cut in cuts:
        levels += small > cut
    return levels.reshape(len(pixels), -1)


def _dealt(targets: Targets, groups: Sequence[str], rng: np.random.Generator) -> Targets:
    """The labels of whole groups in another order, so that what belongs together keeps together."""
    number = np.unique(np.asarray(groups), return_inverse=True)[1]
    places, labels = (
        np.argsort(rng.permutation(number.max() + 1)[number], kind="stable") for _ in range(2)
    )
    dealt = np.empty_like(targets)
    dealt[places] = targets[labels]
    return dealt


def _bits(levels: NDArray[np.uint8], dealt: Targets) -> Features:
    """Mutual information, in bits, of each row of labels and the level in each column, R×P."""
    rows, images = dealt.shape
    classes = int(dealt.max()) + 1
    of_class = np.equal(dealt[:, None], np.arange(classes)[:, None]).astype(np.float32)
    flat = of_class.reshape(rows * classes, images)
    entropy = np.zeros((rows, levels.shape[1]))
    for level in range(_LEVELS):
        joint = (flat @ (levels == level).astype(np.float32)).reshape(rows, classes, -1) / images
        outer = joint.sum(axis=1, keepdims=True) * of_class.mean(axis=2)[..., None]
        ratio = np.divide(joint, outer, out=np.ones_like(joint), where=joint > 0)
        entropy += (joint * np.log2(ratio)).sum(axis=1)
    return entropy
