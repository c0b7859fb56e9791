"""Where the network looked."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leukoscope.errors import UsageError
from leukoscope.learn.classifier import Classifier


@torch.enable_grad()
def gradcam(
    classifier: Classifier, pixels: NDArray[np.uint8], *, targets: Sequence[int]
) -> tuple[NDArray[np.float32], list[int]]:
    """N×S×S maps of N×S×S×3 pixels, each scaled to a maximum of 1, and the N classes they are for.

    Selvaraju et al. 2017, arXiv 1610.02391: the channels of the last layer that still has places,
    each weighted by the mean gradient of the class's logit, summed, without what speaks against the
    class. A map of zeros says that nothing speaks for it. Raises `UsageError` for a network whose
    layers have no places.
    """
    device = next(classifier.parameters()).device
    layers: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[-1] > 1:
            layers[:] = [output]

    hooks = [module.register_forward_hook(keep) for module in classifier.network.modules()]
    try:
        logits = classifier(torch.from_numpy(np.array(pixels)).to(device))
    finally:
        for hook in hooks:
            hook.remove()
    if not layers:
        raise UsageError(f"{classifier.config.network} has no layer whose places could be shown.")
    scores = logits[torch.arange(len(pixels)), list(targets)]
    (gradient,) = torch.autograd.grad(scores.sum(), layers[-1])
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    maps = (weights * layers[-1].detach()).sum(dim=1, keepdim=True).relu()
    shown = nn.functional.interpolate(
        maps.float(), size=pixels.shape[1:3], mode="bilinear", align_corners=False
    )[:, 0]
    highest = shown.amax(dim=(1, 2), keepdim=True)
    scaled = (shown / highest.clamp_min(1e-12)).cpu().numpy()
    return np.asarray(scaled, dtype=np.float32), list(targets)
