"""Novelty: which score tells pictures unlike the training images from fields of the test set.

    python benchmarks/novelty.py RUN/resnet50-random-seed0 [MORE…] --root FOLDER --cells FOLDER
                                 [--sessions audit/sessions.csv] [--cache FOLDER]

Each trained network is asked what its layers see in 512 training images, in the
validation images, in the test images, and in pictures that are no such fields: photographs, noise,
blank slides, text; single cells of another laboratory (`--cells`, a folder of folders); test fields
with another stain or focus; and photographs, noise and cells that were given the colours of a test
field. Each score is fitted on the same images, and its threshold accepts 95 % of the validation
images. Printed, as Markdown: the area under the ROC curve against the test images, and the share
that is accepted, which should be 95 % of the test images and none of the others.

With `--sessions` (of `leukoscope audit`), the novelty of a classifier is fitted again without the
images of one look, for each look in turn: what it says of fields of a stain that it has not seen.

Photographs are those that scikit-learn, matplotlib and, if installed, scikit-image come with.
"""

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import logsumexp
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.metrics import roc_auc_score

from leukoscope import outcome
from leukoscope.data.images import decode
from leukoscope.data.novelties import blank, noise, text
from leukoscope.data.perturbations import PERTURBATIONS, perturb
from leukoscope.evaluate.intervals import clopper_pearson
from leukoscope.evaluate.novelty import ACCEPTED, novelty, remember
from leukoscope.files import make_folder, read_csv
from leukoscope.learn import networks
from leukoscope.learn.classifier import load
from leukoscope.learn.devices import fabric_for
from leukoscope.learn.prediction import outputs

Pixels = NDArray[np.uint8]
Seen = dict[str, NDArray[Any]]  # floats: "logits", then by layer, the last layer last
Score = Callable[[Seen], NDArray[Any]]  # higher is more novel

REMEMBERED = 512
SHIFTED = 80  # test fields that are changed
NEIGHBOURS = 5
DIRECTIONS = 64  # of ViM's principal space
PHOTOGRAPHS = (  # of scikit-image; the rest of its pictures are drawn
    *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png"),
    *("coffee.png", "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png"),
    *("moon.png", "motorcycle_left.png", "retina.jpg", "rocket.jpg"),
)
KINDS = {  # of pictures that are no such field
    "far": ("photographs", "noise", "blank", "text"),
    "far, in its colours": ("photographs in its colours", "noise in its colours"),
    "cells": ("cells",),
    "cells, in its colours": ("cells in its colours",),
}
GRADES = {
    **{"blue dye": (0.5, 2.0), "eosin": (0.5, 2.0), "white balance": (-0.2, 0.2)},
    **{"blur": (1.0, 2.0, 4.0), "scale": (1.5,)},
}


def photographs(size: int, rng: np.random.Generator, *, crops: int = 4) -> Pixels:
    """Random squares of every photograph at hand."""
    from matplotlib.cbook import get_sample_data
    from sklearn.datasets import load_sample_images

    whole = list(load_sample_images().images)
    portrait = get_sample_data("grace_hopper.jpg", asfileobj=False)
    whole.append(np.asarray(Image.open(str(portrait)).convert("RGB")))
    skimage = importlib.util.find_spec("skimage")
    if skimage is not None and skimage.origin is not None:
        folder = Path(skimage.origin).with_name("data")
        whole += [np.asarray(Image.open(folder / n).convert("RGB")) for n in PHOTOGRAPHS]
    squares = []
    for picture in whole:
        for _ in range(crops):
            side = int(rng.uniform(0.5, 1) * min(picture.shape[:2]))
            top, left = (int(rng.integers(0, n - side + 1)) for n in picture.shape[:2])
            square = picture[top : top + side, left : left + side]
            squares.append(cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA))
    return np.array(squares)


