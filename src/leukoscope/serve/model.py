"""Which classifier answers here, and what can it be asked?"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leukoscope.data import seen
from leukoscope.data.seen import Seen
from leukoscope.errors import UsageError
from leukoscope.report import wording

if TYPE_CHECKING:
    from leukoscope.learn.prediction import Answers

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Model:
    """A classifier as the service sees it: plain values, and two functions of pixels."""

    name: str  # of the network, as it is written in papers
    classes: tuple[str, ...]
    size: int
    fingerprint: str  # SHA-256 of its config.json and its weights
    calibrated: bool
    card: str  # the model card, Markdown; empty when the folder has none
    answer: Callable[[Pixels], "Answers"]  # N×S×S×3
    heat: Callable[[Pixels, int], NDArray[np.float32]]  # S×S×3 and a class: S×S within 0–1
    seen: Seen | None = None  # the files it learned from; None when it does not say


def open_model(folder: Path | None) -> Model:
    """The classifier in `folder`, by default the one that comes with the package, warmed up."""
    from leukoscope.learn import classifier as classifiers
    from leukoscope.learn import gradcam, prediction
    from leukoscope.learn.devices import inference_device

    chosen = classifiers.DEFAULT if folder is None else folder
    if folder is None and not chosen.is_dir():
        raise UsageError(
            "This installation has no classifier of its own; name one: leukoscope serve FOLDER, "
            "where FOLDER is the classifier folder that leukoscope train or benchmark wrote."
        )
    classifier = classifiers.load(chosen)
    # The same answer to four digits as everywhere else: bfloat16 would move the third.
    device = inference_device("float32")
    config = classifier.config

    def answer(pixels: Pixels) -> "Answers":
        return prediction.answer(classifier, pixels, fabric=device, quiet=True)

    def heat(pixels: Pixels, target: int) -> NDArray[np.float32]:
        maps, _ = gradcam.gradcam(classifier, pixels[None], targets=[target])
        one: NDArray[np.float32] = maps[0]
        return one

    answers = answer(np.full((1, config.size, config.size, 3), 255, dtype=np.uint8))
    card = chosen / "README.md"
    return Model(
        name=wording.network(config.network),
        classes=config.classes,
        size=config.size,
        fingerprint=_fingerprint(chosen, json.dumps(asdict(config), sort_keys=True)),
        calibrated=config.temperature != 1 or answers.sets is not None,
        card=card.read_text(encoding="utf-8") if card.is_file() else "",
        answer=answer,
        heat=heat,
        seen=seen.read(chosen),
    )


def _fingerprint(folder: Path, config: str) -> str:
    with (folder / "model.safetensors").open("rb") as file:
        weights = hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(f"{config}\n{weights}".encode()).hexdigest()
