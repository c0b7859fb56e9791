"""What changes with the seed of split and training, and which seed is shown?"""

from collections.abc import Sequence

from leukoscope.evaluate.intervals import Interval, Measured
from leukoscope.report.comparison import Comparison, Entrant
from leukoscope.report.tables import Cell, Column, Table

_FIGURES = (
    Column("Accuracy", "range", "accuracy"),
    Column("F1, macro", "range", "f1"),
    Column("MCC", "range", "mcc"),
    Column("Average precision", "range", "average-precision"),
    Column("Brier score", "range", "brier"),
    Column("ECE", "range", "ece"),
    Column("AURC", "range", "aurc"),
)
_KEYS = ("accuracy", "f1_macro", "mcc", "average_precision", "brier", "ece", "aurc")


def first(comparison: Comparison) -> str:
    """The seed that figures of one training are of, in words; empty where there is only one."""
    if comparison.seeds < 2:
        return ""
    return f"seed {comparison.entrants[0].results[0].seed}"


def spread(comparison: Comparison) -> Table | None:
    """Accuracy, and figures that the comparison's own table lacks, as mean, lowest and highest over
    the seeds; None for a single seed."""
    if comparison.seeds < 2:
        return None
    entrants = (*comparison.networks, *comparison.baselines)
    rows = [_row(entrant) for entrant in entrants]
    return Table(
        f"{comparison.key}-seeds",
        f"Mean over {comparison.seeds_in_words}, and below it the lowest and the highest of them "
        f"where there are several; split and training change with the seed. These ranges are no "
        f"confidence intervals.",
        (Column("Network"), Column("Seeds", "count"), *_FIGURES),
        tuple(rows),
        baselines=len(comparison.baselines),
    )


def _row(entrant: Entrant) -> tuple[Cell, ...]:
    written = [result.written(_KEYS) for result in entrant.results]
    return (
        entrant.name,
        len(written),
        *(_spread([one[key].value for one in written]) for key in _KEYS),
    )


def _spread(values: Sequence[float | None]) -> Measured:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return Measured(None)
    if len(known) == 1:
        return Measured(known[0])
    return Measured(sum(known) / len(known), Interval(min(known), max(known), "range"))
