"""What is recognised: tables by figure, class, group, pair of networks and operating point."""

import math
from collections.abc import Sequence

from leukoscope.evaluate.comparisons import Difference
from leukoscope.evaluate.groups import SMALLEST
from leukoscope.evaluate.intervals import Measured
from leukoscope.evaluate.metrics import ClassMetrics, Metrics
from leukoscope.evaluate.resampling import effective_groups
from leukoscope.report import concentration, wording
from leukoscope.report.comparison import Comparison
from leukoscope.report.evidence import Evidence
from leukoscope.report.pairs import Pair
from leukoscope.report.run import TABLED
from leukoscope.report.tables import Cell, Column, Kind, Table, without_empty

NETWORK = Column("Network")
_TITLES = {"f1": "F1", "auroc": "AUROC"}
_SHOWN_GROUPS = 12  # of the best network on the page; its CSV has all of them
_OF_FOLDS = " (those of each fold, in the same order)"
_MAIN = (
    ("accuracy", "Accuracy", "accuracy"),
    ("balanced_accuracy", "Balanced accuracy", "balanced-accuracy"),
    ("f1_macro", "F1, macro", "f1"),
    ("mcc", "MCC", "mcc"),
    ("auroc", "AUROC", "auroc"),
    ("average_precision", "Average precision", "average-precision"),
)
_BINARY = (
    ("sensitivity", "Sensitivity", "sensitivity"),
    ("specificity", "Specificity", "specificity"),
    ("ppv", "PPV", "ppv"),
    ("npv", "NPV", "npv"),
)
_OF_A_CLASS = (
    ("recall", "Recall", "recall"),
    ("precision", "Precision", "precision"),
    ("specificity", "Specificity", "specificity"),
    ("f1", "F1", "f1"),
    ("auroc", "AUROC", "auroc"),
)


def comparison_table(comparison: Comparison, rows: dict[str, dict[str, Measured]]) -> Table:
    """The table of the page, means over seeds; `rows` has each network's figures."""
    columns = [NETWORK]
    for name in TABLED:
        kind: Kind = "loss" if name == "loss" else "share"
        title = _TITLES.get(name, name.replace("_", " ").capitalize())
        columns.append(Column(title, kind, name.replace("_", "-")))
    entrants = (*comparison.networks, *comparison.baselines)
    over = f", means over {comparison.seeds_in_words}" if comparison.seeds > 1 else ""
    return Table(
        stem=f"{comparison.key}-comparison",
        caption=f"Figures on the test images: {comparison.title}{over}.",
        columns=(*columns, Column("Confusion", term="confusion")),
        rows=tuple(
            (
                one.name,
                *(rows[one.network][name] for name in TABLED),
                str([list(row) for row in one.confusion]),
            )
            for one in entrants
        ),
        baselines=len(comparison.baselines),
    )


def intervals(comparison: Comparison, found: Sequence[Evidence]) -> Table:
    """The figures of all classes, each with its interval."""
    columns = (
        NETWORK,
        *(Column(title, "share", term) for _, title, term in _MAIN),
        Column("Brier score", "share", "brier"),
        Column("Log loss", "loss", "loss"),
    )
    keys = (*(key for key, _, _ in _MAIN), "brier", "loss")
    return _table(
        comparison,
        found,
        "intervals",
        f"Figures with their 95 % intervals{_over(comparison, found)}.",
        columns,
        [tuple(_figure(one.metrics, key) for key in keys) for one in found],
    )


def binary(
    comparison: Comparison, found: Sequence[Evidence], prevalence: float | None
) -> Table | None:
    """Sensitivity, specificity, PPV and NPV at the most probable class; None without a negative
    class."""
    kept = [one for one in found if one.metrics.binary is not None]
    if not kept:
        return None
    first = kept[0].metrics.binary
    assert first is not None
    share = first.n_positive / (first.n_positive + first.n_negative)
    which = (
        f"at the test images’ own share of {first.positive}, {wording.percent(share)}"
        if prevalence is None
        else f"at the stated prevalence of {wording.percent(prevalence)}"
    )
    keys = (*_BINARY, ("auroc", "AUROC", "auroc"))
    rows: list[tuple[Cell, ...]] = []
    for one in kept:
        assert one.metrics.binary is not None
        rows.append(tuple(one.metrics.binary.measured[key] for key, _, _ in keys))
    return _table(
        comparison,
        kept,
        "binary",
        f"{first.positive} ({first.n_positive:,} test images) against {first.negative} "
        f"({first.n_negative:,}), the more probable side called; PPV and NPV {which}.",
        (
            NETWORK,
            *(
                Column(title, "predictive" if key in ("ppv", "npv") else "share", term)
                for key, title, term in keys
            ),
        ),
        rows,
    )


