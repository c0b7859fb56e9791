"""The tables of an evaluation, for a paper: CSV with all digits, Markdown and LaTeX to print.

Every table comes from the evidence in `metrics.json` alone and can be written again from it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leukoscope.files import make_folder, write_csv, write_text
from leukoscope.report import wording

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


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text, numbers, and figures {"value", "low", "high"}; None is printed as a dash."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def write(evidence: dict[str, Any], folder: Path) -> list[Path]:
    """`tables/<name>.csv`, `.md` and `.tex` in `folder`, for each table that there is."""
    inside = make_folder(folder / "tables")
    written = []
    for name, table in tables(evidence).items():
        columns, rows = _wide(table)
        write_csv(inside / f"{name}.csv", columns, rows)
        write_text(inside / f"{name}.md", markdown(table))
        write_text(inside / f"{name}.tex", latex(table))
        written += [inside / f"{name}.{suffix}" for suffix in ("csv", "md", "tex")]
    return written


def tables(evidence: dict[str, Any]) -> dict[str, Table]:
    """The tables by the names of their files."""
    found = {"figures": _figures(evidence), "classes": _classes(evidence)}
    if evidence.get("binary"):
        found["binary"] = _binary(evidence["binary"], evidence.get("operating_point"))
    if (evidence.get("per_group") or {}).get("each"):
        found["groups"] = _groups(evidence)
    if evidence.get("calibration"):
        found["calibration"] = _calibration(evidence)
    abstention = evidence.get("abstention") or {}
    if abstention:
        found["risk_coverage"] = _risk_coverage(abstention["risk_coverage"])
    if abstention.get("sets"):
        found["sets"] = _sets(abstention["sets"])
    if evidence.get("comparisons"):
        found["comparisons"] = _comparisons(evidence["comparisons"])
    return found


def markdown(table: Table) -> str:
    """A table for Markdown; text from outside is not read as Markdown."""
    rows = [[_literal(_printed(cell)) for cell in row] for row in table.rows]
    lines = [table.columns, ["---", *["---:"] * (len(table.columns) - 1)], *rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{_literal(table.caption)}\n\n{body}\n"


def latex(table: Table) -> str:
    """A table for LaTeX with the package booktabs; text from outside is escaped."""
    lines = [" & ".join(_escaped(_printed(cell)) for cell in row) + r" \\" for row in table.rows]
    return "\n".join(
        [
            r"\begin{table}",
            rf"  \caption{{{_escaped(table.caption)}}}",
            r"  \centering",
            rf"  \begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}",
            r"    \toprule",
            "    " + " & ".join(map(_escaped, table.columns)) + r" \\",
            r"    \midrule",
            *(f"    {line}" for line in lines),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _figures(evidence: dict[str, Any]) -> Table:
    shown = [key for key in NAMES if key in evidence]
    unit = "images" if evidence["groups"] is None else f"images in {evidence['groups']} groups"
    return Table(
        f"All figures with 95 % intervals; {evidence['n']} {unit}.",
        ("figure", "value", "method of the interval"),
        tuple((NAMES[key], evidence[key], evidence[key].get("method")) for key in shown),
    )


def _classes(evidence: dict[str, Any]) -> Table:
    rows = evidence["per_class"]
    return Table(
        "Each class against all others, with 95 % intervals.",
        ("class", "n", *_OF_A_CLASS.values()),
        tuple((one["name"], one["n"], *(one[key] for key in _OF_A_CLASS)) for one in rows),
    )


def _binary(binary: dict[str, Any], point: dict[str, Any] | None) -> Table:
    names = NAMES | {"f1": f"F1 of {binary['positive']}"}
    rows: list[tuple[Any, ...]] = [(names[key], binary[key]) for key in names if key in binary]
    if point is not None:
        at = f"at the threshold {point['threshold']:.4g}"
        rows += [(f"{NAMES[key]} {at}", value) for key, value in point["test"].items()]
    prevalence = wording.percent(binary["prevalence"])
    return Table(
        f"{binary['positive']} ({binary['n_positive']}) against {binary['negative']} "
        f"({binary['n_negative']}), with 95 % intervals; predictive values at a prevalence of "
        f"{prevalence}, {binary['prevalence_is']}.",
        ("figure", "value"),
        tuple(rows),
    )


def _groups(evidence: dict[str, Any]) -> Table:
    content = evidence["per_group"]
    return Table(
        f"The groups of at least {content['smallest_shown']} images, of {content['groups']}; "
        f"intervals are for further images of the same group.",
        ("group", "n", "accuracy", "log loss", "Brier score"),
        tuple(
            (one["name"], one["n"], one["accuracy"], one["loss"], one["brier"])
            for one in content["each"]
        ),
    )


def _calibration(evidence: dict[str, Any]) -> Table:
    shown = ("loss", "brier", "ece", "ece_equal_mass")
    temperature = evidence["calibration"]["temperature"]
    columns: tuple[str, ...] = ("figure", "as given")
    rows: list[tuple[Any, ...]] = [(NAMES[key], evidence[key]) for key in shown]
    if temperature is not None:
        columns += (f"at temperature {temperature['value']:.4g}",)
        rows = [(*row, temperature["after"][key]) for row, key in zip(rows, shown, strict=True)]
    return Table("Calibration, with 95 % intervals.", columns, tuple(rows))


def _risk_coverage(points: Sequence[dict[str, Any]]) -> Table:
    return Table(
        "Errors among the images that are answered, when the least certain are not.",
        ("answered", "share of errors", "certainty from"),
        tuple((one["coverage"], one["risk"], one["certainty"]) for one in points),
    )


def _sets(sets: dict[str, Any]) -> Table:
    return Table(
        f"Prediction sets for a coverage of {wording.percent(sets['demanded'])} in each class, "
        f"with 95 % intervals. {sets['calibration_and_test']['sentence']}",
        ("class", "n", "coverage", "expected", "mean size", "single", "empty", "calibrated on"),
        tuple(
            (
                *(one["name"], one["n"], one["coverage"]),
                _range(one["expected"]) if "expected" in one else None,
                *(one["size"], one["single"], one["empty"], one.get("n_calibration")),
            )
            for one in sets["classes"]
        ),
    )


def _comparisons(found: Sequence[dict[str, Any]]) -> Table:
    return Table(
        "This network less each other one on the same images, with 95 % intervals; p adjusted "
        "over the networks (Holm).",
        ("other", "figure", "this", "other's", "difference", "p", "p adjusted", "test"),
        tuple(
            (
                *(one["other"], NAMES[one["figure"]], one["first"], one["second"]),
                *(one["difference"], one["p_value"], one["p_value_holm"], one["test"]),
            )
            for one in found
        ),
    )


def _wide(table: Table) -> tuple[list[str], list[list[object]]]:
    """Columns and rows for a CSV file, every figure in three columns."""
    figures = [
        any(isinstance(row[place], dict) for row in table.rows)
        for place in range(len(table.columns))
    ]
    columns = [
        name
        for column, is_figure in zip(table.columns, figures, strict=True)
        for name in ((column, f"{column} low", f"{column} high") if is_figure else (column,))
    ]
    rows = []
    for row in table.rows:
        cells: list[object] = []
        for cell, is_figure in zip(row, figures, strict=True):
            parts = cell if isinstance(cell, dict) else {"value": cell}
            names = ("value", "low", "high") if is_figure else ("value",)
            cells += ["" if parts.get(name) is None else parts[name] for name in names]
        rows.append(cells)
    return columns, rows


def _printed(cell: object) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, dict):
        if cell["value"] is None or "low" not in cell:
            return _printed(cell["value"])
        return f"{_number(cell['value'])} ({_range(cell)})"
    return _number(cell) if isinstance(cell, float) else str(cell)


def _range(bounds: dict[str, Any]) -> str:
    return f"{_number(bounds['low'])} to {_number(bounds['high'])}"


def _number(value: float) -> str:
    """Four digits; what is not quite 0 or 1 is never written so."""
    if 0 < abs(value) < 0.00005:
        return f"{value:.1e}"
    return wording.share(value)


def _literal(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#~])", r"\\\1", " ".join(text.split()))


def _escaped(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    special |= {"–": "--", "\N{NO-BREAK SPACE}": "~", "<": "$<$", ">": "$>$", "|": "$|$"}
    return "".join(special.get(character, character) for character in " ".join(text.split(" ")))
