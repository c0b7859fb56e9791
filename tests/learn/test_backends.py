"""The engine is the one that was asked for, or the fastest here, and answers the same."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from leukoscope.errors import UsageError
from leukoscope.learn import backends, networks, prediction, processor
from leukoscope.learn.answers import Answers
from leukoscope.learn.backends import open_backend, open_backends
from leukoscope.learn.calibration import calibrate
from leukoscope.learn.classifier import Classifier, load
from leukoscope.learn.devices import fabric_for
from leukoscope.learn.export import write_graph
from leukoscope.learn.folder import ClassifierConfig
from leukoscope.learn.prediction import answer, predict

SIZE = 32


def pixels_of(count: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 200, (count, 1, 1, 3))
    return (base + rng.integers(0, 56, (count, SIZE, SIZE, 3))).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that knows its limits, with its graph."""
    torch.manual_seed(0)
    config = ClassifierConfig("squeezenet1_1", ("A", "B", "C"), SIZE, (0.5,) * 3, (0.05,) * 3)
    network = networks.build(config.network, 3)
    torch.nn.init.normal_(network.get_submodule("classifier.1").weight, std=0.1)
    rows = {"train": np.arange(20), "validation": np.arange(20, 40)}
    ours, _ = calibrate(
        Classifier(network, config).eval(),
        pixels_of(40),
        np.arange(40) % 3,
        **rows,
        coverage=0.5,
        quiet=True,
    )
    place = tmp_path_factory.mktemp("classifiers") / "one"
    ours.save(place)
    write_graph(ours, place / backends.ONNX)
    return place


def test_both_engines_answer_the_same_in_all(folder: Path) -> None:
    pixels = pixels_of(20)
    expected = answer(load(folder), pixels, fabric=fabric_for("float32"), quiet=True)
    for engine in ("torch", "onnx"):
        backend = open_backend(folder, engine=engine, precision="float32")
        assert backend.kind == f"{engine} float32"
        said = backend.answer(pixels)
        np.testing.assert_allclose(said.probabilities, expected.probabilities, atol=1e-5)
        np.testing.assert_array_equal(said.sets, expected.sets)
        np.testing.assert_allclose(said.novelty, expected.novelty, rtol=1e-3)
        np.testing.assert_array_equal(said.novel, expected.novel)
        np.testing.assert_allclose(said.probabilities.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize(
    ("bf16", "precision", "weights", "expected"),
    [
        (True, "auto", True, "torch bf16"),
        (True, "bf16", True, "torch bf16"),
        (True, "float32", True, "onnx float32"),
        (False, "auto", True, "onnx float32"),
        (True, "auto", False, "onnx float32"),
    ],
)
def test_the_fastest_is_chosen(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bf16: bool,
    precision: str,
    weights: bool,
    expected: str,
) -> None:
    monkeypatch.setattr(processor, "has_bf16", lambda: bf16)
    for file in folder.iterdir():
        if weights or file.name != "model.safetensors":
            (tmp_path / file.name).symlink_to(file)
    assert open_backend(tmp_path, device="cpu", precision=precision).kind == expected


def test_without_a_graph_or_its_runtime_pytorch_computes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(folder).save(tmp_path)
    assert open_backend(tmp_path, precision="float32").kind == "torch float32"
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda _: None)
    assert open_backend(folder, precision="float32").kind == "torch float32"


def test_a_graph_of_other_settings_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "it")
    config = json.loads((tmp_path / "it" / "config.json").read_text())
    (tmp_path / "it" / "config.json").write_text(json.dumps(config | {"temperature": 4.0}))
    with pytest.raises(UsageError, match=r"made with temperature .*config\.json says 4\.0"):
        open_backend(tmp_path / "it", engine="onnx")


def test_a_class_that_is_hardly_ahead_is_computed_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = load(folder)
    Classifier(ours.network, replace(ours.config, temperature=0.2, accepted=None)).save(tmp_path)
    asked: list[int] = []
    original = prediction.answer

    def counted(classifier: Classifier, pixels: NDArray[np.uint8], **others: object) -> Answers:
        asked.append(len(pixels))
        return original(classifier, pixels, **others)

    pixels = pixels_of(30)
    exact = predict(load(tmp_path), pixels, fabric=fabric_for("float32"), quiet=True)
    monkeypatch.setattr(prediction, "answer", counted)
    said = open_backend(tmp_path, engine="torch", precision="bf16").answer(pixels).probabilities
    second, first = np.sort(exact, axis=1)[:, -2:].T
    close = np.log(first / second) < 0.2
    assert 0 < close.sum() < 30
    np.testing.assert_allclose(said[close], exact[close], atol=1e-5)
    np.testing.assert_array_equal(said.argmax(axis=1), exact.argmax(axis=1))
    assert len(asked) == 2
    assert close.sum() <= asked[1] < asked[0] == 30


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"engine": "tensorflow"}, "--engine is one of auto, torch, onnx"),
        ({"device": "gpu"}, "--device is one of auto, cpu, cuda"),
        ({"precision": "fp16"}, "--precision is one of auto, bf16, float32, int8"),
        ({"engine": "onnx", "precision": "bf16"}, "float32 or int8; use --engine torch"),
        ({"engine": "torch", "precision": "int8"}, "use --engine onnx for int8"),
        ({"precision": "int8"}, r"has no model-int8\.onnx; leukoscope export .* --int8"),
    ],
)
def test_what_cannot_be_is_said(folder: Path, options: dict[str, str], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        open_backend(folder, **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_a_gpu_that_is_not_there_is_said(folder: Path, engine: str) -> None:
    with pytest.raises(UsageError, match="no CUDA"):
        open_backend(folder, engine=engine, device="cuda")


def test_a_graph_that_is_none_is_said(folder: Path, tmp_path: Path) -> None:
    load(folder).save(tmp_path)
    with pytest.raises(UsageError, match=r"has no model\.onnx; leukoscope export"):
        open_backend(tmp_path, engine="onnx")
    (tmp_path / "model.onnx").write_bytes(b"these are words")
    with pytest.raises(UsageError, match=r"model\.onnx cannot be loaded by ONNX Runtime"):
        open_backend(tmp_path, engine="onnx")


def test_several_answer_together(folder: Path) -> None:
    pixels = pixels_of(5)
    one = open_backend(folder, precision="float32", engine="torch")
    both = open_backends([folder, folder], precision="float32", engine="torch")
    assert both.digest == f"{one.digest} {one.digest}"
    np.testing.assert_allclose(
        both.answer(pixels).probabilities, one.answer(pixels).probabilities, atol=1e-12
    )
