"""How small can a classifier be and still answer the same? Half precision, and what it changes."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from leukoscope.data.seen import SEEN
from leukoscope.errors import LeukoscopeError, UsageError
from leukoscope.files import make_folder, replacing, write_text

TOLERANCE = 1e-3  # between probabilities
CARD = "README.md"
_HEADING = "## Weights"


@dataclass(frozen=True, slots=True)
class Slimmed:
    """What became of a classifier, in megabytes."""

    weights_before: float
    weights: float
    graph: float
    images: int  # drawn smears and noise
    difference: float  # between any two probabilities of them, before and after


def slim(folder: Path, out: Path) -> Slimmed:
    """What was saved, and what it changes; `out` is the classifier in `folder` with weights in half
    precision, as PyTorch's and in a graph for ONNX Runtime that needs no PyTorch, its memories, its
    model card and the list of files it has seen.

    `leukoscope slim RUN/<trial>/classifier --out src/leukoscope/classifiers/default` makes the
    classifier of the package. Raises `LeukoscopeError`, and writes nothing, where a trial image
    gets a probability that differs by more than 1e-3.
    """
    if out.resolve() == folder.resolve():
        raise UsageError(f"{out} is the classifier itself; name another folder.")
    from leukoscope.learn import classifier as classifiers
    from leukoscope.learn.backends import ONNX
    from leukoscope.learn.devices import inference_device
    from leukoscope.learn.export import check_libraries, trial_images, write_graph
    from leukoscope.learn.folder import WEIGHTS
    from leukoscope.learn.folding import fold_batch_norms
    from leukoscope.learn.prediction import predict

    check_libraries()
    classifier = classifiers.load(folder)
    pixels, exact = trial_images(classifier.config.size), inference_device("float32", "cpu")
    before = predict(classifier, pixels, fabric=exact, quiet=True)
    fold_batch_norms(classifier.network)
    with TemporaryDirectory() as scratch:
        classifier.save(Path(scratch), half=True)
        rounded = classifiers.load(Path(scratch))
    after = predict(rounded, pixels, fabric=exact, quiet=True)
    difference = float(np.abs(after - before).max())
    if not difference <= TOLERANCE:  # NaN too
        raise LeukoscopeError(
            f"In half precision {folder} answers differently, by up to {difference:.2g} in a "
            f"probability ({TOLERANCE:g} is allowed); nothing was written."
        )
    make_folder(out)
    if (folder / SEEN).is_file():
        with replacing(out / SEEN) as beside:
            shutil.copyfile(folder / SEEN, beside)
    if (folder / CARD).is_file():
        _write_card(folder / CARD, out / CARD, len(pixels), difference)
    classifier.save(out, half=True)
    write_graph(rounded, out / ONNX)
    return Slimmed(
        weights_before=_megabytes(folder / WEIGHTS),
        weights=_megabytes(out / WEIGHTS),
        graph=_megabytes(out / ONNX),
        images=len(pixels),
        difference=difference,
    )


def _write_card(card: Path, path: Path, images: int, difference: float) -> None:
    text = card.read_text(encoding="utf-8").partition(_HEADING)[0].rstrip()
    section = (
        f"{_HEADING}\n\nIn half precision: of {images} drawn and random images no probability "
        f"differs from that of the float32 weights, which the figures above are of, by more than "
        f"{difference:.1g}.\n"
    )
    write_text(path, f"{text}\n\n{section}")


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6
