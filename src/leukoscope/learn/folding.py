"""Batch norms folded into the convolutions before them: the same answers from rounder numbers."""

from collections import Counter
from collections.abc import Iterator

import torch
from torch import fx, nn


@torch.no_grad()
def fold_batch_norms(network: nn.Module) -> int:
    """How many batch norms were folded: their scale is in the weights of the convolution that each
    follows, and of the norm itself only a shift is left.

    Whoever folds them again, as ONNX does, multiplies by exactly 1: weights that were rounded to
    half precision in between stay what half precision can hold. Jacob et al. (CVPR 2018).
    """
    pairs = list(_pairs(network))
    for convolution, norm in pairs:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        shift = norm.bias.double() - norm.running_mean.double() * scale
        if convolution.bias is not None:
            shift += convolution.bias.double() * scale
            convolution.bias.zero_()
        convolution.weight.copy_(convolution.weight.double() * scale.view(-1, 1, 1, 1))
        norm.bias.copy_(shift)
        norm.weight.fill_(1)
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
    return len(pairs)


def _pairs(network: nn.Module) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Each convolution whose output goes to one batch norm and nowhere else, and that norm."""
    modules = dict(network.named_modules())
    graph = fx.Tracer().trace(network.eval())
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    for node in graph.nodes:
        if node.op != "call_module" or calls[node.target] > 1:
            continue
        before = node.args[0]
        norm = modules[node.target]
        if not isinstance(norm, nn.BatchNorm2d) or before.op != "call_module":
            continue
        convolution = modules[before.target]
        alone = len(before.users) == 1 and calls[before.target] == 1
        if isinstance(convolution, nn.Conv2d) and alone:
            yield convolution, norm
