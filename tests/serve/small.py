"""A small network with answers of its own, and pictures for it."""

import io
from pathlib import Path

import numpy as np
import torch
from colours import CLASSES
from PIL import Image

from leukoscope.learn import networks
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.folder import ClassifierConfig

SIZE = 32


def saved(folder: Path) -> Classifier:
    """The classifier, which `folder` then holds."""
    torch.manual_seed(0)
    config = ClassifierConfig("squeezenet1_1", CLASSES, SIZE, (0.5,) * 3, (0.2,) * 3)
    network = networks.build(config.network, len(CLASSES))
    torch.nn.init.normal_(network.get_submodule("classifier.1").weight, std=0.1)
    classifier = Classifier(network.to(memory_format=torch.channels_last), config).eval()
    classifier.save(folder)
    return classifier


def pictures(count: int) -> list[bytes]:
    """The bytes of pictures of noise that are not square."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(count):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(file, "PNG")
        files.append(file.getvalue())
    return files