def cells(folder: Path, size: int, *, per_kind: int = 20) -> Pixels:
    """As many single cells of each kind, evenly from its folder."""
    files: list[Path] = []
    for kind in sorted(path for path in folder.iterdir() if path.is_dir()):
        inside = sorted(kind.glob("*.jpg"))
        files += inside[:: max(1, len(inside) // per_kind)][:per_kind]
    return np.array([decode(file, size) for file in files])


def recoloured(pictures: Pixels, fields: Pixels, rng: np.random.Generator) -> Pixels:
    """The pictures with mean and spread of each channel as in a field drawn by chance."""
    changed = np.empty_like(pictures)
    for row, picture in enumerate(pictures.astype(np.float64)):
        field = fields[rng.integers(len(fields))]
        mean, spread = (np.array(f(field, axis=(0, 1))) for f in (np.mean, np.std))
        own, width = picture.mean((0, 1)), np.maximum(picture.std((0, 1)), 1)
        changed[row] = np.clip((picture - own) / width * spread + mean, 0, 255)
    return changed


def pictures(fields: Pixels, cell_folder: Path, rng: np.random.Generator) -> dict[str, Pixels]:
    """What is unlike the fields, or changed, by name."""
    size = fields.shape[1]
    some = fields[np.sort(rng.permutation(len(fields))[:SHIFTED])]
    sets = {"photographs": photographs(size, rng), "noise": noise(size, rng)}
    sets |= {"blank": blank(some[:28], rng), "text": text(size, rng)}
    sets["photographs in its colours"] = recoloured(sets["photographs"], fields, rng)
    sets["noise in its colours"] = recoloured(sets["noise"], fields, rng)
    sets["cells"] = cells(cell_folder, size)
    sets["cells in its colours"] = recoloured(sets["cells"], fields, rng)
    for change in PERTURBATIONS:
        for amount in GRADES.get(change.name, ()):
            sets[f"{change.name} {amount:g}"] = perturb(some, change, amount)
    return sets


def look(training: outcome.Training, root: Path, cell_folder: Path) -> dict[str, Seen]:
    """What the layers see in every set; of the uncalibrated network."""
    rng = np.random.default_rng(0)
    classifier, pixels = load(training.classifier), training.pixels(root)
    learned = np.sort(rng.permutation(training.numbers("train"))[:REMEMBERED])
    sets = {"learned": pixels[learned]}
    sets |= {name: pixels[training.numbers(name)] for name in ("validation", "test")}
    sets |= pictures(sets["test"], cell_folder, rng)
    layers = [*networks.early_layers(classifier.network), networks.last_layer(classifier.network)]
    fabric = fabric_for()
    seen = {}
    for name, images in sets.items():
        logits, features = outputs(classifier, images, layers=layers, fabric=fabric, quiet=True)
        seen[name] = {"logits": logits * classifier.config.temperature} | features
        print(f"<!-- {training.folder.name}: {name}, {len(images)} -->", flush=True)
    return seen


# The candidates. Each is fitted on what the layers see in learned and in validation images.


def ours(learned: Seen, held_out: Seen) -> Score:
    """The score that ships: the nearest remembered image to four early layers."""
    memories = remember(early(learned), early(held_out))
    return lambda asked: novelty(asked, memories)


def colours(learned: Seen, held_out: Seen) -> Score:
    """The same of the first layer alone: mean and spread of three colours."""
    first = next(iter(early(learned)))
    memories = remember({first: learned[first]}, {first: held_out[first]})
    return lambda asked: novelty({first: asked[first]}, memories)


def last(learned: Seen, held_out: Seen) -> Score:
    """The same of the last layer alone."""
    name = list(learned)[-1]
    memories = remember({name: learned[name]}, {name: held_out[name]})
    return lambda asked: novelty({name: asked[name]}, memories)


def gaussians(learned: Seen, held_out: Seen) -> Score:
    """Lee et al. 2018 at the same layers: one Gaussian each, the largest relative distance."""
    scores = {name: gaussian(features) for name, features in early(learned).items()}
    usual = {name: np.quantile(f(held_out[name]), ACCEPTED) for name, f in scores.items()}
    return lambda asked: np.max([f(asked[n]) / usual[n] for n, f in scores.items()], axis=0)


def nearest(learned: Seen, held_out: Seen) -> Score:
    """Sun et al. 2022: the cosine distance to the fifth nearest penultimate features."""
    known = unit(penultimate(learned))
    return lambda asked: -np.sort(unit(penultimate(asked)) @ known.T, axis=1)[:, -NEIGHBOURS]


def mahalanobis(learned: Seen, held_out: Seen) -> Score:
    """Lee et al. 2018: to the nearest class in penultimate features, one covariance for all."""
    features, classes = penultimate(learned), learned["logits"].argmax(axis=1)
    centres = np.array([features[classes == k].mean(axis=0) for k in np.unique(classes)])
    within = gaussian(
        features - centres[np.searchsorted(np.unique(classes), classes)], centre=False
    )
    return lambda asked: np.min([within(penultimate(asked) - c) for c in centres], axis=0)


def relative_mahalanobis(learned: Seen, held_out: Seen) -> Score:
    """Ren et al. 2021: less the distance to one Gaussian of all classes."""
    of_classes, of_all = mahalanobis(learned, held_out), gaussian(penultimate(learned))
    return lambda asked: of_classes(asked) - of_all(penultimate(asked))


def energy(learned: Seen, held_out: Seen) -> Score:
    """Liu et al. 2020."""
    return lambda asked: -logsumexp(asked["logits"], axis=1)


def max_logit(learned: Seen, held_out: Seen) -> Score:
    """Hendrycks et al. 2022."""
    return lambda asked: -asked["logits"].max(axis=1)


def vim(learned: Seen, held_out: Seen) -> Score:
    """Wang et al. 2022, about the mean: what lies outside the principal space, less the energy."""
    features = penultimate(learned)
    centre = features.mean(axis=0)
    _, _, directions = np.linalg.svd(features - centre, full_matrices=False)
    kept = directions[:DIRECTIONS]

    def outside(asked: Seen) -> Any:
        x = penultimate(asked) - centre
        return np.linalg.norm(x - x @ kept.T @ kept, axis=1)

    scale = learned["logits"].max(axis=1).mean() / outside(learned).mean()
    return lambda asked: scale * outside(asked) - logsumexp(asked["logits"], axis=1)


CANDIDATES = {
    "nearest image, early layers (ships)": ours,
    "Mahalanobis, early layers": gaussians,
    "nearest image, colours alone": colours,
    "nearest image, last layer": last,
    "nearest neighbours, last layer": nearest,
    "Mahalanobis, last layer": mahalanobis,
    "relative Mahalanobis, last layer": relative_mahalanobis,
    "ViM, last layer": vim,
    "energy": energy,
    "largest logit": max_logit,
}


def early(seen: Seen) -> Seen:
    return {name: seen[name] for name in list(seen)[1:-1]}


def penultimate(seen: Seen) -> NDArray[np.float64]:
    return seen[list(seen)[-1]].astype(np.float64)


def unit(features: NDArray[np.float64]) -> Any:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def gaussian(learned: NDArray[np.floating], *, centre: bool = True) -> Callable[..., Any]:
    """The squared Mahalanobis distance, of standardised features with a shrunk covariance."""
    values = learned.astype(np.float64)
    mean = values.mean(axis=0) if centre else np.zeros(values.shape[1])
    spread = np.maximum(values.std(axis=0), 0.01 * values.std(axis=0).mean())
    x = (values - mean) / spread
    shrinkage = ledoit_wolf_shrinkage(x, assume_centered=True)
    # Fewer images than features: outside their span the shrunk covariance is a multiple of one.
    _, lengths, directions = np.linalg.svd(x, full_matrices=False)
    variances = lengths**2 / len(x)
    rest = shrinkage * variances.sum() / x.shape[1]

    def distance(asked: NDArray[np.floating]) -> Any:
        z = (asked - mean) / spread
        within = z @ directions.T
        outside = (z**2).sum(axis=1) - (within**2).sum(axis=1)
        return (within**2 / ((1 - shrinkage) * variances + rest)).sum(axis=1) + outside / rest

    return distance


def compare(name: str, seen: dict[str, Seen]) -> None:
    """A table of all scores on sets of a kind together, and one of the score that ships on each."""
    print(
        f"\n### {name}\n\n| score | test |",
        " | ".join(KINDS),
        "|\n|---|---:|" + "---:|" * len(KINDS),
    )
    for candidate, fit in CANDIDATES.items():
        score = fit(seen["learned"], seen["validation"])
        values = {key: score(part) for key, part in seen.items() if key != "learned"}
        limit = float(np.quantile(values["validation"], ACCEPTED, method="higher"))
        kinds = [np.concatenate([values[key] for key in keys]) for keys in KINDS.values()]
        row = [f"{auroc(values['test'], kind):.3f} · {accepted(kind, limit)}" for kind in kinds]
        print(f"| {candidate} | {accepted(values['test'], limit)} |", " | ".join(row), "|")
        if fit is ours:
            shipped = values
    print("\n| images | n | AUROC | accepted (95 % interval) |\n|---|---:|---:|---:|")
    for key, value in shipped.items():
        if key == "validation":
            continue
        interval = clopper_pearson(int((value <= 1).sum()), len(value))
        area = "" if key == "test" else f"{auroc(shipped['test'], value):.3f}"
        share = f"{accepted(value, 1)} ({100 * interval.low:.0f}–{100 * interval.high:.0f})"
        print(f"| {key} | {len(value)} | {area} | {share} |")


def auroc(known: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    truth = np.repeat((0, 1), (len(known), len(other)))
    return float(roc_auc_score(truth, np.concatenate((known, other))))


def accepted(values: NDArray[np.float64], limit: float) -> str:
    return f"{100 * (values <= limit).mean():.0f} %"


def unseen_looks(training: outcome.Training, seen: dict[str, Seen], sessions: Path) -> None:
    """How many fields of a look are called novel where nothing of it was remembered."""
    look_of = {row["path"]: row["session"] for row in read_csv(sessions, ("path", "session"))[1]}
    rng = np.random.default_rng(0)
    numbers = {split: training.numbers(split) for split in ("validation", "test")}
    numbers["learned"] = np.sort(rng.permutation(training.numbers("train"))[:REMEMBERED])
    looks = {
        part: np.array([look_of.get(training.rows[n].path, "") for n in rows])
        for part, rows in numbers.items()
    }
    unknown, known, sizes = [], [], []
    with_all = ours(seen["learned"], seen["validation"])
    for one in sorted(set(looks["test"])):
        asked = {k: v[looks["test"] == one] for k, v in seen["test"].items()}
        if len(asked["logits"]) < 5:
            continue
        learned, held_out = (
            {k: v[looks[part] != one] for k, v in seen[part].items()}
            for part in ("learned", "validation")
        )
        unknown.append(float((ours(learned, held_out)(asked) > 1).mean()))
        known.append(float((with_all(asked) > 1).mean()))
        sizes.append(len(asked["logits"]))
    print(
        f"\n{len(sizes)} looks, {sum(sizes)} test fields: novel when the look is remembered "
        f"{np.average(known, weights=sizes):.3f}, when it is not "
        f"{np.average(unknown, weights=sizes):.3f} (median of looks {np.median(unknown):.2f}, "
        f"from {min(unknown):.2f} to {max(unknown):.2f})."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trainings", type=Path, nargs="+", help="folders of trained networks")
    parser.add_argument("--root", type=Path, required=True, help="the folder of the images")
    parser.add_argument("--cells", type=Path, required=True, help="a folder of folders of cells")
    parser.add_argument("--sessions", type=Path, help="sessions.csv of an audit")
    parser.add_argument("--cache", type=Path, help="where what the layers saw is kept")
    given = parser.parse_args()
    for folder in given.trainings:
        training, started = outcome.read(folder), time.perf_counter()
        kept = make_folder(given.cache) / f"{folder.name}.npz" if given.cache else None
        if kept is not None and kept.exists():
            seen = _read(kept)
        else:
            seen = look(training, given.root, given.cells)
            if kept is not None:
                arrays = {json.dumps([a, b]): v for a, s in seen.items() for b, v in s.items()}
                np.savez(kept, allow_pickle=False, **arrays)
        compare(str(training.settings["network"]), seen)
        if given.sessions is not None:
            unseen_looks(training, seen, given.sessions)
        print(f"\n{time.perf_counter() - started:.0f} seconds.", flush=True)


def _read(kept: Path) -> dict[str, Seen]:
    seen: dict[str, Seen] = {}
    with np.load(kept) as arrays:
        for key in arrays:
            name, layer = json.loads(key)
            seen.setdefault(name, {})[layer] = arrays[key]
    return seen


if __name__ == "__main__":
    main()
