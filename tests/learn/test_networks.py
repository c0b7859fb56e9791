"""Every network answers with the right shape, learns with every parameter, and takes weights."""

from pathlib import Path
from threading import Thread
from urllib.error import URLError

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from leukoscope.errors import LeukoscopeError, UsageError
from leukoscope.learn import networks
from leukoscope.recipes import NETWORKS
from leukoscope.settings import TrainingSettings, settings_for


def smallest(name: str) -> int:
    return 75 if name == "inception_v3" else 64


def settings(
    name: str, size: int = 224, weights: str = "none", **others: object
) -> TrainingSettings:
    return settings_for(name, weights=weights, overrides={"size": size} | others)[0]


def batch_norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def hub(monkeypatch: pytest.MonkeyPatch, home: Path, name: str, state: dict[str, Tensor]) -> Path:
    """torchvision's file of weights with this content, where torchvision would have put it."""
    monkeypatch.setenv("TORCH_HOME", str(home))
    file = home / "hub" / "checkpoints" / Path(networks._imagenet_weights(name).url).name
    file.parent.mkdir(parents=True)
    torch.save(state, file)
    return file


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", [*NETWORKS, "squeezenet1_1", "mobilenet_v3_small", "vit_b_16"])
def test_answers_one_number_per_image_and_class(name: str, classes: int) -> None:
    network = networks.empty(name, classes)
    side = 299 if name == "inception_v3" else 224
    images = torch.zeros(3, 3, side, side, device="meta")
    assert network(images).shape == (3, classes)


@pytest.mark.parametrize("name", [*NETWORKS, "squeezenet1_1", "mobilenet_v3_small", "densenet121"])
def test_every_parameter_learns(name: str) -> None:
    torch.manual_seed(0)
    network = networks.build(name, 4).train()
    images = torch.randn(2, 3, smallest(name), smallest(name))
    logits = network(images)
    assert logits.shape == (2, 4)
    assert logits.isfinite().all()
    nn.functional.cross_entropy(logits, torch.tensor([1, 3])).backward()
    gradients = {key: p.grad for key, p in network.named_parameters() if p.requires_grad}
    without = [key for key, g in gradients.items() if g is None or not g.any()]
    assert not without
    assert all(g is not None and g.isfinite().all() for g in gradients.values())


def test_every_torchvision_network_gets_its_last_layer_replaced() -> None:
    for name in networks.names():
        if name.startswith("regnet") and name != "regnet_x_400mf":
            continue  # one stands for all: they differ in numbers alone, and take memory
        network = networks.empty(name, 3)
        layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        last = layers[-1]
        width = last.out_channels if isinstance(last, nn.Conv2d) else last.out_features
        assert width == 3, name
        lost = dict(network.named_buffers()).keys() - network.state_dict().keys()
        assert not lost, f"{name} has buffers that no file of weights restores"


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"'resnet5'.* Did you mean resnet50\?") as caught:
        networks.check_name("resnet5")
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("name", "size"), [("alexnet", 32), ("inception_v3", 64), ("vit_b_16", 96)]
)
def test_a_size_that_the_network_cannot_take_is_refused(name: str, size: int) -> None:
    with pytest.raises(UsageError, match=f"{name} cannot take images of {size} px"):
        networks.check(settings(name, size))


def test_a_size_that_the_network_can_take_is_not() -> None:
    networks.check(settings("alexnet", 64))
    networks.check(settings("inception_v3", 75))
    networks.check(settings("regnet_x_400mf", 32))


@pytest.mark.parametrize("name", ["squeezenet1_1", "shufflenet_v2_x0_5"])
def test_the_last_layer_alone_is_trainable_on_request(name: str) -> None:
    network = networks.build(name, 2, trainable="last")
    network(torch.randn(2, 3, 64, 64)).square().sum().backward()
    head = {"squeezenet1_1": "classifier.1", "shufflenet_v2_x0_5": "fc"}[name]
    learning = {key for key, p in network.named_parameters() if p.grad is not None}
    assert learning == {f"{head}.weight", f"{head}.bias"}


