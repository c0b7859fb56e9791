"""A classifier comes back from its folder as it went in, or says in a sentence why it cannot."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from leukoscope.errors import UsageError
from leukoscope.learn import networks
from leukoscope.learn.classifier import Classifier, load
from leukoscope.learn.folder import ClassifierConfig

CONFIG = ClassifierConfig(
    network="shufflenet_v2_x0_5",
    classes=("Benign", "Early", "Pre"),
    size=32,
    mean=(0.7, 0.5, 0.6),
    std=(0.2, 0.25, 0.1),
    fingerprint="f" * 64,
)


def untrained(config: ClassifierConfig = CONFIG) -> Classifier:
    torch.manual_seed(0)
    network = networks.build(config.network, len(config.classes))
    network.train()(torch.randn(8, 3, 32, 32))  # statistics that are not the initial ones
    return Classifier(network, config).eval()


def fields(count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 32, 32, 3), generator=generator, dtype=torch.uint8)


def change(folder: Path, **values: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    untrained().save(tmp_path / "classifier")
    return tmp_path / "classifier"


def test_comes_back_with_the_same_answers(folder: Path) -> None:
    again = load(folder)
    assert again.config == CONFIG
    assert not again.training
    with torch.no_grad():
        torch.testing.assert_close(again(fields()), untrained()(fields()), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["regnet_x_400mf", "swin_t", "squeezenet1_1", "mobilenet_v2"])
def test_of_any_family_comes_back(name: str, tmp_path: Path) -> None:
    config = replace(CONFIG, network=name, size=64)
    classifier = Classifier(networks.build(name, 3), config).eval()
    classifier.save(tmp_path / "it")
    again = load(tmp_path / "it")
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(again(images), classifier(images), rtol=1e-4, atol=1e-5)


def test_with_group_normalisation_comes_back(tmp_path: Path) -> None:
    config = replace(CONFIG, normalization="group")
    network = networks.build(config.network, 3, normalization="group")
    # In the layout that `load` gives: sums over a group in another order differ visibly.
    classifier = Classifier(network.to(memory_format=torch.channels_last), config).eval()
    classifier.save(tmp_path / "it")
    with torch.no_grad():
        torch.testing.assert_close(load(tmp_path / "it")(fields()), classifier(fields()))


def test_folder_holds_no_format_that_can_run_code(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert json.loads((folder / "config.json").read_text())["classes"] == list(CONFIG.classes)
    assert load_file(folder / "model.safetensors").keys() == untrained().network.state_dict().keys()


def test_others_may_read_it_if_they_may_read_any_new_file(folder: Path) -> None:
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1


def test_half_precision_comes_back_as_float32(tmp_path: Path) -> None:
    untrained().save(tmp_path / "half", half=True)
    again = load(tmp_path / "half")
    assert {tensor.dtype for tensor in again.network.parameters()} == {torch.float32}
    saved = load_file(tmp_path / "half" / "model.safetensors")
    assert {tensor.ndim > 1 for tensor in saved.values() if tensor.dtype == torch.float16} == {True}
    with torch.no_grad():
        torch.testing.assert_close(again(fields()), untrained()(fields()), rtol=1e-2, atol=1e-2)


def test_damaged_memories_are_named(folder: Path) -> None:
    change(folder, accepted=0.95)
    with pytest.raises(UsageError, match=r"novelty\.safetensors is not there"):
        load(folder)
    save_file({"fc.centre": torch.zeros(3)}, folder / "novelty.safetensors")
    with pytest.raises(UsageError, match=r"novelty\.safetensors has no tensor 'fc\.spread'"):
        load(folder)


def test_memories_of_layers_that_the_network_lacks_are_refused(folder: Path) -> None:
    change(folder, accepted=0.95)
    names = ("centre", "spread", "directions", "images", "limit")
    parts = {f"fc9.{name}": torch.zeros(3) for name in names}
    save_file(parts, folder / "novelty.safetensors")
    with pytest.raises(UsageError, match=r"fc9\.limit is not one number"):
        load(folder)
    save_file(parts | {"fc9.limit": torch.zeros(())}, folder / "novelty.safetensors")
    with pytest.raises(UsageError, match=r"novelty\.safetensors knows a layer 'fc9'"):
        load(folder)


def test_thresholds_for_other_classes_are_refused(folder: Path) -> None:
    change(folder, set_thresholds=[0.5, 0.5], coverage=0.95)
    with pytest.raises(UsageError, match="2 set_thresholds for 3 classes"):
        load(folder)


def test_normalises_inside() -> None:
    classifier, images = untrained(), fields()
    by_hand = torch.empty(3, 3, 32, 32)
    for channel in range(3):
        share = images[..., channel].double() / 255
        by_hand[:, channel] = (share - CONFIG.mean[channel]) / CONFIG.std[channel]
    with torch.no_grad():
        expected = classifier.network(by_hand)
        torch.testing.assert_close(classifier(images), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(classifier(images.float()), expected, rtol=1e-4, atol=1e-5)


def test_temperature_divides_the_logits(folder: Path) -> None:
    plain = load(folder)
    change(folder, temperature=2.5)
    with torch.no_grad():
        torch.testing.assert_close(load(folder)(fields()) * 2.5, plain(fields()))


def test_frozen_statistics_stay_in_training_mode(folder: Path) -> None:
    change(folder, normalization="frozen")
    frozen = load(folder).train()
    before = {key: value.clone() for key, value in frozen.state_dict().items()}
    frozen(fields())
    assert frozen.training
    for key, value in frozen.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
    change(folder, normalization="batch")
    moving = load(folder).train()
    moving(fields())
    assert any((v != before[key]).any() for key, v in moving.state_dict().items())


def test_unknown_key_is_named(folder: Path) -> None:
    change(folder, temprature=2.0)
    with pytest.raises(UsageError, match=r"config\.json has the unknown key 'temprature'\."):
        load(folder)


def test_unknown_network_gets_the_nearest_one(folder: Path) -> None:
    change(folder, network="shufflenet_v2_x0_6")
    with pytest.raises(UsageError, match="Did you mean shufflenet_v2_x0_5"):
        load(folder)


def test_normalisation_of_two_channels_is_refused(folder: Path) -> None:
    change(folder, mean=[0.5, 0.5])
    with pytest.raises(UsageError, match=r"config\.json needs three values of mean"):
        load(folder)


def test_missing_key_is_named(folder: Path) -> None:
    content = json.loads((folder / "config.json").read_text())
    del content["size"]
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"config\.json is incomplete: .*'size'"):
        load(folder)


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00"])
def test_damaged_config_is_named(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(UsageError, match=r"config\.json (is not JSON|holds no JSON object)"):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(UsageError, match=rf"{name} (cannot be read|is not there)"):
        load(folder)


@pytest.mark.parametrize("kept", [0, 4, 200, -1000])
def test_damaged_weights_are_named(folder: Path, kept: int) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(UsageError, match=r"model\.safetensors cannot be read as safetensors"):
        load(folder)


def test_weights_for_other_classes_are_refused(folder: Path) -> None:
    change(folder, classes=["Benign", "Malignant"])
    with pytest.raises(UsageError, match=r"model\.safetensors does not fit"):
        load(folder)


def test_weights_that_lack_a_tensor_are_refused(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    del state["conv1.0.weight"]
    save_file(state, folder / "model.safetensors")
    with pytest.raises(UsageError, match=r"model\.safetensors does not fit"):
        load(folder)
