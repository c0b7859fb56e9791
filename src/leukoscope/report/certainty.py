"""How far can an answer be trusted? Tables of calibration, abstention, stress and novelty."""

from collections.abc import Sequence

from leukoscope.evaluate.abstention import SMALLEST_GROUP
from leukoscope.evaluate.intervals import Interval, Measured, clopper_pearson
from leukoscope.report import concentration, robustness, wording
from leukoscope.report.comparison import Comparison
from leukoscope.report.evidence import Evidence
from leukoscope.report.recognition import NETWORK
from leukoscope.report.robustness import Grade
from leukoscope.report.tables import Cell, Column, Table, without_empty

_SHOWN_GROUPS = 12


def calibration(comparison: Comparison, found: Sequence[Evidence]) -> Table:
    """Errors of calibration, before the temperature where it is known and as the classifier now
    answers."""
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        known = None if one.validated is None else one.validated.calibration
        warmed = known is not None and bool(known.temperatures)
        metrics = one.metrics
        largest = one.calibration_of_groups[0] if one.calibration_of_groups else None
        rows.append(
            (
                one.name,
                " ".join(f"{t:.3g}" for t in known.temperatures) if warmed and known else None,
                known.ece_before if warmed and known else None,
                Measured(metrics.ece, metrics.intervals.get("ece")),
                Measured(metrics.ece_equal_mass, metrics.intervals.get("ece_equal_mass")),
                known.loss_before if warmed and known else None,
                Measured(metrics.loss, metrics.intervals.get("loss")),
                None if largest is None else f"{largest.ece:.4f} ({largest.name}, n {largest.n})",
            )
        )
    table = Table(
        f"{comparison.key}-calibration",
        "Certainty against accuracy on the test images"
        + (
            ", before and after the temperature that the validation images chose; a dash where "
            "there was none. The temperature with all digits is in tables/."
            if any(row[1] is not None for row in rows)
            else "."
        ),
        (
            NETWORK,
            Column("Temperature", term="temperature"),
            Column("ECE before", "share", "ece"),
            Column("ECE", "share", "ece"),
            Column("ECE, equal mass", "share", "ece"),
            Column("Log loss before", "loss", "loss"),
            Column("Log loss", "loss", "loss"),
            Column("Largest ECE of a group", term="ece"),
        ),
        tuple(rows),
    )
    return without_empty(table)


def temperatures(comparison: Comparison, found: Sequence[Evidence]) -> Table | None:
    """The temperature of each training with all its digits; None where none was calibrated."""
    rows = [
        (one.name, number if one.validated.folds > 1 else None, temperature)
        for one in found
        if one.validated is not None
        for number, temperature in enumerate(one.validated.calibration.temperatures, start=1)
    ]
    if not rows:
        return None
    return Table(
        f"{comparison.key}-temperatures",
        "The temperature T of each training.",
        (NETWORK, Column("Fold", "count"), Column("Temperature", "number", "temperature")),
        tuple(rows),
    )


def risk(comparison: Comparison, found: Sequence[Evidence]) -> Table:
    """What leaving the least certain images to a person saves."""
    rows = []
    for one in found:
        sets = None if one.validated is None else one.validated.sets
        rows.append(
            (
                one.name,
                Measured(one.metrics.aurc, one.metrics.intervals.get("aurc")),
                None
                if sets is None
                else Measured(sets.coverages[0].single, sets.coverages[0].single_interval),
                None if sets is None else sets.risk_of_answers,
            )
        )
    table = Table(
        f"{comparison.key}-risk",
        "Errors when the least certain images are left to a person"
        + (
            ". The last two columns are those of prediction sets."
            if any(one.validated is not None for one in found)
            else "."
        ),
        (
            NETWORK,
            Column("AURC", "share", "aurc"),
            Column("Answered", "share", "answered"),
            Column("Errors among the answered", "share", "answered"),
        ),
        tuple(rows),
    )
    return without_empty(table)


def coverage(comparison: Comparison, found: Sequence[Evidence]) -> Table | None:
    """The prediction sets of each network, over all images and by class; None without any."""
    rows: list[tuple[Cell, ...]] = []
    demanded = 0.0
    for one in found:
        if one.validated is None:
            continue
        sets = one.validated.sets
        demanded = sets.demanded
        for each in sets.coverages:
            tells = sets.coverages[0].size < len(one.test.classes)
            told = sets.told.get(each.name)
            expected = sets.expected.get(each.name) if tells else None
            rows.append(
                (
                    one.name,
                    each.name,
                    each.n,
                    _over_groups(one, each.name, each.coverage, each.interval),
                    "–" if expected is None else f"{expected[0]:.3f} to {expected[1]:.3f}",
                    sets.untold[each.name] or None,
                    None if told is None else _over_groups(one, each.name, *told),
                    each.size,
                    _over_groups(one, each.name, each.single, each.single_interval),
                    each.empty,
                )
            )
    if not rows:
        return None
    pooled = any(one.validated is not None and one.validated.folds > 1 for one in found)
    table = Table(
        f"{comparison.key}-coverage",
        f"Prediction sets with a demanded coverage of {wording.percent(demanded)} in each class"
        + (", each from the thresholds of its fold, counted together" if pooled else "")
        + ". The range expected takes images as independent. "
        + _method(comparison, found),
        (
            NETWORK,
            Column("Class"),
            Column("n", "count"),
            Column("Coverage", "share", "coverage"),
            Column("Range expected", term="expected-coverage"),
            Column("Always covered", "count", "always-covered"),
            Column("Coverage of the others", "share", "always-covered"),
            Column("Classes in a set", "mean", "prediction-set"),
            Column("One class", "share", "answered"),
            Column("No class", "share", "prediction-set"),
        ),
        tuple(rows),
    )
    return without_empty(table)


