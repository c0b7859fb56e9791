"""One comparison with all that the page shows of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from leukoscope.evaluate.intervals import Measured
from leukoscope.evaluate.resampling import Concentration
from leukoscope.report import (
    chapters,
    concentration,
    convergence,
    figures,
    mistakes,
    pairs,
    recognition,
    summary,
    verdict,
    wording,
)
from leukoscope.report import comparison as compared
from leukoscope.report.chapters import Chapter
from leukoscope.report.comparison import Comparison, Entrant
from leukoscope.report.evidence import Evidence, gather
from leukoscope.report.expectation import expectation
from leukoscope.report.figures import Drawing
from leukoscope.report.run import IDENTITY, Run
from leukoscope.report.summary import Tile
from leukoscope.report.tables import Table
from leukoscope.report.trainings import Training, trainings

_COUNTS = ("n_train", "n_validation", "n_test")  # of a split, in the table of every training


@dataclass(frozen=True, slots=True)
class Recipes:
    """Settings that all networks share as (key, value, reason), and those that differ."""

    common: list[tuple[str, str, str]]
    keys: list[str]
    rows: list[tuple[Entrant, list[str], dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Section:
    """The figures, tables, drawings and sentences of a comparison."""

    comparison: Comparison
    rows: dict[str, dict[str, Measured]]  # the table, by network
    found: list[Evidence]
    tiles: list[Tile]
    expectation: str  # of figures under this split beside those under a random one
    verdict: str
    sentences: list[str]  # what goes with the verdict
    spread: Concentration | None  # of the test images over groups; None where there are none
    uneven: str  # what that means for the intervals
    every: list[Training]
    chapters: list[Chapter]
    tables: list[Table]  # as files
    curves: Drawing | None
    overview: Drawing | None
    confusions: list[Drawing]
    trainings: list[Drawing]
    unsettled: list[str]  # networks whose last epoch was the best
    errors: Drawing | None
    mistakes: list[mistakes.Mistake]
    thumbnails: dict[str, str]
    recipes: Recipes

    @property
    def calibrated(self) -> bool:
        """Whether validation images chose more than the epoch."""
        return any(one.validated is not None for one in self.found)

    @property
    def drawings(self) -> Iterator[Drawing]:
        """All figures of the section."""
        single = (self.curves, self.overview, self.errors)
        yield from (one for one in single if one is not None)
        yield from self.confusions
        yield from self.trainings
        yield from (drawing for chapter in self.chapters for drawing, _ in chapter.drawings)


def make(
    comparison: Comparison,
    run: Run,
    *,
    others: Sequence[Comparison],
    images: bool,
    prevalence: float | None,
    sessions: dict[str, str],
    findings: list[dict[str, Any]],
    mark: str,
) -> Section:
    """The section; `others` are all comparisons of the run, `sessions` and `findings` those of its
    audit, empty without one."""
    worst = mistakes.largest(comparison)
    known = {sample.path for sample in run.samples}
    opened = mistakes.pictures(worst, run.root, known=known) if images else {}
    rows = {one.network: compared.figures(one) for one in comparison.entrants}
    found = gather(comparison, sessions=sessions, prevalence=prevalence)
    formed = pairs.paired(comparison, found)
    best = next((one for one in found if one.entrant == comparison.best), None)
    told = chapters.chapters(comparison, found, formed, prevalence=prevalence, mark=mark)
    return Section(
        comparison=comparison,
        rows=rows,
        found=found,
        tiles=summary.tiles(comparison, best, found, run.settings["leaks"], findings),
        expectation=expectation(comparison, best, others),
        verdict=verdict.verdict(comparison, formed),
        sentences=[
            *summary.sentences(comparison, best, formed),
            *verdict.cautions(comparison),
            *convergence.caution(comparison),
        ],
        spread=concentration.of_all(found[0]) if found else None,
        uneven=concentration.caution(found[0], comparison.unit) if found else "",
        every=trainings(comparison),
        chapters=told,
        tables=[
            recognition.comparison_table(comparison, rows),
            *chapters.exported(comparison, found, told),
        ],
        curves=figures.roc_and_precision_recall(comparison, rows, mark),
        overview=figures.overview(comparison, mark),
        confusions=figures.confusions(comparison, found, mark),
        trainings=figures.trainings(comparison, mark),
        unsettled=convergence.sentences(comparison),
        errors=figures.errors(comparison, worst, opened, mark),
        mistakes=worst,
        thumbnails={path: mistakes.thumbnail(pixels) for path, pixels in opened.items()},
        recipes=_recipes(comparison),
    )


@dataclass(frozen=True, slots=True)
class Settled:
    """The recipes of a section, and of all sections that have the same."""

    title: str
    section: Section
    alike: int  # how many sections these are


def settled(sections: Sequence[Section]) -> list[Settled]:
    """The recipes, those that are equal under several protocols once."""
    groups: list[list[Section]] = []
    for section in (one for one in sections if one.recipes.rows):
        same = next((each for each in groups if _alike(each[0], section)), None)
        if same is None:
            groups.append([section])
        else:
            same.append(section)
    return [
        Settled(_titles([one.comparison for one in each]), each[0], len(each)) for each in groups
    ]


def _titles(same: Sequence[Comparison]) -> str:
    first = same[0]
    if len(same) == 1 or len({one.classes for one in same}) > 1:
        return "; ".join(one.title for one in same)
    protocols = wording.listing([one.protocol for one in same])
    return first.title.replace(f"{first.protocol} split", f"{protocols} split")


def _alike(one: Section, other: Section) -> bool:
    first, second = one.recipes, other.recipes
    return (first.common, first.keys) == (second.common, second.keys) and [
        (entrant.name, values, why) for entrant, values, why in first.rows
    ] == [(entrant.name, values, why) for entrant, values, why in second.rows]


def _recipes(comparison: Comparison) -> Recipes:
    """The settings of each network's first seed, with the reasons given for them."""
    recipes = [(one, one.results[0].recipe()) for one in comparison.networks]
    recipes = [(one, recipe) for one, recipe in recipes if recipe]
    left_out = (*IDENTITY, *_COUNTS)
    keys = dict.fromkeys(key for _, recipe in recipes for key in recipe if key not in left_out)
    reasons = {one.network: _reasons(recipe) for one, recipe in recipes}
    common, differing = [], []
    for key in keys:
        values = {wording.setting(recipe.get(key)) for _, recipe in recipes}
        given = {reasons[one.network].get(key, "") for one, _ in recipes}
        if len(values) == 1 and len(given) == 1:
            common.append((key, values.pop(), given.pop()))
        else:
            differing.append(key)
    rows = [
        (
            one,
            [wording.setting(recipe.get(key)) for key in differing],
            {key: why for key in differing if (why := reasons[one.network].get(key))},
        )
        for one, recipe in recipes
    ]
    return Recipes(common=common, keys=differing, rows=rows)


def _reasons(recipe: dict[str, Any]) -> dict[str, str]:
    reasons = recipe.get("reasons")
    return {key: str(why) for key, why in reasons.items()} if isinstance(reasons, dict) else {}
