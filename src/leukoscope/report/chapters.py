"""What does the page tell of one comparison after its table, in order, and what is missing?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leukoscope.report import certainty, evidence_plots, figures, looking, recognition, wording
from leukoscope.report.comparison import Comparison
from leukoscope.report.evidence import Evidence
from leukoscope.report.evidence_plots import Diagram
from leukoscope.report.figures import Drawing
from leukoscope.report.pairs import Pair
from leukoscope.report.tables import Table

_NO_VALIDATION = (
    "The probabilities of the validation images (validation.csv) were not kept, so {}. The command "
    "leukoscope calibrate writes them for a finished run."
)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A heading, sentences, and figures and tables if there are any."""

    key: str
    title: str
    sentences: tuple[str, ...]
    drawings: tuple[tuple[Drawing, str], ...] = ()  # with their captions
    tables: tuple[Table, ...] = ()


def chapters(
    comparison: Comparison,
    found: Sequence[Evidence],
    pairs: Sequence[Pair],
    *,
    prevalence: float | None,
    mark: str,
) -> list[Chapter]:
    """All chapters; of a single one without predictions, that there are none."""
    if not found:
        return [
            Chapter(
                "evidence",
                "Evidence",
                (
                    "The predictions were not kept, so nothing can be said about classes, groups, "
                    "calibration or abstention.",
                ),
            )
        ]
    best = next((one for one in found if one.entrant == comparison.best), found[0])
    return [
        _intervals(comparison, found, prevalence),
        _pairs(comparison, pairs),
        _classes(comparison, found),
        _groups(comparison, found, best),
        _operating(comparison, found, best),
        _calibration(comparison, found, mark),
        _abstention(comparison, found, best, mark),
        _robustness(comparison, found, mark),
        _novelty(comparison, found),
        _attention(comparison, found),
    ]


def _intervals(
    comparison: Comparison, found: Sequence[Evidence], prevalence: float | None
) -> Chapter:
    return Chapter(
        "intervals",
        "Figures with their intervals",
        (
            "Calculated anew from each training’s predictions.csv"
            + (", of the first seed." if comparison.seeds > 1 else "."),
        ),
        tables=_kept(
            recognition.intervals(comparison, found),
            recognition.binary(comparison, found, prevalence),
        ),
    )


def _pairs(comparison: Comparison, pairs: Sequence[Pair]) -> Chapter:
    title = "Differences between networks"
    table = recognition.differences(comparison, pairs)
    if table is None:
        return Chapter("pairs", title, ("There is no second network to compare with.",))
    sure = [one for one in pairs if one.adjusted < 0.05]
    told = (
        f"{len(sure)} of {len(pairs)} differences are more than chance after Holm’s adjustment."
        if sure
        else f"None of {wording.count(len(pairs), 'difference')} is more than chance after Holm’s "
        f"adjustment: these test images do not tell the networks apart."
    )
    return Chapter(
        "pairs",
        title,
        (
            "The best network against each other one, and each network against the colour "
            "baseline, on the same test images. " + told,
            "The best network was picked on these same images, which makes its own differences "
            "look larger than they are.",
        ),
        tables=(table,),
    )


def _classes(comparison: Comparison, found: Sequence[Evidence]) -> Chapter:
    return Chapter("classes", "By class", (), tables=(recognition.classes(comparison, found),))


def _groups(comparison: Comparison, found: Sequence[Evidence], best: Evidence) -> Chapter:
    if best.groups is None:
        text = (
            "No groups (patients, scenes, sessions) are known for these images, neither from "
            "samples.csv nor from an audit, so nothing says whom the networks fail."
        )
        return Chapter("groups", "By group", (text,))
    groups = best.groups
    text = f"The test images come from {wording.count(len(groups.figures), groups.unit)}."
    if groups.inferred:
        text += (
            f" These {groups.unit}s are inferred by the audit from how the images look; the split "
            "did not keep them apart, so most of them were also trained on."
        )
    return Chapter(
        "groups",
        "By group",
        (text,),
        tables=_kept(
            recognition.worst_groups(comparison, found),
            recognition.groups_of(comparison, best, whole=False),
        ),
    )


def _operating(comparison: Comparison, found: Sequence[Evidence], best: Evidence) -> Chapter:
    title = "Operating point"
    table = recognition.operating(comparison, found)
    if table is None:
        why = _NO_VALIDATION.format("no threshold could be chosen without looking at test images")
        if any(one.validated is not None for one in found):
            why = "These classes have no negative one, so there is no threshold to choose."
        return Chapter("operating", title, (why,))
    text = (
        "The threshold is chosen on validation images alone, and judged on the test images. PPV "
        "and NPV depend on how common the disease is; no image set collected for training says "
        "that of a clinic."
    )
    tables = _kept(table, recognition.prevalences(comparison, best))
    return Chapter("operating", title, (text,), tables=tables)


