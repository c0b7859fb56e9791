"""What every test shares: the CPU, a pixel cache of its own, and no deadline."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch looks; learn/test_gpu.py gives it back

settings.register_profile("unhurried", deadline=None)  # no test waits on the clock
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def pixel_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of decoded pixels, which is not there yet; the user's own is never touched."""
    folder = tmp_path_factory.mktemp("cache") / "leukoscope"
    monkeypatch.setenv("LEUKOSCOPE_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """On images this small a second thread costs more than it gives."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
