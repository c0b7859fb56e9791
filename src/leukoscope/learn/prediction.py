"""Classifier and pixels to probabilities, in row order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from leukoscope.data.images import SUFFIXES, UnreadableImage, decode
from leukoscope.errors import DataError, UsageError
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
    novelty: NDArray[np.float64] | None = None  # N: how unlike the training images, higher is more
    novel: NDArray[np.bool_] | None = None  # N: novelty above the classifier's threshold


def answer(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    *,
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = False,
) -> Answers:
    """All that the classifier says of N×S×S×3 pixels of its size S."""
    return Answers(predict(classifier, pixels, fabric=fabric, quiet=quiet))


@torch.inference_mode()
def predict(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    *,
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = False,
) -> NDArray[np.float64]:
    """N×K probabilities of N×S×S×3 pixels of the classifier's size S."""
    size = classifier.config.size
    if pixels.shape[1:] != (size, size, 3):
        raise ValueError(f"The classifier takes N×{size}×{size}×3 pixels, not {pixels.shape}.")
    fabric = fabric or fabric_for()
    classifier = classifier.to(fabric.device).eval()
    probabilities = np.empty((len(pixels), len(classifier.config.classes)))
    with bar("predicting", len(pixels), quiet=quiet) as advance:
        for start in range(0, len(pixels), _BATCH):
            part = torch.from_numpy(np.array(pixels[start : start + _BATCH])).to(fabric.device)
            with fabric.autocast():
                logits = classifier(part)
            rows = torch.softmax(logits.double(), dim=1).cpu().numpy()
            probabilities[start : start + len(part)] = rows
            advance(len(part))
    return probabilities


def predict_files(
    folder: Path, paths: Sequence[Path], out: Path, *, quiet: bool = False
) -> tuple[int, int]:
    """How many pictures were predicted and how many could not be read; `out` has a row for each.

    `folder` is a classifier's, `paths` are pictures and folders of pictures. The columns are those
    of `predictions.csv` without a label, and `error`, which is empty for a readable picture.
    """
    files = _files(paths)
    make_folder(out.parent)
    classifier = classifiers.load(folder)
    fabric = fabric_for()
    size, classes = classifier.config.size, classifier.config.classes
    rows: list[tuple[object, ...]] = []
    failed = 0
    with bar("predicting", len(files), quiet=quiet) as advance:
        for start in range(0, len(files), _BATCH):
            part = files[start : start + _BATCH]
            decoded, errors = _decode(part, size)
            failed += len(errors)
            answers = iter(predict(classifier, decoded, fabric=fabric, quiet=True))
            for file in part:
                if file in errors:
                    rows.append((file, "", *[""] * len(classes), errors[file]))
                    continue
                probabilities = next(answers)
                best = classes[int(probabilities.argmax())]
                rows.append((file, best, *(f"{p:.9g}" for p in probabilities), ""))
            advance(len(part))
    columns = ("path", "predicted", *(f"probability_{name}" for name in classes), "error")
    write_csv(out, columns, rows)
    return len(files) - failed, failed


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
