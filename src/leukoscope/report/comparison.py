"""Rows of results put side by side: means over seeds, the best network, several protocols."""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from leukoscope.evaluate.intervals import Interval, Measured
from leukoscope.report import wording
from leukoscope.report.run import TABLED, Confusion, Result

_SPACE = "\N{NO-BREAK SPACE}"
_SPLITS = {
    "random": (
        "Images are divided at random. Images of the same field can be on both sides of the "
        "split, so the figures say how well known smears are recognised, not new ones."
    ),
    "scene": (
        "Equal and overlapping fields stay on one side of the split. Images of the same patient, "
        "slide or staining session can still be on both sides."
    ),
    "session": (
        "Images that look taken together, or that a table of groups puts together, stay on one "
        "side of the split. Where looks decide, one patient can still be on both sides."
    ),
    "group": (
        "Images of one group, as the group column of samples.csv has it, stay on one side of the "
        "split. What that column does not record can still be on both sides."
    ),
}


@dataclass(frozen=True, slots=True)
class Entrant:
    """One network or baseline under one protocol: its results, one per seed."""

    network: str
    results: tuple[Result, ...]

    @property
    def name(self) -> str:
        """The name as a reader knows it."""
        return wording.network(self.network)

    @property
    def is_baseline(self) -> bool:
        """Whether it is there to be beaten."""
        return self.results[0].is_baseline

    def mean(self, column: str) -> float | None:
        """The mean of a column over the seeds, None when a seed lacks it."""
        values = self._values(column)
        return None if values is None else statistics.fmean(values)

    def spread(self, column: str) -> float | None:
        """The standard deviation over the seeds, None for a single one."""
        values = self._values(column)
        return None if values is None or len(values) < 2 else statistics.stdev(values)

    def _values(self, column: str) -> list[float] | None:
        values = [getattr(result, column) for result in self.results]
        return None if any(value is None for value in values) else values

    @property
    def accuracy(self) -> float:
        """The mean accuracy."""
        return statistics.fmean(result.accuracy for result in self.results)

    @property
    def loss(self) -> float:
        """The mean loss."""
        return statistics.fmean(result.loss for result in self.results)

    @property
    def bounds(self) -> tuple[float, float]:
        """From the lowest to the highest bound of the seeds' exact intervals.

        Seeds share images, so their counts must not be pooled into one narrower interval.
        """
        intervals = [result.interval for result in self.results]
        return min(one.low for one in intervals), max(one.high for one in intervals)

    @property
    def confusion(self) -> Confusion:
        """The counts of all seeds together."""
        matrices = [result.confusion for result in self.results]
        return tuple(
            tuple(map(sum, zip(*rows, strict=True))) for rows in zip(*matrices, strict=True)
        )


