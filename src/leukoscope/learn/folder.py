"""A classifier's folder without its network: what the classifier is, and what it remembers."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from leukoscope.errors import UsageError
from leukoscope.evaluate.novelty import Memory
from leukoscope.files import read_json, reason

DEFAULT = Path(__file__).parents[1] / "classifiers" / "default"  # used when none is named
WEIGHTS = "model.safetensors"
NOVELTY = "novelty.safetensors"
PARTS = tuple(field.name for field in fields(Memory))


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """What besides its weights makes a classifier; `config.json` of its folder."""

    network: str
    classes: tuple[str, ...]
    size: int  # pixels; images are decoded to size × size
    mean: tuple[float, ...]  # per channel, of pixels scaled to 0–1
    std: tuple[float, ...]
    normalization: str = "batch"
    fingerprint: str = ""  # of the samples it learned from
    temperature: float = 1.0  # divides the logits; 1 until calibrated
    coverage: float | None = None  # of the prediction sets, demanded in each class
    set_thresholds: tuple[float, ...] | None = None  # per class; see evaluate.abstention
    accepted: float | None = None  # share of validation images that are not novel; evaluate.novelty


def read_config(folder: Path) -> ClassifierConfig:
    """What `config.json` in `folder` says; `UsageError` when that is not a classifier."""
    values = read_json(folder / "config.json")
    known = {field.name for field in fields(ClassifierConfig)}
    if unknown := sorted(set(values) - known):
        raise UsageError(f"{folder / 'config.json'} has the unknown key {unknown[0]!r}.")
    arguments: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    try:
        config = ClassifierConfig(**arguments)
    except TypeError as error:
        raise UsageError(f"{folder / 'config.json'} is incomplete: {error}.") from error
    if len(config.mean) != 3 or len(config.std) != 3:
        raise UsageError(f"{folder / 'config.json'} needs three values of mean and of std.")
    if config.set_thresholds is not None and len(config.set_thresholds) != len(config.classes):
        raise UsageError(
            f"{folder / 'config.json'} has {len(config.set_thresholds)} set_thresholds for "
            f"{len(config.classes)} classes."
        )
    return config


def read_memories(folder: Path) -> dict[str, Memory]:
    """What the layers of the classifier in `folder` remember of training images, by layer."""
    path = folder / NOVELTY
    tensors = _read_tensors(path)
    memories = {}
    for layer in dict.fromkeys(key.rpartition(".")[0] for key in tensors):
        try:
            parts: dict[str, Any] = {p: tensors[f"{layer}.{p}"] for p in PARTS}
            memories[layer] = Memory(**parts | {"limit": parts["limit"].item()})
        except KeyError as error:
            raise UsageError(f"{path} has no tensor {error}.") from error
        except ValueError as error:
            raise UsageError(f"{path}: {layer}.limit is not one number.") from error
    return memories


def _read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.is_file():
        raise UsageError(f"{path} is not there.")
    try:
        tensors: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} cannot be read as safetensors: {reason(error)}.") from error
    return tensors
