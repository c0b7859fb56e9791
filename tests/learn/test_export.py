"""The graph answers like PyTorch wherever it is loaded, or is not written."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from leukoscope.errors import LeukoscopeError, UsageError
from leukoscope.learn import export, networks
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.export import (
    OPSET,
    ExportRefused,
    check_graph,
    compare,
    drawn,
    probabilities_of,
    write_graph,
    write_int8,
)
from leukoscope.learn.folder import ClassifierConfig

SIZE = 32


def classifier(
    name: str = "squeezenet1_1", *, temperature: float = 1.0, seed: int = 0
) -> Classifier:
    torch.manual_seed(seed)
    config = ClassifierConfig(
        name, ("A", "B", "C"), SIZE, (0.8, 0.7, 0.9), (0.1, 0.2, 0.1), temperature=temperature
    )
    network = networks.build(name, 3)
    head = network.get_submodule(networks.last_layer(network))
    torch.nn.init.normal_(head.weight, std=0.1)
    return Classifier(network, config).eval()


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    assert write_graph(classifier(temperature=2.0), path) < 1e-5
    return path


def by_hand(ours: Classifier, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Probabilities with preprocessing and temperature written out."""
    images = torch.from_numpy(pixels.astype(np.float32) / 255).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (ours.config.mean, ours.config.std))
    with torch.no_grad():
        logits = ours.network((images - mean) / std).double() / ours.config.temperature
    return torch.softmax(logits, dim=1).numpy()


def test_preprocessing_and_temperature_are_inside(graph: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
    expected = by_hand(classifier(temperature=2.0), pixels)
    np.testing.assert_allclose(probabilities_of(graph, pixels), expected, atol=1e-5)
    assert np.abs(by_hand(classifier(), pixels) - expected).max() > 1e-3


def test_any_number_of_images_is_taken_and_the_graph_says_what_it_is(graph: Path) -> None:
    pixels = drawn(SIZE, per_class=5)
    assert pixels.shape == (20, SIZE, SIZE, 3)
    many = probabilities_of(graph, pixels)
    single = np.concatenate([probabilities_of(graph, one[None]) for one in pixels])
    np.testing.assert_allclose(many, single, atol=1e-6)
    model = onnx.load(graph)
    onnx.checker.check_model(model, full_check=True)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said["classes"] == '["A", "B", "C"]'
    assert said["temperature"] == "2.0"


def test_a_graph_of_other_weights_is_refused(graph: Path) -> None:
    ours = classifier(temperature=2.0)
    assert check_graph(graph, ours) < 1e-5
    with torch.no_grad():
        ours.network.get_submodule("classifier.1").bias[0] += 0.01
    with pytest.raises(ExportRefused, match=r"differently from PyTorch, by up to 0\.00"):
        check_graph(graph, ours)


def test_a_refused_graph_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(ExportRefused):
        write_graph(classifier(), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_cannot_be_exported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such operator\nand much more")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(LeukoscopeError, match=r"squeezenet1_1 could not .*: no such operator\.$"):
        write_graph(classifier(), tmp_path / "model.onnx")


def test_int8_is_measured(graph: Path, tmp_path: Path) -> None:
    int8 = tmp_path / "model-int8.onnx"
    write_int8(graph, int8, drawn(SIZE, per_class=5, seed=1))
    assert [path.name for path in tmp_path.iterdir()] == [int8.name]
    assert int8.stat().st_size < 0.4 * graph.stat().st_size
    pixels = drawn(SIZE, per_class=5)
    before, after = probabilities_of(graph, pixels), probabilities_of(int8, pixels)
    targets = before.argmax(axis=1).tolist()
    change = compare(graph, int8, pixels, targets=targets)
    assert change.images == 20
    assert change.largest == pytest.approx(np.abs(before - after).max())
    assert 0 < change.mean <= change.largest < 0.3
    changed = int((after.argmax(axis=1) != targets).sum())
    assert (change.accuracy, change.classes_changed) == (1, changed)
    assert change.accuracy_int8 == pytest.approx(1 - changed / 20)
    assert compare(graph, int8, pixels).accuracy is None


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"onnx, onnxscript, onnxruntime.*leukoscope\[onnx\]"):
        export.check_libraries()
