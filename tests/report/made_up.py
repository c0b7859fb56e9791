"""A made-up run folder: real-looking numbers that no network has produced."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from leukoscope.audit.attention import Attention, Looked, write_attention
from leukoscope.data.predictions import Predictions, read_predictions, write_predictions
from leukoscope.data.samples import Sample, write_samples
from leukoscope.evaluate.metrics import Metrics, evaluate

FINE = ("Benign", "Early", "Pre", "Pro")
COLUMNS = (
    *("network", "protocol", "classes", "seed", "n_train", "n_validation", "n_test"),
    *("loss", "accuracy", "precision", "recall", "f1", "balanced_accuracy"),
    *("auroc", "average_precision", "confusion", "train_seconds", "train_images_per_second"),
)
SKILLS = {
    **{"alexnet": 5.2, "googlenet": 6.0, "inception_v3": 6.2, "resnet50": 6.6, "resnet101": 6.3},
    **{"resnet152": 6.4, "vgg16": 7.4, "vgg19": 7.2, "colour-forest": 4.6, "majority": 0.0},
}

FakeRun = Callable[..., Path]


def build(
    path: Path,
    *,
    networks: Sequence[str] = ("alexnet", "resnet50", "colour-forest", "majority"),
    seeds: int = 1,
    classes: str = "binary",
    protocols: Sequence[str] = ("random",),
    counts: Sequence[int] = (24, 40, 36, 30),
    labels: Sequence[str] = FINE,
    synthetic: bool = False,
    groups: bool = False,
    evidence: bool = False,
    skills: dict[str, float] = SKILLS,
    draw: Callable[[Sequence[Sample], Path], None] | None = None,
) -> Path:
    """A finished run in `path`, its pictures in `path/images`; with `evidence` it kept an audit,
    validation predictions, novelty, and was put under stress."""
    path.mkdir(parents=True, exist_ok=True)
    samples = _samples(labels, counts, groups)
    write_samples(samples, path / "samples.csv")
    (draw or _draw)([one for one in samples if one.split == "test"], path / "images")
    _write_settings(path)
    _write_card(path, dict(zip(labels, counts, strict=True)), synthetic)
    rows = []
    for protocol in protocols:
        for network in networks:
            for seed in range(seeds):
                skill = skills.get(network, 5.5) - (1.6 if protocol == "session" else 0)
                row = _train(path, samples, network, protocol, classes, seed, skill)
                rows.append(row)
                if evidence:
                    _write_evidence(path, samples, network, protocol, classes, seed, skill)
    if evidence:
        _write_audit(path, samples)
    with (path / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def _samples(labels: Sequence[str], counts: Sequence[int], groups: bool) -> list[Sample]:
    samples = []
    for label, count in zip(labels, counts, strict=True):
        for number in range(count):
            tenth = -(-count // 10)
            split = ("test", "validation", "train")[min(number // tenth, 2)]
            group = f"{label}-{number // 3}" if groups else ""
            name = f"{label}/WBC-{label}-{number:03d}.jpg"
            samples.append(Sample(name, label, group, "made up", split, "0" * 64))
    return samples


def _draw(samples: Sequence[Sample], root: Path) -> None:
    rng = np.random.default_rng(0)
    for sample in samples:
        file = root / sample.path
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(120, 255, size=(8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 64)).save(file, "JPEG")


def _write_settings(path: Path) -> None:
    settings = {
        "leukoscope": "0.1.0",
        "command": "leukoscope benchmark --data images --networks alexnet,resnet50 --seeds 3",
        "started": "2026-03-12T14:03:11+00:00",
        "finished": "2026-03-12T16:41:40+00:00",
        "versions": {"python": "3.12.3", "torch": "2.9.0", "torchvision": "0.24.0"},
        "device": "cpu: AMD EPYC, 2 threads, bf16",
        "settings": {"classes": "binary", "seeds": 3, "epochs": None, "weights": "none"},
        "fingerprint": "0f2a" * 16,
        "root": str(path / "images"),
        "wall_seconds": 9509.4,
    }
    (path / "settings.json").write_text(json.dumps(settings), encoding="utf-8")


def _write_card(path: Path, counts: dict[str, int], synthetic: bool) -> None:
    card = {
        "name": "made-up",
        "title": "Drawn smears" if synthetic else "A made-up image set of blood smears",
        "citation": "Nobody N, Noone N. A set that does not exist. 2026.",
        "licence": "Research use with citation.",
        "url": "https://example.org/smears",
        "synthetic": synthetic,
        "redistributable": True,
        "counts": counts,
        "expected_counts": counts,
        "notes": ["Benign means hematogones, not healthy people."],
    }
    (path / "card.json").write_text(json.dumps(card), encoding="utf-8")


def _train(
    path: Path,
    samples: Sequence[Sample],
    network: str,
    protocol: str,
    classes: str,
    seed: int,
    skill: float,
) -> dict[str, object]:
    rng = np.random.default_rng([seed, *network.encode()])
    predictions = _predict(samples, "test", network, classes, skill, rng)
    figures = evaluate(predictions.targets, predictions.probabilities, classes=predictions.classes)
    folder = path / _folder(network, protocol, classes, seed)
    folder.mkdir()
    write_predictions(predictions, folder / "predictions.csv")
    (folder / "metrics.json").write_text(json.dumps(figures.as_dict()), encoding="utf-8")
    trained = network not in ("colour-forest", "majority")
    _write_recipe(folder, network, protocol, classes, seed)
    if trained:
        _write_history(folder, rng, skill)
        (folder / "classifier").mkdir()
    return _row(network, protocol, classes, seed, samples, figures, rng if trained else None)


def _folder(network: str, protocol: str, classes: str, seed: int) -> str:
    word = "" if classes == "binary" else f"{classes}-"
    return f"{network}-{word}{protocol}-seed{seed}".replace("/", "_")


def _predict(
    samples: Sequence[Sample],
    split: str,
    network: str,
    classes: str,
    skill: float,
    rng: np.random.Generator,
) -> Predictions:
    asked = [one for one in samples if one.split == split]
    fine = list(dict.fromkeys(one.label for one in samples))
    names = fine if classes == "subtype" else [fine[0], "Malignant"]
    label_of = {label: names[min(place, len(names) - 1)] for place, label in enumerate(fine)}
    labels = np.array([names.index(label_of[one.label]) for one in asked])
    hard = np.random.default_rng(7).exponential(1.3, size=(len(asked), 1))
    right = np.eye(len(names))[labels]
    scores = skill * right - hard * right + rng.normal(size=right.shape)
    if network == "majority":
        scores = np.tile(np.eye(len(names))[-1] * 1.7, (len(asked), 1))
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return Predictions(
        paths=tuple(one.path for one in asked),
        labels=tuple(names[index] for index in labels),
        classes=tuple(names),
        probabilities=odds / odds.sum(axis=1, keepdims=True),
        splits=(split,) * len(asked),
        groups=tuple(one.group for one in asked),
    )


def _write_evidence(
    path: Path,
    samples: Sequence[Sample],
    network: str,
    protocol: str,
    classes: str,
    seed: int,
    skill: float,
) -> None:
    folder = path / _folder(network, protocol, classes, seed)
    rng = np.random.default_rng([seed, 1, *network.encode()])
    said = _predict(samples, "validation", network, classes, skill, rng)
    write_predictions(said, folder / "validation.csv")
    if network in ("colour-forest", "majority"):
        return
    table = folder / "predictions.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    novelty = ["novelty", *(f"{0.5 + 0.07 * (row % 10):.3f}" for row in range(len(lines) - 1))]
    text = "\n".join(f"{line},{one}" for line, one in zip(lines, novelty, strict=True))
    table.write_text(text + "\n", encoding="utf-8")
    columns = "change,amount,severity,n,accuracy,accuracy_low,accuracy_high,balanced_accuracy,novel"
    grades = ("none,0,0,14,0.93,0.7,0.99,0.9,0.05", "blur,2,1,14,0.86,0.6,0.95,0.8,0.2")
    worst = ("blur,4,2,14,0.5,0.25,0.75,0.5,0.9", "jpeg,10,1,14,0.8,0.5,0.95,0.7,0.1")
    (folder / "robustness.csv").write_text("\n".join((columns, *grades, *worst)) + "\n")
    _write_attention(folder)


def _write_attention(folder: Path) -> None:
    """Nuclei cover a fifth of every image; most networks see two fifths of their map there."""
    area = (0.2, 0.01, 0.79)
    tested = read_predictions(folder / "predictions.csv")
    rows = []
    for number, (path, label) in enumerate(zip(tested.paths, tested.labels, strict=True)):
        share = (0.3, 0.4, 0.5)[number % 3]
        shares = None if number == 0 else (share, 0.03, 0.97 - share)
        rows.append(Looked(path, label, label, Attention(shares, area)))
    write_attention(rows, folder / "attention.csv")


def _write_audit(path: Path, samples: Sequence[Sample]) -> None:
    audit = path / "audit"
    audit.mkdir()
    rows = [f"{one.path},s{int(number % 7 == 0):03d}" for number, one in enumerate(samples)]
    (audit / "sessions.csv").write_text("\n".join(("path,session", *rows)) + "\n")
    finding = {"check": "equal files", "kind": "leak", "verdict": "problem", "figure": 3}
    findings = [
        finding | {"sentence": "3 files are copies of another one."},
        {"check": "readable", "kind": "quality", "verdict": "clear", "sentence": "All read."},
    ]
    (audit / "findings.json").write_text(json.dumps({"findings": findings}))


def _row(
    network: str,
    protocol: str,
    classes: str,
    seed: int,
    samples: Sequence[Sample],
    figures: Metrics,
    rng: np.random.Generator | None,
) -> dict[str, object]:
    sides = [one.split for one in samples]
    return {
        "network": network,
        "protocol": protocol,
        "classes": classes,
        "seed": seed,
        "n_train": sides.count("train"),
        "n_validation": sides.count("validation"),
        "n_test": sides.count("test"),
        **{name: getattr(figures, name) for name in COLUMNS[7:15]},
        "confusion": json.dumps(figures.confusion),
        "train_seconds": 3.2 if rng is None else 400 + 900 * rng.random(),
        "train_images_per_second": "" if rng is None else 60 + 200 * rng.random(),
    }


def _write_recipe(folder: Path, network: str, protocol: str, classes: str, seed: int) -> None:
    recipe: dict[str, object] = {
        "network": network,
        "protocol": protocol,
        "classes": classes,
        "seed": seed,
    }
    if network not in ("colour-forest", "majority"):
        plain = network in ("alexnet", "vgg16", "vgg19")
        recipe |= {
            "size": 299 if network == "inception_v3" else 224,
            "epochs": 30,
            "batch": 32,
            "optimiser": "adamw" if plain else "sgd",
            "rate": 3e-4 if plain else 0.05,
            "label_smoothing": 0.05,
            "augment": ["flips", "shifts", "stain"],
            "reasons": {
                "rate": "Without batch normalisation a higher rate diverges."
                if plain
                else "Batch normalisation allows a high rate.",
                "epochs": "The validation loss levels off before.",
            },
        }
    (folder / "settings.json").write_text(json.dumps(recipe), encoding="utf-8")


def _write_history(folder: Path, rng: np.random.Generator, skill: float) -> None:
    with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["epoch", "size", "train_loss", "validation_loss", "validation_accuracy", "seconds"]
        )
        for epoch in range(1, 31):
            train = 0.65 * np.exp(-epoch / skill) + 0.004 + 0.003 * rng.random()
            validation = train * 1.2 + 0.012 + 0.02 * rng.random() + 2e-5 * epoch**2
            accuracy = min(1.0, 0.84 + 0.155 * (1 - np.exp(-epoch / 4)) + 0.01 * rng.normal())
            size = 128 if epoch <= 18 else 224
            writer.writerow([epoch, size, train, validation, accuracy, 20 * rng.random()])
