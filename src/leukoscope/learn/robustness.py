"""How far the figures fall when slide, microscope or camera change."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from leukoscope.data.perturbations import PERTURBATIONS, perturb
from leukoscope.evaluate.metrics import evaluate
from leukoscope.learn.answers import Answers
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.prediction import answer
from leukoscope.progress import bar


@dataclass(frozen=True, slots=True)
class Grade:
    """One row of `robustness.csv`: the figures under one change of one amount.

    `severity` counts the amounts from the least; the unchanged images are the grade `none`, 0.
    """

    change: str
    amount: float  # see data.perturbations
    severity: int
    n: int
    accuracy: float
    accuracy_low: float  # of the 95 % interval
    accuracy_high: float
    balanced_accuracy: float
    loss: float
    novel: float | None  # share of the images taken for unlike the training images


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A classifier and images it has not learned from: pixels, and the index of their classes."""

    classifier: Classifier
    pixels: NDArray[np.uint8]
    targets: NDArray[np.int64]
    groups: tuple[str, ...]  # empty strings where unknown


def grades(
    parts: Iterable[HeldOut], *, fabric: Fabric | None = None, quiet: bool = False
) -> list[Grade]:
    """The figures of all images together, each under every change of `data.perturbations`.

    Several classifiers are those of several folds, each with the images it was not trained on.
    """
    said: defaultdict[tuple[str, float, int], list[Answers]] = defaultdict(list)
    targets: list[NDArray[np.int64]] = []
    groups: list[str] = []
    classes: Sequence[str] = ()
    for part in parts:
        classes = part.classifier.config.classes
        targets.append(part.targets)
        groups += part.groups
        with bar("stressing", 1 + sum(len(p.amounts) for p in PERTURBATIONS), quiet=quiet) as step:
            said["none", 0, 0].append(
                answer(part.classifier, part.pixels, fabric=fabric, quiet=True)
            )
            step()
            for change in PERTURBATIONS:
                for amount in change.amounts:
                    pixels = perturb(part.pixels, change, amount)
                    key = (change.name, amount, change.severity(amount))
                    said[key].append(answer(part.classifier, pixels, fabric=fabric, quiet=True))
                    step(note=f"{change.name} {amount:g}")
    truth = np.concatenate(targets)
    units = groups if all(groups) else None
    return [_grade(*key, truth, answers, classes, units) for key, answers in said.items()]


def _grade(
    change: str,
    amount: float,
    severity: int,
    targets: NDArray[np.int64],
    answers: Sequence[Answers],
    classes: Sequence[str],
    groups: Sequence[str] | None,
) -> Grade:
    probabilities = np.concatenate([one.probabilities for one in answers])
    figures = evaluate(targets, probabilities, classes=classes, groups=groups)
    novel = [one.novel for one in answers if one.novel is not None]
    return Grade(
        change=change,
        amount=amount,
        severity=severity,
        n=figures.n,
        accuracy=figures.accuracy,
        accuracy_low=figures.intervals["accuracy"].low,
        accuracy_high=figures.intervals["accuracy"].high,
        balanced_accuracy=figures.balanced_accuracy,
        loss=figures.loss,
        novel=float(np.concatenate(novel).mean()) if len(novel) == len(answers) else None,
    )
