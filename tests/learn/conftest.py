"""What the tests of this room share: small images of two colours, few threads."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from leukoscope.learn.training import TrainingData
from leukoscope.settings import TrainingSettings


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None:
    """In every test of this room."""


@pytest.fixture
def settings() -> Callable[..., TrainingSettings]:
    """Settings of a training that takes a second, but for the given ones."""

    def make(**changes: Any) -> TrainingSettings:
        small = {
            "network": "shufflenet_v2_x0_5",
            "size": 32,
            "epochs": 2,
            "batch": 8,
            "optimizer": "adamw",
            "learning_rate": 3e-3,
            "precision": "float32",
        }
        return TrainingSettings.model_validate(small | changes)

    return make


@pytest.fixture
def red_and_blue() -> TrainingData:
    """Noisy images, every second one red; 24 for training, 8 for validation, 8 in no split."""
    rng = np.random.default_rng(0)
    targets = np.arange(40) % 2
    pixels = rng.integers(60, 120, (40, 32, 32, 3), dtype=np.uint8)
    pixels[targets == 0, :, :, 0] += 100
    pixels[targets == 1, :, :, 2] += 100
    return TrainingData(
        pixels,
        targets.astype(np.int64),
        ("red", "blue"),
        np.arange(24),
        np.arange(24, 32),
        fingerprint="drawn",
    )
