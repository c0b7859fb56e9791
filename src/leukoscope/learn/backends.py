"""What computes the answers: PyTorch or ONNX Runtime, whichever is faster here."""

import hashlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukoscope.data import seen
from leukoscope.data.seen import Seen
from leukoscope.errors import UsageError
from leukoscope.files import reason
from leukoscope.learn import processor
from leukoscope.learn.answers import Answers, judge, together
from leukoscope.learn.folder import WEIGHTS, ClassifierConfig, read_config, read_memories

ONNX, ONNX_INT8 = "model.onnx", "model-int8.onnx"
ENGINES = ("auto", "torch", "onnx")
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "bf16", "float32", "int8")

_DOUBT = 0.3  # in logits; bfloat16 moved none by more than 0.09 on 328 test images

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Backend:
    """A classifier that is ready to answer N×S×S×3 pixels of its size S."""

    name: str  # in words, for the record
    kind: str  # what can change the answers: the engine, and how precise it is
    digest: str  # SHA-256 of what is in the files of the classifier
    config: ClassifierConfig
    answer: Callable[[Pixels], Answers]
    seen: Seen | None  # the files it learned from; None when it does not say


def open_backends(
    folders: Sequence[Path], *, engine: str = "auto", device: str = "auto", precision: str = "auto"
) -> Backend:
    """The classifiers in `folders`, whose answers are taken together; see `open_backend`.

    Raises `UsageError` when they differ in classes or size.
    """
    opened = [
        open_backend(folder, engine=engine, device=device, precision=precision)
        for folder in folders
    ]
    first = opened[0]
    for folder, one in zip(folders, opened, strict=True):
        if (one.config.classes, one.config.size) != (first.config.classes, first.config.size):
            raise UsageError(
                f"{folder} tells {', '.join(one.config.classes)} apart at {one.config.size} px, "
                f"{folders[0]} {', '.join(first.config.classes)} at {first.config.size} px: their "
                f"answers cannot be averaged."
            )
    if len(opened) == 1:
        return first
    return Backend(
        name=f"{len(opened)} classifiers, {first.name}",
        kind=first.kind,
        digest=" ".join(one.digest for one in opened),
        config=first.config,
        answer=lambda pixels: together([one.answer(pixels) for one in opened]),
        seen=seen.together([one.seen for one in opened]),
    )


def open_backend(
    folder: Path, *, engine: str = "auto", device: str = "auto", precision: str = "auto"
) -> Backend:
    """The classifier in `folder`, computed by PyTorch from its weights or by ONNX Runtime from the
    graph that `leukoscope export` wrote there.

    By itself it takes PyTorch where that has a GPU, or bfloat16 and may use it, else ONNX Runtime
    where both it and the graph are there; int8, which changes the answers more, only when it is
    asked for. Raises `UsageError` for what the folder or this machine does not have, and for a
    graph that was made with other settings than those of the folder.
    """
    for name, value, known in (
        ("engine", engine, ENGINES),
        ("device", device, DEVICES),
        ("precision", precision, PRECISIONS),
    ):
        if value not in known:
            raise UsageError(f"--{name} is one of {', '.join(known)}, not {value!r}.")
    config = read_config(folder)
    if engine == "auto":
        engine = _fastest(folder, device, precision)
    if engine == "onnx":
        return _onnx(folder, config, device, precision)
    if precision == "int8":
        raise UsageError("PyTorch computes here in float32 or bf16; use --engine onnx for int8.")
    return _torch(folder, device, precision)


def _fastest(folder: Path, device: str, precision: str) -> str:
    if precision in ("bf16", "int8"):
        return "torch" if precision == "bf16" else "onnx"
    graph, weights = (folder / ONNX).is_file(), (folder / WEIGHTS).is_file()
    if not (graph and weights):
        return "torch" if weights else "onnx"
    if importlib.util.find_spec("onnxruntime") is None:
        return "torch"
    quick = (precision == "auto" and processor.has_bf16()) or (device != "cpu" and _has_cuda())
    return "torch" if quick else "onnx"


def _has_cuda() -> bool:
    if not processor.may_have_cuda():
        return False
    import torch

    return torch.cuda.is_available()


