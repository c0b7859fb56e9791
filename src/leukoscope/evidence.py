"""What predictions say of a classifier: every figure, its calibration, when it should abstain.

One JSON object, the content of `metrics.json`. Whatever is chosen (a temperature, a threshold,
prediction sets) is chosen on validation images and judged on test images.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukoscope.data.predictions import Predictions
from leukoscope.errors import UsageError
from leukoscope.evaluate import (
    abstention,
    calibration,
    comparisons,
    exchangeability,
    groups,
    operating,
    resampling,
    scores,
)
from leukoscope.evaluate.inputs import binary
from leukoscope.evaluate.intervals import Measured
from leukoscope.evaluate.metrics import Metrics, as_json, evaluate, within_folds
from leukoscope.evaluate.resampling import Resamples

_COVERAGES = (1.0, 0.99, 0.95, 0.9, 0.8, 0.7, 0.5)  # of the risk–coverage table


@dataclass(frozen=True, slots=True)
class Options:
    """What can be demanded of an evaluation."""

    negative: str | None = None  # the first of two classes, or Benign, by default
    prevalence: float | None = None  # of the positive class, where the classifier is to be used
    sensitivity: float = operating.SENSITIVITY
    coverage: float = abstention.COVERAGE

    def __post_init__(self) -> None:
        for name in ("prevalence", "sensitivity", "coverage"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise UsageError(f"--{name} must lie between 0 and 1, not {value:g}.")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures, the content of `metrics.json`, and what a reader has to know first."""

    metrics: Metrics
    evidence: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def judge(
    test: Predictions,
    validation: Predictions | None = None,
    *,
    compared: dict[str, Predictions] | None = None,
    options: Options | None = None,
) -> Evaluation:
    """All figures of test predictions, each with its interval.

    The intervals draw whole groups anew where rows have one; a row without one is a group by
    itself then. `validation` has the same classes in the same order, `compared` the same rows.
    """
    options = options or Options()
    notes = []
    names = group_names(test)
    if names is not None and (lone := sum(not name for name in test.groups)):
        notes.append(f"{lone} rows have no group; each is taken as a group of its own.")
    metrics = evaluate(
        test.targets,
        test.probabilities,
        classes=test.classes,
        groups=names,
        folds=test.folds,
        negative=options.negative,
        prevalence=options.prevalence,
    )
    if metrics.folds is not None:
        notes.append(within_folds(metrics))
    drawn = resampling.resample(resampling.units(test.targets, test.probabilities, names))
    evidence = metrics.as_dict()
    evidence["per_group"] = None if names is None else _per_group(test, names)
    evidence["calibration"] = _calibration(test, validation, names, drawn)
    evidence["abstention"] = _abstention(test, validation, names, drawn, options)
    evidence["operating_point"] = _operating_point(test, validation, drawn, metrics, options)
    evidence["comparisons"] = _comparisons(test, compared or {}, names)
    if validation is None:
        notes.append(
            "Without predictions of validation images (--validation) there is no temperature, no "
            "threshold for a demanded sensitivity and no prediction set: chosen on the test "
            "images they would flatter."
        )
    elif metrics.binary is not None and evidence["operating_point"] is None:
        notes.append("There is no positive validation image to choose a threshold by.")
    return Evaluation(metrics, evidence, notes)


def group_names(test: Predictions) -> list[str] | None:
    """The group of each row, or None where no row has one; a row without is one by itself."""
    if not any(test.groups):
        return None
    return [group or path for group, path in zip(test.groups, test.paths, strict=True)]


def _per_group(test: Predictions, names: Sequence[str]) -> dict[str, Any]:
    found = groups.by_group(test.targets, test.probabilities, names)
    large = [one for one in found if one.n >= groups.SMALLEST]
    worst = groups.worst(found)
    return {
        "groups": len(found),
        "smallest_shown": groups.SMALLEST,
        "worst": None if worst is None else _group(worst),
        "each": [_group(one) for one in large],
    }


def _group(one: groups.GroupFigures) -> dict[str, Any]:
    accuracy = as_json(Measured(one.accuracy, one.interval))
    rest = {"loss": one.loss, "brier": one.brier, "recall": one.recall, "of_class": one.of_class}
    return {"name": one.name, "n": one.n, "accuracy": accuracy, **rest}


def _calibration(
    test: Predictions,
    validation: Predictions | None,
    names: Sequence[str] | None,
    drawn: Resamples,
) -> dict[str, Any]:
    labels, probabilities = test.targets, test.probabilities
    found: dict[str, Any] = {
        name: [
            asdict(one)
            for one in calibration.reliability(labels, probabilities, drawn, equal_mass=mass)
        ]
        for name, mass in (("bins", False), ("bins_equal_mass", True))
    }
    each = () if names is None else calibration.by_group(labels, probabilities, names)
    found["groups"] = None
    if each:
        errors = [one.ece for one in each]
        found["groups"] = {
            "groups": len(each),
            "smallest": calibration.SMALLEST_GROUP,
            "lowest": min(errors),
            "median": float(np.median(errors)),
            "highest": max(errors),
            "worst": asdict(each[0]),
        }
    found["temperature"] = None
    if validation is not None:
        temperature = calibration.fit_temperature(validation.targets, validation.probabilities)
        scaled = calibration.apply_temperature(probabilities, temperature)
        measured = scores.measure(labels, scaled, test.classes, drawn.units)
        measured |= calibration.measure(labels, scaled, drawn)
        after = {key: as_json(measured[key]) for key in ("loss", "brier", "ece", "ece_equal_mass")}
        found["temperature"] = {"value": temperature, "after": after}
    return found


