"""One self-contained HTML file that says what a run found."""

import itertools
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from leukoscope import __version__
from leukoscope.data.samples import SPLITS
from leukoscope.errors import UsageError
from leukoscope.files import make_folder, write_text
from leukoscope.report import (
    checklist,
    crossing,
    evidence_plots,
    export,
    figures,
    flow,
    glossary,
    record,
    summary,
    tables,
    wording,
)
from leukoscope.report import comparison as compared
from leukoscope.report import section as sections_of
from leukoscope.report.evidence import read_sessions
from leukoscope.report.figures import Drawing
from leukoscope.report.run import Run, read
from leukoscope.report.section import Section

DRAWN = "drawn smears, not patients"


def write(
    run: Path, *, images: bool = True, prevalence: float | None = None, vector: bool = False
) -> Path:
    """`<run>/report.html`, one file without references to others; `<run>/figures/*.png`, with
    `vector` also as SVG and PDF; and `<run>/tables/` as CSV, Markdown and LaTeX.

    `images` says whether the data set's terms allow its pictures to be passed on; without it the
    page lists their paths only. PPV and NPV are given at `prevalence`, by default at the test
    images' own share of positive ones. Raises `LeukoscopeError` for a folder that holds no finished
    run.
    """
    if not run.is_dir():
        raise UsageError(f"{run} is not a folder with a run.")
    if prevalence is not None and not 0 < prevalence < 1:
        raise UsageError(f"The prevalence must lie between 0 and 1, not {prevalence}.")
    found = read(run)
    mark = DRAWN if found.card.get("synthetic") else ""
    found.settings["leaks"] = crossing.leaks(found)
    findings = summary.findings(run / "audit")
    comparisons = compared.compare(found.results)
    sections = [
        sections_of.make(
            one,
            found,
            others=comparisons,
            images=images,
            prevalence=prevalence,
            sessions=read_sessions(run / "audit"),
            findings=findings,
            mark=mark,
        )
        for one in comparisons
    ]
    way = figures.draw(
        evidence_plots.flow(
            flow.steps(found, findings),
            flow.sides(found),
            chained=flow.number_of_folds(found) > 0,
            title="Flow of images",
            mark=mark,
        ),
        "flow",
        flow.sentence(found),
    )
    page = _render(found, sections, images, findings, way)
    written = [
        path
        for drawing in (way, *(one for section in sections for one in section.drawings))
        for path in figures.write(drawing, make_folder(run / "figures"), vector=vector)
    ]
    export.remove_others(run / "figures", written, ("png", "svg", "pdf"))
    listed = [table for section in sections for table in section.tables]
    files = export.write_tables(listed, run / "tables", mark=mark)
    export.remove_others(run / "tables", files, export.KINDS)
    write_text(run / "report.html", page)
    return run / "report.html"


def _render(
    run: Run,
    sections: list[Section],
    images: bool,
    findings: list[dict[str, Any]],
    way: Drawing,
) -> str:
    environment = Environment(
        loader=PackageLoader("leukoscope.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    listed = checklist.items(
        run,
        [section.comparison for section in sections],
        [one for section in sections for one in section.found],
        audited=bool(findings),
    )
    numbers = {kind: partial(next, itertools.count(1)) for kind in ("table", "figure")}
    return environment.get_template("report.html").render(
        run=run,
        card=run.card,
        settings=run.settings,
        sections=sections,
        protocols=compared.side_by_side([section.comparison for section in sections]),
        images=images,
        findings=findings,
        flow=way,
        items=listed,
        checklist=checklist,
        terms=glossary.TERMS,
        glossary=glossary.BY_KEY,
        briefly=glossary.BRIEFLY,
        t=tables,
        drawn=DRAWN,
        counts=_counts(run),
        record=record.read(run),
        settled=sections_of.settled(sections),
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
        "networks": len({one.network for one in run.results if not one.is_baseline}),
        "groups": [sum(split == name for _, split in groups) for name in SPLITS] if groups else [],
        "sessions": len(set(read_sessions(run.path / "audit").values())),
        "in_folders": any(one.protocol != "random" for one in run.results),
        "expected": run.card.get("expected_counts") or {},
    }
