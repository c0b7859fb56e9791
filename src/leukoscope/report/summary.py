"""What must a reader know who reads one screen only?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leukoscope.evaluate.intervals import Interval
from leukoscope.files import read_json
from leukoscope.report import promises, robustness, seeds, verdict, wording
from leukoscope.report.comparison import Comparison, Entrant, measured
from leukoscope.report.evidence import Evidence
from leukoscope.report.pairs import Pair
from leukoscope.report.validated import Sets

_SPACE = "\N{NO-BREAK SPACE}"
_KINDS = {
    "leak": "copies and overlaps",
    "session": "sessions",
    "shortcut": "shortcuts",
    "label": "labels",
    "quality": "picture quality",
    "balance": "class sizes",
}


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the summary, what it is of, and what goes with it."""

    heading: str
    who: str
    figure: str
    text: str
    term: str = ""  # of the glossary


def findings(audit: Path) -> list[dict[str, Any]]:
    """What an audit of the run found; empty where none was kept."""
    file = audit / "findings.json"
    if not file.exists():
        return []
    return [one for one in read_json(file).get("findings", []) if isinstance(one, dict)]


def tiles(
    comparison: Comparison,
    best: Evidence | None,
    evidence: Sequence[Evidence],
    leaks: Sequence[dict[str, Any]],
    found: Sequence[dict[str, Any]],
) -> list[Tile]:
    """The figure, the baselines next to it, the split, the audit, the worst group, the answers;
    `best` is the best network's part of `evidence`."""
    forest = next((one for one in evidence if one.entrant.network == "colour-forest"), None)
    of_all = [_best(comparison, best), _colour(comparison, forest)]
    listed = [*of_all, _of_seed(_worst(best), comparison), _split(comparison, leaks)]
    listed += [_audit(found), _of_seed(_answered(best), comparison)]
    return [one for one in listed if one is not None]


def _of_seed(tile: Tile | None, comparison: Comparison) -> Tile | None:
    """The tile, which says which seed it is of where there are several."""
    first = seeds.first(comparison)
    return tile if tile is None or not first else replace(tile, text=f"{tile.text}; {first} shown")


def sentences(comparison: Comparison, best: Evidence | None, pairs: Sequence[Pair]) -> list[str]:
    """What goes with the tiles: two classes against colour, the worst stress, whether the promise
    of the prediction sets holds, false alarms of novelty."""
    if best is None:
        return []
    first = seeds.first(comparison)
    listed = [*verdict.of_two_classes(comparison, pairs), *_stressed(best)]
    if best.validated is not None:
        sets = best.validated.sets
        tests = (sets.like_calibration, sets.like_each_other)
        told = [one.sentence for one in tests if one is not None]
        listed += [f"Prediction sets of {one}" for one in promises.on_coverage(best, groups=False)]
        listed.append(f"Prediction sets of {best.name}: {' '.join(told)}")
    listed += promises.on_novelty(best)
    return [f"{first.capitalize()}: {one}" for one in listed] if first else listed


def _stressed(best: Evidence) -> list[str]:
    worst, before = robustness.worst(best.robustness), robustness.unchanged(best.robustness)
    if worst is None:
        return []
    change = f"{worst.change}, {worst.amount:g}".replace("-", "−")
    text = (
        f"Under the worst change that was tried ({change}) the accuracy of {best.name} on "
        f"{worst.n:,} test images is {wording.percent(worst.accuracy)} ({_range(worst.interval)})"
    )
    if before is None:
        return [f"{text}."]
    same = f"{wording.percent(before.accuracy)} ({_range(before.interval)})"
    return [f"{text}; of the same images unchanged it is {same}."]


def _best(comparison: Comparison, evidence: Evidence | None) -> Tile | None:
    best = comparison.best
    if best is None:
        return None
    per_seed = " per seed" if len(best.results) > 1 else ""
    text = (
        f"accuracy on {comparison.n_test} test images{per_seed}; {measured(best)}"
        f"{_over_sessions(comparison, evidence)}"
    )
    if len(comparison.networks) == 1:
        return Tile("The network", best.name, wording.percent(best.accuracy), text, "accuracy")
    who = best.name
    if comparison.tied:
        who = f"{wording.listing([one.name for one in comparison.tied])}, tied"
        text += f". Of equal accuracies the lower log loss is shown: {best.name}"
    return Tile(
        f"Highest accuracy of {len(comparison.networks)} networks",
        who,
        wording.percent(best.accuracy),
        text,
        "accuracy",
    )


def _over_sessions(comparison: Comparison, evidence: Evidence | None) -> str:
    """The interval with whole sessions weighed anew, where the audit knows them and the split
    did not keep them apart; it is the wider one."""
    if evidence is None or evidence.groups is None or not evidence.groups.inferred:
        return ""
    groups, first = evidence.groups, seeds.first(comparison)
    of = f" of {first}" if first else ""
    return (
        f". With whole {groups.unit}s weighed anew ({len(groups.figures)}, as the audit infers "
        f"them), the interval{of} is {_range(groups.interval)}"
    )


