"""How long do the intervals of all figures take, and how long would a plain loop take?

    python benchmarks/bootstrap.py [--images 3256] [--groups 2610] [--resamples 2000] [--rounds 5]

Leukoscope measures every figure with its interval (`evaluate`), on drawn predictions. The loop is
what a user would write: draw groups, put their rows together, call scikit-learn for the same
figures. It is timed over a few resamples and multiplied. One round warms up and is not counted.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

from leukoscope.evaluate.metrics import evaluate

IN_LOOP = 10  # resamples of the plain loop


def draw(
    images: int, groups: int, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    labels = rng.integers(k, size=images)
    scores = np.exp(rng.normal(size=(images, k)) + 3 * np.eye(k)[labels])
    return labels, scores / scores.sum(axis=1, keepdims=True), rng.integers(groups, size=images)


def loop(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], groups: NDArray[np.int64]
) -> None:
    """A few resamples with the figures of the table, and each class against the rest."""
    rng = np.random.default_rng(0)
    rows_of = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    for _ in range(IN_LOOP):
        rows = np.concatenate([rows_of[g] for g in rng.integers(len(rows_of), size=len(rows_of))])
        true, given = labels[rows], probabilities[rows]
        called = given.argmax(axis=1)
        sk.accuracy_score(true, called)
        sk.balanced_accuracy_score(true, called)
        sk.matthews_corrcoef(true, called)
        sk.log_loss(true, given)
        for average in ("weighted", "macro", None):
            sk.precision_recall_fscore_support(true, called, average=average)
        for index in range(given.shape[1]):
            sk.confusion_matrix(true == index, called == index)
            sk.roc_auc_score(true == index, given[:, index])
            sk.average_precision_score(true == index, given[:, index])


def seconds(work: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """The median, the least and the most of several rounds, after one that warms up."""
    work()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), min(taken), max(taken)


def line(classes: tuple[str, ...], arguments: argparse.Namespace) -> str:
    """A row of the printed table."""
    labels, probabilities, groups = draw(arguments.images, arguments.groups, len(classes))
    names = [str(group) for group in groups]

    def ours() -> int:
        found = evaluate(
            labels,
            probabilities,
            classes=classes,
            groups=names,
            prevalence=0.1,
            resamples=arguments.resamples,
        )
        assert found.binary is not None
        return len(found.intervals) + len(found.binary.measured)

    median, least, most = seconds(ours, arguments.rounds)
    plain, _, _ = seconds(lambda: loop(labels, probabilities, groups), 1)
    return (
        f"| {len(classes)} | {ours()} | {median:.2f} ({least:.2f} to {most:.2f}) "
        f"| {plain * arguments.resamples / IN_LOOP:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=3256)
    parser.add_argument("--groups", type=int, default=2610)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print("| classes | figures with an interval | Leukoscope, s | plain loop, s |")
    print("|---|---|---|---|")
    for classes in (("Benign", "Malignant"), ("Benign", "Early", "Pre", "Pro")):
        print(line(classes, arguments), flush=True)


if __name__ == "__main__":
    main()
