"""The map peaks where a class was planted, and follows the weights."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leukoscope.errors import UsageError
from leukoscope.learn import networks
from leukoscope.learn.classifier import Classifier, ClassifierConfig
from leukoscope.learn.gradcam import gradcam

SIZE = 64


class Colours(nn.Module):
    """Channel k of its layer is how much of colour k lies where; class k is how much in all."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 8, 8, bias=False)
        self.layer.weight.data = torch.eye(3)[..., None, None].expand(3, 3, 8, 8).clone() / 64

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images).mean(dim=(2, 3))


def classifier(network: nn.Module, name: str = "colours") -> Classifier:
    config = ClassifierConfig(name, ("red", "green", "blue"), SIZE, (0.0,) * 3, (1.0,) * 3)
    return Classifier(network, config).eval()


def spots() -> NDArray[np.uint8]:
    """Two black images with a red spot at the left above and a green one at the right below."""
    pixels = np.zeros((2, SIZE, SIZE, 3), np.uint8)
    pixels[:, 8:16, 8:16, 0] = 255
    pixels[:, 40:48, 48:56, 1] = 255
    return pixels


@pytest.mark.parametrize(("target", "row", "column"), [(0, 12, 12), (1, 44, 52)])
def test_it_peaks_on_the_planted_spot(target: int, row: int, column: int) -> None:
    maps, _ = gradcam(classifier(Colours()), spots(), targets=[target] * 2)
    assert maps.shape == (2, SIZE, SIZE)
    assert maps.max(axis=(1, 2)) == pytest.approx([1, 1])
    for one in maps:
        assert abs(np.array(np.unravel_index(one.argmax(), one.shape)) - (row, column)).max() <= 4
        assert one[SIZE // 2 :, : SIZE // 2].max() == 0


def test_nothing_for_the_class_is_nothing_in_the_map() -> None:
    assert not gradcam(classifier(Colours()), spots(), targets=[2, 2])[0].any()


@pytest.mark.parametrize("name", ["squeezenet1_1", "shufflenet_v2_x0_5", "resnet18"])
def test_other_weights_give_another_map(name: str) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1, SIZE, SIZE, 3), dtype=np.uint8)
    found = []
    for seed in range(2):
        torch.manual_seed(seed)
        found.append(gradcam(classifier(networks.build(name, 3), name), pixels, targets=[1])[0])
    assert all(((one >= 0) & (one <= 1)).all() for one in found)
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_a_network_without_places_is_refused() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 3))
    with pytest.raises(UsageError, match="colours has no layer"):
        gradcam(classifier(network), spots(), targets=[0, 0])