def _colour(comparison: Comparison, evidence: Evidence | None) -> Tile:
    forest, majority = comparison.baseline("colour-forest"), comparison.baseline("majority")
    commonest = "" if majority is None else f". Always the commonest class: {_short(majority)}"
    if forest is None:
        return Tile(
            "Baseline: colour alone",
            "Not measured",
            "–",
            f"nothing says how much of the figures colour explains{commonest}",
        )
    return Tile(
        "Baseline: colour alone, no cell seen",
        forest.name,
        wording.percent(forest.accuracy),
        f"accuracy; {measured(forest)}{_over_sessions(comparison, evidence)}{commonest}",
        "accuracy",
    )


def _short(entrant: Entrant) -> str:
    low, high = entrant.bounds
    return f"{wording.percent(entrant.accuracy)} ({_range(Interval(low, high, ''))})"


def _range(interval: Interval) -> str:
    return f"{wording.percent(interval.low)} to {wording.percent(interval.high)}"


def _worst(best: Evidence | None) -> Tile | None:
    if best is None:
        return None
    worst = None if best.groups is None else best.groups.worst
    if worst is None or best.groups is None:
        low = min(
            (one for one in best.metrics.per_class if one.recall is not None),
            key=lambda one: one.recall or 0.0,
        )
        interval = best.metrics.intervals[f"recall:{low.name}"]
        return Tile(
            "Worst class",
            low.name,
            wording.percent(low.recall or 0.0),
            f"of its {low.n:,} test images recognised by {best.name}; 95{_SPACE}% interval "
            f"{_range(interval)}",
            "recall",
        )
    unit = best.groups.unit
    return Tile(
        f"Worst {unit}" + (", as the audit infers them" if best.groups.inferred else ""),
        worst.name,
        wording.percent(worst.accuracy),
        f"accuracy of {best.name} on its {worst.n:,} test images; 95{_SPACE}% interval "
        f"{_range(worst.interval)}",
        "worst-group",
    )


def _split(comparison: Comparison, leaks: Sequence[dict[str, Any]]) -> Tile:
    own = [one for one in leaks if one["protocol"] == comparison.protocol and one["tested"]]
    who = f"{comparison.protocol.capitalize()} split"
    if not own:
        return Tile("Protocol", who, "–", "how many test images have a twin in training is unknown")
    known, tested = sum(one["known"] for one in own), sum(one["tested"] for one in own)
    what = "equal or overlapping image" if own[0]["audited"] else "equal file (overlaps unknown)"
    return Tile(
        "Protocol",
        who,
        wording.percent(known / tested),
        f"of the test images ({known:,} of {tested:,}) have an {what} on the training side",
    )


def _audit(found: Sequence[dict[str, Any]]) -> Tile:
    if not found:
        return Tile(
            "Audit of the images",
            "Not kept with this run",
            "–",
            "nothing says what else could fool these figures; leukoscope audit tells",
        )
    of = {
        verdict: [one for one in found if one.get("verdict") == verdict]
        for verdict in ("problem", "note", "not run")
    }
    kinds = dict.fromkeys(_KINDS.get(str(one.get("kind")), "other") for one in of["problem"])
    not_run = f"; {len(of['not run'])} not run" if of["not run"] else ""
    about = f"in {wording.listing(list(kinds))}; " if kinds else ""
    return Tile(
        "Audit of the images",
        f"{len(found)} checks",
        wording.count(len(of["problem"]), "problem"),
        f"{about}{wording.count(len(of['note']), 'note')}{not_run}",
    )


def _answered(best: Evidence | None) -> Tile | None:
    heading = "Answered with one class"
    if best is None:
        return None
    if best.validated is None:
        return Tile(
            heading,
            "Every image",
            "–",
            "no validation predictions were kept, so no rule says when not to answer: every image, "
            "of whatever kind, gets a class",
        )
    sets = best.validated.sets
    whole, risk = sets.coverages[0], sets.risk_of_answers
    text = "no image got one class only"
    if risk.value is not None and risk.interval is not None:
        text = (
            f"of the test images get one class, {wording.percent(risk.value)} of them wrongly "
            f"({_range(risk.interval)}); the others are referred. Coverage "
            f"{wording.percent(whole.coverage)}{_without(sets)}, where "
            f"{wording.percent(sets.demanded)} are demanded"
        )
    return Tile(heading, best.name, wording.percent(whole.single), text + _novel(best), "answered")


def _novel(best: Evidence) -> str:
    """How many are called novel, of all and of the class that suffers most."""
    if best.novelty is None:
        return ""
    found = best.novelty
    text = f". Called novel: {found.novel:,} of {found.n:,}"
    if not found.novel:
        return text
    name, (novel, n) = promises.most_often_novel(found)
    return f"{text}; most often {name}, {wording.percent(novel / n)} ({novel:,} of {n:,})"


def _without(sets: Sets) -> str:
    """The coverage without images that are covered whatever a network says, if there are any."""
    rest = sets.told.get("all")
    if rest is None or rest.value is None:
        return ""
    return (
        f" ({wording.percent(rest.value)} without {sets.untold['all']:,} images that every set "
        f"covers)"
    )
