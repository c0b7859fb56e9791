"""What only a GPU can show; everything else is tested on the CPU. Each runs in a fresh process."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import leukoscope

pytestmark = pytest.mark.skipif(not Path("/dev/nvidia0").exists(), reason="there is no GPU here")

_AGREE = """
import numpy as np, torch
from leukoscope.learn import networks
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.devices import inference_device
from leukoscope.learn.folder import ClassifierConfig
from leukoscope.learn.gradcam import explain, gradcam
from leukoscope.learn.prediction import predict

torch.manual_seed(0)
config = ClassifierConfig(
    network="resnet18", classes=("a", "b", "c"), size=64, mean=(0.5,) * 3, std=(0.2,) * 3
)
classifier = Classifier(networks.build("resnet18", 3), config)
pixels = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
answers, maps = [], []
for device in ("cpu", "cuda"):
    fabric = inference_device("float32", device)
    answers.append(predict(classifier, pixels, fabric=fabric, quiet=True))
    maps.append(gradcam(classifier, pixels, fabric=fabric)[0])  # after predict: gradients again
    assert explain(classifier, pixels[0], fabric=fabric, quiet=True).occlusion.max() == 1
np.testing.assert_allclose(*answers, atol=1e-5)
np.testing.assert_allclose(*maps, atol=1e-3)
"""


def run(*arguments: str, cache: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    path = os.pathsep.join([str(Path(leukoscope.__file__).parents[1]), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment | {"PYTHONPATH": path, "LEUKOSCOPE_CACHE": str(cache)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_comparison_runs_on_it(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = ["benchmark", "--networks", "alexnet,resnet18", "--no-audit", "--epochs", "2"]
    more = ["--set", "size=64", "--quiet", "--out", str(out)]
    run("-m", "leukoscope.cli", *command, *more, cache=tmp_path / "cache")
    assert json.loads((out / "settings.json").read_text())["device"].startswith("cuda: ")
    with (out / "results.csv").open() as file:
        assert {"alexnet", "resnet18"} < {row["network"] for row in csv.DictReader(file)}
    for name in ("alexnet", "resnet18"):
        assert (out / f"{name}-random-seed0" / "attention.csv").exists()


def test_float32_answers_and_maps_are_those_of_the_cpu(tmp_path: Path) -> None:
    run("-c", _AGREE, cache=tmp_path)
