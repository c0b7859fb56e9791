"""Every setting is checked before any work, and every network has a recipe that holds."""

from typing import Any

import pytest
from pydantic import ValidationError

from leukoscope.errors import UsageError
from leukoscope.recipes import DEMONSTRATION, NETWORKS
from leukoscope.settings import TrainingSettings, parse_overrides, settings_for


@pytest.mark.parametrize("network", [*NETWORKS, "squeezenet1_1", "vgg16_bn"])
@pytest.mark.parametrize("weights", ["none", "imagenet", "theirs.safetensors"])
def test_every_recipe_is_valid_and_each_value_has_its_reason(network: str, weights: str) -> None:
    settings, reasons = settings_for(network, weights=weights)
    assert (settings.network, settings.weights) == (network, weights)
    assert settings.size == (299 if network == "inception_v3" else 224)
    assert settings.early_epochs < settings.epochs
    assert settings.early_size is None or settings.early_size < settings.size
    defaults = TrainingSettings.model_fields
    unusual = {k for k, v in settings.model_dump().items() if v != defaults[k].default}
    assert unusual - {"network", "weights"} <= reasons.keys() <= settings.model_dump().keys()
    assert all(len(reason.split()) > 2 for reason in reasons.values())


def test_eight_networks_are_compared() -> None:
    assert len(set(NETWORKS)) == 8


@pytest.mark.parametrize("network", DEMONSTRATION["networks"])
def test_the_demonstration_is_valid(network: str) -> None:
    settings, _ = settings_for(network, overrides=DEMONSTRATION["settings"])
    assert settings.size == DEMONSTRATION["settings"]["size"]
    assert network in NETWORKS


def test_what_is_asked_for_wins_and_loses_the_reason_of_the_recipe() -> None:
    plain, reasons = settings_for("resnet50")
    settings, left = settings_for("resnet50", overrides={"learning_rate": "0.002"})
    assert settings == plain.model_copy(update={"learning_rate": 0.002})
    assert reasons.keys() - left.keys() == {"learning_rate"}


def test_seed_0_is_a_seed_like_any_other() -> None:
    assert settings_for("vgg16")[0].seed == 0
    assert settings_for("vgg16", seed=0)[0].seed == 0
    assert settings_for("vgg16", seed=7)[0].seed == 7


@pytest.mark.parametrize("network", NETWORKS)
def test_another_number_of_epochs_keeps_the_share_of_early_ones(network: str) -> None:
    usual, _ = settings_for(network)
    share = usual.early_epochs / usual.epochs
    for epochs in (1, 2, 3, 7, 2 * usual.epochs, 100):
        settings, _ = settings_for(network, overrides={"epochs": epochs})
        assert settings.epochs == epochs
        assert settings.early_epochs < epochs
        assert epochs * share - 1 < settings.early_epochs <= epochs * share
    assert settings_for(network, overrides={"epochs": str(usual.epochs)})[0] == usual


def test_another_size_has_no_early_epochs_unless_they_are_asked_for() -> None:
    settings, _ = settings_for("resnet50", overrides={"size": 64, "epochs": 9})
    assert (settings.size, settings.early_size, settings.early_epochs) == (64, None, 0)
    asked = {"size": 64, "early_size": 32, "early_epochs": 2, "epochs": 5}
    settings, _ = settings_for("resnet50", overrides=asked)
    assert (settings.early_size, settings.early_epochs) == (32, 2)
    with pytest.raises(UsageError, match="early_epochs needs early_size"):
        settings_for("resnet50", overrides={"size": 64, "early_epochs": 2})


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"epoch": 3}, "There is no setting 'epoch'. Did you mean epochs?"),
        (
            {"learning-rates": 3},
            "There is no setting 'learning-rates'. Did you mean learning_rate?",
        ),
        ({"xyzzy": 3}, "There is no setting 'xyzzy'."),
        ({"epochs": 0}, "epochs=0: Input should be greater than or equal to 1."),
        ({"epochs": "many"}, "epochs=many: Input should be a valid integer"),
        ({"epochs": "2.5"}, "epochs=2.5: Input should be a valid integer"),
        ({"epochs": None}, "epochs=None: Input should be a valid integer"),
        ({"size": 8}, "size=8: Input should be greater than or equal to 32."),
        ({"size": 4096}, "size=4096: Input should be less than or equal to 1024."),
        ({"batch": 1}, "batch=1: Input should be greater than or equal to 2."),
        ({"learning_rate": 0}, "learning_rate=0: Input should be greater than 0."),
        ({"learning_rate": "fast"}, "learning_rate=fast: Input should be a valid number"),
        ({"dropout": 1}, "dropout=1: Input should be less than 1."),
        ({"learning_rate": "inf"}, "learning_rate=inf: Input should be a finite number."),
        ({"optimizer": "adam"}, "optimizer=adam: Input should be 'sgd' or 'adamw'."),
        ({"precision": "fp16"}, "precision=fp16: Input should be 'auto', 'bf16' or 'float32'."),
        ({"flips": "perhaps"}, "flips=perhaps: Input should be a valid boolean"),
        ({"epochs": 5, "early_epochs": 5}, "early_epochs must be fewer than epochs."),
        ({"network": "vgg19"}, "it has the option --network"),
        ({"weights": "imagenet"}, "it has the option --weights"),
        ({"seed": 5}, "seed is no setting of its own here; it has the option --seed, or --seeds."),
    ],
)
def test_what_cannot_be_is_a_wrong_call_that_says_why(
    overrides: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        settings_for("alexnet", overrides=overrides)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith((".", "?"))


def test_the_callers_overrides_stay_as_they_were() -> None:
    overrides = {"size": 64, "epochs": 3}
    settings_for("alexnet", overrides=overrides)
    assert overrides == {"size": 64, "epochs": 3}


def test_settings_cannot_be_changed_afterwards() -> None:
    settings, _ = settings_for("alexnet")
    with pytest.raises(ValidationError, match="frozen"):
        settings.epochs = 3  # type: ignore[misc]


def test_pairs_are_parsed_with_hyphens_spaces_and_equals_signs() -> None:
    parsed = parse_overrides(["batch=16", "learning-rate = 1e-3", "weights=a=b"])
    assert parsed == {"batch": "16", "learning_rate": "1e-3", "weights": "a=b"}
    settings, _ = settings_for("alexnet", overrides=parse_overrides(["flips=false", "batch=16"]))
    assert (settings.flips, settings.batch) == (False, 16)


def test_a_pair_without_an_equals_sign_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="--set takes KEY=VALUE, not 'batch'"):
        parse_overrides(["size=64", "batch"])
