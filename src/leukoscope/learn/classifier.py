"""Classifier: uint8 pixels in, logits out; its folder on disk."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from leukoscope.errors import UsageError
from leukoscope.evaluate.novelty import Memory
from leukoscope.files import make_folder, replacing, write_text
from leukoscope.learn import networks
from leukoscope.learn.folder import (
    NOVELTY,
    PARTS,
    WEIGHTS,
    ClassifierConfig,
    read_config,
    read_memories,
)

_SMALL = 1 / 500  # of all numbers: smaller tensors are not rounded


class Classifier(nn.Module):
    """A network with its preprocessing inside, so that no face of the program can differ."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        config: ClassifierConfig,
        memories: Mapping[str, Memory] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.memories = memories  # by layer: what training images look like to it
        for name in ("mean", "std"):
            values = 255 * torch.tensor(getattr(config, name)).view(1, 3, 1, 1)
            self.register_buffer(name, values, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits, N×K, of N×H×W×3 pixels within 0–255, uint8 or floating-point."""
        images = pixels.permute(0, 3, 1, 2)  # a view: N×H×W×3 in memory is channels-last
        logits: Tensor = self.network((images - self.mean) / self.std)
        return logits / self.config.temperature

    def with_features(
        self, pixels: Tensor, layers: Iterable[str]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits, N×K, and what these layers see in the same forward pass, N×D each."""
        with networks.watching(self.network, layers) as seen:
            logits = self(pixels)
        return logits, seen

    def train(self, mode: bool = True) -> "Classifier":
        """Itself, in training mode or not; frozen batch norms stay as they are."""
        super().train(mode)
        if self.config.normalization == "frozen":
            networks.freeze_batch_norms(self.network)
        return self

    def save(self, folder: Path, *, half: bool = False) -> None:
        """`folder` with `config.json` and `model.safetensors`, in the Hugging Face Hub layout, and
        `novelty.safetensors` where it has memories (whose images are in half precision anyway).

        With `half`, weights are rounded to half precision, which `load` makes float32 again. Small
        tensors stay whole: they take no room, and most of what rounding changes comes from those
        of the first layers.
        """
        make_folder(folder)
        state = self.network.state_dict()
        if half:
            least = _SMALL * sum(tensor.numel() for tensor in state.values())
            for name, tensor in state.items():
                if tensor.ndim > 1 and tensor.is_floating_point() and tensor.numel() >= least:
                    state[name] = tensor.half()
        save_weights(state, folder / WEIGHTS)
        self.save_calibration(folder)

    def save_calibration(self, folder: Path) -> None:
        """All files of `folder` but the weights, which calibration does not change."""
        if self.memories is not None:
            save_weights(_tensors(self.memories), folder / NOVELTY)
        write_text(folder / "config.json", json.dumps(asdict(self.config), indent=2) + "\n")


def save_weights(state: dict[str, Tensor], path: Path) -> None:
    """`path` as safetensors; raises `OSError` when the disk is full."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with replacing(path) as beside:
        beside.touch()
        mode = beside.stat().st_mode  # as for any other file; safetensors lets its owner read only
        try:
            save_file({key: value.contiguous() for key, value in state.items()}, beside)
            beside.chmod(mode)
        except SafetensorError as error:
            raise OSError(f"{path} could not be written: {error}") from error


def load_weights(network: nn.Module, path: Path) -> None:
    """Nothing; the network has the weights of the safetensors file, in float32."""
    state = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in networks.read_safetensors(path).items()
    }
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise UsageError(f"{path} does not fit the network of its config.json.") from error


def load(folder: Path) -> Classifier:
    """The classifier saved in `folder`, ready to predict."""
    config = read_config(folder)
    network = networks.empty(
        config.network, len(config.classes), normalization=config.normalization
    )
    load_weights(network, folder / WEIGHTS)
    memories = None if config.accepted is None else read_memories(folder)
    layers = dict(network.named_modules())
    if unknown := sorted(set(memories or ()) - set(layers)):
        raise UsageError(
            f"{folder / NOVELTY} knows a layer {unknown[0]!r} that the network does not have."
        )
    network = network.to(memory_format=torch.channels_last)
    return Classifier(network, config, memories).eval()


def normalisation(network: str, weights: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel that these weights expect: those of the classifier
    in whose folder they are; else those of the network's ImageNet weights."""
    path = Path(weights)
    if path.name == WEIGHTS and (path.parent / "config.json").exists():
        config = read_config(path.parent)
        return config.mean, config.std
    return networks.imagenet_normalisation(network)


def _tensors(memories: Mapping[str, Memory]) -> dict[str, Tensor]:
    return {
        f"{layer}.{part}": torch.from_numpy(np.asarray(getattr(memory, part)))
        for layer, memory in memories.items()
        for part in PARTS
    }
