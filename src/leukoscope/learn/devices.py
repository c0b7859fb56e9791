"""Where the tensors are and how precise: one Fabric for CPU, GPU, and several processes."""

import ctypes
import logging
import os
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from leukoscope.errors import UsageError
from leukoscope.learn import processor

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True, slots=True)
class Inference:
    """What of a Fabric a classifier needs to answer: one device, and how precise.

    Importing Lightning Fabric takes as long as importing torch; a service is up without it.
    """

    device: torch.device
    bf16: bool
    world_size: int = 1

    def autocast(self) -> AbstractContextManager[object]:
        """The context that a Fabric of the same precision gives."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def inference_device(precision: str = "auto", device: str = "auto") -> Inference:
    """The device that `fabric_for` would choose for one process."""
    cuda = _takes_cuda(device)
    if cuda:
        keep_float32_whole()
    else:
        keep_freed_memory()
    return Inference(torch.device("cuda" if cuda else "cpu"), uses_bf16(precision, cuda=cuda))


def fabric_for(precision: str = "auto", device: str = "auto") -> "Fabric":
    """A launched Fabric: one device, or under torchrun one per process of this node.

    The device is `cpu`, `cuda`, or what is there; `UsageError` for a GPU that is not.
    """
    from lightning_fabric import Fabric

    cuda = _takes_cuda(device)
    if cuda:
        keep_float32_whole()
    else:
        keep_freed_memory()
    # Fabric announces its precision; the record of the run says it better.
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    fabric = Fabric(
        accelerator="cuda" if cuda else "cpu",
        devices=int(os.environ.get("LOCAL_WORLD_SIZE", 1)),
        num_nodes=int(os.environ.get("GROUP_WORLD_SIZE", 1)),
        strategy="ddp" if int(os.environ.get("WORLD_SIZE", 1)) > 1 else "auto",
        precision="bf16-mixed" if uses_bf16(precision, cuda=cuda) else "32-true",
    )
    fabric.launch()
    return fabric


def _takes_cuda(device: str) -> bool:
    cuda = device != "cpu" and torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise UsageError("There is no CUDA device here that PyTorch could use; try --device cpu.")
    return cuda


def keep_freed_memory() -> None:
    """Nothing; memory that is freed stays with this process, ready for the next step.

    glibc gives large blocks back to the system when they are freed, and the system clears each
    page when it is asked for again, which can take as long as computing with it.
    """
    if not sys.platform.startswith("linux"):
        return
    trim_threshold, mmap_max = -1, -4  # from malloc.h
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)


def keep_float32_whole() -> None:
    """Nothing; float32 means float32 on a GPU, too.

    By default cuDNN rounds what it convolves to TF32, three digits, and a probability differs from
    that of a CPU in the third one. Where speed is wanted, bfloat16 is used anyway.
    """
    torch.backends.cudnn.allow_tf32 = False


def uses_bf16(precision: str, *, cuda: bool | None = None) -> bool:
    """Whether this setting means bfloat16 on this machine, or on its CPU or GPU."""
    return precision == "bf16" or (precision == "auto" and has_bf16(cuda=cuda))


def has_bf16(*, cuda: bool | None = None) -> bool:
    """Whether this machine multiplies bfloat16 in hardware; elsewhere it would be slower."""
    if torch.cuda.is_available() if cuda is None else cuda:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return processor.has_bf16()


def describe(fabric: "Fabric | Inference", precision: str) -> str:
    """The device in words, for the record."""
    cuda = fabric.device.type == "cuda"
    if cuda:
        name = torch.cuda.get_device_name(fabric.device)
    else:
        name = f"{processor.name()}, {torch.get_num_threads()} threads"
    processes = f", {fabric.world_size} processes" if fabric.world_size > 1 else ""
    number = "bf16" if uses_bf16(precision, cuda=cuda) else "float32"
    return f"{fabric.device.type}: {name}{processes}, {number}"
