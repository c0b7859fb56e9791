"""Which tables does an evaluation have, and what stands in them?

Every table comes from the evidence in `metrics.json` alone and can be made again from it.
"""

from collections.abc import Sequence
from typing import Any

from leukoscope.evaluate.metrics import from_json
from leukoscope.report import wording
from leukoscope.report.tables import Cell, Column, Table

NAMES = {
    "loss": "Log loss",
    "accuracy": "Accuracy",
    "precision": "Precision, weighted",
    "recall": "Recall, weighted",
    "f1": "F1, weighted",
    "precision_macro": "Precision, macro",
    "recall_macro": "Recall, macro",
    "f1_macro": "F1, macro",
    "balanced_accuracy": "Balanced accuracy",
    "mcc": "Matthews correlation",
    "auroc": "AUROC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
    "ece_equal_mass": "Calibration error, equal mass",
    "aurc": "Area under risk–coverage",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
}
_OF_A_CLASS = {
    "precision": "precision (PPV)",
    "recall": "recall (sensitivity)",
    "specificity": "specificity",
    "npv": "NPV",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "average precision",
}


def tables(evidence: dict[str, Any]) -> list[Table]:
    """The tables that there is evidence for; their stems are the names of their files."""
    found = [_figures(evidence), _classes(evidence)]
    if evidence.get("binary"):
        found.append(_binary(evidence["binary"], evidence.get("operating_point")))
    if (evidence.get("per_group") or {}).get("each"):
        found.append(_groups(evidence["per_group"]))
    if evidence.get("calibration"):
        found.append(_calibration(evidence))
    abstention = evidence.get("abstention") or {}
    if abstention:
        found.append(_risk_coverage(abstention["risk_coverage"]))
    if abstention.get("sets"):
        found.append(_sets(abstention["sets"]))
    if evidence.get("comparisons"):
        found.append(_comparisons(evidence["comparisons"]))
    return found


def _figures(evidence: dict[str, Any]) -> Table:
    shown = [key for key in NAMES if key in evidence]
    unit = "images" if evidence["groups"] is None else f"images in {evidence['groups']} groups"
    return Table(
        "figures",
        f"All figures with 95 % intervals; {evidence['n']} {unit}.",
        (Column("Figure"), Column("Value", "figure"), Column("Method of the interval")),
        tuple((NAMES[key], from_json(evidence[key]), evidence[key].get("method")) for key in shown),
    )


def _classes(evidence: dict[str, Any]) -> Table:
    return Table(
        "classes",
        "Each class against all others, with 95 % intervals.",
        (
            Column("Class"),
            Column("n", "count"),
            *(Column(name, "share") for name in _OF_A_CLASS.values()),
        ),
        tuple(
            (one["name"], one["n"], *(from_json(one[key]) for key in _OF_A_CLASS))
            for one in evidence["per_class"]
        ),
    )


def _binary(binary: dict[str, Any], point: dict[str, Any] | None) -> Table:
    names = NAMES | {"f1": f"F1 of {binary['positive']}"}
    rows: list[tuple[Cell, ...]] = [
        (names[key], from_json(binary[key])) for key in names if key in binary
    ]
    if point is not None:
        at = f"at the threshold {point['threshold']:.4g}"
        rows += [(f"{NAMES[key]} {at}", from_json(one)) for key, one in point["test"].items()]
    prevalence = wording.percent(binary["prevalence"])
    return Table(
        "binary",
        f"{binary['positive']} ({binary['n_positive']}) against {binary['negative']} "
        f"({binary['n_negative']}), with 95 % intervals; predictive values at a prevalence of "
        f"{prevalence}, {binary['prevalence_is']}.",
        (Column("Figure"), Column("Value", "figure")),
        tuple(rows),
    )


def _groups(content: dict[str, Any]) -> Table:
    return Table(
        "groups",
        f"The groups of at least {content['smallest_shown']} images, of {content['groups']}; "
        f"intervals are for further images of the same group.",
        (
            Column("Group"),
            Column("n", "count"),
            Column("Accuracy", "share"),
            Column("Log loss", "loss"),
            Column("Brier score", "share"),
        ),
        tuple(
            (one["name"], one["n"], from_json(one["accuracy"]), one["loss"], one["brier"])
            for one in content["each"]
        ),
    )


def _calibration(evidence: dict[str, Any]) -> Table:
    shown = ("loss", "brier", "ece", "ece_equal_mass")
    temperature = evidence["calibration"]["temperature"]
    columns = [Column("Figure"), Column("As given", "figure")]
    rows: list[tuple[Cell, ...]] = [(NAMES[key], from_json(evidence[key])) for key in shown]
    if temperature is not None:
        columns.append(Column(f"At temperature {temperature['value']:.4g}", "figure"))
        after = [from_json(temperature["after"][key]) for key in shown]
        rows = [(*row, one) for row, one in zip(rows, after, strict=True)]
    return Table("calibration", "Calibration, with 95 % intervals.", tuple(columns), tuple(rows))


def _risk_coverage(points: Sequence[dict[str, Any]]) -> Table:
    return Table(
        "risk_coverage",
        "Errors among the images that are answered, when the least certain are not.",
        (
            Column("Answered", "share"),
            Column("Share of errors", "share"),
            Column("Certainty from", "share"),
        ),
        tuple((one["coverage"], one["risk"], one["certainty"]) for one in points),
    )


def _sets(sets: dict[str, Any]) -> Table:
    return Table(
        "sets",
        f"Prediction sets for a coverage of {wording.percent(sets['demanded'])} in each class, "
        f"with 95 % intervals. {sets['calibration_and_test']['sentence']}",
        (
            Column("Class"),
            Column("n", "count"),
            Column("Coverage", "share"),
            Column("Expected"),
            Column("Mean size", "mean"),
            Column("Single", "share"),
            Column("Empty", "share"),
            Column("Calibrated on", "count"),
        ),
        tuple(
            (
                *(one["name"], one["n"], from_json(one["coverage"]), _expected(one)),
                *(one["size"], one["single"], one["empty"], one.get("n_calibration")),
            )
            for one in sets["classes"]
        ),
    )


def _expected(one: dict[str, Any]) -> str | None:
    if "expected" not in one:
        return None
    return f"{one['expected']['low']:.3f} to {one['expected']['high']:.3f}"


def _comparisons(found: Sequence[dict[str, Any]]) -> Table:
    return Table(
        "comparisons",
        "This network less each other one on the same images, with 95 % intervals; p adjusted "
        "over the networks (Holm).",
        (
            Column("Other"),
            Column("Figure"),
            Column("This", "figure"),
            Column("Other’s", "figure"),
            Column("Difference", "figure"),
            Column("p", "p"),
            Column("p adjusted", "p"),
            Column("Test"),
        ),
        tuple(
            (
                *(one["other"], NAMES[one["figure"]], one["first"], one["second"]),
                *(from_json(one["difference"]), one["p_value"], one["p_value_holm"], one["test"]),
            )
            for one in found
        ),
    )
