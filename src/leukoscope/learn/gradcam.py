"""Where the network looked."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leukoscope.errors import UsageError
from leukoscope.learn.classifier import Classifier


@torch.enable_grad()
def heat(classifier: Classifier, pixels: NDArray[np.uint8], target: int) -> NDArray[np.float32]:
    """N×S×S of what spoke for the class `target` in N×S×S×3 pixels, its maximum 1 in each image.

    Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391) on the last layer that still has places:
    its channels weighted by their mean gradient, added, without what spoke against the class. An
    image in which nothing spoke for it is 0 everywhere. Raises `UsageError` for a network whose
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
    (gradient,) = torch.autograd.grad(logits[:, target].sum(), layers[-1])
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    maps = (weights * layers[-1].detach()).sum(dim=1, keepdim=True).relu()
    shown = nn.functional.interpolate(
        maps.float(), size=pixels.shape[1:3], mode="bilinear", align_corners=False
    )[:, 0]
    highest = shown.amax(dim=(1, 2), keepdim=True)
    return np.asarray((shown / highest.clamp_min(1e-12)).cpu().numpy(), dtype=np.float32)
