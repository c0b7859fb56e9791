"""The loop: pixels and settings in, Classifier and history out."""

import math
import time
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from leukoscope.errors import DataError, LeukoscopeError
from leukoscope.files import make_folder, replacing, write_csv
from leukoscope.learn import classifier as classifiers
from leukoscope.learn import networks
from leukoscope.learn.augment import augment, parameters, resize
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.devices import fabric_for
from leukoscope.learn.folder import ClassifierConfig
from leukoscope.progress import Advance, bar
from leukoscope.settings import TrainingSettings

_WARM_UP = 0.15  # of a one-cycle schedule; Smith and Topin 2018 (arXiv 1708.07120) use up to 0.3
_CHECKPOINTS = 0.1  # of the time, at most, where one takes longer than
_SOON = 0.5  # seconds
_LOOK = 10  # steps from one look at the loss to the next


@dataclass(frozen=True, slots=True)
class Epoch:
    """One row of `history.csv`; losses are mean cross-entropies, without smoothing or weights."""

    epoch: int
    size: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float  # of training and validation
    images_per_second: float  # of training alone


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a network may learn from: N×S×S×3 uint8 pixels, their classes, and who plays which part.

    `train` and `validation` are row numbers; rows in neither are never looked at.
    """

    pixels: NDArray[np.uint8]
    targets: NDArray[np.int64]
    classes: tuple[str, ...]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    fingerprint: str = ""


def train(
    data: TrainingData,
    settings: TrainingSettings,
    folder: Path,
    *,
    fabric: Fabric | None = None,
    quiet: bool = False,
) -> tuple[Classifier, list[Epoch]]:
    """The classifier of the epoch with the lowest validation loss, and the history of all epochs.

    `folder` receives `history.csv`, `classifier/`, and meanwhile a checkpoint from which the same
    call goes on if it was cut short, to the same result: after each epoch, or less often where
    epochs are so short that writing it would take a tenth of the time. Random numbers follow from
    seed, epoch and step alone. A loss that is not a number raises `LeukoscopeError`.
    """
    make_folder(folder)
    fabric = fabric or fabric_for(settings.precision)
    run = _Run(data, settings, folder, fabric)
    steps = settings.epochs * run.steps
    with bar(settings.network, steps, quiet=quiet or not fabric.is_global_zero) as advance:
        run.resume()
        advance(len(run.history) * run.steps)
        while len(run.history) < settings.epochs:
            run.epoch(advance)
    return run.finish(), run.history


class _Run:
    """What changes while a network is trained."""

    def __init__(
        self, data: TrainingData, settings: TrainingSettings, folder: Path, fabric: Fabric
    ) -> None:
        self.data, self.settings, self.folder, self.fabric = data, settings, folder, fabric
        self.history: list[Epoch] = []
        self.best_weights: dict[str, Tensor] = {}
        self.kept, self.keeping = 0.0, 0.0  # when the last checkpoint was written; its seconds
        self.batch = min(settings.batch, len(data.train))
        self.steps = len(data.train) // self.batch
        torch.manual_seed(settings.seed)
        network = networks.build(
            settings.network,
            len(data.classes),
            weights=settings.weights,
            trainable=settings.trainable,
            normalization=settings.normalization,
            dropout=settings.dropout,
        )
        if fabric.world_size > 1:
            network = networks.synchronise_batch_norms(network, fabric.device)
        self.pixels = {settings.size: _on_device(data.pixels, fabric.device)}
        mean, std = (
            _channel_statistics(self.pixels[settings.size], torch.from_numpy(data.train))
            if settings.weights == "none"
            else classifiers.normalisation(settings.network, settings.weights)
        )
        config = ClassifierConfig(
            network=settings.network,
            classes=data.classes,
            size=settings.size,
            mean=mean,
            std=std,
            normalization=settings.normalization,
            fingerprint=data.fingerprint,
        )
        self.classifier = Classifier(network, config).to(memory_format=torch.channels_last)
        self.model, self.optimizer = fabric.setup(
            self.classifier, _optimizer(self.classifier, settings)
        )
        self.targets = torch.from_numpy(data.targets).to(fabric.device)
        self.class_weights = torch.ones(len(data.classes), device=fabric.device)
        if settings.class_weights:
            counted = np.bincount(data.targets[data.train], minlength=len(data.classes))
            balanced = len(data.train) / (len(data.classes) * counted)
            self.class_weights = torch.tensor(balanced, dtype=torch.float32, device=fabric.device)

    def epoch(self, advance: Advance) -> None:
        """One more row of the history, and the checkpoint after it."""
        number = len(self.history)
        size = size_of(self.settings, number)
        started = time.perf_counter()
        pixels = self._pixels(size)
        loss = self._train(number, pixels, advance)
        seconds = time.perf_counter() - started
        validation_loss, accuracy = self._validate(pixels)
        self._check_finite(validation_loss)  # the last step may be the one that was too far
        self.history.append(
            Epoch(
                epoch=number + 1,
                size=size,
                train_loss=loss,
                validation_loss=validation_loss,
                validation_accuracy=accuracy,
                seconds=time.perf_counter() - started,
                images_per_second=self.steps * self.batch / seconds,
            )
        )
        if self.fabric.is_global_zero:
            self._keep()
        self.fabric.barrier()

    def _pixels(self, size: int) -> Tensor:
        """All images at this size; one size is kept besides the full one."""
        if size not in self.pixels:
            full = self.pixels[self.settings.size]
            self.pixels[size] = torch.cat([resize(part, size) for part in full.split(256)])
        return self.pixels[size]

    def _train(self, epoch: int, pixels: Tensor, advance: Advance) -> float:
        fabric, settings = self.fabric, self.settings
        generator = torch.Generator().manual_seed(_seed(settings.seed, epoch))
        # Dropout must differ between processes, and be the same after a restart.
        torch.manual_seed(_seed(settings.seed, epoch, fabric.global_rank))
        order = torch.from_numpy(self.data.train)[
            torch.randperm(len(self.data.train), generator=generator)
        ]
        self.model.train()
        total = torch.zeros((), dtype=torch.float64, device=fabric.device)
        tick = time.perf_counter()
        for step in range(self.steps):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(settings, epoch + step / self.steps)
            mine = slice(fabric.global_rank, None, fabric.world_size)
            rows = order[step * self.batch : (step + 1) * self.batch][mine].to(fabric.device)
            changes = parameters(self.batch, settings, generator)[mine]
            logits = self.model(augment(pixels[rows.to(pixels.device)].to(fabric.device), changes))
            total += self._step(logits.float(), self.targets[rows])
            if step % _LOOK == 0 or step == self.steps - 1:  # a look makes the CPU wait for a GPU
                self._check_finite(total.item())
            rate = (step + 1) * self.batch / (time.perf_counter() - tick)
            advance(1, note=f"epoch {epoch + 1} · {pixels.shape[1]} px · {rate:.0f} images/s")
        return self._sum(total.item()) / (self.steps * self.batch)

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise LeukoscopeError(
                f"The training of {self.settings.network} diverged in epoch "
                f"{len(self.history) + 1}: its loss is not a number. Try a lower rate "
                f"in another folder: --set learning_rate={self.settings.learning_rate / 3:.2g} "
                f"--out {self.settings.network}-lower."
            )

    def _step(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The plain cross-entropy of this process's part of the batch, summed; one step made."""
        losses = F.cross_entropy(
            logits,
            targets,
            weight=self.class_weights,
            label_smoothing=self.settings.label_smoothing,
            reduction="none",
        )
        # The mean over the whole batch: Fabric averages gradients over processes.
        self.fabric.backward(losses.sum() * (self.fabric.world_size / self.batch))
        self.fabric.clip_gradients(
            self.model,
            self.optimizer,
            max_norm=self.settings.gradient_clip,
            error_if_nonfinite=False,
        )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return F.cross_entropy(logits.detach(), targets, reduction="sum")

    @torch.no_grad()
    def _validate(self, pixels: Tensor) -> tuple[float, float]:
        """Mean cross-entropy and accuracy over the validation images at this size."""
        self.model.eval()
        fabric = self.fabric
        rows = torch.from_numpy(self.data.validation)[fabric.global_rank :: fabric.world_size]
        loss = correct = 0.0
        for part in rows.split(64):
            logits = self.model(pixels[part.to(pixels.device)].to(fabric.device)).float()
            targets = self.targets[part.to(fabric.device)]
            loss += F.cross_entropy(logits, targets, reduction="sum").item()
            correct += (logits.argmax(dim=1) == targets).sum().item()
        count = len(self.data.validation)
        return self._sum(loss) / count, self._sum(correct) / count

    def _sum(self, value: float) -> float:
        total = self.fabric.all_reduce(torch.tensor(value, dtype=torch.float64), reduce_op="sum")
        assert isinstance(total, Tensor)
        return total.item()

    def best(self) -> Epoch:
        """The epoch with the lowest validation loss among those that saw images of full size."""
        full = [epoch for epoch in self.history if epoch.size == self.settings.size]
        return min(full, key=lambda epoch: epoch.validation_loss)

    def _last_is_best(self) -> bool:
        """Whether the last epoch is the one to be kept so far."""
        return self.history[-1].size == self.settings.size and self.best() is self.history[-1]

    def _keep(self) -> None:
        """The history, and the checkpoint from which `resume` goes on: all that it needs is in one
        file. A kill between two of them costs the epochs since, repeated to the same result."""
        state = self.classifier.network.state_dict()
        if self._last_is_best():
            self.best_weights = {name: tensor.clone() for name, tensor in state.items()}
        write_csv(
            self.folder / "history.csv",
            [field.name for field in fields(Epoch)],
            map(astuple, self.history),
        )
        started = time.perf_counter()
        if self.keeping > max(_SOON, _CHECKPOINTS * (started - self.kept)):
            return
        checkpoint = {
            "settings": self.settings.model_dump_json(),
            "fingerprint": self.data.fingerprint,
            "rows": self._rows(),
            "history": [astuple(epoch) for epoch in self.history],
            "network": state,
            "best": {} if self._last_is_best() else self.best_weights,  # {}: the network's own
            "optimizer": self.optimizer.state_dict(),
        }
        with replacing(self.folder / "checkpoint.pt") as beside, beside.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:
                # On a full disk torch complains of its own bookkeeping; the reason is underneath.
                raise (error.__context__ or error) from None
        self.kept = time.perf_counter()
        self.keeping = self.kept - started

    def resume(self) -> None:
        """Nothing; the run stands where its checkpoint, if there is one, left it."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if (
            checkpoint["settings"] != self.settings.model_dump_json()
            or checkpoint["fingerprint"] != self.data.fingerprint
            or checkpoint.get("rows", self._rows()) != self._rows()  # older ones have none
        ):
            raise LeukoscopeError(
                f"{path} belongs to a training with other settings, images or split; "
                f"choose another folder, or delete it."
            )
        self.classifier.network.load_state_dict(checkpoint["network"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.history = [Epoch(*values) for values in checkpoint["history"]]
        self.best_weights = checkpoint["network" if self._last_is_best() else "best"]

    def _rows(self) -> list[list[int]]:
        """Who trains, and who validates."""
        return [self.data.train.tolist(), self.data.validation.tolist()]

    def finish(self) -> Classifier:
        """The best epoch's classifier, saved; the checkpoint is no longer needed."""
        folder = self.folder / "classifier"
        if self.fabric.is_global_zero:
            self.classifier.network.load_state_dict(self.best_weights)
            self.classifier.save(folder)
            (self.folder / "checkpoint.pt").unlink()
        self.fabric.barrier()
        return classifiers.load(folder)


