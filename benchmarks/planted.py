"""What an audit finds of what was planted in drawn smears, and what it invents in clean ones.

    python benchmarks/planted.py [--seeds 20] [--first 0] [--per-class 40] [--size 224]

Each seed draws two sets. In the planted one are copies, shifted and turned fields, sessions of
different looks, and a scale bar that goes with the class; in the clean one every field is a scene
of its own, all sessions look alike and there is no scale bar. Prints two rows per seed.
"""

import argparse
from dataclasses import dataclass

import numpy as np

from leukoscope.audit import clues, duplicates, sessions, shortcuts
from leukoscope.audit.duplicates import Overlap
from leukoscope.data.images import Facts
from leukoscope.data.samples import Sample
from leukoscope.data.synthetic import CLASSES, Field, Smears, draw


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found in one set."""

    planted: int
    found: int  # of the planted pairs
    misplaced: int  # found, but not where they were planted
    invented: int  # pairs of two scenes
    adjusted_rand: float
    weak: bool
    shortcuts: tuple[str, ...]  # probes whose verdict is a problem


def outcome(smears: Smears) -> Outcome:
    """The checks of an audit, held against the truth."""
    fields = {field.path: field for field in smears.fields}
    rows = [Sample(field.path, field.label) for field in smears.fields]
    overlaps = duplicates.find_overlaps(rows, smears.pixels, quiet=True)
    found = {(one.path_a, one.path_b): one for one in overlaps}
    planted = {
        (min(f.path, f.copy_of), max(f.path, f.copy_of)): f for f in smears.fields if f.copy_of
    }
    number = {row.path: place for place, row in enumerate(rows)}
    links = [(number[one.path_a], number[one.path_b]) for one in overlaps]
    height, width = smears.pixels.shape[1:3]
    facts = [Facts("PNG", "RGB", width, height, 1000, "")] * len(rows)
    inferred = sessions.infer(rows, smears.pixels, facts, links, quiet=True)
    truth = [field.session for field in smears.fields]
    return Outcome(
        planted=len(planted),
        found=len(planted.keys() & found.keys()),
        misplaced=sum(_misplaced(found[pair], f) for pair, f in planted.items() if pair in found),
        invented=sum(fields[a].scene != fields[b].scene for a, b in found),
        adjusted_rand=sessions.agreement(inferred.session, truth).adjusted_rand,
        weak=inferred.weak,
        shortcuts=_shortcuts(smears, facts),
    )


def _misplaced(found: Overlap, planted: Field) -> bool:
    if planted.turn:
        return not found.turn
    sign = 1 if planted.copy_of == found.path_a else -1
    away = max(abs(found.dx - sign * planted.dx), abs(found.dy - sign * planted.dy))
    return found.turn != "" or away > 1


def _shortcuts(smears: Smears, facts: list[Facts]) -> tuple[str, ...]:
    targets = np.array([CLASSES.index(field.label) for field in smears.fields])
    views = shortcuts.views(
        smears.pixels, facts=facts, paths=[f.path for f in smears.fields], quiet=True
    )
    probes = shortcuts.probe(views, targets, [f.scene for f in smears.fields], quiet=True)
    chance = float(np.bincount(targets).max() / len(targets))
    findings = clues.shortcuts(probes, chance)
    return tuple(p.name for p, f in zip(probes, findings, strict=True) if f.verdict == "problem")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--per-class", type=int, default=40)
    parser.add_argument("--size", type=int, default=224)
    given = parser.parse_args()
    size, per_class = given.size, given.per_class
    print("| seed | set | planted | found | misplaced | invented | sessions (ARI) | shortcuts |")
    print("|---|---|---|---|---|---|---|---|")
    for seed in range(given.first, given.first + given.seeds):
        sets = {
            "planted": draw(
                per_class=per_class,
                size=size,
                seed=seed,
                marks="label",
                copies=6,
                shifted=16,
                turned=8,
            ),
            "clean": draw(per_class=per_class, size=size, seed=1000 + seed, looks="same"),
        }
        for name, smears in sets.items():
            one = outcome(smears)
            weak = ", weak" if one.weak else ""
            print(
                f"| {seed} | {name} | {one.planted} | {one.found} | {one.misplaced} "
                f"| {one.invented} | {one.adjusted_rand:.3f}{weak} | {', '.join(one.shortcuts)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
