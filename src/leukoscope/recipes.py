"""A good default recipe per network, each value with its reason."""

from typing import Any

NETWORKS = (
    "alexnet",
    "googlenet",
    "inception_v3",
    "resnet50",
    "resnet101",
    "resnet152",
    "vgg16",
    "vgg19",
)
"""The comparison's networks, in the order of its table."""

DEMONSTRATION: dict[str, Any] = {
    "networks": ("alexnet", "googlenet", "resnet50"),
    "settings": {"size": 64, "epochs": 10, "batch": 16, "learning_rate": 4e-4},
}
"""What `leukoscope benchmark` does with drawn smears, in three to four minutes on two cores."""

_Recipe = dict[str, tuple[Any, str]]
_WITHOUT_NORMALISATION = ("alexnet", "vgg")


def recipe(network: str, *, scratch: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings that differ from the defaults of `TrainingSettings`, and the reason of each."""
    plain = network.startswith(_WITHOUT_NORMALISATION) and not network.endswith("_bn")
    table = _size(network)
    if scratch:
        table |= _plain_from_scratch() if plain else _normalised_from_scratch()
        table |= _epochs(network)
    else:
        table |= _from_weights(plain)
    return {k: v for k, (v, _) in table.items()}, {k: why for k, (_, why) in table.items()}


def _size(network: str) -> _Recipe:
    if network == "inception_v3":
        return {"size": (299, "the size Inception v3 was designed for")}
    return {"size": (224, "the size the ImageNet networks were designed for")}


_EPOCHS = {  # at half size, and then at full size
    "alexnet": (10, 5),
    "googlenet": (8, 4),
    "inception_v3": (8, 2),
    "resnet50": (8, 2),
    "resnet101": (8, 1),
    "resnet152": (8, 1),
    "vgg16": (10, 1),
    "vgg19": (10, 1),
}


def _epochs(network: str) -> _Recipe:
    early, full = _EPOCHS.get(network, (0, 12))
    table: _Recipe = {
        "epochs": (
            early + full,
            "as many as time on two processor cores allowed; deep networks were still learning",
        )
    }
    if early:
        table |= {
            "early_epochs": (early, "most is learned from small images, at a quarter of the cost"),
            "early_size": (144 if network == "inception_v3" else 112, "half the side"),
        }
    return table


def _plain_from_scratch() -> _Recipe:
    return {
        "optimizer": ("adamw", "without normalisation layers, each weight needs a step of its own"),
        "learning_rate": (3e-4, "with SGD, and at lower rates, it stays at the majority class"),
        "weight_decay": (0.02, "decoupled from the rate of descent, so larger than SGD's"),
        "dropout": (0.2, "its own 0.5 keeps it at the majority class for the first epochs"),
    }


def _normalised_from_scratch() -> _Recipe:
    return {
        "optimizer": ("adamw", "settles in fewer epochs than SGD on so few images"),
        "learning_rate": (1e-3, "AdamW's usual rate; batch normalisation bears it"),
        "weight_decay": (0.02, "decoupled from the rate of descent, so larger than SGD's"),
    }


def _from_weights(plain: bool) -> _Recipe:
    rate = 1e-4 if plain else 3e-4
    return {
        "epochs": (10, "features that are there need fine-tuning only"),
        "optimizer": ("adamw", "the same optimiser as from scratch"),
        "learning_rate": (rate, "a third or less of the rate from scratch keeps what was learned"),
        "weight_decay": (0.02, "decoupled from the rate of descent, so larger than SGD's"),
    }