def coverage_of_groups(comparison: Comparison, one: Evidence) -> Table | None:
    """The groups that one network's sets cover least; None without groups or sets."""
    if one.groups is None or one.validated is None or not one.validated.sets.by_group:
        return None
    unit = one.groups.unit
    every = one.validated.sets.by_group
    rows = [
        (
            each.name,
            each.n,
            Measured(each.coverage, each.interval),
            Measured(each.single, each.single_interval),
        )
        for each in every[:_SHOWN_GROUPS]
    ]
    which = f"The {len(rows)} least covered" if len(rows) < len(every) else "All"
    return Table(
        f"{comparison.key}-coverage-groups",
        f"{which} {unit}s of at least {SMALLEST_GROUP} test images, of {len(every)}, with the "
        f"prediction sets of {one.name}.",
        (
            Column(unit.capitalize()),
            Column("n", "count"),
            Column("Coverage", "share", "coverage"),
            Column("One class", "share", "answered"),
        ),
        tuple(rows),
    )


def stress(comparison: Comparison, found: Sequence[Evidence]) -> Table | None:
    """Every grade of every change; None where no network was stressed."""
    rows = [
        (
            one.name,
            each.change,
            each.amount,
            each.n,
            Measured(each.accuracy, each.interval),
            each.balanced_accuracy,
            _novel(each),
        )
        for one in found
        for each in one.robustness
    ]
    return _stressed(comparison, "robustness", "Every grade of every change.", rows)


def worst_stress(comparison: Comparison, found: Sequence[Evidence]) -> Table | None:
    """The change that costs each network most, beside the images as they are."""
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        worst, before = robustness.worst(one.robustness), robustness.unchanged(one.robustness)
        for each in (before, worst):
            if each is not None:
                rows.append(
                    (
                        one.name,
                        "unchanged" if each is before else each.change,
                        None if each is before else each.amount,
                        each.n,
                        Measured(each.accuracy, each.interval),
                        each.balanced_accuracy,
                        _novel(each),
                    )
                )
    return _stressed(
        comparison, "robustness-worst", "The change that costs each network most.", rows
    )


def novelty(comparison: Comparison, found: Sequence[Evidence]) -> Table | None:
    """The share of test images that are called novel, by class; None where novelty is unknown."""
    rows = [
        (one.name, name, n, _over_groups(one, name, novel / n, one.novelty.intervals[name]))
        for one in found
        if one.novelty is not None
        for name, (novel, n) in (
            ("all", (one.novelty.novel, one.novelty.n)),
            *one.novelty.by_class.items(),
        )
        if n
    ]
    if not rows:
        return None
    return Table(
        f"{comparison.key}-novelty",
        "Test images called unlike the training images; about 5 % are to be expected where test "
        "images come from where the validation images come from. " + _method(comparison, found),
        (
            NETWORK,
            Column("Class"),
            Column("n", "count"),
            Column("Called novel", "share", "novelty"),
        ),
        tuple(rows),
    )


def rejections(comparison: Comparison, found: Sequence[Evidence]) -> Table | None:
    """How well novelty parts pictures of other kinds from test images; None where nobody asked."""
    rows = [
        (one.name, each.kind, each.near_or_far, each.n, each.auroc, each.accepted)
        for one in found
        for each in one.rejections
    ]
    if not rows:
        return None
    return Table(
        f"{comparison.key}-rejections",
        "Pictures of other kinds against the held-out test images: AUROC of the novelty score with "
        "DeLong’s 95 % interval, and the share accepted at the classifier’s own threshold with its "
        "exact 95 % interval; pictures are taken as independent in both.",
        (
            NETWORK,
            Column("Pictures"),
            Column("Near or far"),
            Column("n", "count"),
            Column("AUROC", "share", "auroc"),
            Column("Accepted", "share", "novelty"),
        ),
        tuple(rows),
    )


def _over_groups(one: Evidence, name: str, value: float | None, found: Interval | None) -> Measured:
    """A share of all images or of those of a class, the latter without an interval where too few
    groups are behind it."""
    measured = Measured(value, found)
    return measured if name == "all" else concentration.shown(one, "recall", name, measured)


def _method(comparison: Comparison, found: Sequence[Evidence]) -> str:
    spread = concentration.of_all(found[0])
    if spread is None:
        return "95 % intervals, images taken as independent."
    return (
        f"95 % intervals over {concentration.in_words(spread, comparison.unit)}."
        + concentration.rule(found, comparison.unit)
    )


def _novel(grade: Grade) -> Measured:
    """The share called novel, with its exact interval."""
    if grade.novel is None:
        return Measured(None)
    return Measured(grade.novel, clopper_pearson(round(grade.novel * grade.n), grade.n))


def _stressed(
    comparison: Comparison, stem: str, caption: str, rows: Sequence[tuple[Cell, ...]]
) -> Table | None:
    if not rows:
        return None
    return Table(
        f"{comparison.key}-{stem}",
        f"{caption} n counts the test images that were changed; 95 % intervals, those of the share "
        f"called novel with images taken as independent; of the balanced accuracy none was kept.",
        (
            NETWORK,
            Column("Change"),
            Column("Amount", "number"),
            Column("n", "count"),
            Column("Accuracy", "share", "robustness"),
            Column("Balanced accuracy", "share", "balanced-accuracy"),
            Column("Called novel", "share", "novelty"),
        ),
        tuple(rows),
    )
