"""A name and a number of classes to a torchvision network."""

import pickle
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor, nn

from leukoscope.errors import LeukoscopeError, UsageError, nearest
from leukoscope.files import reason
from leukoscope.learn.vision import torchvision
from leukoscope.settings import TrainingSettings

_INCEPTIONS = ("googlenet", "inception_v3")  # their ImageNet weights expect −1 to 1
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")


def names() -> list[str]:
    """The torchvision classification networks."""
    known: list[str] = torchvision.models.list_models(module=torchvision.models)
    return known


def check_name(name: str) -> None:
    """Nothing, or `UsageError` with the nearest known name."""
    if name not in names():
        hint = nearest(name, names())
        raise UsageError(f"There is no torchvision network {name!r}.{hint}")


def check(settings: TrainingSettings) -> None:
    """Nothing, or `UsageError`: no such network, or one that cannot have these settings or weights.

    ImageNet weights that can neither be found nor fetched raise `LeukoscopeError`.
    """
    name = settings.network
    network = empty(name, 2, normalization=settings.normalization).eval()
    device = next(network.parameters()).device  # meta: shapes are checked, nothing is computed
    for size in filter(None, (settings.size, settings.early_size)):
        try:
            with torch.no_grad():
                network(torch.zeros(1, 3, size, size, device=device))
        except (RuntimeError, AssertionError) as error:
            raise UsageError(
                f"{name} cannot take images of {size} px: {reason(error)}. Try --set size=224."
            ) from error
    if settings.weights != "none":
        _fitting(network, name, settings.weights)
    elif settings.normalization == "frozen":
        raise UsageError("normalization=frozen needs weights: untrained statistics say nothing.")
    elif settings.trainable == "last":
        raise UsageError("trainable=last needs weights: untrained layers below it say nothing.")


def imagenet_normalisation(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel that the network's ImageNet weights expect."""
    if name in _INCEPTIONS:
        return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    expected = _imagenet_weights(name).transforms()
    return tuple(expected.mean), tuple(expected.std)


def build(
    name: str,
    classes: int,
    *,
    weights: str = "none",
    trainable: str = "all",
    normalization: str = "batch",
    dropout: float | None = None,
) -> nn.Module:
    """The torchvision network with a new last layer of `classes` outputs.

    `weights` is `none`, `imagenet`, or a `.safetensors` file with weights of the same network
    (torchvision's names; a last layer of another size is left out).
    """
    network = skeleton(name, classes, normalization=normalization, initialise=weights == "none")
    if dropout is not None:
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout
    if weights != "none":
        network.load_state_dict(_fitting(network, name, weights), strict=False)
    if trainable == "last":
        network.requires_grad_(False)
        network.get_submodule(last_layer(network)).requires_grad_(True)
    return network


def skeleton(
    name: str, classes: int, *, normalization: str = "batch", initialise: bool = False
) -> nn.Module:
    """The network with a new last layer; its weights are of no use unless `initialise`.

    Auxiliary heads are left off: they were made for networks without batch normalisation.
    """
    check_name(name)
    options: dict[str, object] = {}
    if name in _INCEPTIONS:
        # torchvision draws these two from a truncated normal, which takes seconds.
        options = {"aux_logits": False, "init_weights": initialise}
    network: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    normalised = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())
    if normalization != "batch" and not normalised:
        raise UsageError(
            f"{name} has no batch normalisation that normalization={normalization} could change."
        )
    if normalization == "group":
        _replace_batch_norms(network)
    if initialise and not normalised:
        _initialise(network)
    _replace_last_layer(network, classes)
    return network


def empty(name: str, classes: int, *, normalization: str = "batch") -> nn.Module:
    """The network for weights that are about to be loaded, without the time to initialise it."""
    try:
        with torch.device("meta"):
            return skeleton(name, classes, normalization=normalization)
    except NotImplementedError:  # RegNet computes its widths with tensors, which meta has none of
        return skeleton(name, classes, normalization=normalization)


