"""Training speed: Leukoscope against the loop that a user would write, in turn, in one run.

    python benchmarks/training.py --data FOLDER [--networks alexnet,vgg16] [--rounds 3]

The user's loop: torchvision's ImageFolder, a DataLoader with two workers, Resize(256),
RandomResizedCrop(224), flip, ToTensor, Normalize, float32, SGD, batches of 32. Leukoscope's: its
own `train` with the network's recipe at full size. Each measurement is a process of its own, since
Leukoscope's allocator settings would otherwise help both; each trains one epoch as a warm-up and
times the next one. Prints images per second, and the ratio with its range over the rounds.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NETWORKS = "alexnet,googlenet,inception_v3,resnet50,resnet101,resnet152,vgg16,vgg19"
BATCH = 32


def user_loop(data: Path, network: str, images: int) -> float:
    """Images per second of an epoch of the loop that a user would write."""
    import torch
    import torchvision
    from torch.utils.data import DataLoader, Subset
    from torchvision import transforms

    size = 299 if network == "inception_v3" else 224
    change = transforms.Compose(
        [
            transforms.Resize(256 if size == 224 else 342),
            transforms.RandomResizedCrop(size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    folder = torchvision.datasets.ImageFolder(str(data), change)
    rows = torch.randperm(len(folder), generator=torch.Generator().manual_seed(0))[:images]
    loader = DataLoader(
        Subset(folder, rows.tolist()),
        BATCH,
        shuffle=True,
        num_workers=2,
        drop_last=True,
        persistent_workers=True,
    )
    options = {}
    if network in ("googlenet", "inception_v3"):
        options = {"aux_logits": False, "init_weights": False}  # as Leukoscope trains them
    model = torchvision.models.get_model(network, num_classes=len(folder.classes), **options)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    model.train()
    for _ in range(2):
        seen, started = 0, time.perf_counter()
        for pixels, targets in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(pixels), targets)
            loss.backward()
            optimizer.step()
            seen += len(targets)
        rate = seen / (time.perf_counter() - started)
    return rate


def leukoscope_loop(data: Path, network: str, images: int) -> float:
    """Images per second of the same epoch by Leukoscope; decoding is done before, once."""
    import numpy as np

    from leukoscope.data import images as pictures
    from leukoscope.data import samples, sources
    from leukoscope.learn.training import TrainingData, train
    from leukoscope.settings import settings_for

    settings, _ = settings_for(
        network, overrides={"epochs": 2, "early_epochs": 0, "early_size": None, "batch": BATCH}
    )
    source = sources.find(data)
    pixels, _ = pictures.load(source.samples, source.root, size=settings.size, quiet=True)
    task = samples.task(source.samples, "subtype")
    rows = np.random.default_rng(0).permutation(len(pixels))[: images + BATCH]
    everything = TrainingData(
        pixels=pixels,
        targets=np.array(task.targets(source.samples)),
        classes=task.classes,
        train=rows[:images],
        validation=rows[images:],
    )
    with tempfile.TemporaryDirectory() as folder:
        _, history = train(everything, settings, Path(folder), quiet=True)
    return history[-1].images_per_second


LOOPS = {"user": user_loop, "leukoscope": leukoscope_loop}


def measure(loop: str, data: Path, network: str, images: int) -> float:
    """Images per second, measured in a fresh process."""
    arguments = ["--loop", loop, "--data", str(data), "--networks", network]
    command = [sys.executable, __file__, *arguments, "--images", str(images)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="one sub-folder per class")
    parser.add_argument("--networks", default=NETWORKS)
    parser.add_argument("--images", type=int, default=128, help="per epoch, a multiple of 32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop", choices=LOOPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.loop:
        print(json.dumps(LOOPS[given.loop](given.data, given.networks, given.images)))
        return
    print("| network | user's loop, images/s | Leukoscope, images/s | ratio (range) |")
    print("|---|---|---|---|")
    for network in given.networks.split(","):
        rates: dict[str, list[float]] = {loop: [] for loop in LOOPS}
        for _ in range(given.rounds):
            for loop in LOOPS:
                rates[loop].append(measure(loop, given.data, network, given.images))
        ratios = [ours / users for users, ours in zip(*rates.values(), strict=True)]
        users, ours = (statistics.median(rates[loop]) for loop in LOOPS)
        print(
            f"| {network} | {users:.1f} | {ours:.1f} | {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f}–{max(ratios):.2f}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
