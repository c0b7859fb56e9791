"""Prediction speed: Leukoscope against what a user would write, in turn, in one run.

    python benchmarks/inference.py --data FOLDER --classifiers RUN/resnet50-…/classifier,RUN/…
                                   [--images 640] [--rounds 3]

Two questions. *The network alone*, on pixels that are decoded already: torch in float32 with
contiguous tensors, which is torchvision's own inference; torch in bfloat16, channels-last; ONNX
Runtime on the exported graph; and the backend that Leukoscope chooses here. *From files to
probabilities*: a DataLoader with two workers, ToTensor and Normalize before that float32 network,
against `leukoscope predict`, which also measures the picture's quality, novelty and prediction set
and writes the table.

Each measurement is a process of its own, warmed up before it is timed; arms take turns within a
round. Printed are images per second (median over the rounds), the ratio to float32 with its range,
and of how many images the class is not that of float32.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

BATCH = 64
ALONE = ("float32", "bf16", "onnx", "leukoscope")
FILES = ("dataloader", "predict")

Answer = Callable[[Any], list[int]]


def files(data: Path, count: int) -> list[Path]:
    """So many pictures from all over the folder; where there are fewer, some more than once."""
    from leukoscope.data import inputs

    found = inputs.expand([str(data)])
    chosen = found[:: max(1, len(found) // count)]
    return [chosen[number % len(chosen)] for number in range(count)]


def plain(classifier: Path) -> Any:
    """The network as torchvision gives it, with the weights of the folder."""
    import torch

    from leukoscope.learn.classifier import load

    return load(classifier).network.to(memory_format=torch.contiguous_format).eval()


def float32(classifier: Path, _graph: Path) -> Answer:
    """torchvision's own inference: normalised float32, N×3×S×S, contiguous."""
    import torch

    from leukoscope.learn.folder import read_config

    network, config = plain(classifier), read_config(classifier)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (config.mean, config.std))

    @torch.inference_mode()
    def answer(pixels: Any) -> list[int]:
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 255
        return list(network((images - mean) / std).argmax(1).tolist())

    return answer


def bf16(classifier: Path, _graph: Path) -> Answer:
    """The same in bfloat16 and channels-last, without Leukoscope's second look."""
    import torch

    from leukoscope.learn.classifier import load

    whole = load(classifier)

    @torch.inference_mode()
    def answer(pixels: Any) -> list[int]:
        with torch.autocast("cpu", torch.bfloat16):
            return list(whole(torch.from_numpy(pixels)).argmax(1).tolist())

    return answer


def onnx(_classifier: Path, graph: Path) -> Answer:
    """ONNX Runtime on the exported graph."""
    from leukoscope.learn.backends import open_session

    session = open_session(graph, device="cpu")

    def answer(pixels: Any) -> list[int]:
        (said,) = session.run(["probabilities"], {"pixels": pixels})
        return list(said.argmax(axis=1).tolist())

    return answer


def leukoscope(classifier: Path, _graph: Path) -> Answer:
    """The backend that Leukoscope chooses by itself, novelty and prediction sets included."""
    from leukoscope.learn.backends import open_backend

    backend = open_backend(classifier, device="cpu")
    return lambda pixels: list(backend.answer(pixels).probabilities.argmax(axis=1).tolist())


def alone(
    open_: Callable[[Path, Path], Answer], classifier: Path, graph: Path, paths: list[Path]
) -> tuple[float, list[int]]:
    """Images per second and classes of decoded pixels, after one batch that does not count."""
    import numpy as np

    from leukoscope.data.images import decode
    from leukoscope.learn.folder import read_config

    size = read_config(classifier).size
    pixels = np.stack([decode(path, size) for path in paths])
    answer = open_(classifier, graph)
    answer(pixels[:BATCH])
    classes: list[int] = []
    started = time.perf_counter()
    for start in range(0, len(pixels), BATCH):
        classes += answer(pixels[start : start + BATCH])
    return len(paths) / (time.perf_counter() - started), classes


class Pictures:
    """What a user's DataLoader reads."""

    def __init__(self, paths: list[Path], size: int, mean: Any, std: Any) -> None:
        from torchvision import transforms

        steps = [transforms.Resize(size), transforms.CenterCrop(size), transforms.ToTensor()]
        self.paths = paths
        self.change = transforms.Compose([*steps, transforms.Normalize(mean, std)])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Any:
        from PIL import Image

        return self.change(Image.open(self.paths[number]).convert("RGB"))


