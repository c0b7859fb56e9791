"""What do the validation images add: a threshold, a temperature, the right to say "I don't know"?

`validation.csv` holds what a network said of its validation images before it was calibrated, and
`predictions.csv` what it says of the test images after. All else follows from these two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leukoscope.data.predictions import Predictions, read_predictions
from leukoscope.evaluate import (
    abstention,
    calibration,
    exchangeability,
    figures,
    inputs,
    resampling,
    scores,
)
from leukoscope.evaluate.abstention import COVERAGE, Coverage
from leukoscope.evaluate.calibration import Bin, apply_temperature, fit_temperature
from leukoscope.evaluate.exchangeability import Exchangeability
from leukoscope.evaluate.inputs import Labels
from leukoscope.evaluate.intervals import Measured, of_share
from leukoscope.evaluate.operating import SENSITIVITY, threshold
from leukoscope.evaluate.resampling import Resamples
from leukoscope.files import read_json

Floats = NDArray[np.float64]
BINS = 10  # of a reliability diagram: the 15 of the ECE are too many to look at
PREVALENCES = (0.01, 0.1, 0.5)


@dataclass(frozen=True, slots=True)
class Part:
    """One training of a network (a fold, or all there is), its probabilities before and after."""

    temperature: float | None  # None: it was not calibrated
    validation: Predictions
    before: Floats  # of the validation images
    test: Predictions

    @property
    def after(self) -> Floats:
        """The calibrated probabilities of the validation images."""
        return _warmed(self.before, self.temperature)

    @property
    def raw(self) -> Floats:
        """The test probabilities as they were before calibration."""
        back = None if self.temperature is None else 1 / self.temperature
        return _warmed(self.test.probabilities, back)


@dataclass(frozen=True, slots=True)
class Point:
    """The test images at the threshold that the validation images chose; of folds, each at its
    own."""

    demanded: float
    thresholds: tuple[float, ...]
    positives: tuple[int, ...]  # validation images of each fold
    sensitivity: Measured
    specificity: Measured
    neighbours: tuple[float, float]  # specificity at the next lower and higher positive score
    at_prevalence: tuple[tuple[float, str, Measured, Measured], ...]  # share, which, PPV, NPV


@dataclass(frozen=True, slots=True)
class Calibration:
    """Certainty against accuracy, before and after the temperature."""

    temperatures: tuple[float, ...]  # empty: not calibrated
    ece_before: Measured
    loss_before: Measured
    bins_before: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Sets:
    """How the prediction sets turned out on the test images."""

    demanded: float
    coverages: tuple[Coverage, ...]  # of all, then of each class
    expected: dict[str, tuple[float, float]]  # of each class
    untold: dict[str, int]  # of all and each class: images that no threshold could leave out
    told: dict[str, Measured]  # the coverage of the others, where `untold` is not 0
    by_group: tuple[Coverage, ...]
    risk_of_answers: Measured  # the share of errors among sets of one class
    like_calibration: Exchangeability
    like_each_other: Exchangeability | None  # None: no groups are known


@dataclass(frozen=True, slots=True)
class Validated:
    """What follows from the validation images of one training."""

    point: Point | None  # None where there is no negative class, or no positive validation image
    calibration: Calibration
    sets: Sets
    folds: int  # each with validation images of its own; 1: no folds


def validate(
    folder: Path,
    *,
    baseline: bool,
    groups: dict[str, str] | None,
    parts_of: dict[str, str] | None = None,
    prevalence: float | None = None,
    sensitivity: float = SENSITIVITY,
    coverage: float = COVERAGE,
) -> Validated | None:
    """What the validation images of a training or of its folds add; None where they were not kept.

    `groups` has the group of each test path where the intervals keep images together, `parts_of`
    the one whose coverage is looked at. Baselines are not calibrated.
    """
    parts = _parts(folder, baseline)
    if not parts:
        return None
    labels = np.concatenate([part.test.targets for part in parts])
    probabilities = np.concatenate([part.test.probabilities for part in parts])
    paths = [path for part in parts for path in part.test.paths]
    named = None if groups is None else [groups[path] for path in paths]
    drawn = resampling.resample(resampling.units(labels, probabilities, named))
    return Validated(
        point=_point(parts, drawn, sensitivity, prevalence),
        calibration=_calibration(parts, labels, drawn),
        sets=_sets(
            parts,
            labels,
            probabilities,
            None if parts_of is None else [parts_of[path] for path in paths],
            drawn,
            coverage,
        ),
        folds=len(parts),
    )


def _parts(folder: Path, baseline: bool) -> list[Part]:
    folds = sorted(path for path in folder.glob("fold*") if path.is_dir()) or [folder]
    needed = [fold / name for fold in folds for name in ("validation.csv", "predictions.csv")]
    if not all(path.exists() for path in needed):
        return []
    return [_part(fold, baseline) for fold in folds]


def _part(folder: Path, baseline: bool) -> Part:
    validation = read_predictions(folder / "validation.csv")
    temperature = None
    if not baseline:
        temperature = fit_temperature(validation.targets, validation.probabilities)
        written = folder / "metrics.json"
        if written.exists():
            temperature = float(read_json(written).get("temperature", temperature))
    test = read_predictions(folder / "predictions.csv")
    return Part(temperature, validation, validation.probabilities, test)


def _warmed(probabilities: Floats, temperature: float | None) -> Floats:
    return probabilities if temperature is None else apply_temperature(probabilities, temperature)


def _point(
    parts: Sequence[Part], drawn: Resamples, sensitivity: float, prevalence: float | None
) -> Point | None:
    thresholds, truths, calls, positives = [], [], [], []
    lower, higher = [], []
    for part in parts:
        classes = part.test.classes
        negative = classes[0] if len(classes) == 2 else "Benign"
        if negative not in classes:
            return None
        known, given, _ = inputs.binary(part.validation.targets, part.after, classes, negative)
        truth, asked, _ = inputs.binary(
            part.test.targets, part.test.probabilities, classes, negative
        )
        if not known.any():
            return None
        thresholds.append(threshold(known, given, sensitivity))
        truths.append(truth)
        calls.append((asked[:, 1] >= thresholds[-1]).astype(np.int64))
        positives.append(int(known.sum()))
        below, above = _neighbours(given[known == 1, 1], thresholds[-1])
        lower.append(asked[truth == 0, 1] < below)
        higher.append(asked[truth == 0, 1] < above)
    labels, called = np.concatenate(truths), np.concatenate(calls)
    own = figures.measure(labels, called, ("-", "+"), drawn)
    rows = [(float(labels.mean()), "of the test images", own["precision:+"], own["npv:+"])]
    stated = PREVALENCES if prevalence is None else (prevalence,)
    for share in stated:
        found = figures.measure(labels, called, ("-", "+"), drawn, prevalence=share)
        rows.append((share, "stated", found["ppv"], found["npv"]))
    return Point(
        demanded=sensitivity,
        thresholds=tuple(thresholds),
        positives=tuple(positives),
        sensitivity=own["recall:+"],
        specificity=own["specificity:+"],
        neighbours=(_share(lower), _share(higher)),
        at_prevalence=tuple(rows),
    )


def _neighbours(positive: Floats, chosen: float) -> tuple[float, float]:
    """The next lower and the next higher score than the chosen one; itself where there is none."""
    lower, higher = positive[positive < chosen], positive[positive > chosen]
    return (
        float(lower.max()) if len(lower) else chosen,
        float(higher.min()) if len(higher) else chosen,
    )


def _share(called: Sequence[NDArray[np.bool_]]) -> float:
    together = np.concatenate(called)
    return float(together.mean()) if len(together) else 0.0


def _calibration(parts: Sequence[Part], labels: Labels, drawn: Resamples) -> Calibration:
    raw = np.concatenate([part.raw for part in parts])
    known = [part.temperature for part in parts if part.temperature is not None]
    return Calibration(
        temperatures=tuple(known),
        ece_before=calibration.measure(labels, raw, drawn)["ece"],
        loss_before=scores.measure(labels, raw, parts[0].test.classes, drawn.units)["loss"],
        bins_before=calibration.reliability(labels, raw, drawn, bins=BINS, equal_mass=True),
    )


def _sets(
    parts: Sequence[Part],
    labels: Labels,
    probabilities: Floats,
    groups: Sequence[str] | None,
    drawn: Resamples,
    coverage: float,
) -> Sets:
    names = parts[0].test.classes
    sets = np.concatenate(
        [
            abstention.prediction_sets(
                part.test.probabilities,
                abstention.class_thresholds(part.validation.targets, part.after, coverage),
            )
            for part in parts
        ]
    )
    single = sets.sum(axis=1) == 1
    wrong = sets.argmax(axis=1) != labels
    risk = Measured(None)
    if single.any():
        risk = Measured(float(wrong[single].mean()), of_share(drawn, wrong, single))
    counts = _counts(parts, names)
    can_be_left_out = np.concatenate([_can_be_left_out(part, coverage) for part in parts])
    return Sets(
        demanded=coverage,
        coverages=abstention.coverages(labels, sets, names, drawn),
        expected={
            name: abstention.expected_coverage_of_folds(each, coverage)
            for name, each in counts.items()
        },
        untold=_untold(labels, ~can_be_left_out, names),
        told=_told(labels, sets, can_be_left_out, names, drawn),
        by_group=() if groups is None else abstention.coverages_by_group(labels, sets, groups),
        risk_of_answers=risk,
        like_calibration=exchangeability.between_sets_of_folds(
            [
                (
                    (part.validation.targets, part.after),
                    (part.test.targets, part.test.probabilities),
                )
                for part in parts
            ],
            names,
        ),
        like_each_other=None
        if groups is None
        else exchangeability.between_groups(labels, probabilities, groups),
    )


def _counts(parts: Sequence[Part], names: Sequence[str]) -> dict[str, list[tuple[int, int]]]:
    """Of each class with test images, how many each fold has for validation and test."""
    found = {
        name: [
            (int((part.validation.targets == index).sum()), int((part.test.targets == index).sum()))
            for part in parts
        ]
        for index, name in enumerate(names)
    }
    return {name: each for name, each in found.items() if any(tested for _, tested in each)}


def _can_be_left_out(part: Part, coverage: float) -> NDArray[np.bool_]:
    """Of each test image whether its class can be absent from a set: not where it has too few
    validation images."""
    known = np.bincount(part.validation.targets, minlength=len(part.test.classes))
    able = np.array([abstention.rules_out(int(n), coverage) for n in known])
    return able[part.test.targets]


def _untold(
    labels: Labels, covered_anyhow: NDArray[np.bool_], names: Sequence[str]
) -> dict[str, int]:
    found = {
        name: int(covered_anyhow[labels == index].sum())
        for index, name in enumerate(names)
        if (labels == index).any()
    }
    return {"all": int(covered_anyhow.sum())} | found


def _told(
    labels: Labels,
    sets: NDArray[np.bool_],
    among: NDArray[np.bool_],
    names: Sequence[str],
    drawn: Resamples,
) -> dict[str, Measured]:
    """The coverage of images whose class can be left out, of all and each class with others."""
    inside = sets[np.arange(len(labels)), labels]
    parts = {"all": np.ones(len(labels), bool)}
    parts |= {name: labels == index for index, name in enumerate(names)}
    return {
        name: Measured(float(inside[these & among].mean()), of_share(drawn, inside, these & among))
        if (these & among).any()
        else Measured(None)
        for name, these in parts.items()
        if (these & ~among).any()
    }