def figures(entrant: Entrant) -> dict[str, Measured]:
    """The row of the table: means over the seeds, with the lowest and highest of their bounds."""
    seeds = [result.figures() for result in entrant.results]
    found = {}
    for name in TABLED:
        intervals = [one[name].interval for one in seeds]
        known = [one for one in intervals if one is not None]
        whole = (
            Interval(min(one.low for one in known), max(one.high for one in known), known[0].method)
            if len(known) == len(intervals)
            else None
        )
        found[name] = Measured(entrant.mean(name), whole)
    return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that was measured for one task under one protocol."""

    classes: str
    protocol: str
    names: tuple[str, ...]
    entrants: tuple[Entrant, ...]

    @property
    def key(self) -> str:
        """A short name, used in file names and as an anchor."""
        return re.sub(r"[^A-Za-z0-9_.-]", "_", f"{self.classes}-{self.protocol}")

    @property
    def title(self) -> str:
        """What is told apart, and how the images were divided."""
        if len(self.names) == 2:
            return f"{self.names[0]} against {self.names[1]}, {self.protocol} split"
        return f"{len(self.names)} classes, {self.protocol} split"

    @property
    def networks(self) -> list[Entrant]:
        """The trained networks, in the order of the table."""
        return [one for one in self.entrants if not one.is_baseline]

    @property
    def baselines(self) -> list[Entrant]:
        """The rows that a network has to beat."""
        return [one for one in self.entrants if one.is_baseline]

    def baseline(self, name: str) -> Entrant | None:
        """The baseline of this name, if it was measured."""
        return next((one for one in self.baselines if one.network == name), None)

    @property
    def best(self) -> Entrant | None:
        """The network with the highest mean accuracy; of equal ones that of the lowest loss."""
        return max(self.networks, key=lambda one: (one.accuracy, -one.loss), default=None)

    @property
    def tied(self) -> list[Entrant]:
        """The networks with the same highest accuracy as the best one, itself first; empty where
        no other has it."""
        best = self.best
        same = [one for one in self.networks if best and abs(one.accuracy - best.accuracy) < 1e-12]
        return sorted(same, key=lambda one: one != best) if len(same) > 1 else []

    def place(self, entrant: Entrant) -> str:
        """Best, or tied with the best; empty for others and where there is one network only."""
        if len(self.networks) < 2:
            return ""
        if entrant in self.tied:
            return "best, tied"
        return "best" if entrant == self.best else ""

    @property
    def seeds_in_words(self) -> str:
        """How many seeds are behind a row, or from how many to how many."""
        counts = sorted({len(one.results) for one in self.entrants})
        if len(counts) > 1:
            return f"{counts[0]} to {counts[-1]} seeds"
        return wording.count(counts[0], "seed")

    @property
    def seeds(self) -> int:
        """The largest number of seeds behind one row."""
        return max(len(one.results) for one in self.entrants)

    @property
    def groups(self) -> int:
        """How many scenes, sessions or groups the intervals resample; 0 if they are exact ones."""
        methods = {result.interval.method for one in self.entrants for result in one.results}
        found = [re.search(r"(\d+) groups", method) for method in methods]
        return max((int(one[1]) for one in found if one is not None), default=0)

    @property
    def unit(self) -> str:
        """What the intervals resample, in the plural."""
        return {"scene": "scenes", "session": "sessions"}.get(self.protocol, "groups")

    @property
    def n_test(self) -> str:
        """The number of test images, or its range over the seeds."""
        found = sorted({result.n_test for one in self.entrants for result in one.results})
        return f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"


def compare(results: Sequence[Result]) -> list[Comparison]:
    """One comparison per task and protocol, rows in the order of their first appearance."""
    grouped: dict[tuple[str, str], dict[str, list[Result]]] = {}
    for result in results:
        rows = grouped.setdefault((result.classes, result.protocol), {})
        rows.setdefault(result.network, []).append(result)
    return [
        Comparison(
            classes=classes,
            protocol=protocol,
            names=_names([result for rows in networks.values() for result in rows]),
            entrants=tuple(Entrant(name, tuple(rows)) for name, rows in networks.items()),
        )
        for (classes, protocol), networks in grouped.items()
    ]


def _names(results: Sequence[Result]) -> tuple[str, ...]:
    for result in results:
        predictions = result.predictions()
        if predictions is not None:
            return predictions.classes
    return tuple(f"class {number}" for number in range(1, len(results[0].confusion) + 1))


def protocol_sentence(protocol: str) -> str:
    """What the split keeps apart and what it does not."""
    unknown = (
        f"The images were divided by the protocol “{protocol}”, which this report cannot explain."
    )
    return _SPLITS.get(protocol, unknown)


def measured(entrant: Entrant) -> str:
    """The accuracy with its interval and what stands behind it."""
    low, high = entrant.bounds
    bounds = f"{wording.percent(low)} to {wording.percent(high)}"
    spread = entrant.spread("accuracy")
    if spread is None:
        return f"95{_SPACE}% interval {bounds}"
    seeds = wording.count(len(entrant.results), "seed")
    return (
        f"mean of {seeds}, standard deviation {wording.points(spread)}; the seeds’ 95{_SPACE}% "
        f"intervals lie within {bounds}"
    )


@dataclass(frozen=True, slots=True)
class SideBySide:
    """One task under several protocols: per network or baseline an entrant for each, or None."""

    classes: str
    protocols: tuple[str, ...]
    rows: tuple[tuple[Entrant | None, ...], ...]


def side_by_side(comparisons: Sequence[Comparison]) -> list[SideBySide]:
    """The tasks that were measured under more than one protocol, the most lenient one first."""
    tables = []
    for classes in dict.fromkeys(one.classes for one in comparisons):
        of_task = {one.protocol: one for one in comparisons if one.classes == classes}
        if len(of_task) < 2:
            continue
        known = [*(name for name in _SPLITS if name in of_task)]
        protocols = (*known, *(name for name in of_task if name not in known))
        names = dict.fromkeys(one.network for name in protocols for one in of_task[name].entrants)
        rows = tuple(
            tuple(
                next((e for e in of_task[name].entrants if e.network == network), None)
                for name in protocols
            )
            for network in names
        )
        tables.append(SideBySide(classes, protocols, rows))
    return tables