def classes(comparison: Comparison, found: Sequence[Evidence]) -> Table:
    """Each class held against the rest, with its number of test images."""
    columns = (
        NETWORK,
        Column("Class"),
        Column("n", "count"),
        Column(f"Effective {comparison.unit}", term="effective-groups"),
        *(Column(title, "share", term) for _, title, term in _OF_A_CLASS),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            one.name,
            each.name,
            each.n,
            concentration.cell(one, each.name, comparison.unit),
            *(
                concentration.shown(one, key, each.name, _of_class(one.metrics, each, key))
                for key, _, _ in _OF_A_CLASS
            ),
        )
        for one in found
        for each in one.metrics.per_class
    ]
    table = Table(
        f"{comparison.key}-classes",
        f"Each class against the rest, with 95 % intervals{_over(comparison, found)}; n counts the "
        f"test images of the class; a dash where no image was called the class."
        + concentration.rule(found, comparison.unit),
        columns,
        tuple(rows),
    )
    return without_empty(table)


def worst_groups(comparison: Comparison, found: Sequence[Evidence]) -> Table | None:
    """For each network the group that it fails most; None where no groups are known."""
    kept = [one for one in found if one.groups is not None]
    if not kept:
        return None
    rows: list[tuple[Cell, ...]] = []
    for one in kept:
        assert one.groups is not None
        worst = one.groups.worst
        whole = Measured(one.metrics.accuracy, one.groups.interval)
        if worst is None:
            rows.append((len(one.groups.figures), whole, "–", None, None))
        else:
            low = Measured(worst.accuracy, worst.interval)
            rows.append((len(one.groups.figures), whole, worst.name, worst.n, low))
    assert kept[0].groups is not None
    unit = kept[0].groups.unit
    spread = concentration.in_words(effective_groups(kept[0].groups.names), f"{unit}s")
    return _table(
        comparison,
        kept,
        "worst-groups",
        f"The worst {unit} of at least {SMALLEST} test images. The interval of all images weighs "
        f"whole {unit}s anew, {spread}; that of the worst one is exact for its own images.",
        (
            NETWORK,
            Column(f"{unit.capitalize()}s", "count"),
            Column("Accuracy, all images", "share", "accuracy"),
            Column(f"Worst {unit}", term="worst-group"),
            Column("n", "count"),
            Column("Accuracy in it", "share", "worst-group"),
        ),
        rows,
    )


def groups_of(comparison: Comparison, one: Evidence, *, whole: bool) -> Table | None:
    """The groups of one network, the least accurate first; `whole` for all of them."""
    if one.groups is None:
        return None
    large = [each for each in one.groups.figures if each.n >= SMALLEST]
    kept = list(one.groups.figures) if whole else large[:_SHOWN_GROUPS]
    if not kept:
        return None
    rows: list[tuple[Cell, ...]] = [
        (each.name, each.n, *each.of_class, Measured(each.accuracy, each.interval), each.loss)
        for each in kept
    ]
    unit = one.groups.unit
    shown = (
        f"The {len(rows)} least accurate {unit}s"
        if len(rows) < len(large)
        else f"The {len(rows)} {unit}s"
    )
    text = f"All {unit}s" if whole else f"{shown} of at least {SMALLEST} test images"
    return Table(
        f"{comparison.key}-groups",
        f"{text}, as {one.name} recognises them; exact 95 % intervals for images of the {unit}.",
        (
            Column(unit.capitalize()),
            Column("n", "count"),
            *(Column(name, "count") for name in one.test.classes),
            Column("Accuracy", "share", "accuracy"),
            Column("Log loss", "loss", "loss"),
        ),
        tuple(rows),
    )


def differences(comparison: Comparison, pairs: Sequence[Pair]) -> Table | None:
    """The pairs with their differences; None without any."""
    if not pairs:
        return None
    first, two = pairs[0].difference, pairs[0].two
    rows: list[tuple[Cell, ...]] = []
    for one in pairs:
        row: tuple[Cell, ...] = (one.first, one.second, one.n, _points(one.difference))
        row += (one.difference.p_value, one.adjusted)
        if pairs[0].sessions is not None:
            row += (Measured(one.difference.value, one.sessions),)
        row += (_points(one.balanced),)
        if one.two is not None:
            row += (_points(one.two.accuracy), _points(one.two.balanced))
        rows.append(row)
    more = [Column("Difference, over sessions", "points", "session")] if pairs[0].sessions else []
    more.append(Column("Balanced accuracy", "points", "balanced-accuracy"))
    if two is not None:
        more.append(Column(f"{two.negative} or not", "points", "accuracy"))
        more.append(Column(f"{two.negative} or not, balanced", "points", "balanced-accuracy"))
    return Table(
        f"{comparison.key}-differences",
        f"Differences in accuracy on the same test images, in percentage points, with 95 % "
        f"intervals ({first.interval.method}) and p ({first.test}); beside them those in balanced "
        f"accuracy"
        + ("" if two is None else f", and both where each image is called {two.negative} or not")
        + ". Holm’s p is of the accuracy alone.",
        (
            Column("Network"),
            Column("Compared with"),
            Column("n", "count"),
            Column("Difference", "points", "difference"),
            Column("p", "p", "difference"),
            Column("Holm’s p", "p", "holm"),
            *more,
        ),
        tuple(rows),
    )


