"""Work goes to all cores, and what comes back does not depend on where it was done."""

import os
from pathlib import Path

import cv2
import joblib
import numpy as np
import pytest

from leukoscope.audit.cores import MANY, each_in_processes
from leukoscope.errors import DataError


def test_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "pixels.npy", rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8))
    pixels = np.load(tmp_path / "pixels.npy", mmap_mode="c")
    added = 3

    def work(image: np.ndarray) -> tuple[int, int, int]:
        return int(image.sum()) + added, cv2.getNumThreads(), os.getpid()

    before = cv2.getNumThreads()
    few = each_in_processes(work, pixels, "adding", count=len(pixels), quiet=True)
    many = each_in_processes(work, pixels, "adding", count=MANY, quiet=True)
    assert [one[:2] for one in few] == [one[:2] for one in many]
    assert few == [(int(image.sum()) + added, 1, os.getpid()) for image in pixels]
    assert cv2.getNumThreads() == before
    if joblib.cpu_count() > 1:
        assert os.getpid() not in {process for _, _, process in many}


@pytest.mark.parametrize("count", [1, MANY])
def test_errors_arrive_as_they_are(count: int) -> None:
    def work(number: int) -> None:
        raise DataError(f"{number} is wrong.")

    with pytest.raises(DataError, match=r"\d is wrong\."):
        each_in_processes(work, [1, 2, 3], "failing", count=count, quiet=True)
