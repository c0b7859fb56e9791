"""Folded batch norms change no answer, and folding them again changes no number."""

import pytest
import torch
from torch import nn

from leukoscope.learn import networks
from leukoscope.learn.folding import fold_batch_norms


@pytest.mark.parametrize(
    ("name", "norms", "folded"),
    [("resnet18", 20, 20), ("googlenet", 57, 57), ("vgg11_bn", 8, 8), ("densenet121", 121, 59)],
)
def test_a_folded_network_answers_the_same(name: str, norms: int, folded: int) -> None:
    torch.manual_seed(0)
    network = networks.build(name, 3).eval()
    found = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    assert len(found) == norms
    with torch.no_grad():
        for one in found:
            one.running_mean.normal_(0, 0.1)
            one.running_var.uniform_(0.5, 2)
            one.weight.uniform_(0.5, 2)
            one.bias.normal_(0, 0.1)
        images = torch.randn(2, 3, 64, 64)
        before = network(images)
        assert fold_batch_norms(network) == folded
        torch.testing.assert_close(network(images), before, rtol=1e-3, atol=1e-3)
        weights = [one.clone() for one in network.parameters()]
        fold_batch_norms(network)
        torch.testing.assert_close(list(network.parameters()), weights, rtol=0, atol=0)
