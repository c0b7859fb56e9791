"""How often is the answer right? A confusion table to the figures of the comparison table.

Tables are R×K×K with the true class in rows: what was counted, or many that were resampled, so that
a figure and its interval come from one formula.
"""

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from leukoscope.evaluate import resampling
from leukoscope.evaluate.inputs import Labels, Numbers
from leukoscope.evaluate.intervals import (
    CONFIDENCE,
    Interval,
    Measured,
    linearised,
    of_share,
    outer_percentiles,
)
from leukoscope.evaluate.resampling import Floats, Resamples

_COMBINED = (
    *("precision", "f1", "precision_macro", "recall_macro", "f1_macro"),
    *("balanced_accuracy", "mcc"),
)


_OF_IMAGES = ("accuracy", "precision", "f1")  # that weigh images; the others weigh classes


def strata(name: str, labels: Labels) -> Labels:
    """Within what the units of a figure are counted: within classes where it weighs these."""
    return np.zeros_like(labels) if name in _OF_IMAGES else labels


class Figures(NamedTuple):
    """R values of each figure, and R×K of those of a class; nan where nothing can be judged."""

    accuracy: Floats
    precision: Floats
    recall: Floats
    f1: Floats
    precision_macro: Floats
    recall_macro: Floats
    f1_macro: Floats
    balanced_accuracy: Floats
    mcc: Floats
    precision_of: Floats
    recall_of: Floats
    specificity_of: Floats
    npv_of: Floats
    f1_of: Floats


def confusion(labels: Labels, predicted: Labels, k: int) -> Numbers:
    """K×K counts, the true class in rows, the predicted one in columns."""
    return np.bincount(labels * k + predicted, minlength=k * k).reshape(k, k)


def of_tables(tables: NDArray[np.floating] | Numbers, counts: Numbers) -> Figures:
    """The figures of R tables; `counts` is the K×K table that was measured.

    `precision`, `recall` and `f1` weigh classes by their images. The macro ones are means over the
    classes that occur among labels or predictions in `counts`, `balanced_accuracy` over those
    with images. The precision of a class that is never called is 0. These are scikit-learn's rules.
    """
    tables = tables.astype(np.float64)
    hits = np.diagonal(tables, axis1=1, axis2=2)
    true, called = tables.sum(axis=2), tables.sum(axis=1)
    n = tables.sum(axis=(1, 2))[:, None]
    weights = true / n
    precision = _ratio(hits, called, empty=0.0)
    recall = _ratio(hits, true)
    f1 = _ratio(2 * hits, true + called, empty=0.0)
    known = np.nan_to_num(recall)
    present = counts.sum(axis=1) > 0
    occurs = present | (counts.sum(axis=0) > 0)
    return Figures(
        accuracy=hits.sum(axis=1) / n[:, 0],
        precision=(precision * weights).sum(axis=1),
        recall=(known * weights).sum(axis=1),
        f1=(f1 * weights).sum(axis=1),
        precision_macro=precision[:, occurs].mean(axis=1),
        recall_macro=known[:, occurs].mean(axis=1),
        f1_macro=f1[:, occurs].mean(axis=1),
        balanced_accuracy=known[:, present].mean(axis=1),
        mcc=_mcc(hits, true, called),
        precision_of=precision,
        recall_of=recall,
        specificity_of=_ratio(n - true - called + hits, n - true),
        npv_of=_ratio(n - true - called + hits, n - called),
        f1_of=f1,
    )


def influence(
    pick: Callable[[Figures], Floats],
    table: Numbers,
    counts: Numbers,
    labels: Labels,
    predicted: Labels,
) -> Floats:
    """What each of N images adds to a figure of `table`, less the mean: the figure with half an
    image more in the image's cell minus that with half an image less."""
    k = len(table)
    half = np.eye(k * k).reshape(-1, k, k) / 2
    more, less = (of_tables(np.maximum(table + move, 0), counts) for move in (half, -half))
    slopes = np.nan_to_num(pick(more) - pick(less))
    flat = table.ravel() / table.sum()
    return np.asarray((slopes - slopes @ flat)[labels * k + predicted])


