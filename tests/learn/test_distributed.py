"""Two processes learn what one learns from the same batches."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import leukoscope

# Few steps, and no optimiser that would blow up rounding errors of tiny gradients.
SCRIPT = """
import sys
from pathlib import Path

import numpy as np
import torch

from leukoscope.learn.devices import fabric_for
from leukoscope.learn.training import TrainingData, train
from leukoscope.settings import TrainingSettings

torch.set_num_threads(1)
rng = np.random.default_rng(0)
targets = np.arange(37) % 3
pixels = (rng.integers(0, 120, (37, 64, 64, 3)) + 60 * targets[:, None, None, None]).astype("uint8")
rows = np.arange(37)
data = TrainingData(pixels, targets, ("a", "b", "c"), rows[:26], rows[26:])  # 11 to validate: odd
fabric = fabric_for("float32")
for network, extra in (
    ("resnet18", {}),
    ("squeezenet1_1", {"dropout": 0.0, "class_weights": True, "label_smoothing": 0.1}),
):
    settings = TrainingSettings(
        network=network, size=64, epochs=2, batch=13, optimizer="sgd", learning_rate=0.01,
        schedule="cosine", precision="float32", **extra,
    )
    train(data, settings, Path(sys.argv[1]) / network, fabric=fabric, quiet=True)
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What one process leaves, and what two leave."""
    below = tmp_path_factory.mktemp("distributed")
    script = below / "learn.py"
    script.write_text(SCRIPT, encoding="utf-8")
    source = str(Path(leukoscope.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*torchrun, str(script), str(below / "two")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert "deprecated" not in done.stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(script), str(below / "one")])
        runpy.run_path(str(script))
    return below / "one", below / "two"


@pytest.mark.parametrize("network", ["resnet18", "squeezenet1_1"])
def test_two_processes_give_the_classifier_of_one(network: str, folders: tuple[Path, Path]) -> None:
    one, two = (load_file(f / network / "classifier" / "model.safetensors") for f in folders)
    assert one.keys() == two.keys()
    for key, value in one.items():
        # Without shared batch statistics, the difference would be 0.1.
        torch.testing.assert_close(two[key], value, rtol=1e-3, atol=3e-4, msg=key)


@pytest.mark.parametrize("network", ["resnet18", "squeezenet1_1"])
def test_two_processes_give_the_history_of_one(network: str, folders: tuple[Path, Path]) -> None:
    one, two = (
        [
            [float(cell) for cell in line.split(",")[:5]]
            for line in (folder / network / "history.csv").read_text().splitlines()[1:]
        ]
        for folder in folders
    )
    assert len(one) == len(two) == 2
    for ours, theirs in zip(one, two, strict=True):
        assert theirs == pytest.approx(ours, rel=1e-3)
    assert one[0][2] != one[1][2]
