"""Where did the network look? Grad-CAM, and occlusion as a check that needs no gradient."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from leukoscope.errors import UsageError
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.devices import Inference, inference_device
from leukoscope.learn.networks import last_layer
from leukoscope.progress import bar

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Map = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_BATCH = 16
_PATCH, _STEP = 1 / 8, 1 / 16  # of the side: what is covered at a time, and how far it moves


@dataclass(frozen=True, slots=True)
class Explanation:
    """Two maps of one picture, S×S, each at most 1: what speaks for class number `target`."""

    target: int
    gradcam: Map
    occlusion: Map
    fall: float  # what covering the worst place takes off the score, as a share of the score
    agreement: float | None  # Spearman's rank correlation of the two maps; None if one is flat


def explain(
    classifier: Classifier,
    image: Pixels,
    *,
    target: int | None = None,
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = False,
) -> Explanation:
    """What in S×S×3 pixels speaks for the class `target`, by default the likeliest one.

    Maps of Grad-CAM can look convincing without depending on what the network learned (Adebayo et
    al. 2018, arXiv 1810.03292); a map that agrees with what covering each place does to the answer
    is more than a picture.
    """
    from scipy.stats import spearmanr  # half a second that a service need not wait for

    maps, targets = gradcam(
        classifier, image[None], targets=None if target is None else [target], fabric=fabric
    )
    covered, fall = occlusion(classifier, image, target=targets[0], fabric=fabric, quiet=quiet)
    agreement = None
    if np.ptp(maps) > 0 and np.ptp(covered) > 0:
        agreement = float(spearmanr(maps[0], covered, axis=None).statistic)
    return Explanation(targets[0], maps[0], covered, fall, agreement)


def gradcam(
    classifier: Classifier,
    pixels: Pixels,
    *,
    targets: Sequence[int] | None = None,
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = True,
) -> tuple[Map, list[int]]:
    """N×S×S maps of N×S×S×3 pixels, each scaled to a maximum of 1, and the N classes they are for,
    by default the likeliest ones.

    Selvaraju et al. 2017, arXiv 1610.02391: the channels of the last convolutional stage, each
    weighted by the mean gradient of the class's score, summed, without what speaks against the
    class, and enlarged to the picture. The score is the logit less the mean of the other logits,
    since what raises all alike decides nothing. A map of zeros says that nothing at that depth
    speaks for the class.
    """
    fabric = fabric or inference_device("float32")
    classifier = classifier.to(fabric.device).eval()
    name = stage(classifier)
    maps: list[NDArray[np.float32]] = []
    chosen: list[int] = []
    with bar("explaining", len(pixels), quiet=quiet) as advance:
        for start in range(0, len(pixels), _BATCH):
            part = torch.from_numpy(np.array(pixels[start : start + _BATCH])).to(fabric.device)
            with torch.no_grad(), _gradient_from(classifier.network.get_submodule(name)) as seen:
                logits = classifier(part)
                wanted = logits.argmax(1)
                if targets is not None:
                    wanted = torch.tensor(targets[start : start + len(part)], device=logits.device)
                (slopes,) = torch.autograd.grad(_scores(logits, wanted).sum(), seen)
            weights = slopes.mean((2, 3), keepdim=True)
            heat = (weights * seen[0].detach()).sum(1, keepdim=True).relu()
            large = F.interpolate(heat.float(), pixels.shape[1:3], mode="bilinear")
            maps.append(_scaled(large[:, 0].cpu().numpy()))
            chosen += wanted.tolist()
            advance(len(part))
    return np.concatenate(maps), chosen


def occlusion(
    classifier: Classifier,
    image: Pixels,
    *,
    target: int,
    fabric: "Fabric | Inference | None" = None,
    quiet: bool = True,
) -> tuple[Map, float]:
    """S×S map of how much the score of class number `target` falls when a place is covered, and
    the largest fall as a share of the score (0 when the score is not positive).

    Zeiler and Fergus 2014, arXiv 1311.2901: a patch of an eighth of the side in the picture's
    median colour moves over it in half steps; each place gets the mean fall over the patches that
    covered it, less what speaks against the class, scaled to a maximum of 1.
    """
    # In bfloat16 the score is rounded by more than many a patch changes it.
    fabric = fabric or inference_device("float32")
    classifier = classifier.to(fabric.device).eval()
    side = len(image)
    patch, step = max(1, round(side * _PATCH)), max(1, round(side * _STEP))
    starts = sorted({*range(0, side - patch, step), side - patch})
    boxes = [(top, left) for top in starts for left in starts]
    whole = torch.from_numpy(np.array(image)).to(fabric.device)
    colour = whole.flatten(0, 1).median(dim=0).values
    wanted = torch.tensor([target], device=fabric.device)

    def score(pixels: Tensor) -> Tensor:
        with torch.inference_mode(), fabric.autocast():
            return _scores(classifier(pixels).float(), wanted)

    fall = np.zeros((side, side))
    times = np.zeros((side, side))
    before = score(whole[None]).item()
    with bar("covering", len(boxes), quiet=quiet) as advance:
        for start in range(0, len(boxes), _BATCH):
            part = boxes[start : start + _BATCH]
            covered = whole.repeat(len(part), 1, 1, 1)
            for one, (top, left) in zip(covered, part, strict=True):
                one[top : top + patch, left : left + patch] = colour
            for value, (top, left) in zip((before - score(covered)).tolist(), part, strict=True):
                fall[top : top + patch, left : left + patch] += value
                times[top : top + patch, left : left + patch] += 1
            advance(len(part))
    mean = np.maximum(fall / times, 0)
    return _scaled(mean[None])[0], float(mean.max() / before) if before > 0 else 0.0


@torch.no_grad()
def stage(classifier: Classifier) -> str:
    """The name of the network's last module that answers with maps, the last convolutional stage.

    Modules that only pool do not count, nor does what comes after the last layer begins.
    """
    head = classifier.network.get_submodule(last_layer(classifier.network))
    finished: list[str] = []
    begun = False

    def begin(*_: object) -> None:
        nonlocal begun
        begun = True

    def finish(name: str, _module: nn.Module, _inputs: object, output: object) -> None:
        is_map = isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1
        if is_map and not begun:
            finished.append(name)

    handles = [head.register_forward_pre_hook(_here(begin))]
    for name, module in classifier.network.named_modules():
        if name and not _pools(module):
            handles.append(module.register_forward_hook(_here(partial(finish, name))))
    try:
        side = classifier.config.size
        classifier(torch.zeros(1, side, side, 3, device=classifier.mean.device))
    finally:
        for handle in handles:
            handle.remove()
    if not finished:
        raise UsageError(
            f"{classifier.config.network} has no convolutional stage, whose places could be shown."
        )
    return finished[-1]


def _pools(module: nn.Module) -> bool:
    """Whether a module pools, or is a row of modules of which the last one does."""
    if isinstance(module, nn.Sequential) and len(module):
        return _pools(module[-1])
    return type(module).__module__ == "torch.nn.modules.pooling"


@contextmanager
def _gradient_from(module: nn.Module) -> Iterator[list[Tensor]]:
    """A list for what the module answers; within the block only what follows it has gradients."""
    seen: list[Tensor] = []

    def begin(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        torch.set_grad_enabled(True)
        seen.append(output.detach().requires_grad_())
        return seen[0].clone()  # which what follows may change in place

    handle = module.register_forward_hook(_here(begin))
    try:
        yield seen
    finally:
        handle.remove()


def _here(hook: Callable[..., Any]) -> Callable[..., Any]:
    """The hook for this thread: others may be predicting with the same network."""
    thread = threading.get_ident()
    return lambda *given: hook(*given) if threading.get_ident() == thread else None


def _scores(logits: Tensor, targets: Tensor) -> Tensor:
    """N: the logit of each row's target less the mean of the other logits."""
    own = logits.gather(1, targets.expand(len(logits))[:, None])[:, 0]
    return own - (logits.sum(1) - own) / (logits.shape[1] - 1)


def _scaled(maps: NDArray[np.floating]) -> Map:
    """N×h×w maps, each divided by its maximum; zeros stay zeros."""
    tops = maps.max(axis=(1, 2), keepdims=True)
    scaled: Map = np.divide(maps, tops, out=np.zeros(maps.shape, np.float32), where=tops > 0)
    return scaled
