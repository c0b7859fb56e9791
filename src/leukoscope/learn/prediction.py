"""Classifier and pixels to probabilities, in row order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from leukoscope.data.images import SUFFIXES, UnreadableImage, decode
from leukoscope.errors import DataError, UsageError
from leukoscope.evaluate.novelty import novelty
from leukoscope.files import make_folder, write_csv
from leukoscope.learn import classifier as classifiers
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.devices import Inference, fabric_for
from leukoscope.progress import bar

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier says of N images; None where it has not learned to say it."""

    probabilities: NDArray[np.float64]  # N×K, calibrated
    sets: NDArray[np.bool_] | None = None  # N×K: the classes that cannot be ruled out
    novelty: NDArray[np.float64] | None = None  # N: how unlike the training images; 1: the limit
    novel: NDArray[np.bool_] | None = None  # N: novelty above 1


def answer(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    *,
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = False,
) -> Answers:
    """All that the classifier says of N×S×S×3 pixels of its size S, from one forward pass."""
    thresholds, memories = classifier.config.set_thresholds, classifier.memories
    logits, features = outputs(
        classifier, pixels, layers=memories or (), fabric=fabric, quiet=quiet
    )
    probabilities = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    sets = unlike = novel = None
    if thresholds is not None:
        # With scikit-learn behind it, which takes a second to import; a service starts without.
        from leukoscope.evaluate.abstention import prediction_sets

        sets = prediction_sets(probabilities, np.array(thresholds))
    if memories is not None:
        unlike = novelty(features, memories) if len(pixels) else np.empty(0)
        novel = ~(unlike <= 1)  # also where a feature is not a number
    return Answers(probabilities, sets, unlike, novel)


def predict(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    *,
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = False,
) -> NDArray[np.float64]:
    """N×K probabilities of N×S×S×3 pixels of the classifier's size S."""
    return answer(classifier, pixels, fabric=fabric, quiet=quiet).probabilities


@torch.inference_mode()
def outputs(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    *,
    layers: Iterable[str] = (),
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = False,
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
    """N×K logits of N×S×S×3 pixels, and what these layers of the network see: N×D features each.

    Without an image there are no features to know the width of.
    """
    size = classifier.config.size
    if pixels.shape[1:] != (size, size, 3):
        raise ValueError(f"The classifier takes N×{size}×{size}×3 pixels, not {pixels.shape}.")
    fabric = fabric or fabric_for()
    classifier = classifier.to(fabric.device).eval()
    logits = np.empty((len(pixels), len(classifier.config.classes)))
    features: dict[str, list[NDArray[np.float32]]] = {name: [] for name in layers}
    with bar("predicting", len(pixels), quiet=quiet) as advance:
        for start in range(0, len(pixels), _BATCH):
            rows = slice(start, start + _BATCH)
            part = torch.from_numpy(np.array(pixels[rows])).to(fabric.device)
            with fabric.autocast():
                answered, seen = classifier.with_features(part, features)
            logits[rows] = answered.double().cpu().numpy()
            for name, values in seen.items():
                features[name].append(values.cpu().numpy())
            advance(len(part))
    return logits, {name: np.concatenate(parts) for name, parts in features.items() if parts}


def together(answers: Sequence[Answers]) -> Answers:
    """What several classifiers of the same classes say of the same images: mean probabilities and
    novelty, and the classes that not all of them rule out.

    Lakshminarayanan, Pritzel and Blundell, Simple and Scalable Predictive Uncertainty Estimation
    using Deep Ensembles, NeurIPS 2017. A set that holds all others keeps the coverage of each.
    """
    sets = [one.sets for one in answers if one.sets is not None]
    unlike = [one.novelty for one in answers if one.novelty is not None]
    mean = np.mean(unlike, axis=0) if len(unlike) == len(answers) else None
    return Answers(
        probabilities=np.mean([one.probabilities for one in answers], axis=0),
        sets=np.any(sets, axis=0) if len(sets) == len(answers) else None,
        novelty=mean,
        novel=None if mean is None else ~(mean <= 1),
    )


def predict_files(
    folders: Sequence[Path], paths: Sequence[Path], out: Path, *, quiet: bool = False
) -> tuple[int, int]:
    """How many pictures were predicted and how many could not be read; `out` has a row for each.

    `folders` are classifiers', whose answers are taken `together`; `paths` are pictures and folders
    of pictures. The columns are those of `predictions.csv` without a label; `set` (the classes that
    cannot be ruled out) and `novelty` where they are known; and `error`, which is empty for a
    readable picture. Raises `UsageError` when the classifiers differ in classes or size.
    """
    files = _files(paths)
    make_folder(out.parent)
    loaded = _load(folders)
    fabric = fabric_for()
    size, classes = loaded[0].config.size, loaded[0].config.classes
    rows: list[tuple[object, ...]] = []
    failed = 0
    with bar("predicting", len(files), quiet=quiet) as advance:
        for start in range(0, len(files), _BATCH):
            part = files[start : start + _BATCH]
            decoded, errors = _decode(part, size)
            failed += len(errors)
            said = together([answer(one, decoded, fabric=fabric, quiet=True) for one in loaded])
            cells = iter(_cells(said, classes))
            known = 1 + len(classes) + (said.sets is not None) + (said.novelty is not None)
            for file in part:
                unreadable = file in errors
                answered = ("",) * known if unreadable else next(cells)
                rows.append((file, *answered, errors[file] if unreadable else ""))
            advance(len(part))
    columns = [
        *("path", "predicted", *(f"probability_{name}" for name in classes)),
        *(("set",) if said.sets is not None else ()),
        *(("novelty",) if said.novelty is not None else ()),
        "error",
    ]
    write_csv(out, columns, rows)
    return len(files) - failed, failed


def _load(folders: Sequence[Path]) -> list[Classifier]:
    loaded = [classifiers.load(folder) for folder in folders]
    first = loaded[0].config
    for folder, one in zip(folders, loaded, strict=True):
        if (one.config.classes, one.config.size) != (first.classes, first.size):
            raise UsageError(
                f"{folder} tells {', '.join(one.config.classes)} apart at {one.config.size} px, "
                f"{folders[0]} {', '.join(first.classes)} at {first.size} px: their answers "
                f"cannot be averaged."
            )
    return loaded


def _cells(answers: Answers, classes: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The fields of each image between its path and its error."""
    for row, probabilities in enumerate(answers.probabilities):
        cells = [classes[int(probabilities.argmax())], *(f"{p:.9g}" for p in probabilities)]
        if answers.sets is not None:
            possible = zip(classes, answers.sets[row], strict=True)
            cells.append("|".join(name for name, inside in possible if inside))
        if answers.novelty is not None:
            cells.append(f"{answers.novelty[row]:.6g}")
        yield tuple(cells)


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not inside:
                raise DataError(f"{path} has no pictures ({', '.join(SUFFIXES)}).")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise UsageError(f"{path} is not there.")
    return list(dict.fromkeys(files))


def _decode(files: Sequence[Path], size: int) -> tuple[NDArray[np.uint8], dict[Path, str]]:
    pixels, errors = [], {}
    for file in files:
        try:
            pixels.append(decode(file, size))
        except UnreadableImage as error:
            errors[file] = str(error)
    return np.array(pixels, dtype=np.uint8).reshape(-1, size, size, 3), errors