def freeze_batch_norms(network: nn.Module) -> None:
    """Nothing; batch norms use and keep the statistics of their weights, also in training."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def early_layers(network: nn.Module) -> list[str]:
    """The names of four layers: the first one, which sees the image, to one at a quarter of the
    depth; of at most twelve that are evenly spread, the first four."""
    # Attention calls the weights of its inner layers, not the layers.
    layers = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
        and not {"attn", "self_attention"} & set(name.split("."))
    ]
    places = np.linspace(0, len(layers) - 1, min(12, len(layers)))
    return [layers[place] for place in places[:4].round().astype(int)]


@contextmanager
def watching(network: nn.Module, layers: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """What the named layers see in a forward pass within the block: N×D features by layer.

    A layer that sees a map of places gives the mean and the standard deviation of each channel
    over the places; the first one, so, of the colours. The last layer of nearly all networks
    (`last_layer`) sees no map but the penultimate features. Passes of other threads leave no trace.
    """
    seen: dict[str, Tensor] = {}
    thread = threading.get_ident()

    def keep(name: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if threading.get_ident() == thread:
            seen[name] = _features(inputs[0].float(), isinstance(module, nn.Conv2d))

    handles = [
        network.get_submodule(name).register_forward_pre_hook(partial(keep, name))
        for name in layers
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _features(values: Tensor, channels_first: bool) -> Tensor:
    if values.ndim == 2:
        return values
    places = (2, 3) if channels_first else tuple(range(1, values.ndim - 1))
    spread, mean = torch.std_mean(values, places, correction=0)
    return torch.cat((mean, spread), dim=1)


def last_layer(network: nn.Module) -> str:
    """The last linear layer, or (SqueezeNet) the convolution that plays its part."""
    layers: list[str] = [
        n for n, m in network.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)
    ]
    return layers[-1]


def _replace_last_layer(network: nn.Module, classes: int) -> None:
    name = last_layer(network)
    old = network.get_submodule(name)
    new: nn.Linear | nn.Conv2d
    if isinstance(old, nn.Conv2d):
        new = nn.Conv2d(old.in_channels, classes, kernel_size=1)
    else:
        assert isinstance(old, nn.Linear)
        new = nn.Linear(old.in_features, classes)
    # Small, so that training starts undecided between the classes.
    nn.init.normal_(new.weight, std=0.01)
    assert new.bias is not None
    nn.init.zeros_(new.bias)
    parent, _, attribute = name.rpartition(".")
    setattr(network.get_submodule(parent), attribute, new)


def _initialise(network: nn.Module) -> None:
    """He et al. 2015 (arXiv 1502.01852): without normalisation layers, signals must keep their
    size through ReLUs by the weights alone, which torchvision's own AlexNet does not see to.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.constant_(module.bias, 0)


def _replace_batch_norms(network: nn.Module) -> None:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                channels = child.num_features
                groups = next(g for g in (32, 16, 8, 4, 2, 1) if channels % g == 0)
                setattr(parent, name, nn.GroupNorm(groups, channels))


def _imagenet_weights(name: str) -> torchvision.models.Weights:
    """The weights of the reference table, or, of two networks that lack them, those for 224 px."""
    known = torchvision.models.get_model_weights(name).__members__
    return known.get("IMAGENET1K_V1") or known["IMAGENET1K_SWAG_LINEAR_V1"]


def _imagenet(name: str) -> tuple[dict[str, Tensor], str]:
    weights = _imagenet_weights(name)
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (URLError, OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise LeukoscopeError(
            f"The ImageNet weights of {name} could not be fetched ({reason(error)}). Download "
            f"{weights.url} on a machine that can, and put it at {file}."
        ) from error
    return state, str(file)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; `UsageError` when it is not there or something else."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise UsageError(f"{path} is not there.")
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} cannot be read as safetensors: {reason(error)}.") from error
    return tensors


def _local(path: Path) -> tuple[dict[str, Tensor], str]:
    if path.suffix != ".safetensors":
        raise UsageError(
            f"{path}: weights are read from .safetensors files only, since other formats can run "
            f"code; 'none' and 'imagenet' are the other choices."
        )
    state = read_safetensors(path)
    return {key.removeprefix("network."): value for key, value in state.items()}, str(path)


def _fitting(network: nn.Module, name: str, weights: str) -> dict[str, Tensor]:
    """The tensors of the weights, but for a last layer of another size; `UsageError` when they are
    of another network than this one, which may be on the device `meta`."""
    state, origin = _imagenet(name) if weights == "imagenet" else _local(Path(weights))
    own, head = network.state_dict(), last_layer(network)
    state = {key: value for key, value in state.items() if not key.startswith(_AUXILIARY)}
    for key in (f"{head}.weight", f"{head}.bias"):
        if key in state and state[key].shape != own[key].shape:
            del state[key]
    body = {key for key in own if not key.startswith(f"{head}.")}
    wrong = [
        *sorted(body - state.keys()),
        *sorted(state.keys() - own.keys()),
        *sorted(key for key in state.keys() & own.keys() if state[key].shape != own[key].shape),
    ]
    if wrong:
        raise UsageError(
            f"{origin} holds weights of another network than {name}: "
            f"{len(wrong)} tensors differ, the first is {wrong[0]}."
        )
    return state


class _SumOverProcesses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _SumOverProcesses.forward(ctx, gradient.contiguous())


class _SyncedBatchNorm(nn.BatchNorm2d):
    """Batch statistics over all processes; torch's own SyncBatchNorm works on GPUs only."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        total = _SumOverProcesses.apply
        values = input.float()
        count = total(values.new_tensor(values.numel() / values.shape[1]))
        mean = total(values.sum((0, 2, 3))) / count
        centred = values - mean.view(1, -1, 1, 1)
        variance = total(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * torch.rsqrt(variance + self.eps)
        normalised = centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        answer: Tensor = normalised.to(input.dtype)
        return answer


def synchronise_batch_norms(network: nn.Module, device: torch.device) -> nn.Module:
    """The network with statistics over all processes, whose number then changes nothing."""
    if device.type == "cuda":
        synced: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return synced
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = _SyncedBatchNorm
    return network
