"""The figures of a comparison: what is drawn, under which name, and what it shows in words."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leukoscope.evaluate import curves
from leukoscope.evaluate.intervals import Interval, Measured, clopper_pearson
from leukoscope.files import replacing
from leukoscope.report import concentration, plots, style
from leukoscope.report.comparison import Comparison, Entrant
from leukoscope.report.evidence import Evidence
from leukoscope.report.mistakes import Mistake
from leukoscope.report.wording import bounded


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure in both its forms: for the page, and to be a file of its own."""

    stem: str
    alt: str
    width: int
    height: int
    uri: str
    figure: Figure


def write(drawing: Drawing, folder: Path, *, vector: bool = False) -> list[Path]:
    """The drawing's PNG file in the folder; with `vector`, an SVG and a PDF file, too."""
    kinds = {"png": style.png} | ({"svg": style.svg, "pdf": style.pdf} if vector else {})
    written = []
    for kind, content in kinds.items():
        path = folder / f"{drawing.stem}.{kind}"
        with replacing(path) as beside:
            beside.write_bytes(content(drawing.figure))
        written.append(path)
    return written


def roc_and_precision_recall(
    comparison: Comparison, rows: dict[str, dict[str, Measured]], mark: str
) -> Drawing | None:
    """The curves of all networks and the colour baseline, None when no predictions were kept."""
    lines = [
        line for one in comparison.entrants if (line := _line(one, rows[one.network])) is not None
    ]
    if not lines:
        return None
    figure = plots.curves(lines, title=f"ROC and precision–recall: {comparison.title}", mark=mark)
    areas = "; ".join(f"{line.name} {line.areas}" for line in lines)
    return _drawing(
        figure,
        comparison,
        "curves",
        f"Curves. Area under the ROC curve, and average precision: {areas}.",
    )


def overview(comparison: Comparison, mark: str) -> Drawing | None:
    """Accuracy and loss of every network, None when there is none."""
    dots = [
        plots.Dot(
            name=one.name,
            accuracies=tuple(result.accuracy for result in one.results),
            intervals=tuple((r.interval.low, r.interval.high) for r in one.results),
            losses=tuple(result.loss for result in one.results),
        )
        for one in comparison.networks
    ]
    if not dots:
        return None
    references = [(one.name, one.accuracy, one.bounds) for one in comparison.baselines]
    title = f"Accuracy and loss: {comparison.title}"
    figure = plots.overview(dots, references, title=title, mark=mark)
    shares = "; ".join(
        f"{one.name} {bounded(Measured(one.accuracy, Interval(*one.bounds, '')))}"
        for one in comparison.entrants
    )
    return _drawing(figure, comparison, "overview", f"Dot plot. Accuracy: {shares}.")


def confusions(comparison: Comparison, found: Sequence[Evidence], mark: str) -> list[Drawing]:
    """One confusion matrix per network and baseline, the counts of all seeds together."""
    of = {each.entrant.network: each for each in found}
    return [
        _drawing(
            plots.confusion(
                one.confusion,
                comparison.names,
                _recalls(comparison, one, of.get(one.network)),
                title=one.name,
                mark=mark,
            ),
            comparison,
            f"confusion-{one.network}",
            f"Confusion matrix of {one.name}, true classes in rows: {one.confusion}.",
        )
        for one in comparison.entrants
    ]


def trainings(comparison: Comparison, mark: str) -> list[Drawing]:
    """The training curves of each network that kept its history."""
    drawings = []
    for one in comparison.networks:
        histories = [
            (result.seed, history) for result in one.results for history in result.histories()
        ]
        if histories:
            figure = plots.history(histories, title=one.name, mark=mark)
            first = histories[0][1]
            alt = (
                f"Training of {one.name}: {len(first.epochs)} epochs, the lowest validation loss "
                f"{first.validation_loss[first.best]:.4f} in epoch {first.epochs[first.best]}."
            )
            drawings.append(_drawing(figure, comparison, f"training-{one.network}", alt))
    return drawings


def errors(
    comparison: Comparison,
    found: list[Mistake],
    opened: dict[str, NDArray[np.uint8]],
    mark: str,
) -> Drawing | None:
    """The test images with the largest errors, as far as they could be opened."""
    shown = [
        (
            opened[one.path],
            f"{one.path.rsplit('/', 1)[-1]}\n{one.label} {one.given:.3f}\n"
            f"mistaken for {one.predicted} ({one.probability:.3f})",
        )
        for one in found
        if one.path in opened
    ]
    if not shown:
        return None
    figure = plots.errors(shown, title=f"Largest errors: {comparison.title}", mark=mark)
    return _drawing(figure, comparison, "errors", "The test images with the largest errors.")


def _recalls(
    comparison: Comparison, entrant: Entrant, found: Evidence | None
) -> list[Interval | None]:
    """The interval of each class's recall: exact ones where images are taken as independent, else
    those over groups, of which several seeds have none in common."""
    if comparison.groups if found is None else found.metrics.groups:
        if found is None or len(entrant.results) > 1:
            return [None] * len(entrant.confusion)
        return [concentration.interval(found, name) for name in comparison.names]
    seeds = len(entrant.results)  # they share images: their counts are as sure as those of one
    return [
        clopper_pearson(row[place] // seeds, sum(row) // seeds)
        for place, row in enumerate(entrant.confusion)
    ]


def _line(entrant: Entrant, row: dict[str, Measured]) -> plots.Line | None:
    """The mean curves over the seeds, None when a seed has none or lacks a class."""
    rocs, staircases = [], []
    if row["auroc"].value is None or entrant.network == "majority":
        return None
    for result in entrant.results:
        predictions = result.predictions()
        if predictions is None or set(predictions.labels) != set(predictions.classes):
            return None
        truth = predictions.targets
        rocs.append(curves.roc_curve(truth, predictions.probabilities, predictions.folds))
        staircases.append(
            curves.precision_recall_curve(truth, predictions.probabilities, predictions.folds)
        )
    return plots.Line(
        name=entrant.name,
        roc=curves.mean_roc(rocs),
        precision_recall=curves.mean_precision_recall(staircases),
        areas=f"{bounded(row['auroc'])} · {bounded(row['average_precision'])}",
        baseline=entrant.is_baseline,
    )


def _drawing(figure: Figure, comparison: Comparison, stem: str, alt: str) -> Drawing:
    stem, photographs = f"{comparison.key}-{stem}", stem == "errors"
    return draw(figure, stem, alt, photographs=photographs)


def draw(figure: Figure, stem: str, alt: str, *, photographs: bool = False) -> Drawing:
    """A figure in both its forms; of `photographs` the page shows the pictures themselves."""
    width, height = figure.get_size_inches()
    svg = "" if photographs else base64.b64encode(style.svg(figure)).decode()
    if svg:
        figure.set_layout_engine("none")  # it is laid out: the second file needs no second time
    return Drawing(
        stem=re.sub(r"[^A-Za-z0-9_.-]", "_", stem),
        alt=alt,
        width=round(96 * width),
        height=round(96 * height),
        uri=f"data:image/svg+xml;base64,{svg}",
        figure=figure,
    )