def predictive_values(
    sensitivity: Floats, specificity: Floats, prevalence: float
) -> tuple[Floats, Floats]:
    """PPV and NPV where the disease has this prevalence, by Bayes' rule; nan where undefined.

    Those of a test set hold for its own share of diseased images only.
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"The prevalence must lie between 0 and 1, not {prevalence}.")
    found, missed = sensitivity * prevalence, (1 - sensitivity) * prevalence
    cleared, alarmed = specificity * (1 - prevalence), (1 - specificity) * (1 - prevalence)
    return _ratio(found, found + alarmed), _ratio(cleared, cleared + missed)


def measure(
    labels: Labels,
    predicted: Labels,
    names: Sequence[str],
    drawn: Resamples,
    *,
    prevalence: float | None = None,
    confidence: float = CONFIDENCE,
) -> dict[str, Measured]:
    """All figures of answers that are right or wrong, keyed `accuracy`, `recall:<class>`, ….

    Shares (accuracy; recall, precision, specificity, NPV of a class) have exact intervals where
    the units are images; all others are resampled. With two classes and a `prevalence` of the
    second there are `ppv` and `npv` at that prevalence, too.
    """
    answers = _answers(labels, predicted, len(names), drawn)
    everything = np.ones(len(labels), bool)
    accuracy = _share(answers, "accuracy", predicted == labels, everything, confidence)
    found = {"accuracy": accuracy, "recall": accuracy}  # the weighted recall is the accuracy
    picks: dict[str, Callable[[Figures], Floats]] = {n: attrgetter(n) for n in _COMBINED}
    for index, name in enumerate(names):
        true, called = labels == index, predicted == index
        for key, right, among in (
            ("recall", called, true),
            ("precision", true, called),
            ("specificity", ~called, ~true),
            ("npv", ~true, ~called),
        ):
            share = _share(answers, f"{key}_of", right, among, confidence, index)
            found[f"{key}:{name}"] = share
        picks[f"f1:{name}"] = partial(_f1_of, index)
    if prevalence is not None:
        picks["ppv"] = partial(_ppv, prevalence)
        picks["npv"] = partial(_npv, prevalence)
    for key, pick in picks.items():
        least = -1.0 if key == "mcc" else 0.0
        found[key] = _combined(key, answers, pick, confidence, least=least)
    return found


class _Answers(NamedTuple):
    counts: Numbers
    counted: Figures
    resampled: Figures
    labels: Labels
    predicted: Labels
    drawn: Resamples


def _answers(labels: Labels, predicted: Labels, k: int, drawn: Resamples) -> _Answers:
    counts = confusion(labels, predicted, k)
    counted = of_tables(counts[None], counts)
    resampled = of_tables(resampling.tables(drawn, labels, predicted, k), counts)
    return _Answers(counts, counted, resampled, labels, predicted, drawn)


def _share(
    answers: _Answers,
    name: str,
    right: NDArray[np.bool_],
    among: NDArray[np.bool_],
    confidence: float,
    index: int | None = None,
) -> Measured:
    values = getattr(answers.counted, name)[0]
    value = float(values if index is None else values[index])
    interval = of_share(answers.drawn, right, among, confidence) if among.any() else None
    return Measured(None if np.isnan(value) else value, interval)


def _combined(
    name: str,
    answers: _Answers,
    pick: Callable[[Figures], Floats],
    confidence: float,
    *,
    least: float,
) -> Measured:
    value = float(pick(answers.counted)[0])
    units = answers.drawn.units
    if np.isnan(value):
        return Measured(None)
    if units.count < 2:
        return Measured(value, Interval(least, 1.0, f"one {units.kind.removesuffix('s')}"))
    labels, counts = answers.labels, answers.counts
    effect = influence(pick, counts, counts, labels, answers.predicted)
    spread = linearised(effect, strata(name, labels), units)
    if not np.isfinite(spread.error):
        return Measured(
            value, Interval(least, 1.0, f"one {units.kind.removesuffix('s')} of a class")
        )
    low, high = outer_percentiles(pick(answers.resampled), spread, confidence)
    method = f"bootstrap over {units.count} {units.kind}"
    return Measured(value, Interval(min(low, value), max(high, value), method))


def _f1_of(index: int, figures: Figures) -> Floats:
    return figures.f1_of[:, index]


def _ppv(prevalence: float, figures: Figures) -> Floats:
    return predictive_values(figures.recall_of[:, 1], figures.specificity_of[:, 1], prevalence)[0]


def _npv(prevalence: float, figures: Figures) -> Floats:
    return predictive_values(figures.recall_of[:, 1], figures.specificity_of[:, 1], prevalence)[1]


def _mcc(hits: Floats, true: Floats, called: Floats) -> Floats:
    """Matthews' correlation, for K classes by Gorodkin (Computational Biology and Chemistry 28,
    2004); 0 where all images are of one class or all are called one."""
    n = true.sum(axis=1)
    together = n * hits.sum(axis=1) - (true * called).sum(axis=1)
    alone = (n**2 - (true**2).sum(axis=1)) * (n**2 - (called**2).sum(axis=1))
    return _ratio(together, np.sqrt(np.maximum(alone, 0)), empty=0.0)


def _ratio(part: Floats, whole: Floats, *, empty: float = np.nan) -> Floats:
    return np.divide(part, whole, out=np.full_like(whole, empty), where=whole > 0)
