"""Classifier to ONNX: one graph from uint8 pixels to probabilities, refused unless it answers like
PyTorch."""

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leukoscope.data import synthetic
from leukoscope.errors import LeukoscopeError, UsageError
from leukoscope.files import reason, replacing
from leukoscope.learn.augment import resize
from leukoscope.learn.backends import feature_name, open_session
from leukoscope.learn.classifier import Classifier

OPSET = 18  # of 2022: what ONNX Runtime 1.14 and later, and most other runtimes, can compute
TOLERANCE = 1e-4  # between probabilities
_BATCH = 16
_LARGE = 1024  # numbers: below, half precision saves nothing

Pixels = NDArray[np.uint8]


class ExportRefused(LeukoscopeError):
    """A graph that does not answer like the classifier it was made from."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an int8 graph changes in the probabilities of so many images."""

    images: int
    mean: float
    largest: float
    classes_changed: int
    accuracy: float | None = None  # of the float32 graph, where the labels are known
    accuracy_int8: float | None = None


class _Graph(nn.Module):
    """What is exported: probabilities, N×K, of N×S×S×3 uint8 pixels, and the N×D features of each
    layer that the classifier remembers."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        layers = list(self.classifier.memories or ())
        logits, seen = self.classifier.with_features(pixels, layers)
        return torch.softmax(logits, dim=1), *(seen[layer] for layer in layers)


def write_graph(classifier: Classifier, path: Path) -> float:
    """The largest difference to PyTorch in any probability; `path` is the classifier as ONNX.

    The preprocessing and the temperature are inside: the input `pixels` is N×S×S×3 uint8 RGB, any
    N, the output `probabilities` is N×K. A classifier that knows novelty has more outputs, see
    `backends.feature_name`. Raises `ExportRefused`, and leaves nothing behind, when a drawn or a
    random image gets a probability that differs by more than 1e-4.
    """
    check_libraries()
    classifier = classifier.to("cpu").eval()
    side = classifier.config.size
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    try:
        program = torch.onnx.export(
            _Graph(classifier).eval(),
            (example,),
            input_names=["pixels"],
            output_names=["probabilities", *map(feature_name, classifier.memories or ())],
            opset_version=OPSET,
            dynamic_shapes={"pixels": {0: torch.export.Dim("images")}},
            verbose=False,
        )
    except Exception as error:  # the exporter passes on whatever a network runs into
        raise LeukoscopeError(
            f"{classifier.config.network} could not be exported: {reason(error).splitlines()[0]}."
        ) from error
    assert program is not None
    model = _halved(program.model_proto)
    for key, value in asdict(classifier.config).items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    with replacing(path) as beside:
        beside.write_bytes(model.SerializeToString())
        return check_graph(beside, classifier)


def _halved(model: Any) -> Any:
    """The same graph, its weights kept in half precision where that changes none of them, as in a
    classifier that was slimmed. The runtime makes them float32 when it loads them."""
    from onnx import TensorProto, helper, numpy_helper

    widened = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _LARGE:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if np.array_equal(half.astype(np.float32), values):
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}/half"))
            widened.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*widened, *model.graph.node]
    for node in nodes:
        del node.metadata_props[:]  # where in PyTorch it comes from, and on which machine
    del model.graph.node[:], model.graph.metadata_props[:]
    model.graph.node.extend(nodes)
    return model


def check_graph(path: Path, classifier: Classifier) -> float:
    """The largest difference between any probabilities of the graph and of the classifier in
    float32, on 16 drawn and 16 random images; `ExportRefused` when it is more than 1e-4."""
    pixels = trial_images(classifier.config.size)
    given = probabilities_of(path, pixels)
    alone = probabilities_of(path, pixels[:1])  # which a graph of a fixed size could not take
    with torch.inference_mode():
        logits = [
            classifier(torch.from_numpy(pixels[start : start + _BATCH]))
            for start in range(0, len(pixels), _BATCH)
        ]
        expected = torch.softmax(torch.cat(logits).double(), dim=1).numpy()
    largest = float(max(np.abs(given - expected).max(), np.abs(alone - expected[:1]).max()))
    if not largest <= TOLERANCE:  # NaN too
        raise ExportRefused(
            f"The exported graph answers differently from PyTorch, by up to {largest:.2g} in a "
            f"probability ({TOLERANCE:g} is allowed); nothing was written."
        )
    return largest


def trial_images(size: int) -> Pixels:
    """16 drawn smears and 16 images of noise, size×size×3."""
    noise = np.random.default_rng(0).integers(0, 256, (16, size, size, 3), dtype=np.uint8)
    return np.concatenate([drawn(size, per_class=4), noise])


def drawn(size: int, *, per_class: int, seed: int = 0) -> Pixels:
    """Drawn smears of four classes, size×size×3, each in a look of its own."""
    side = max(64, size)  # no smear is drawn smaller
    smears = synthetic.draw(
        per_class=per_class, size=side, seed=seed, sessions_per_class=per_class, marks="random"
    )
    return np.asarray(resize(torch.from_numpy(smears.pixels), size))


def write_int8(graph: Path, path: Path, calibration: Pixels) -> None:
    """Nothing; `path` is the graph with int8 weights and activations.

    Static quantisation by ONNX Runtime: the range of every activation is what it has on the
    calibration images, so these should look like what will be asked.
    """
    check_libraries()
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with replacing(path) as beside, TemporaryDirectory() as scratch:
        # Constants folded and shapes inferred, without which less can be quantised.
        simplified = Path(scratch) / "simplified.onnx"
        quant_pre_process(graph, simplified, skip_symbolic_shape=True)
        quantize_static(
            simplified,
            beside,
            _Reader(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


class _Reader:
    """Calibration images as ONNX Runtime asks for them: a batch at a time, then None."""

    def __init__(self, pixels: Pixels) -> None:
        self._parts = iter(np.array_split(pixels, max(1, len(pixels) // _BATCH)))

    def get_next(self) -> dict[str, Pixels] | None:
        part = next(self._parts, None)
        return None if part is None else {"pixels": part}


def compare(
    graph: Path, int8: Path, pixels: Pixels, *, targets: Sequence[int] | None = None
) -> Change:
    """What the int8 graph changes on these images, and in accuracy where the classes are known."""
    before, after = probabilities_of(graph, pixels), probabilities_of(int8, pixels)
    changes = np.abs(after - before)
    classes = before.argmax(axis=1), after.argmax(axis=1)
    right: list[float | None] = [None, None]
    if targets is not None:
        right = [float((found == np.asarray(targets)).mean()) for found in classes]
    return Change(
        images=len(pixels),
        mean=float(changes.mean()),
        largest=float(changes.max()),
        classes_changed=int((classes[0] != classes[1]).sum()),
        accuracy=right[0],
        accuracy_int8=right[1],
    )


def probabilities_of(graph: Path, pixels: Pixels) -> NDArray[np.float32]:
    """N×K probabilities that a graph gives N×S×S×3 pixels, by ONNX Runtime on the CPU."""
    session = open_session(graph, device="cpu")
    parts = [
        session.run(["probabilities"], {"pixels": pixels[start : start + _BATCH]})[0]
        for start in range(0, len(pixels), _BATCH)
    ]
    return np.concatenate(parts)


def check_libraries() -> None:
    """Nothing, or `UsageError` when what exports is not installed."""
    needed = ("onnx", "onnxscript", "onnxruntime")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"ONNX needs {', '.join(missing)}, not found here: pip install 'leukoscope[onnx]'."
        )
