"""Training learns, repeats itself exactly, goes on after a cut, and sees no test image."""

import csv
import math
import shutil
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from leukoscope.errors import DataError, LeukoscopeError
from leukoscope.learn import training
from leukoscope.learn.classifier import Classifier, load, normalisation
from leukoscope.learn.devices import fabric_for
from leukoscope.learn.prediction import predict
from leukoscope.learn.training import Epoch, TrainingData, learning_rate, size_of, train
from leukoscope.settings import TrainingSettings

Settings = Callable[..., TrainingSettings]


def without_times(history: list[Epoch]) -> list[tuple[object, ...]]:
    return [astuple(epoch)[:-2] for epoch in history]


def assert_same(one: Classifier, other: Classifier) -> None:
    assert one.config == other.config
    theirs = other.state_dict()
    for key, value in one.state_dict().items():
        assert torch.equal(value, theirs[key]), key


def differ(one: Classifier, other: Classifier) -> bool:
    theirs = other.state_dict()
    return any(not torch.equal(value, theirs[key]) for key, value in one.state_dict().items())


def watch_validation(
    monkeypatch: pytest.MonkeyPatch, losses: tuple[float, ...]
) -> tuple[list[dict[str, torch.Tensor]], list[int]]:
    """The weights and the side of the images at each validation, which then says these losses."""
    weights: list[dict[str, torch.Tensor]] = []
    sides: list[int] = []

    def told(run: training._Run, pixels: torch.Tensor) -> tuple[float, float]:
        weights.append({k: v.clone() for k, v in run.classifier.network.state_dict().items()})
        sides.append(pixels.shape[1])
        return losses[len(weights) - 1], 0.5

    monkeypatch.setattr(training._Run, "_validate", told)
    return weights, sides


def test_tells_red_from_blue(
    red_and_blue: TrainingData, settings: Settings, tmp_path: Path
) -> None:
    larger = red_and_blue.pixels.repeat(2, axis=1).repeat(2, axis=2)
    data = replace(red_and_blue, pixels=larger)
    chosen = settings(network="resnet18", size=64, epochs=3, learning_rate=1e-3)
    classifier, history = train(data, chosen, tmp_path, quiet=True)
    assert history[-1].train_loss < history[0].train_loss / 2
    assert min(history, key=lambda epoch: epoch.validation_loss).validation_accuracy == 1
    unseen = predict(classifier, larger[32:], quiet=True)
    np.testing.assert_array_equal(unseen.argmax(axis=1), data.targets[32:])


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_same_seed_gives_the_same_classifier(
    precision: str, red_and_blue: TrainingData, settings: Settings, tmp_path: Path
) -> None:
    same = settings(network="mobilenet_v3_small", precision=precision)  # it has dropout
    first, history = train(red_and_blue, same, tmp_path / "first", quiet=True)
    again, repeated = train(red_and_blue, same, tmp_path / "again", quiet=True)
    assert without_times(history) == without_times(repeated)
    assert_same(first, again)


def test_another_seed_gives_another_classifier(
    red_and_blue: TrainingData, settings: Settings, tmp_path: Path
) -> None:
    one, _ = train(red_and_blue, settings(epochs=1), tmp_path / "one", quiet=True)
    other, _ = train(red_and_blue, settings(epochs=1, seed=1), tmp_path / "other", quiet=True)
    assert differ(one, other)


def test_images_of_no_split_change_nothing(
    red_and_blue: TrainingData, settings: Settings, tmp_path: Path
) -> None:
    pixels, targets = red_and_blue.pixels.copy(), red_and_blue.targets.copy()
    pixels[32:], targets[32:] = 255 - pixels[32:], 1 - targets[32:]
    changed = replace(red_and_blue, pixels=pixels, targets=targets)
    same = settings(class_weights=True)
    one, history = train(red_and_blue, same, tmp_path / "one", quiet=True)
    other, again = train(changed, same, tmp_path / "other", quiet=True)
    assert without_times(history) == without_times(again)
    assert_same(one, other)


def test_validation_images_change_no_weight(
    red_and_blue: TrainingData, settings: Settings, tmp_path: Path
) -> None:
    pixels = red_and_blue.pixels.copy()
    pixels[24:32] = 255 - pixels[24:32]
    changed = replace(red_and_blue, pixels=pixels)
    one, history = train(red_and_blue, settings(epochs=1), tmp_path / "one", quiet=True)
    other, again = train(changed, settings(epochs=1), tmp_path / "other", quiet=True)
    assert history[0].validation_loss != again[0].validation_loss
    assert_same(one, other)


