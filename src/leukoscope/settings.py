"""Every setting of a training, each with its reason; no torch, so a wrong key fails at once."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from leukoscope.errors import UsageError, nearest

_OPTIONS = {"network": "--network", "weights": "--weights", "seed": "--seed, or --seeds"}


class TrainingSettings(BaseModel):
    """What, besides the images, decides how a network is trained. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    network: str
    size: int = Field(ge=32, le=1024)  # pixels; images are decoded to size × size
    weights: str = "none"  # none, imagenet, or a .safetensors file
    trainable: Literal["all", "last"] = "all"  # last: the new last layer only
    normalization: Literal["batch", "frozen", "group"] = "batch"  # of layers with batch statistics
    dropout: float | None = Field(None, ge=0, lt=1)  # None: the network's own

    epochs: int = Field(ge=1)
    early_size: int | None = Field(None, ge=32)  # side in pixels of the images in early epochs
    early_epochs: int = Field(0, ge=0)  # how many of the epochs see early_size
    batch: int = Field(32, ge=2)  # images per step, over all processes
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(gt=0)  # at its peak
    schedule: Literal["one-cycle", "cosine"] = "one-cycle"  # cosine has no warm-up
    weight_decay: float = Field(5e-4, ge=0)
    gradient_clip: float = Field(1.0, gt=0)  # norm; one bad batch cannot undo an epoch
    label_smoothing: float = Field(0.0, ge=0, lt=1)  # 0: certainty stays comparable with log loss
    class_weights: bool = False  # weigh the loss by inverse class frequency

    flips: bool = True  # mirrored, and turned by quarters: a smear has no up
    shift: float = Field(0.08, ge=0, le=0.5)  # of the side, either way
    scale: float = Field(0.1, ge=0, lt=1)  # magnification within 1 ± scale
    brightness: float = Field(0.1, ge=0, lt=1)  # illumination within 1 ± brightness
    stain: float = Field(0.1, ge=0, lt=1)  # optical density of each channel within 1 ± stain
    erase_corner: bool = False  # paint over the bottom-right corner, where scale bars are

    precision: Literal["auto", "bf16", "float32"] = "auto"  # auto: bf16 where the device has it
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _sizes_agree(self) -> "TrainingSettings":
        if self.early_epochs and self.early_size is None:
            raise ValueError("early_epochs needs early_size")
        if self.early_size is not None and self.early_size > self.size:
            raise ValueError("early_size must be at most size")
        if self.early_epochs >= self.epochs:
            raise ValueError("early_epochs must be fewer than epochs")
        return self


def settings_for(
    network: str,
    *,
    weights: str = "none",
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
) -> tuple[TrainingSettings, dict[str, str]]:
    """The network's recipe with `overrides`, and the reason for each value of the recipe.

    Raises `UsageError` for an unknown key or a value out of range, naming it.
    """
    from leukoscope.recipes import recipe

    overrides = dict(overrides or {})
    for key, option in _OPTIONS.items():
        if key in overrides:
            raise UsageError(f"{key} is no setting of its own here; it has the option {option}.")
    values, reasons = recipe(network, scratch=weights == "none")
    if "size" in overrides and "early_size" not in overrides:
        overrides = {"early_size": None, "early_epochs": 0} | overrides
    if "epochs" in overrides and "early_epochs" not in overrides:
        overrides["early_epochs"] = _share(values, overrides["epochs"])
    chosen = {"network": network, "weights": weights, "seed": seed} | values | overrides
    try:
        settings = TrainingSettings.model_validate(chosen)
    except ValidationError as error:
        raise UsageError(_sentence(error)) from error
    return settings, {key: why for key, why in reasons.items() if key not in overrides}


def _share(values: Mapping[str, Any], epochs: Any) -> int:
    """As large a part of these epochs as the recipe gives to small images."""
    try:
        return int(epochs) * int(values.get("early_epochs", 0)) // int(values["epochs"])
    except (TypeError, ValueError):
        return 0  # no number: the settings themselves say so


def parse_overrides(pairs: list[str]) -> dict[str, str]:
    """`["batch=16"]` as a dictionary; `UsageError` for a word without `=`."""
    parsed = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, not {pair!r}.")
        parsed[key.strip().replace("-", "_")] = value.strip()
    return parsed


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = list(TrainingSettings.model_fields)
        return f"There is no setting {key!r}.{nearest(key, known)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{key}={first['input']}: {message}." if key else f"{message}."
