"""One self-contained HTML file that says what a run found."""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from leukoscope import __version__
from leukoscope.data.samples import SPLITS
from leukoscope.errors import UsageError
from leukoscope.files import make_folder, write_text
from leukoscope.report import comparison as compared
from leukoscope.report import figures, mistakes, wording
from leukoscope.report.comparison import Comparison, Entrant
from leukoscope.report.figures import Drawing
from leukoscope.report.run import IDENTITY, Run, read

DRAWN = "drawn smears, not patients"


@dataclass(frozen=True, slots=True)
class Recipes:
    """Settings that all networks share as (key, value, reason), and those that differ."""

    common: list[tuple[str, str, str]]
    keys: list[str]
    rows: list[tuple[Entrant, list[str], dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Section:
    """One comparison with all that the page shows of it."""

    comparison: Comparison
    curves: Drawing | None
    overview: Drawing | None
    confusions: list[Drawing]
    trainings: list[Drawing]
    errors: Drawing | None
    mistakes: list[mistakes.Mistake]
    thumbnails: dict[str, str]
    recipes: Recipes

    @property
    def drawings(self) -> Iterator[Drawing]:
        """All figures of the section."""
        single = (self.curves, self.overview, self.errors)
        yield from (one for one in single if one is not None)
        yield from self.confusions
        yield from self.trainings


def write(run: Path, *, images: bool = True) -> Path:
    """`<run>/report.html`, one file without references to others, and `<run>/figures/*.png`.

    `images` says whether the data set's terms allow its pictures to be passed on; without it the
    page lists their paths only. Raises `LeukoscopeError` for a folder that holds no finished run.
    """
    if not run.is_dir():
        raise UsageError(f"{run} is not a folder with a run.")
    found = read(run)
    mark = DRAWN if found.card.get("synthetic") else ""
    sections = [_section(one, found, images, mark) for one in compared.compare(found.results)]
    page = _render(found, sections, images)
    _write_figures(make_folder(run / "figures"), sections)
    write_text(run / "report.html", page)
    return run / "report.html"


def _section(comparison: Comparison, run: Run, images: bool, mark: str) -> Section:
    worst = mistakes.largest(comparison)
    known = {sample.path for sample in run.samples}
    opened = mistakes.pictures(worst, run.root, known=known) if images else {}
    return Section(
        comparison=comparison,
        curves=figures.roc_and_precision_recall(comparison, mark),
        overview=figures.overview(comparison, mark),
        confusions=figures.confusions(comparison, mark),
        trainings=figures.trainings(comparison, mark),
        errors=figures.errors(comparison, worst, opened, mark),
        mistakes=worst,
        thumbnails={path: mistakes.thumbnail(pixels) for path, pixels in opened.items()},
        recipes=_recipes(comparison),
    )


def _recipes(comparison: Comparison) -> Recipes:
    """The settings of each network's first seed, with the reasons given for them."""
    recipes = [(one, one.results[0].recipe()) for one in comparison.networks]
    recipes = [(one, recipe) for one, recipe in recipes if recipe]
    keys = dict.fromkeys(key for _, recipe in recipes for key in recipe if key not in IDENTITY)
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


def _render(run: Run, sections: list[Section], images: bool) -> str:
    environment = Environment(
        loader=PackageLoader("leukoscope.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    numbers = {kind: partial(next, itertools.count(1)) for kind in ("table", "figure")}
    return environment.get_template("report.html").render(
        run=run,
        card=run.card,
        settings=run.settings,
        sections=sections,
        tables=compared.side_by_side([section.comparison for section in sections]),
        images=images,
        drawn=DRAWN,
        counts=_counts(run),
        splits=SPLITS,
        w=wording,
        compared=compared,
        number=numbers,
        version=__version__,
    )


def _counts(run: Run) -> dict[str, Any]:
    """Images and groups by label and split, as the tables of the page need them."""
    table = Counter((sample.label, sample.split) for sample in run.samples)
    labels = sorted({sample.label for sample in run.samples})
    groups = {(sample.group, sample.split) for sample in run.samples if sample.group}
    return {
        "labels": labels,
        "cells": {label: [table[label, split] for split in SPLITS] for label in labels},
        "found": {label: sum(table[label, split] for split in ("", *SPLITS)) for label in labels},
        "splits": [sum(table[label, split] for label in labels) for split in SPLITS],
        "total": len(run.samples),
        "groups": [sum(split == name for _, split in groups) for name in SPLITS] if groups else [],
        "expected": run.card.get("expected_counts") or {},
    }


def _write_figures(folder: Path, sections: list[Section]) -> None:
    """The PNG files; those of an earlier report that this one does not have are removed."""
    for section in sections:
        written = {figures.write(drawing, folder) for drawing in section.drawings}
        for old in folder.glob(f"{section.comparison.key}-*.png"):
            if old not in written:
                old.unlink()