def test_normalises_by_the_training_images(
    red_and_blue: TrainingData, settings: Settings, tmp_path: Path
) -> None:
    classifier, _ = train(red_and_blue, settings(epochs=1), tmp_path, quiet=True)
    shares = red_and_blue.pixels[:24].reshape(-1, 3) / 255
    np.testing.assert_allclose(classifier.config.mean, shares.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(classifier.config.std, shares.std(axis=0), rtol=1e-9)


def test_weights_of_a_classifier_see_what_they_were_trained_on(
    red_and_blue: TrainingData, settings: Settings, tmp_path: Path
) -> None:
    """Its own channel statistics; weights of any other file see what ImageNet's do."""
    darker = replace(red_and_blue, pixels=red_and_blue.pixels // 2)
    first, _ = train(darker, settings(epochs=1), tmp_path / "first", quiet=True)
    weights = tmp_path / "first" / "classifier" / "model.safetensors"
    config = first.config
    assert normalisation(config.network, str(weights)) == (config.mean, config.std)
    alone = shutil.copy(weights, tmp_path)
    assert normalisation(config.network, str(alone)) == (
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
    )
    tuned = settings(epochs=1, weights=str(weights))
    second, _ = train(red_and_blue, tuned, tmp_path / "second", quiet=True)
    assert (second.config.mean, second.config.std) == (config.mean, config.std)


def test_leaves_a_classifier_and_a_history_and_no_checkpoint(
    red_and_blue: TrainingData, settings: Settings, tmp_path: Path
) -> None:
    classifier, history = train(red_and_blue, settings(), tmp_path, quiet=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classifier", "history.csv"]
    assert_same(load(tmp_path / "classifier"), classifier)
    assert classifier.config.classes == ("red", "blue")
    assert classifier.config.fingerprint == "drawn"
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    assert [float(row["validation_loss"]) for row in rows] == [e.validation_loss for e in history]


def test_validation_figures_are_those_of_the_classifier(
    red_and_blue: TrainingData, settings: Settings, tmp_path: Path
) -> None:
    classifier, history = train(red_and_blue, settings(epochs=3), tmp_path, quiet=True)
    rows = red_and_blue.validation
    probabilities = predict(
        classifier, red_and_blue.pixels[rows], fabric=fabric_for("float32"), quiet=True
    )
    targets = red_and_blue.targets[rows]
    best = min(history, key=lambda epoch: epoch.validation_loss)
    loss = -np.log(probabilities[np.arange(8), targets]).mean()
    assert best.validation_loss == pytest.approx(loss, rel=1e-4)
    assert best.validation_accuracy == (probabilities.argmax(axis=1) == targets).mean()


def test_early_epochs_see_small_images_and_none_of_them_is_the_best(
    red_and_blue: TrainingData,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    larger = replace(red_and_blue, pixels=red_and_blue.pixels.repeat(2, axis=1).repeat(2, axis=2))
    growing = settings(size=64, early_size=32, early_epochs=2, epochs=3)
    weights, sides = watch_validation(monkeypatch, losses=(0.1, 0.2, 0.5))
    classifier, history = train(larger, growing, tmp_path, quiet=True)
    assert sides == [32, 32, 64]
    assert [epoch.size for epoch in history] == [32, 32, 64]
    assert [size_of(growing, number) for number in range(3)] == [32, 32, 64]
    kept = classifier.network.state_dict()
    assert all(torch.equal(value, kept[key]) for key, value in weights[2].items())


def test_the_epoch_with_the_lowest_validation_loss_is_kept(
    red_and_blue: TrainingData,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights, _ = watch_validation(monkeypatch, losses=(0.5, 0.2, 0.4))
    classifier, _ = train(red_and_blue, settings(epochs=3), tmp_path, quiet=True)
    kept = classifier.network.state_dict()
    assert all(torch.equal(value, kept[key]) for key, value in weights[1].items())
    assert not all(torch.equal(value, kept[key]) for key, value in weights[2].items())


@pytest.mark.parametrize(
    "cut", ["history.csv", "checkpoint.pt", "model.safetensors", "config.json"]
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_goes_on_from_a_cut_at_any_file_to_the_same_classifier(
    cut: str,
    after: bool,
    red_and_blue: TrainingData,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Cut(BaseException):
        pass

    same = settings(network="mobilenet_v3_small", epochs=3, early_size=32, early_epochs=1, size=40)
    pixels = np.pad(red_and_blue.pixels, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    data = replace(red_and_blue, pixels=pixels)
    whole, history = train(data, same, tmp_path / "whole", quiet=True)

    written = 0
    rename = Path.replace

    def cut_short(beside: Path, target: Path) -> Path:
        nonlocal written
        mine = target.name == cut and target.is_relative_to(tmp_path / "cut")
        written += mine
        last = mine and written == (1 if cut in ("config.json", "model.safetensors") else 2)
        if last and not after:
            raise Cut
        done = rename(beside, target)
        if last:
            raise Cut
        return done

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut_short)
        with pytest.raises(Cut):
            train(data, same, tmp_path / "cut", quiet=True)
    torch.manual_seed(1234)  # what another process would have
    continued, again = train(data, same, tmp_path / "cut", quiet=True)
    assert without_times(again) == without_times(history)
    assert_same(continued, whole)


def test_goes_on_without_repeating_an_epoch(
    red_and_blue: TrainingData,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Cut(BaseException):
        pass

    epoch, seen = training._Run._train, []

    def counted(run: training._Run, number: int, *rest: object) -> float:
        seen.append(number)
        if seen == [0, 1, 2]:
            raise Cut
        return epoch(run, number, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(training._Run, "_train", counted)
    with pytest.raises(Cut):
        train(red_and_blue, settings(epochs=3), tmp_path, quiet=True)
    train(red_and_blue, settings(epochs=3), tmp_path, quiet=True)
    assert seen == [0, 1, 2, 2]


@pytest.mark.parametrize("other", ["settings", "images", "split"])
def test_a_checkpoint_of_another_training_is_refused(
    other: str,
    red_and_blue: TrainingData,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training._Run, "finish", lambda run: None)
    train(red_and_blue, settings(epochs=1), tmp_path, quiet=True)
    monkeypatch.undo()
    before = (tmp_path / "checkpoint.pt").read_bytes()
    data, chosen = red_and_blue, settings(epochs=1)
    if other == "settings":
        chosen = settings(epochs=1, learning_rate=0.5)
    elif other == "images":
        data = replace(data, fingerprint="others")
    else:
        data = replace(data, train=np.arange(8, 32), validation=np.arange(8))
    with pytest.raises(LeukoscopeError, match=r"checkpoint\.pt belongs to a training with other"):
        train(data, chosen, tmp_path, quiet=True)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_checkpoint_that_does_not_name_its_rows_is_continued(
    red_and_blue: TrainingData,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As those of older trainings, whose split is known by the table beside them."""
    monkeypatch.setattr(training._Run, "finish", lambda run: None)
    train(red_and_blue, settings(epochs=1), tmp_path, quiet=True)
    monkeypatch.undo()
    path = tmp_path / "checkpoint.pt"
    checkpoint = torch.load(path, weights_only=True)
    del checkpoint["rows"]
    torch.save(checkpoint, path)
    before = (tmp_path / "history.csv").read_bytes()
    train(red_and_blue, settings(epochs=1), tmp_path, quiet=True)
    assert (tmp_path / "history.csv").read_bytes() == before


@pytest.mark.parametrize("steps", [3, 1])
def test_a_loss_that_is_not_a_number_stops_with_a_sentence(
    steps: int, red_and_blue: TrainingData, settings: Settings, tmp_path: Path
) -> None:
    """With one step, only the validation can see what it did."""
    wild = settings(network="squeezenet1_1", epochs=1, batch=24 // steps, learning_rate=1e30)
    with pytest.raises(LeukoscopeError, match=r"squeezenet1_1 diverged in epoch 1") as caught:
        train(red_and_blue, wild, tmp_path, quiet=True)
    assert "--set learning_rate=3.3e+29 --out " in str(caught.value)
    assert not (tmp_path / "classifier").exists()
    assert not (tmp_path / "checkpoint.pt").exists()


def test_images_of_one_value_are_refused(
    red_and_blue: TrainingData, settings: Settings, tmp_path: Path
) -> None:
    blank = replace(red_and_blue, pixels=np.full_like(red_and_blue.pixels, 128))
    with pytest.raises(DataError, match="one single value"):
        train(blank, settings(), tmp_path, quiet=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"class_weights": True},
        {"label_smoothing": 0.2},
        {"weight_decay": 0.5},
        {"gradient_clip": 1e-3, "optimizer": "sgd"},
        {"optimizer": "sgd"},
        {"schedule": "cosine"},
        {"flips": False},
        {"normalization": "group"},
        {"dropout": 0.9, "network": "mobilenet_v3_small"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_setting_has_an_effect(
    changes: dict[str, object], red_and_blue: TrainingData, settings: Settings, tmp_path: Path
) -> None:
    uneven = replace(red_and_blue, train=np.array([0, 2, 4, 6, 8, 10, 12, 1, 14, 3, 16, 18]))
    plain = settings(epochs=1, batch=6, network=changes.get("network", "shufflenet_v2_x0_5"))
    if changes.keys() >= {"gradient_clip"}:
        plain = plain.model_copy(update={"optimizer": "sgd"})
    changed = plain.model_copy(update=changes)
    one, _ = train(uneven, plain, tmp_path / "one", quiet=True)
    other, _ = train(uneven, changed, tmp_path / "other", quiet=True)
    assert one.network.state_dict().keys() != other.network.state_dict().keys() or differ(
        one, other
    )


def test_class_weights_make_up_for_a_rare_class(
    red_and_blue: TrainingData,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nine red and three blue images: 12 / (2 · 9) and 12 / (2 · 3)."""
    seen: list[tuple[torch.Tensor, float]] = []
    cross_entropy = torch.nn.functional.cross_entropy

    def watched(*arguments: torch.Tensor, **options: object) -> torch.Tensor:
        if "weight" in options:
            seen.append((options["weight"], options["label_smoothing"]))  # type: ignore[arg-type]
        return cross_entropy(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("leukoscope.learn.training.F.cross_entropy", watched)
    rows = np.array([0, 2, 4, 6, 8, 10, 12, 14, 16, 1, 3, 5])
    uneven = replace(red_and_blue, train=rows)
    weighed = settings(epochs=1, class_weights=True, label_smoothing=0.1)
    train(uneven, weighed, tmp_path, quiet=True)
    weights, smoothing = seen[0]
    torch.testing.assert_close(weights, torch.tensor([12 / 18, 12 / 6]))
    assert smoothing == 0.1


def test_a_cosine_falls_from_the_rate_to_zero(settings: Settings) -> None:
    falling = settings(schedule="cosine", learning_rate=0.2, epochs=4)
    rates = [learning_rate(falling, epoch) for epoch in (0, 1, 2, 3, 4)]
    by_hand = [0.1 * (1 + math.cos(math.pi * quarter / 4)) for quarter in range(5)]
    assert rates == pytest.approx(by_hand)
    assert rates[0] == 0.2


def test_one_cycle_rises_in_a_line_and_falls_to_zero(settings: Settings) -> None:
    cycle = settings(learning_rate=0.2, epochs=20)
    rates = np.array([learning_rate(cycle, epoch) for epoch in np.linspace(0, 20, 2001)])
    peak = int(rates.argmax())
    assert rates[peak] == pytest.approx(0.2, rel=1e-3)
    assert 0 < peak < 2000 * 0.3
    assert 0 < rates[0] < 0.01
    np.testing.assert_allclose(np.diff(rates[peak // 10 : peak], n=2), 0, atol=1e-9)
    assert (np.diff(rates[peak:]) < 0).all()
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_the_rate_follows_the_pixels_seen(settings: Settings) -> None:
    """Three epochs at half the side are three quarters of one at the full side."""
    plain = settings(schedule="cosine", size=64, epochs=4)
    growing = settings(schedule="cosine", size=64, early_size=32, early_epochs=3, epochs=4)
    share = 0.75 / 1.75
    assert learning_rate(growing, 3) == pytest.approx(learning_rate(plain, 4 * share))


def test_the_optimizer_gets_the_rates_of_the_schedule(
    red_and_blue: TrainingData,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates: list[float] = []
    step = torch.optim.SGD.step

    def watched(optimizer: torch.optim.SGD, *rest: object) -> object:
        rates.append(optimizer.param_groups[0]["lr"])
        assert optimizer.param_groups[1]["weight_decay"] == 0
        return step(optimizer, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.optim.SGD, "step", watched)
    chosen = settings(optimizer="sgd", learning_rate=0.02, epochs=2)
    train(red_and_blue, chosen, tmp_path, quiet=True)
    assert rates == pytest.approx([learning_rate(chosen, n / 3) for n in range(6)])