def _torch(folder: Path, device: str, precision: str) -> Backend:
    from leukoscope.learn import classifier as classifiers
    from leukoscope.learn.devices import describe, inference_device, uses_bf16
    from leukoscope.learn.prediction import answer

    fabric = inference_device(precision, device)
    classifier = classifiers.load(folder)
    cuda = fabric.device.type == "cuda"
    rounded = uses_bf16(precision, cuda=cuda)
    exact = inference_device("float32", device) if rounded else fabric

    def answers(pixels: Pixels) -> Answers:
        given = answer(classifier, pixels, fabric=fabric, quiet=True)
        if not rounded:
            return given
        # Rounded to bfloat16, a class that is hardly ahead could change places with the next.
        doubtful = np.flatnonzero(_lead(given.probabilities) < _DOUBT)
        if not len(doubtful):
            return given
        return _replaced(
            given, doubtful, answer(classifier, pixels[doubtful], fabric=exact, quiet=True)
        )

    name = f"PyTorch on {describe(fabric, precision)}"
    kind = "torch bf16" if rounded else "torch float32"
    digest = _digest(folder, WEIGHTS)
    return Backend(name, kind, digest, classifier.config, answers, seen.read(folder))


def _lead(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """N: by how much the best class is ahead of the next one, in logits."""
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    lead: NDArray[np.float64] = np.log(first / np.maximum(second, np.finfo(float).tiny))
    return lead


def _replaced(given: Answers, rows: NDArray[np.intp], better: Answers) -> Answers:
    """The answers, but in these rows the better ones."""
    columns = {}
    for field in fields(Answers):
        old, new = getattr(given, field.name), getattr(better, field.name)
        if old is not None:
            old[rows] = new
        columns[field.name] = old
    return Answers(**columns)


def _onnx(folder: Path, config: ClassifierConfig, device: str, precision: str) -> Backend:
    if precision == "bf16":
        raise UsageError("ONNX Runtime computes here in float32 or int8; use --engine torch.")
    name, number = (ONNX_INT8, "int8") if precision == "int8" else (ONNX, "float32")
    if not (folder / name).is_file():
        option = " --int8" if precision == "int8" else ""
        raise UsageError(
            f"{folder} has no {name}; leukoscope export {folder} --out FOLDER{option} makes one, "
            f"then name that folder."
        )
    session = open_session(folder / name, device=device)
    _check_config(session, config, folder / name)
    memories = None if config.accepted is None else read_memories(folder)
    layers = list(memories or ())

    def answers(pixels: Pixels) -> Answers:
        probabilities, *features = session.run(
            ["probabilities", *map(feature_name, layers)], {"pixels": pixels}
        )
        # Each adds up to 1 as float32 numbers do, which as float64 they do not quite.
        exact = probabilities.astype(np.float64)
        exact /= exact.sum(axis=1, keepdims=True)
        return judge(config, memories, exact, dict(zip(layers, features, strict=True)))

    where = "GPU" if session.get_providers()[0].startswith("CUDA") else "CPU"
    words = f"ONNX Runtime on {where}, {number}"
    digest = _digest(folder, name)
    return Backend(words, f"onnx {number}", digest, config, answers, seen.read(folder))


def _check_config(session: Any, config: ClassifierConfig, path: Path) -> None:
    """Nothing, or `UsageError` when the graph was made with other settings than config.json has."""
    settings = json.loads(json.dumps(asdict(config)))
    said = session.get_modelmeta().custom_metadata_map
    for key, value in settings.items():
        if key in said and json.loads(said[key]) != value:
            raise UsageError(
                f"{path} was made with {key} {said[key]}, but config.json says "
                f"{json.dumps(value)}: export the classifier again, or delete the graph."
            )


def feature_name(layer: str) -> str:
    """The name of the graph's output of what a layer sees, which novelty is measured by."""
    return f"features/{layer}"


def open_session(path: Path, *, device: str = "auto") -> Any:
    """An ONNX Runtime session of a graph; `UsageError` when it, or the device, is not there."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            "ONNX Runtime is not here: pip install onnxruntime, or use --engine torch."
        ) from error
    cuda = "CUDAExecutionProvider"
    has_cuda = device != "cpu" and cuda in onnxruntime.get_available_providers()
    if device == "cuda" and not has_cuda:
        raise UsageError("This ONNX Runtime has no CUDA; try --device cpu, or --engine torch.")
    providers = [cuda] * has_cuda + ["CPUExecutionProvider"]
    options = onnxruntime.SessionOptions()
    # Threads that spin between two calls take the cores from whatever prepares the next one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # whatever its parser runs into
        raise UsageError(f"{path} cannot be loaded by ONNX Runtime: {reason(error)}.") from error


def _digest(folder: Path, model: str) -> str:
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    with (folder / model).open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
