"""A planted spot is found, and what was learned decides the map."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import nn

from leukoscope.learn import networks
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.folder import ClassifierConfig
from leukoscope.learn.gradcam import explain, gradcam, occlusion, stage

SIDE = 64
SPOT = (slice(8, 24), slice(40, 56))


class SpotFinder(nn.Module):
    """Answers 'spot' for red anywhere, by a network small enough to write its weights by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 2, 4, stride=4), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.last = nn.Linear(2, 2)
        with torch.no_grad():
            for channel, sign in enumerate((1.0, -1.0)):  # red beyond green, green beyond red
                self.features[0].weight[channel] = torch.tensor([sign, -sign, 0])[:, None, None]
            self.features[0].bias.zero_()
            self.last.weight.copy_(torch.tensor([[-1.0, 1.0], [1.0, -1.0]]))
            self.last.bias.zero_()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.pool(self.features(images)).flatten(1))


def spot_finder() -> Classifier:
    config = ClassifierConfig("spot", ("plain", "spot"), SIDE, (0.5,) * 3, (0.25,) * 3)
    return Classifier(SpotFinder(), config).eval()


def spotted() -> NDArray[np.uint8]:
    image = np.full((SIDE, SIDE, 3), 200, np.uint8)
    image[SPOT] = (220, 40, 40)
    return image


def classifier(name: str, size: int = SIDE, seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    config = ClassifierConfig(name, ("A", "B", "C"), size, (0.5,) * 3, (0.25,) * 3)
    network = networks.build(name, 3)
    head = network.get_submodule(networks.last_layer(network))
    nn.init.normal_(head.weight, std=0.1)
    return Classifier(network, config).eval()


def noise(count: int, size: int = SIDE) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_both_maps_find_a_planted_spot() -> None:
    found = explain(spot_finder(), spotted(), quiet=True)
    assert found.target == 1
    assert found.fall > 0.2
    assert found.agreement is not None
    assert found.agreement > 0.5
    for heat in (found.gradcam, found.occlusion):
        assert heat.shape == (SIDE, SIDE)
        assert heat.max() <= 1
        assert heat[SPOT].mean() > 10 * np.delete(heat, np.arange(4, 28), axis=0).mean()
        top, left = np.unravel_index(heat.argmax(), heat.shape)
        assert SPOT[0].start <= top < SPOT[0].stop
        assert SPOT[1].start <= left < SPOT[1].stop


def test_what_speaks_for_one_class_does_not_speak_for_the_other() -> None:
    maps, targets = gradcam(spot_finder(), spotted()[None], targets=[0])
    assert targets == [0]
    assert maps.max() == 0
    other = explain(spot_finder(), spotted(), target=0, quiet=True)
    assert other.agreement is None
    assert other.fall == 0
    assert other.occlusion.max() == 0


def test_the_map_is_that_of_the_definition() -> None:
    ours, pixels = classifier("squeezenet1_1"), noise(2)
    maps, targets = gradcam(ours, pixels)
    assert targets == ours(torch.from_numpy(pixels)).argmax(1).tolist()
    inner: list[torch.Tensor] = []
    ours.network.get_submodule(stage(ours)).register_forward_hook(
        lambda _m, _i, out: inner.append(out)
    )
    for row, image in enumerate(pixels):
        inner.clear()
        logits = ours(torch.from_numpy(image)[None])[0]
        others = [k for k in range(3) if k != targets[row]]
        score = logits[targets[row]] - logits[others].mean()
        (slopes,) = torch.autograd.grad(score, inner[0])
        expected = sum(w.mean() * a for w, a in zip(slopes[0], inner[0][0], strict=True)).relu()
        large = nn.functional.interpolate(expected[None, None], (SIDE, SIDE), mode="bilinear")
        expected = (large[0, 0] / large.max()).detach().numpy()
        np.testing.assert_allclose(maps[row], expected, atol=1e-5)


def test_other_weights_give_another_map() -> None:
    """The randomisation check of Adebayo et al. 2018 (arXiv 1810.03292)."""
    pixels = noise(1, 128)
    first, *others = (
        gradcam(classifier("squeezenet1_1", 128, seed), pixels)[0] for seed in range(5)
    )
    again, _ = gradcam(classifier("squeezenet1_1", 128), pixels)
    np.testing.assert_array_equal(first, again)
    alike = [spearmanr(first, other, axis=None).statistic for other in others]
    assert np.mean(np.abs(alike)) < 0.5


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alexnet", "features.11"),  # the ReLU before the pooling
        ("vgg11_bn", "features.27"),
        ("googlenet", "inception5b"),  # all branches, not the last one
        ("resnet18", "layer4"),
        ("densenet121", "features"),
        ("squeezenet1_1", "classifier.0"),  # before the convolution that is its last layer
        ("shufflenet_v2_x0_5", "conv5"),
        ("convnext_tiny", "features"),
        ("vit_b_16", "conv_proj"),
    ],
)
def test_the_stage_of_each_kind_of_network(name: str, expected: str) -> None:
    size = 224 if name == "vit_b_16" else SIDE
    config = ClassifierConfig(name, ("A", "B"), size, (0.5,) * 3, (0.25,) * 3)
    with torch.device("meta"):
        ours = Classifier(networks.empty(name, 2), config).eval()
    assert stage(ours) == expected


