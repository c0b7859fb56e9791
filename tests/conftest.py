"""What every test shares: a pixel cache of its own, and no deadline."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # no test waits on the clock
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def pixel_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of decoded pixels, which is not there yet; the user's own is never touched."""
    folder = tmp_path_factory.mktemp("cache") / "leukoscope"
    monkeypatch.setenv("LEUKOSCOPE_CACHE", str(folder))
    return folder