def _points(one: Difference) -> Measured:
    return Measured(one.value, one.interval)


def _threshold(value: float) -> str:
    """With three digits of whichever is smaller, the threshold or what it lacks to 1."""
    smaller = min(value, 1 - value)
    digits = 3 if smaller <= 0 else min(max(3, math.ceil(-math.log10(smaller)) + 2), 12)
    return f"{value:.{digits}f}"


def operating(comparison: Comparison, found: Sequence[Evidence]) -> Table | None:
    """What the threshold chosen on validation images gives; None where none could be chosen."""
    kept = [
        (one, one.validated.point)
        for one in found
        if one.validated is not None and one.validated.point is not None
    ]
    if not kept:
        return None
    rows: list[tuple[Cell, ...]] = []
    for _, point in kept:
        thresholds = " ".join(map(_threshold, point.thresholds))
        positives = " ".join(f"{n:,}" for n in point.positives)
        _, _, ppv, npv = point.at_prevalence[0]
        rows.append((positives, thresholds, point.sensitivity, point.specificity, ppv, npv))
    point = kept[0][1]
    share = wording.percent(point.at_prevalence[0][0])
    return _table(
        comparison,
        [one for one, _ in kept],
        "operating",
        f"At the threshold that reaches a sensitivity of {wording.percent(point.demanded)} on the "
        f"validation images{_OF_FOLDS if len(point.thresholds) > 1 else ''}. PPV and "
        f"NPV at the test images’ own share of positive ones, {share}.",
        (
            NETWORK,
            Column("Positive validation images"),
            Column("Threshold", term="operating-point"),
            Column("Sensitivity", "share", "sensitivity"),
            Column("Specificity", "share", "specificity"),
            Column("PPV", "predictive", "ppv"),
            Column("NPV", "predictive", "npv"),
        ),
        rows,
    )


def prevalences(comparison: Comparison, best: Evidence) -> Table | None:
    """PPV and NPV of the best network where the disease is as common as stated."""
    if best.validated is None or best.validated.point is None:
        return None
    rows = [
        (f"{wording.percent(share)} ({which})", ppv, npv)
        for share, which, ppv, npv in best.validated.point.at_prevalence
    ]
    return Table(
        f"{comparison.key}-prevalences",
        f"Predictive values of {best.name} at its operating point, by how common the disease is.",
        (
            Column("Prevalence", term="prevalence"),
            Column("PPV", "predictive", "ppv"),
            Column("NPV", "predictive", "npv"),
        ),
        tuple(rows),
    )


def _table(
    comparison: Comparison,
    found: Sequence[Evidence],
    stem: str,
    caption: str,
    columns: tuple[Column, ...],
    rows: Sequence[tuple[Cell, ...]],
) -> Table:
    """One row per network, baselines last."""
    named = [(one, (one.name, *row)) for one, row in zip(found, rows, strict=True)]
    ordered = sorted(named, key=lambda pair: pair[0].entrant.is_baseline)
    return Table(
        f"{comparison.key}-{stem}",
        caption,
        columns,
        tuple(row for _, row in ordered),
        sum(one.entrant.is_baseline for one in found),
    )


def _figure(metrics: Metrics, name: str) -> Measured:
    return Measured(getattr(metrics, name), metrics.intervals.get(name))


def _of_class(metrics: Metrics, one: ClassMetrics, name: str) -> Measured:
    """A figure of a class; without a value where it is a share of no images."""
    interval = metrics.intervals.get(f"{name}:{one.name}")
    if name == "precision" and interval is None:
        return Measured(None)
    return Measured(getattr(one, name), interval)


def _over(comparison: Comparison, found: Sequence[Evidence]) -> str:
    """What the intervals weigh anew."""
    spread = concentration.of_all(found[0]) if found else None
    if spread is None:
        return " (images taken as independent)"
    return f" over {concentration.in_words(spread, comparison.unit)}"
