"""What does the page tell of one comparison after its table, in order, and what is missing?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from leukoscope.evaluate.groups import SMALLEST
from leukoscope.evaluate.metrics import within_folds
from leukoscope.report import (
    certainty,
    evidence_plots,
    figures,
    looking,
    promises,
    recognition,
    seeds,
    wording,
)
from leukoscope.report import pairs as paired
from leukoscope.report.comparison import Comparison
from leukoscope.report.evidence import Evidence
from leukoscope.report.evidence_plots import Diagram
from leukoscope.report.figures import Drawing
from leukoscope.report.pairs import Pair
from leukoscope.report.tables import Table

_COMPARED = "The best network against each other one, and each network"


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
    told = [
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
    told = [_of_seed(chapter, comparison) for chapter in told]
    over = seeds.spread(comparison)
    return told if over is None else [replace(told[0], tables=(over, *told[0].tables)), *told[1:]]


def _of_seed(chapter: Chapter, comparison: Comparison) -> Chapter:
    """The chapter, whose captions say which seed they are of where there are several."""
    return replace(
        chapter,
        drawings=tuple((one, text + _seed(comparison)) for one, text in chapter.drawings),
        tables=tuple(_captioned(one, comparison) for one in chapter.tables),
    )


def _captioned(table: Table, comparison: Comparison) -> Table:
    return replace(table, caption=table.caption + _seed(comparison))


def _seed(comparison: Comparison) -> str:
    first = seeds.first(comparison)
    return f" {first.capitalize()} shown." if first else ""


def _intervals(
    comparison: Comparison, found: Sequence[Evidence], prevalence: float | None
) -> Chapter:
    first = seeds.first(comparison)
    onwards = f" From here on, figures are of {first} where nothing else is said." if first else ""
    return Chapter(
        "intervals",
        "Figures with their intervals",
        (
            "Calculated anew from each training’s predictions.csv." + onwards,
            *(within_folds(one.metrics) for one in found[:1] if one.metrics.folds is not None),
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
    which = "The network" if len(comparison.networks) == 1 else _COMPARED
    first, *others = paired.told(pairs)
    asked = f"{which} against the colour baseline, on the same test images. {first}"
    return Chapter("pairs", title, (asked, *others), tables=(table,))


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
    if groups.worst is None:
        text += f" None has {SMALLEST} test images or more, so none is judged by itself."
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
        why = _no_validation(found, "no threshold could be chosen without looking at test images")
        if any(one.validated is not None for one in found):
            why = "These classes have no negative one, so there is no threshold to choose."
        return Chapter("operating", title, (why,))
    sentences = [promises.how_thresholds_were_chosen(found)]
    sentences += [*promises.on_sensitivity(found), *promises.on_few_positives(found)]
    tables = _kept(table, recognition.prevalences(comparison, best))
    return Chapter("operating", title, tuple(sentences), tables=tables)


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
        else _no_validation(found, "these probabilities are the networks’ own, not calibrated")
    )
    return Chapter(
        "calibration",
        "Calibration",
        (text,),
        (
            (
                drawing,
                "Each dot is a tenth of the test images, sorted by certainty, with the 95 % "
                "interval of their accuracy; below the line a network is too certain. The ECE "
                "of the table is over 15 bins and cannot be read from these ten dots."
                + (" Hollow: before the temperature." if calibrated else ""),
            ),
        ),
        (certainty.calibration(comparison, shown),),
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
    sentences = promises.how_sets_were_made(found)
    sentences += [text for one in found for text in promises.on_coverage(one)]
    if best.validated is None:
        sentences.append(
            _no_validation(found, "there are no prediction sets, and nothing is refused")
        )
    else:
        sets = best.validated.sets
        sentences.append(f"{best.name}: {sets.like_calibration.sentence}")
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
    counts = sorted({grade.n for grades in stressed.values() for grade in grades})
    caption = (
        f"On {' to '.join(f'{n:,}' for n in dict.fromkeys((counts[0], counts[-1])))} test images. "
        "Thin level lines: the images as they are. Bars are 95 % intervals. Amounts are factors "
        "(dyes, brightness, scale), gains (white balance), pixels of 224 (blur) or JPEG quality."
    )
    return Chapter("robustness", "Robustness", (), ((drawing, caption),), (table,))


def _novelty(comparison: Comparison, found: Sequence[Evidence]) -> Chapter:
    table, asked = certainty.novelty(comparison, found), certainty.rejections(comparison, found)
    if table is None:
        text = (
            "No novelty score was kept: these classifiers answer pictures that are no blood smears "
            "too, and with certainty."
        )
        return Chapter("novelty", "Novelty", (text,))
    text = (
        "A picture whose novelty is above 1 is called unlike the training images. How well this "
        "finds other pictures cannot be seen from test images of the same source; the table says "
        "how many of these it stops without need."
    )
    if asked is None:
        more = "Pictures of other kinds were not asked about; leukoscope stress does it."
    else:
        more = (
            "Of other pictures, AUROC is the chance that one is more novel than a test image (1: "
            "always, 0.5: not told apart), and the accepted share, which should be 0, gets an "
            "answer as if it were a smear like those of the training."
        )
    best = [one for one in found if one.entrant == comparison.best]
    alarms = [told for one in best for told in promises.on_novelty(one)]
    return Chapter("novelty", "Novelty", (text, *alarms, more), tables=_kept(table, asked))


def _attention(comparison: Comparison, found: Sequence[Evidence]) -> Chapter:
    title = "Where the networks looked"
    table = looking.attention(comparison, found)
    if table is None:
        text = (
            "Where the networks looked was not measured; leukoscope calibrate does it for a "
            "finished run."
        )
        return Chapter("attention", title, (text,))
    return Chapter("attention", title, looking.sentences(found), tables=(table,))


def _no_validation(found: Sequence[Evidence], so: str) -> str:
    """Which files are missing for what, and how to come by them."""
    folds = found[0].entrant.results[0].recipe().get("folds")
    files = "validation.csv"
    if folds:
        files = f"validation.csv and predictions.csv in fold1 to fold{folds}"
    return (
        f"The probabilities of the validation images ({files}) were not kept, so {so}. The command "
        f"leukoscope calibrate writes them for a finished run."
    )


def _kept(*tables: Table | None) -> tuple[Table, ...]:
    return tuple(one for one in tables if one is not None)


def exported(
    comparison: Comparison, found: Sequence[Evidence], told: Sequence[Chapter]
) -> list[Table]:
    """The tables of the chapters as files, long ones whole."""
    best = next((one for one in found if one.entrant == comparison.best), None)
    longer: list[Callable[[], Table | None]] = [
        lambda: certainty.stress(comparison, found),
        lambda: certainty.temperatures(comparison, found),
    ]
    if best is not None:
        longer.append(lambda: recognition.groups_of(comparison, best, whole=True))
    by_stem = {table.stem: table for chapter in told for table in chapter.tables}
    by_stem |= {
        table.stem: _captioned(table, comparison)
        for make in longer
        if (table := make()) is not None
    }
    return list(by_stem.values())