def _abstention(
    test: Predictions,
    validation: Predictions | None,
    names: Sequence[str] | None,
    drawn: Resamples,
    options: Options,
) -> dict[str, Any]:
    curve = abstention.risk_coverage(test.targets, test.probabilities)
    reached = [int(np.searchsorted(curve.coverage, share - 1e-12)) for share in _COVERAGES]
    points = [
        {
            "coverage": float(curve.coverage[place]),
            "risk": float(curve.risk[place]),
            "certainty": float(curve.certainty[place]),
        }
        for place in reached
    ]
    sets = None
    if validation is not None:
        sets = _sets(test, validation, names, drawn, options.coverage)
    return {"risk_coverage": points, "sets": sets}


def _sets(
    test: Predictions,
    validation: Predictions,
    names: Sequence[str] | None,
    drawn: Resamples,
    demanded: float,
) -> dict[str, Any]:
    labels, probabilities = test.targets, test.probabilities
    before = validation.targets
    thresholds = abstention.class_thresholds(before, validation.probabilities, demanded)
    sets = abstention.prediction_sets(probabilities, thresholds)
    classes = [_coverage(one) for one in abstention.coverages(labels, sets, test.classes, drawn)]
    index = {name: number for number, name in enumerate(test.classes)}
    for one in classes[1:]:
        number = index[one["name"]]
        one["threshold"] = float(thresholds[number])
        one["n_calibration"] = int((before == number).sum())
        low, high = abstention.expected_coverage(one["n_calibration"], one["n"], demanded)
        one["expected"] = {"low": low, "high": high}
    found: dict[str, Any] = {
        "demanded": demanded,
        "classes": classes,
        "calibration_and_test": asdict(
            exchangeability.between_sets(
                (before, validation.probabilities), (labels, probabilities), test.classes
            )
        ),
        "groups": None,
    }
    if names is not None:
        each = abstention.coverages_by_group(labels, sets, names)
        found["groups"] = {
            "smallest": abstention.SMALLEST_GROUP,
            "each": [_coverage(one) for one in each],
            "alike": asdict(exchangeability.between_groups(labels, probabilities, names)),
        }
    return found


def _coverage(one: abstention.Coverage) -> dict[str, Any]:
    measured = as_json(Measured(one.coverage, one.interval))
    rest = {"size": one.size, "single": one.single, "empty": one.empty}
    return {"name": one.name, "n": one.n, "coverage": measured, **rest}


def _operating_point(
    test: Predictions,
    validation: Predictions | None,
    drawn: Resamples,
    metrics: Metrics,
    options: Options,
) -> dict[str, Any] | None:
    if validation is None or metrics.binary is None:
        return None

    def pair(one: Predictions) -> tuple[NDArray[Any], NDArray[Any]]:
        assert metrics.binary is not None
        return binary(one.targets, one.probabilities, one.classes, metrics.binary.negative)[:2]

    if not pair(validation)[0].any():
        return None
    found = operating.operate(
        pair(validation),
        pair(test),
        drawn,
        sensitivity=options.sensitivity,
        prevalence=options.prevalence,
    )
    return {
        "positive": metrics.binary.positive,
        "demanded_sensitivity": found.demanded,
        "threshold": found.threshold,
        "n_validation": found.n_validation,
        "validation": found.validation,
        "test": {name: as_json(one) for name, one in found.test.items()},
    }


def _within_both(first: Predictions, second: Predictions) -> list[str] | None:
    """Of each row which pair of networks scored it; None where neither file names folds."""
    known = [one.folds for one in (first, second) if one.folds is not None]
    return ["/".join(names) for names in zip(*known, strict=True)] if known else None


def _comparisons(
    test: Predictions, compared: dict[str, Predictions], names: Sequence[str] | None
) -> list[dict[str, Any]]:
    """One entry per network and figure; p-values of a figure are adjusted over the networks."""
    found = [
        {
            "other": name,
            "figure": one.figure,
            "first": one.first,
            "second": one.second,
            "difference": as_json(Measured(one.value, one.interval)),
            "p_value": one.p_value,
            "test": one.test,
        }
        for name, other in compared.items()
        for one in comparisons.compare(
            test.targets,
            test.probabilities,
            other.probabilities,
            classes=test.classes,
            groups=names,
            folds=_within_both(test, other),
        )
    ]
    for figure in {entry["figure"] for entry in found}:
        entries = [entry for entry in found if entry["figure"] == figure]
        adjusted = comparisons.holm([float(str(entry["p_value"])) for entry in entries])
        for entry, p_value in zip(entries, adjusted, strict=True):
            entry["p_value_holm"] = p_value
    return found
