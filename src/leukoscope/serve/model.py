"""Which classifier answers here, and what can it be asked?"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leukoscope.data.seen import Seen
from leukoscope.errors import UsageError
from leukoscope.learn import folder as folders
from leukoscope.learn.backends import open_backend
from leukoscope.learn.folder import WEIGHTS
from leukoscope.report import wording

if TYPE_CHECKING:
    from leukoscope.learn.answers import Answers
    from leukoscope.learn.classifier import Classifier

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Model:
    """A classifier as the service sees it: plain values, and functions of pixels."""

    name: str  # of the network, as it is written in papers
    classes: tuple[str, ...]
    size: int
    fingerprint: str  # SHA-256 of its config.json and of the file that answers
    calibrated: bool
    card: str  # the model card, Markdown; empty when the folder has none
    answer: Callable[[Pixels], "Answers"]  # N×S×S×3
    heat: Callable[[Pixels, int], NDArray[np.float32]]  # S×S×3 and a class: S×S within 0–1
    prepare: Callable[[], object] = lambda: None  # what `heat` needs, loaded if it is not yet
    seen: Seen | None = None  # the files it learned from; None when it does not say


def open_model(folder: Path | None) -> Model:
    """The classifier in `folder`, by default the one that comes with the package, warmed up.

    With its graph it answers by ONNX Runtime, which is up at once; PyTorch, which takes seconds to
    import, is for `heat` alone then.
    """
    chosen = folders.DEFAULT if folder is None else folder
    if folder is None and not chosen.is_dir():
        raise UsageError(
            "This installation has no classifier of its own; name one: leukoscope serve FOLDER, "
            "where FOLDER is the classifier folder that leukoscope train or benchmark wrote."
        )
    # The same answer to four digits as everywhere else: bfloat16 would move the third.
    backend = open_backend(chosen, precision="float32")
    config, explainer = backend.config, _explainer(chosen)

    def heat(pixels: Pixels, target: int) -> NDArray[np.float32]:
        from leukoscope.learn import gradcam

        classifier = explainer()
        if classifier is None:
            raise UsageError("This classifier is a graph without weights: it cannot be explained.")
        maps, _ = gradcam.gradcam(classifier, pixels[None], targets=[target])
        one: NDArray[np.float32] = maps[0]
        return one

    answers = backend.answer(np.full((1, config.size, config.size, 3), 255, dtype=np.uint8))
    card = chosen / "README.md"
    return Model(
        name=wording.network(config.network),
        classes=config.classes,
        size=config.size,
        fingerprint=backend.digest,
        calibrated=config.temperature != 1 or answers.sets is not None,
        card=card.read_text(encoding="utf-8") if card.is_file() else "",
        answer=backend.answer,
        heat=heat,
        prepare=explainer,
        seen=backend.seen,
    )


def _explainer(folder: Path) -> Callable[[], "Classifier | None"]:
    """What loads the classifier into PyTorch, once, whichever thread asks first; None without
    weights."""
    lock = Lock()

    @cache
    def load() -> "Classifier | None":
        if not (folder / WEIGHTS).is_file():
            return None
        from leukoscope.learn import classifier as classifiers

        return classifiers.load(folder)

    def locked() -> "Classifier | None":
        with lock:
            return load()

    return locked
