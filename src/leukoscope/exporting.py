"""What does a person get who wants the classifier without Leukoscope: graph, record, example?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukoscope.data import images, inputs, seen, sources
from leukoscope.data.samples import class_of
from leukoscope.errors import DataError, UsageError
from leukoscope.files import make_folder, write_json, write_text

Pixels = NDArray[np.uint8]

CALIBRATION = 64  # images: more change the ranges little
_HEADING = "## With ONNX Runtime alone"
EXAMPLE = """\
import json
import numpy as np
import onnxruntime
from PIL import Image, ImageOps

config = json.load(open("config.json"))
session = onnxruntime.InferenceSession("model.onnx")
picture = ImageOps.exif_transpose(Image.open("field.png")).convert("RGB")
pixels = ImageOps.fit(picture, (config["size"], config["size"]), Image.Resampling.BICUBIC)
(probabilities,) = session.run(["probabilities"], {"pixels": np.asarray(pixels)[None]})
print(dict(zip(config["classes"], probabilities[0].tolist())))
"""


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be exported. The fields are the options of `leukoscope export`."""

    classifier: Path  # a folder
    out: Path  # a folder, or a .onnx file
    int8: bool = False
    calibrate: Sequence[str] = ()  # files, folders, patterns or archives; none: drawn smears
    labelled: str | None = None  # a folder with one sub-folder per class, or a samples.csv
    quiet: bool = False


def export(given: Export) -> dict[str, Any]:
    """The record of what was written: opset, difference to PyTorch, and what int8 changes.

    A folder gets `model.onnx`, `config.json`, the record as `export.json`, and the model card with
    an example as `README.md`; with `int8` also `model-int8.onnx`. A `.onnx` file is written alone
    (with `int8`, and `<name>-int8.onnx` beside it). A graph that does not answer like PyTorch is
    refused with `ExportRefused`.
    """
    alone = given.out.suffix == ".onnx"
    if (given.calibrate or given.labelled) and not given.int8:
        raise UsageError("--calibrate and --labelled are about --int8.")
    make_folder(given.out.parent if alone else given.out)
    from leukoscope.learn import classifier as classifiers
    from leukoscope.learn import export as graphs
    from leukoscope.learn.backends import ONNX, ONNX_INT8

    graphs.check_libraries()
    classifier = classifiers.load(given.classifier)
    config = classifier.config
    graph = given.out if alone else given.out / ONNX
    trial = _pictures(given, config.classes, config.size) if given.int8 else None
    difference = graphs.write_graph(classifier, graph)
    record: dict[str, Any] = {
        "opset": graphs.OPSET,
        "largest_difference_to_pytorch": difference,
        "classes": list(config.classes),
        "size": config.size,
    }
    if trial is not None:
        int8 = graph.with_name(f"{graph.stem}-int8.onnx") if alone else given.out / ONNX_INT8
        graphs.write_int8(graph, int8, trial.calibration)
        change = graphs.compare(graph, int8, trial.unseen, targets=trial.targets)
        of_what = "given images" if given.calibrate else "drawn smears"
        record["int8"] = {"calibrated_on": f"{len(trial.calibration)} {of_what}"} | asdict(change)
    if not alone:
        classifier.save_calibration(given.out)
        known = seen.read(given.classifier)
        if known is not None:
            seen.write(known, given.out)
        _write_folder(given, record)
    return record


def sentence(change: dict[str, Any]) -> str:
    """What int8 changes, in words, of the record's `int8`."""
    text = (
        f"int8, calibrated on {change['calibrated_on']}: probabilities of {change['images']} "
        f"images change by {change['mean']:.2g} on average and {change['largest']:.2g} at most, "
        f"{change['classes_changed']} of their classes"
    )
    if change["accuracy"] is not None:
        text += f"; accuracy {change['accuracy']:.4f}, with int8 {change['accuracy_int8']:.4f}"
    return text + "."


@dataclass(frozen=True, slots=True)
class _Trial:
    """Images to calibrate int8 with, others to measure it on, and their classes where known."""

    calibration: Pixels
    unseen: Pixels
    targets: list[int] | None = None


def _pictures(given: Export, classes: Sequence[str], size: int) -> _Trial:
    from leukoscope.learn.export import drawn

    calibration, unseen = (drawn(size, per_class=CALIBRATION // 4, seed=seed) for seed in (1, 0))
    if given.calibrate:
        found = _spread(given.calibrate, size)
        calibration, unseen = found[::2], found[1::2]
    if given.labelled is None:
        return _Trial(calibration, unseen)
    source = sources.find(given.labelled)
    targets = [_target(row.label, classes, given.labelled) for row in source.samples]
    pixels, _ = images.load(source.samples, source.root, size=size, quiet=given.quiet)
    return _Trial(calibration, pixels, targets)


def _spread(words: Sequence[str], size: int) -> Pixels:
    """Twice as many pictures as are calibrated with, from all over: folders may be classes."""
    files = inputs.expand(words)
    step = max(1, len(files) // (2 * CALIBRATION))
    found: list[Pixels] = []
    for picture in inputs.pictures(files[::step]):
        if picture.error:
            raise DataError(picture.error)
        found.append(images.decode(picture.content, size))
        if len(found) == 2 * CALIBRATION:
            break
    if len(found) < 2:
        raise DataError(f"{', '.join(words)}: int8 needs two pictures at least.")
    return np.stack(found)


def _target(label: str, classes: Sequence[str], origin: str) -> int:
    meant = class_of(label, classes)
    if meant is None:
        raise DataError(
            f"{origin} has the label {label}, which is none of the classifier's classes: "
            f"{', '.join(classes)}."
        )
    return classes.index(meant)


def _write_folder(given: Export, record: dict[str, Any]) -> None:
    write_json(given.out / "export.json", record)
    card = given.classifier / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else "# Classifier\n"
    text = text.partition(_HEADING)[0].rstrip()
    side, count = record["size"], len(record["classes"])
    section = (
        f"{_HEADING}\n\n`model.onnx` (opset {record['opset']}) takes N×{side}×{side}×3 uint8 RGB "
        f"pixels and answers N×{count} probabilities; normalisation and temperature are inside."
        f"\n\n```python\n{EXAMPLE}```\n"
    )
    write_text(given.out / "README.md", f"{text}\n\n{section}")