def test_group_normalisation_replaces_every_batch_norm() -> None:
    plain = networks.build("resnet18", 2)
    network = networks.build("resnet18", 2, normalization="group")
    assert not batch_norms(network)
    groups = [module for module in network.modules() if isinstance(module, nn.GroupNorm)]
    assert len(groups) == len(batch_norms(plain)) > 0
    image, other = torch.randn(2, 1, 3, 32, 32)
    alone = network.train()(image)
    torch.testing.assert_close(network(torch.cat((image, other)))[:1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("policy", ["frozen", "group"])
def test_a_policy_for_layers_that_are_not_there_is_refused(policy: str) -> None:
    with pytest.raises(UsageError, match=f"vgg16 has no batch normal.*={policy} could change"):
        networks.check(settings("vgg16", normalization=policy))


@pytest.mark.parametrize(("key", "value"), [("normalization", "frozen"), ("trainable", "last")])
def test_what_stays_as_it_is_needs_weights(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{key}={value} needs weights"):
        networks.check(settings("resnet18", **{key: value}))


def test_dropout_is_set_or_left_as_it_is() -> None:
    def rates(network: nn.Module) -> list[float]:
        return [m.p for m in network.modules() if isinstance(m, nn.Dropout)]

    assert rates(networks.build("squeezenet1_1", 2)) == [0.5]
    assert rates(networks.build("squeezenet1_1", 2, dropout=0.25)) == [0.25]
    assert rates(networks.build("squeezenet1_1", 2, dropout=0.0)) == [0.0]


def test_untrained_networks_start_undecided() -> None:
    torch.manual_seed(0)
    for name in ("squeezenet1_1", "shufflenet_v2_x0_5"):
        network = networks.build(name, 2).eval()
        probabilities = network(torch.randn(4, 3, 64, 64)).softmax(dim=1)
        assert (probabilities - 0.5).abs().max() < 0.2


class TestLocalWeights:
    name = "shufflenet_v2_x0_5"

    def saved(self, folder: Path, classes: int = 2) -> tuple[nn.Module, Path]:
        torch.manual_seed(1)
        network = networks.build(self.name, classes)
        network.train()(torch.randn(4, 3, 32, 32))  # running statistics of its own
        file = folder / "weights.safetensors"
        save_file(network.state_dict(), file)
        return network, file

    def test_come_back_whole(self, tmp_path: Path) -> None:
        network, file = self.saved(tmp_path)
        networks.check(settings(self.name, 32, weights=str(file)))
        again = networks.build(self.name, 2, weights=str(file))
        for key, value in network.state_dict().items():
            torch.testing.assert_close(again.state_dict()[key], value, rtol=0, atol=0)

    def test_leave_a_last_layer_of_another_size_new(self, tmp_path: Path) -> None:
        network, file = self.saved(tmp_path, classes=4)
        networks.check(settings(self.name, 32, weights=str(file)))
        ours = networks.build(self.name, 2, weights=str(file)).state_dict()
        theirs = network.state_dict()
        assert ours["fc.weight"].shape == (2, 1024)
        assert 0 < ours["fc.weight"].std() < 0.02
        for key in theirs.keys() - {"fc.weight", "fc.bias"}:
            torch.testing.assert_close(ours[key], theirs[key], rtol=0, atol=0)

    def test_with_the_prefix_of_a_wrapped_network_are_taken(self, tmp_path: Path) -> None:
        network, _ = self.saved(tmp_path)
        file = tmp_path / "wrapped.safetensors"
        save_file({f"network.{key}": v for key, v in network.state_dict().items()}, file)
        again = networks.build(self.name, 2, weights=str(file)).state_dict()
        torch.testing.assert_close(again["fc.weight"], network.state_dict()["fc.weight"])

    def test_of_another_network_are_refused(self, tmp_path: Path) -> None:
        _, file = self.saved(tmp_path)
        with pytest.raises(UsageError, match="another network than squeezenet1_1") as caught:
            networks.check(settings("squeezenet1_1", weights=str(file)))
        assert str(file) in str(caught.value)
        assert "the first is features.0.bias." in str(caught.value)

    def test_of_another_width_are_refused(self, tmp_path: Path) -> None:
        _, file = self.saved(tmp_path)
        with pytest.raises(UsageError, match=r"the first is conv1\.|the first is conv5\.|stage"):
            networks.build("shufflenet_v2_x1_0", 2, weights=str(file))

    def test_in_a_format_that_can_run_code_are_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "weights.pth"
        torch.save({}, file)
        with pytest.raises(UsageError, match=r"weights\.pth: .*\.safetensors files only"):
            networks.build(self.name, 2, weights=str(file))

    @pytest.mark.parametrize("content", [None, b"", b"not safetensors at all"])
    def test_that_cannot_be_read_are_named(self, tmp_path: Path, content: bytes | None) -> None:
        file = tmp_path / "weights.safetensors"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(UsageError, match=r"weights\.safetensors (is not there|cannot be read)"):
            networks.build(self.name, 2, weights=str(file))

    def test_keep_frozen_statistics_through_training(self, tmp_path: Path) -> None:
        network, file = self.saved(tmp_path)
        frozen = networks.build(self.name, 2, weights=str(file), normalization="frozen").train()
        networks.freeze_batch_norms(frozen)
        frozen(10 * torch.randn(4, 3, 32, 32) + 5)
        before = network.state_dict()
        for key, value in frozen.state_dict().items():
            if "running" in key or "tracked" in key:
                torch.testing.assert_close(value, before[key], rtol=0, atol=0)
        assert all(not module.training for module in batch_norms(frozen))
        assert frozen.training


class TestImageNetWeights:
    def test_are_loaded_but_for_the_last_layer(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = torchvision.models.squeezenet1_1().state_dict()
        hub(monkeypatch, tmp_path, "squeezenet1_1", original)
        ours = networks.build("squeezenet1_1", 2, weights="imagenet").state_dict()
        assert ours["classifier.1.weight"].shape[0] == 2
        for key in original.keys() - {"classifier.1.weight", "classifier.1.bias"}:
            torch.testing.assert_close(ours[key], original[key], rtol=0, atol=0)

    @pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
    def test_of_the_inceptions_see_what_torchvision_shows_them(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        theirs = torchvision.models.get_model(name, init_weights=False, transform_input=True)
        assert any(key.startswith(("aux", "Aux")) for key in theirs.state_dict())
        hub(monkeypatch, tmp_path, name, theirs.state_dict())
        ours = networks.build(name, 2, weights="imagenet")
        theirs.fc = ours.get_submodule("fc")
        pixels = torch.rand(2, 3, 96, 96)

        def normalised(mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
            return (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)

        imagenet = torchvision.transforms._presets.ImageClassification(crop_size=224)
        expected = theirs.eval()(normalised(tuple(imagenet.mean), tuple(imagenet.std)))
        answer = ours.eval()(normalised(*networks.imagenet_normalisation(name)))
        torch.testing.assert_close(answer, expected, rtol=1e-3, atol=1e-5)

    def test_are_known_for_every_network_with_their_normalisation(self) -> None:
        for name in networks.names():
            weights = networks._imagenet_weights(name)
            assert weights.url.endswith(".pth")
            mean, std = networks.imagenet_normalisation(name)
            if name not in ("googlenet", "inception_v3"):  # theirs is inside the network
                assert (list(mean), list(std)) == (
                    list(weights.transforms().mean),
                    list(weights.transforms().std),
                )

    def test_that_cannot_be_fetched_are_named_with_their_place(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def offline(*_: object, **__: object) -> None:
            raise URLError("no route to host")

        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        monkeypatch.setattr("torch.hub.urlopen", offline)
        with pytest.raises(LeukoscopeError, match="no route to host") as caught:
            networks.build("squeezenet1_1", 2, weights="imagenet")
        url = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1.url
        place = tmp_path / "hub" / "checkpoints" / url.rpartition("/")[2]
        assert f"Download {url} " in str(caught.value)
        assert str(place) in str(caught.value)
        assert caught.value.exit_status == 1
        assert not place.exists()

    @pytest.mark.parametrize("content", [b"", b"<html>Sign in to the hospital network</html>"])
    def test_that_are_damaged_are_named(
        self, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = hub(monkeypatch, tmp_path, "squeezenet1_1", {})
        file.write_bytes(content)
        with pytest.raises(LeukoscopeError, match=file.name):
            networks.build("squeezenet1_1", 2, weights="imagenet")


FAMILIES = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s"),
    *("googlenet", "inception_v3", "maxvit_t", "mnasnet0_5", "mobilenet_v2"),
    *("mobilenet_v3_small", "regnet_x_400mf", "resnet18", "resnext50_32x4d"),
    *("shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11", "vit_b_32"),
)


@pytest.mark.parametrize("name", FAMILIES)
def test_layers_of_every_family_can_be_watched(name: str) -> None:
    network = networks.empty(name, 3).eval()
    layers = [*networks.early_layers(network), networks.last_layer(network)]
    assert len(set(layers)) == 5
    side = 299 if name == "inception_v3" else 224
    device = next(network.parameters()).device
    with torch.no_grad(), networks.watching(network, layers) as seen:
        network(torch.zeros(2, 3, side, side, device=device))
    assert seen.keys() == set(layers)
    assert {(features.ndim, len(features)) for features in seen.values()} == {(2, 2)}
    assert seen[layers[0]].shape == (2, 6)  # mean and spread of three colours


@pytest.mark.parametrize("name", ["alexnet", "resnet18", "squeezenet1_1", "vit_b_32"])
def test_what_layers_see_is_what_a_pass_by_hand_shows(name: str) -> None:
    torch.manual_seed(0)
    network = networks.build(name, 3).eval()
    images = torch.randn(2, 3, 224 if name == "vit_b_32" else 64, 224 if name == "vit_b_32" else 64)
    layers = [*networks.early_layers(network), networks.last_layer(network)]
    with torch.no_grad():
        plain = network(images)
        with networks.watching(network, layers) as seen:
            logits = network(images)
    torch.testing.assert_close(logits, plain, rtol=0, atol=0)
    colours = torch.cat((images.mean((2, 3)), images.flatten(2).std(2, correction=0)), dim=1)
    torch.testing.assert_close(seen[layers[0]], colours)
    last = network.get_submodule(layers[-1])
    if isinstance(last, nn.Linear):  # the penultimate features: the logits follow from them
        torch.testing.assert_close(last(seen[layers[-1]]), logits)
    else:
        assert seen[layers[-1]].shape == (2, 2 * last.weight.shape[1])


def test_nothing_is_watched_after_the_block_or_from_another_thread() -> None:
    network = networks.build("squeezenet1_1", 2).eval()
    layers = networks.early_layers(network)
    images = torch.zeros(1, 3, 32, 32)
    with networks.watching(network, layers) as seen:
        other = Thread(target=network, args=(images,))
        other.start()
        other.join()
        assert not seen
    network(images)
    assert not seen
    assert not any(module._forward_pre_hooks for module in network.modules())
