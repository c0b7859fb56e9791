"""Temperature: which way of fitting it does best on images that it was not fitted to?

    python benchmarks/temperature.py RUN [MORE…]

Takes every `validation.csv` below the folders of runs, which holds what a network said of its
validation images before it was calibrated; baselines are left out. In each, five times over, a
temperature is fitted to four fifths of the images and judged by the log loss of the others. Test
images play no part. Printed, as Markdown: the mean of that loss over the trainings of each run,
without a temperature, with the one of least loss, with Platt's targets, and with the expectation
of `fit_temperature` that 1 / T is about 1, for several widths.
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from leukoscope.data.predictions import read_predictions
from leukoscope.evaluate import calibration
from leukoscope.evaluate.calibration import apply_temperature, fit_temperature
from leukoscope.evaluate.scores import log_loss
from leukoscope.files import read_json
from leukoscope.results import BASELINES

Rows = NDArray[np.int64]
Fit = Callable[[Rows, NDArray[np.float64]], float]
FOLDS = 5


def expected_within(width: float) -> Fit:
    def fit(labels: Rows, probabilities: NDArray[np.float64]) -> float:
        with patch.object(calibration, "_EXPECTED", width):
            return fit_temperature(labels, probabilities)

    return fit


def platt(labels: Rows, probabilities: NDArray[np.float64]) -> float:
    """As if one more image of each kind had been seen (Platt 1999)."""
    n, k = probabilities.shape
    targets = (np.eye(k)[labels] * n + 1) / (n + k)

    def loss(log_temperature: float) -> float:
        stated = apply_temperature(probabilities, math.exp(log_temperature))
        return float(-(targets * np.log(np.maximum(stated, 1e-300))).sum())

    return math.exp(minimize_scalar(loss, bounds=(-4.6, 4.6), method="bounded").x)


FITS: dict[str, Fit] = {
    "none": lambda labels, probabilities: 1.0,
    "least loss": expected_within(1e6),
    "Platt's targets": platt,
    **{f"± {width}": expected_within(width) for width in (0.1, 0.15, 0.25, 0.5, 1.0)},
}


def judged(table: Path) -> list[float]:
    """The held-out loss of each way, on the validation images of one training."""
    said = read_predictions(table)
    parts = np.array_split(np.random.default_rng(0).permutation(len(said.paths)), FOLDS)
    losses = []
    for fit in FITS.values():
        total = 0.0
        for held in parts:
            rest = np.setdiff1d(np.arange(len(said.paths)), held)
            temperature = fit(said.targets[rest], said.probabilities[rest])
            stated = apply_temperature(said.probabilities[held], temperature)
            total += len(held) * log_loss(said.targets[held], stated).value
        losses.append(total / len(said.paths))
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    given = parser.parse_args()
    print(f"| run | trainings | {' | '.join(FITS)} |")
    print("|---" * (len(FITS) + 2) + "|")
    for run in given.runs:
        tables = [
            table
            for table in sorted(run.rglob("validation.csv"))
            if read_json(table.parent / "settings.json")["network"] not in BASELINES
        ]
        losses = np.mean([judged(table) for table in tables], axis=0)
        print(f"| {run.name} | {len(tables)} | {' | '.join(f'{one:.4f}' for one in losses)} |")


if __name__ == "__main__":
    main()