def dataloader(classifier: Path, paths: list[Path]) -> tuple[float, list[int]]:
    """Files to classes as a user would: two workers and a float32 network."""
    import torch
    from torch.utils.data import DataLoader

    from leukoscope.learn.folder import read_config

    network, config = plain(classifier), read_config(classifier)
    pictures = Pictures(paths, config.size, config.mean, config.std)
    loader: Any = DataLoader(cast(Any, pictures), BATCH, num_workers=2, persistent_workers=True)
    with torch.inference_mode():
        network(next(iter(loader)))  # which starts the workers, too
        classes: list[int] = []
        started = time.perf_counter()
        for images in loader:
            classes += network(images).argmax(1).tolist()
    return len(paths) / (time.perf_counter() - started), classes


def predict(classifier: Path, paths: list[Path]) -> tuple[float, list[int]]:
    """Files to a table by `leukoscope predict`, without the start of Python; the second time."""
    import csv

    from leukoscope.learn.folder import read_config
    from leukoscope.scoring import Scoring, score

    classes = read_config(classifier).classes
    with tempfile.TemporaryDirectory() as folder:
        # Links of names that differ: a file that is named twice is predicted once.
        for number, path in enumerate(paths):
            (Path(folder) / f"{number:06}{path.suffix}").symlink_to(path.resolve())
        out = Path(folder) / "out.csv"
        for _ in range(2):
            started = time.perf_counter()
            score(Scoring([classifier], [folder], out, device="cpu", quiet=True))
            seconds = time.perf_counter() - started
        with out.open(newline="") as file:
            said = [classes.index(row["predicted"]) for row in csv.DictReader(file)]
    return len(paths) / seconds, said


def run(arm: str, classifier: Path, graph: Path, paths: list[Path]) -> tuple[float, list[int]]:
    """Images per second, and the classes."""
    arms = {"float32": float32, "bf16": bf16, "onnx": onnx, "leukoscope": leukoscope}
    if arm in arms:
        return alone(arms[arm], classifier, graph, paths)
    return dataloader(classifier, paths) if arm == "dataloader" else predict(classifier, paths)


def measure(arm: str, given: argparse.Namespace, classifier: Path, graph: Path) -> dict[str, Any]:
    """Rate and classes, measured in a fresh process."""
    command = [sys.executable, __file__, "--arm", arm, "--data", given.data, "--graph", graph]
    command += ["--classifiers", classifier, "--images", given.images]
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(given: argparse.Namespace, classifier: Path, graph: Path) -> None:
    """Prints a row for each arm of one classifier."""
    from leukoscope.learn.folder import read_config

    network = read_config(classifier).network
    rounds = [
        {arm: measure(arm, given, classifier, graph) for arm in (*ALONE, *FILES)}
        for _ in range(given.rounds)
    ]
    for arms in (ALONE, FILES):
        for arm in arms:
            ratios = [one[arm]["rate"] / one[arms[0]]["rate"] for one in rounds]
            pairs = zip(rounds[0][arm]["classes"], rounds[0][arms[0]]["classes"], strict=True)
            rate = statistics.median(one[arm]["rate"] for one in rounds)
            print(
                f"| {network} | {'network alone' if arms is ALONE else 'from files'} | {arm} | "
                f"{rate:.1f} | {statistics.median(ratios):.2f} ({min(ratios):.2f}–"
                f"{max(ratios):.2f}) | {sum(a != b for a, b in pairs)} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder of pictures")
    parser.add_argument("--classifiers", required=True, help="folders, separated by commas")
    parser.add_argument("--images", type=int, default=640, help="more than 64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--arm", choices=(*ALONE, *FILES), help=argparse.SUPPRESS)
    parser.add_argument("--graph", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    folders = [Path(name) for name in given.classifiers.split(",")]
    if given.arm:
        rate, classes = run(given.arm, folders[0], given.graph, files(given.data, given.images))
        print(json.dumps({"rate": rate, "classes": classes}))
        return
    from leukoscope.exporting import Export, export

    print("| network | what | arm | images/s | ratio (range) | classes changed |")
    print("|---|---|---|---|---|---|")
    for classifier in folders:
        with tempfile.TemporaryDirectory() as folder:
            graph = Path(folder) / "model.onnx"
            export(Export(classifier, graph, quiet=True))
            compare(given, classifier, graph)


if __name__ == "__main__":
    main()
