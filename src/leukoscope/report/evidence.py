"""What do the files of one training say beyond its row in the table?

Everything is calculated anew from `predictions.csv` and `validation.csv`, so that whoever has these
has the figures. What a file that is absent would have said is None.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leukoscope.audit.attention import Looked, read_attention
from leukoscope.data.predictions import Predictions
from leukoscope.evaluate import calibration, resampling
from leukoscope.evaluate.abstention import RiskCoverage, risk_coverage
from leukoscope.evaluate.calibration import Bin, GroupCalibration
from leukoscope.evaluate.groups import GroupFigures, by_group, worst
from leukoscope.evaluate.intervals import Interval, group_bootstrap, of_share
from leukoscope.evaluate.metrics import Metrics, evaluate
from leukoscope.evaluate.resampling import Resamples
from leukoscope.files import read_csv
from leukoscope.report.comparison import Comparison, Entrant
from leukoscope.report.rejection import Rejection, read_rejections
from leukoscope.report.robustness import Grade, read_robustness
from leukoscope.report.validated import BINS, Validated, validate

_UNITS = {"scene": "scene", "session": "session"}


@dataclass(frozen=True, slots=True)
class Groups:
    """Which test images belong together, and how well each of these groups is recognised."""

    unit: str  # scene, session, group
    inferred: bool  # by the audit, though the split did not keep them apart
    names: tuple[str, ...]  # of each test image
    figures: tuple[GroupFigures, ...]  # the least accurate first
    interval: Interval  # of the accuracy, groups weighed anew

    of: dict[str, str]  # path to group

    @property
    def worst(self) -> GroupFigures | None:
        """The least accurate group of at least ten images."""
        return worst(self.figures)


@dataclass(frozen=True, slots=True)
class Novelty:
    """How many test images a classifier calls unlike its training images."""

    n: int
    novel: int
    by_class: dict[str, tuple[int, int]]  # novel, n
    intervals: dict[str, Interval]  # of the shares of all and of each class, over groups if known


@dataclass(frozen=True, slots=True)
class Evidence:
    """One network or baseline, its first seed."""

    entrant: Entrant
    test: Predictions
    metrics: Metrics
    groups: Groups | None
    bins: tuple[Bin, ...]  # of certainty, each of as many images
    calibration_of_groups: tuple[GroupCalibration, ...]
    risk: RiskCoverage
    validated: Validated | None
    robustness: tuple[Grade, ...]
    novelty: Novelty | None
    rejections: tuple[Rejection, ...]
    attention: tuple[Looked, ...]  # of some test images; none where it was not measured

    @property
    def name(self) -> str:
        """As a reader knows it."""
        return self.entrant.name


def gather(
    comparison: Comparison, *, sessions: dict[str, str], prevalence: float | None = None
) -> list[Evidence]:
    """The evidence of each network and baseline that kept its predictions, in the table's order.

    Of several seeds the first one. `sessions` are those that an audit inferred, by path; they
    group the figures where the split itself kept nothing larger apart.
    """
    return [
        evidence
        for entrant in comparison.entrants
        if (evidence := _evidence(entrant, comparison.protocol, sessions, prevalence)) is not None
    ]


def _evidence(
    entrant: Entrant, protocol: str, sessions: dict[str, str], prevalence: float | None
) -> Evidence | None:
    folder, test = entrant.results[0].folder, entrant.results[0].predictions()
    if test is None or folder is None:
        return None
    labels, probabilities = test.targets, test.probabilities
    own = _own_groups(test, protocol)
    names = None if own is None else [own[path] for path in test.paths]
    groups = _groups(test, protocol, own, sessions)
    drawn = resampling.resample(resampling.units(labels, probabilities, names))
    return Evidence(
        entrant=entrant,
        test=test,
        metrics=evaluate(
            labels,
            probabilities,
            classes=test.classes,
            groups=names,
            folds=test.folds,
            prevalence=prevalence,
        ),
        groups=groups,
        bins=calibration.reliability(labels, probabilities, drawn, bins=BINS, equal_mass=True),
        calibration_of_groups=()
        if groups is None
        else calibration.by_group(labels, probabilities, groups.names),
        risk=risk_coverage(labels, probabilities),
        validated=validate(
            folder,
            baseline=entrant.is_baseline,
            groups=own,
            parts_of=None if groups is None else groups.of,
            prevalence=prevalence,
        ),
        robustness=read_robustness(folder),
        novelty=_novelty(test, drawn),
        rejections=read_rejections(folder),
        attention=_attention(folder / "attention.csv"),
    )


def read_sessions(audit: Path) -> dict[str, str]:
    """The session of each path, as an audit inferred it; empty without one."""
    table = audit / "sessions.csv"
    if not table.exists():
        return {}
    return {row["path"]: row["session"] for row in read_csv(table, ("path", "session"))[1]}


def _own_groups(test: Predictions, protocol: str) -> dict[str, str] | None:
    """The group of each path where the split kept groups apart, as `metrics.json` has it."""
    if protocol == "random" or not all(test.groups):
        return None
    return dict(zip(test.paths, test.groups, strict=True))


def _groups(
    test: Predictions,
    protocol: str,
    own: dict[str, str] | None,
    sessions: dict[str, str],
) -> Groups | None:
    inferred = protocol in ("random", "scene") and all(path in sessions for path in test.paths)
    group_of = sessions if inferred else own
    if group_of is None:
        return None
    names = tuple(group_of[path] for path in test.paths)
    labels, probabilities = test.targets, test.probabilities
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    return Groups(
        unit="session" if inferred else _UNITS.get(protocol, "group"),
        inferred=inferred,
        names=names,
        figures=by_group(labels, probabilities, names),
        interval=group_bootstrap(right, names),
        of=group_of,
    )


def _novelty(test: Predictions, drawn: Resamples) -> Novelty | None:
    if test.novelty is None:
        return None
    novel = ~(test.novelty <= 1)  # also where it is not a number
    labels = np.array(test.labels)
    among = {"all": np.ones(len(novel), bool)} | {name: labels == name for name in test.classes}
    return Novelty(
        len(novel),
        int(novel.sum()),
        {name: (int(novel[among[name]].sum()), int(among[name].sum())) for name in test.classes},
        {name: of_share(drawn, novel, images) for name, images in among.items() if images.any()},
    )


def _attention(table: Path) -> tuple[Looked, ...]:
    return tuple(read_attention(table)) if table.exists() else ()