def size_of(settings: TrainingSettings, epoch: int) -> int:
    """The side in pixels of the images in this epoch, counted from 0."""
    if settings.early_size is not None and epoch < settings.early_epochs:
        return settings.early_size
    return settings.size


def learning_rate(settings: TrainingSettings, epoch: float) -> float:
    """The rate at this time, in epochs: up in a line (one-cycle only), then down along a cosine.

    Progress is counted in pixels seen, not in steps: otherwise the few epochs at full size would
    come when the rate is almost zero, and the network could not get used to it.
    """
    pixels = np.array([size_of(settings, number) ** 2 for number in range(settings.epochs)])
    seen = np.interp(epoch, range(settings.epochs + 1), np.concatenate(([0], pixels.cumsum())))
    share = float(seen / pixels.sum())
    warm_up = _WARM_UP if settings.schedule == "one-cycle" else 0.0
    if share < warm_up:
        return settings.learning_rate * max(share / warm_up, 0.01)
    falling = (share - warm_up) / (1 - warm_up)
    return settings.learning_rate * (1 + math.cos(math.pi * falling)) / 2


def _seed(*numbers: int) -> int:
    """A seed that follows from these numbers alone."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def _optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    trained = [p for p in model.parameters() if p.requires_grad]
    # Biases and normalisation scales are not decayed (He et al. 2018, arXiv 1812.01187).
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim > 1]},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate, weight_decay=decay, fused=True)
    return torch.optim.SGD(
        groups, lr=rate, momentum=0.9, nesterov=True, weight_decay=decay, fused=True
    )


def _channel_statistics(
    pixels: Tensor, rows: Tensor
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of these images, scaled to 0–1.

    Counted, and so the same on every device.
    """
    counts = torch.zeros(3, 256, dtype=torch.int64)
    for part in rows.split(64):
        images = pixels[part.to(pixels.device)]
        for channel, counted in enumerate(counts):
            counted += torch.bincount(images[..., channel].flatten(), minlength=256).cpu()
    values = np.arange(256) / 255
    means = [float(np.average(values, weights=counted)) for counted in counts.numpy()]
    spreads = [
        float(np.sqrt(np.average((values - mean) ** 2, weights=counted)))
        for mean, counted in zip(means, counts.numpy(), strict=True)
    ]
    if min(spreads) == 0:
        raise DataError("The training images have a channel of one single value: nothing to learn.")
    return tuple(means), tuple(spreads)


def _on_device(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """The pixels on the device where half of its free memory holds them, else where they are."""
    if device.type == "cuda" and pixels.nbytes < torch.cuda.mem_get_info(device)[0] / 2:
        return torch.from_numpy(np.asarray(pixels)).to(device)
    return torch.from_numpy(np.asarray(pixels))