def _calibration(comparison: Comparison, found: Sequence[Evidence], mark: str) -> Chapter:
    shown = [one for one in found if one.entrant.network != "majority"] or list(found)
    diagrams = [
        Diagram(
            one.name,
            ()
            if one.validated is None or not one.validated.calibration.temperatures
            else one.validated.calibration.bins_before,
            one.bins,
        )
        for one in shown
    ]
    figure = evidence_plots.reliability(
        diagrams, title=f"Certainty and accuracy: {comparison.title}", mark=mark
    )
    errors = "; ".join(f"{one.name} {one.metrics.ece:.4f}" for one in shown)
    drawing = figures.draw(
        figure, f"{comparison.key}-reliability", f"Reliability diagrams. ECE: {errors}."
    )
    calibrated = any(each.before for each in diagrams)
    text = (
        "Certainties are those that the classifiers now answer with, divided by a temperature "
        "that the validation images chose. These have chosen the epoch, too, which can make the "
        "certainties a little too high."
        if calibrated
        else _NO_VALIDATION.format("these probabilities are the networks’ own, not calibrated")
    )
    return Chapter(
        "calibration",
        "Calibration",
        (text,),
        (
            (
                drawing,
                "Each dot is a tenth of the test images, sorted by certainty, with the 95 % "
                "interval of their accuracy; below the line a network is too certain."
                + (" Hollow: before the temperature." if calibrated else ""),
            ),
        ),
        (certainty.calibration(comparison, found),),
    )


def _abstention(
    comparison: Comparison, found: Sequence[Evidence], best: Evidence, mark: str
) -> Chapter:
    lines = [
        (one.name, one.risk, one.entrant.is_baseline)
        for one in found
        if one.entrant.network != "majority"
    ]
    drawings: tuple[tuple[Drawing, str], ...] = ()
    if lines:
        title = f"Errors among the answered: {comparison.title}"
        drawing = figures.draw(
            evidence_plots.risk_coverage(lines, title=title, mark=mark),
            f"{comparison.key}-risk-coverage",
            "Risk–coverage curves. AURC: "
            + "; ".join(f"{one.name} {one.metrics.aurc:.4f}" for one in found)
            + ".",
        )
        caption = (
            "From right to left the least certain images are left to a person; a curve that does "
            "not fall says that certainty does not tell right from wrong."
        )
        drawings = ((drawing, caption),)
    sentences = [_NO_VALIDATION.format("there are no prediction sets, and nothing is refused")]
    if best.validated is not None:
        sets = best.validated.sets
        sentences = [f"{best.name}: {sets.like_calibration.sentence}"]
        if sets.like_each_other is not None:
            sentences.append(f"{best.name}: {sets.like_each_other.sentence}")
    return Chapter(
        "abstention",
        "Abstention",
        tuple(sentences),
        drawings,
        _kept(
            certainty.risk(comparison, found),
            certainty.coverage(comparison, found),
            certainty.coverage_of_groups(comparison, best),
        ),
    )


def _robustness(comparison: Comparison, found: Sequence[Evidence], mark: str) -> Chapter:
    stressed = {one.name: one.robustness for one in found if one.robustness}
    table = certainty.worst_stress(comparison, found)
    if table is None:
        text = (
            "The networks were not put under changed stain, light, focus or size; leukoscope "
            "stress does it for a finished run."
        )
        return Chapter("robustness", "Robustness", (text,))
    title = f"Accuracy under changed images: {comparison.title}"
    drawing = figures.draw(
        evidence_plots.robustness(stressed, title=title, mark=mark),
        f"{comparison.key}-robustness",
        "Accuracy of each network by kind and amount of change; the worst are in the table.",
    )
    caption = (
        "Thin level lines: the images as they are. Bars are 95 % intervals. Amounts are factors "
        "(dyes, brightness, scale), gains (white balance), pixels of 224 (blur) or JPEG quality."
    )
    return Chapter("robustness", "Robustness", (), ((drawing, caption),), (table,))


def _novelty(comparison: Comparison, found: Sequence[Evidence]) -> Chapter:
    table = certainty.novelty(comparison, found)
    if table is None:
        text = (
            "No novelty score was kept: these classifiers answer pictures that are no blood smears "
            "too, and with certainty."
        )
        return Chapter("novelty", "Novelty", (text,))
    text = (
        "A picture whose novelty is above 1 is called unlike the training images. How well this "
        "finds photographs, other stains and other cells cannot be seen from test images of the "
        "same source; the table says how many of these it stops."
    )
    return Chapter("novelty", "Novelty", (text,), tables=(table,))


def _attention(comparison: Comparison, found: Sequence[Evidence]) -> Chapter:
    title = "Where the networks looked"
    table = looking.attention(comparison, found)
    if table is None:
        text = (
            "Where the networks looked was not measured; leukoscope calibrate does it for a "
            "finished run."
        )
        return Chapter("attention", title, (text,))
    return Chapter("attention", title, looking.EXPLANATION, tables=(table,))


def _kept(*tables: Table | None) -> tuple[Table, ...]:
    return tuple(one for one in tables if one is not None)


def exported(
    comparison: Comparison, found: Sequence[Evidence], told: Sequence[Chapter]
) -> list[Table]:
    """The tables of the chapters as files, long ones whole."""
    best = next((one for one in found if one.entrant == comparison.best), None)
    longer: list[Callable[[], Table | None]] = [lambda: certainty.stress(comparison, found)]
    if best is not None:
        longer.append(lambda: recognition.groups_of(comparison, best, whole=True))
    by_stem = {table.stem: table for chapter in told for table in chapter.tables}
    by_stem |= {table.stem: table for make in longer if (table := make()) is not None}
    return list(by_stem.values())