@pytest.mark.parametrize("name", ["googlenet", "densenet121", "mobilenet_v3_small"])
def test_maps_of_other_networks_are_whole(name: str) -> None:
    maps, _ = gradcam(classifier(name), noise(2))
    assert maps.ndim == 3
    assert np.isfinite(maps).all()
    assert set(maps.max(axis=(1, 2))) <= {0, 1}


def test_more_than_one_batch_and_frozen_weights() -> None:
    ours, pixels = classifier("squeezenet1_1", 32), noise(20, 32)
    whole, targets = gradcam(ours, pixels)
    ours.requires_grad_(False)
    one, _ = gradcam(ours, pixels[17:18], targets=targets[17:18])
    np.testing.assert_allclose(one[0], whole[17], atol=1e-5)


def test_predictions_of_another_thread_go_on() -> None:
    """A page explains one picture while it predicts others with the same classifier."""
    ours, pixels = classifier("squeezenet1_1", 32), noise(4, 32)
    done = threading.Event()

    def predict() -> int:
        with torch.inference_mode():
            for times in itertools.count():
                ours(torch.from_numpy(pixels))
                if done.is_set():
                    return times
        raise AssertionError

    with ThreadPoolExecutor(1) as pool:
        predicting = pool.submit(predict)
        try:
            for _ in range(5):
                gradcam(ours, pixels)
        finally:
            done.set()
        assert predicting.result() > 0


def test_covering_in_batches_equals_covering_by_hand() -> None:
    ours, image = spot_finder(), noise(1)[0]
    image[SPOT] = (220, 40, 40)
    heat, fall = occlusion(ours, image, target=1)

    def score(pixels: NDArray[np.uint8]) -> float:
        with torch.no_grad():
            plain, spot = ours(torch.from_numpy(pixels)[None])[0].tolist()
        return float(spot - plain)

    before = score(image)
    median = np.sort(image.reshape(-1, 3), axis=0)[SIDE * SIDE // 2 - 1]  # torch takes the lower
    sums, times = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    for top in range(0, 57, 4):
        for left in range(0, 57, 4):
            covered = image.copy()
            covered[top : top + 8, left : left + 8] = median
            sums[top : top + 8, left : left + 8] += before - score(covered)
            times[top : top + 8, left : left + 8] += 1
    mean = np.maximum(sums / times, 0)
    np.testing.assert_allclose(heat, mean / mean.max(), atol=1e-3)
    assert fall == pytest.approx(mean.max() / before, rel=1e-3)
