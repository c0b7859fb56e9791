"""A small untrained classifier of two colours, whose answers differ from image to image."""

import torch

from leukoscope.learn import networks
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.folder import ClassifierConfig


def untrained() -> Classifier:
    """The same one each time."""
    torch.manual_seed(0)
    config = ClassifierConfig("squeezenet1_1", ("red", "blue"), 32, (0.4,) * 3, (0.1,) * 3)
    network = networks.build(config.network, 2)
    torch.nn.init.normal_(network.get_submodule("classifier.1").weight, std=0.3)
    return Classifier(network.to(memory_format=torch.channels_last), config).eval()
