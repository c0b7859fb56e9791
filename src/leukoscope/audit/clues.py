"""What tells the label besides the cells: from probes, map, price and doubts to findings."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from scipy.ndimage import median_filter

from leukoscope.audit.findings import LISTED, Finding, Verdict, are, count
from leukoscope.audit.price import FOREST, Point
from leukoscope.audit.shortcuts import Information, Probe

_SKILL = 0.5  # of the commonest class's errors that a probe gets right: a problem, not a note
_ABOVE = 1.5  # times the highest place of twenty maps of shuffled labels: not one in a hundred
_DOUBT = 50  # images of a class, of fewer of which one cannot say that no label is doubtful


def shortcuts(probes: Sequence[Probe], chance: float) -> list[Finding]:
    """A finding for each probe. What cells add to gives the label away for a good reason, too: it
    is a problem only where something that shows no cell gives it away as well."""
    marked = any(_resolves(one, chance) for one in probes if not one.cells)
    return [_shortcut(one, chance, marked) for one in probes]


def _found(one: Probe, chance: float) -> bool:
    return one.interval.low > max(one.shuffled_interval.high, chance)


def _resolves(one: Probe, chance: float) -> bool:
    return _found(one, chance) and one.skill(chance) >= _SKILL


def _shortcut(one: Probe, chance: float, marked: bool) -> Finding:
    verdict: Verdict = "note" if _found(one, chance) else "clear"
    if _resolves(one, chance) and (marked or not one.cells):
        verdict = "problem"
    if verdict == "clear":
        then = "chance may give as much."
    elif one.name == "file order":
        then = "no network sees it, but classes were photographed one after the other."
    elif one.name == "file facts":
        then = "it shows no cell, and so save all images in one size, format and compression."
    elif not one.cells:
        then = "it shows no cell, and so crop, mask or even out what gives the class away."
    elif marked:
        then = (
            "hardly a shape is seen, and what shows no cell gives the class away too, and so even "
            "out lamp, stain and camera."
        )
    else:
        then = "this may be the cells' own colour, and so a network must do better."
    return Finding(
        f"shortcut: {one.name}",
        "shortcut",
        verdict,
        f"A simple model that sees only {one.sees} is right about {one.accuracy:.1%} of the images "
        f"(the commonest class: {chance:.1%}; shuffled labels: {one.shuffled:.1%}): {then}",
        one.accuracy,
        "share",
        one.interval,
        details={
            "balanced_accuracy": one.balanced_accuracy,
            "majority": chance,
            "shuffled": one.shuffled,
            "shuffled_interval": asdict(one.shuffled_interval),
            "cells": one.cells,
        },
    )


def information(found: Information) -> Finding:
    # A mark or the lamp covers several places; among few images a single one may be high.
    bits = median_filter(found.bits, size=3, mode="nearest")
    high, typical = float(bits.max()), float(np.median(bits))
    row, column = (int(i) for i in np.unravel_index(bits.argmax(), bits.shape))
    vertical = ("upper", "middle", "lower")[3 * row // len(bits)]
    side = ("left", "centre", "right")[3 * column // len(bits)]
    spot = high > 0.1 and high > 3 * max(typical, 0.01) and high > _ABOVE * found.chance
    middle = vertical == "middle" and side == "centre"
    then = "No place of the picture says more about the label than chance and its neighbours do."
    if spot:
        then = (
            "In pictures of one cell in the middle that is the cell; otherwise it is a mark or "
            "the lamp, and so look at what lies there."
            if middle
            else "Unless the cells lie just there, that is a mark or the lamp, and so crop or "
            "cover it."
        )
    said = (
        f"{then} The highest, {vertical} {side}, says {high:.2f} bits, the typical one "
        f"{typical:.2f}, and the highest with shuffled labels {found.chance:.2f}."
        if not spot
        else f"The brightness of one place, {vertical} {side}, says much about the label: "
        f"{high:.2f} bits, where the typical place says {typical:.2f} and shuffled labels give at "
        f"most {found.chance:.2f}. {then}"
    )
    return Finding(
        "information map",
        "shortcut",
        "clear" if not spot else "note" if middle else "problem",
        said,
        high,
        "bits",
        details={"median": typical, "chance": found.chance},
    )


def price(points: Sequence[Point], left_out: Mapping[str, str]) -> Finding:
    """`left_out` says why which protocols have no point."""
    protocols = list(dict.fromkeys(point.protocol for point in points))
    why = "; ".join(f"{name} ({reason})" for name, reason in left_out.items())
    if len(protocols) < 2:
        return Finding(
            "price of leaking",
            "leak",
            "not run",
            f"This check was not run: it compares two ways of keeping images apart. Left out: "
            f"{why}.",
            details={"left_out": dict(left_out)},
        )
    curves: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        curves[point.model].append(point)
    lost, beyond, said = 0.0, 0.0, []  # at all, and beyond what chance may take
    for model, curve in curves.items():
        first, last = curve[0], min(curve[1:], key=lambda point: point.balanced_accuracy)
        loss = first.balanced_accuracy - last.balanced_accuracy
        lost = max(lost, loss)
        if first.accuracy > last.interval.high:
            beyond = max(beyond, loss)
        who = "a forest that sees colours only" if model == FOREST else model
        said.append(
            f"the balanced accuracy of {who} is {first.balanced_accuracy:.3f} "
            f"{_apart(first.protocol)} and {last.balanced_accuracy:.3f} {_apart(last.protocol)}"
        )
    then = "So little or nothing is won by what a split lets through."
    if beyond > 0.02:
        then = "What is lost was never knowledge about cells, and so split the second way."
    elif lost > 0.02:
        then = "Chance may make such a difference, and so none is shown here."
    if why:
        then += f" Not compared: {why}."
    sentence = f"{'; '.join(said)}. {then}"
    return Finding(
        "price of leaking",
        "leak",
        "problem" if beyond > 0.05 else "note" if beyond > 0.02 else "clear",
        sentence[0].upper() + sentence[1:],
        lost,
        "balanced accuracy",
        details={"points": [asdict(point) for point in points], "left_out": dict(left_out)},
    )


def _apart(protocol: str) -> str:
    known = {
        "random": "in a random split",
        "scene": "with overlapping images kept together",
        "session": "with sessions kept together",
    }
    return known.get(protocol, f"with {protocol} kept together")


def doubtful(
    doubted: Sequence[tuple[int, int]],
    paths: Sequence[str],
    own: Sequence[str],
    labels: Sequence[str],
) -> Finding:
    """Rows with the label that they look like more, as of `shortcuts.contradicted`; `own` has the
    label of each row."""
    counts = Counter(own)
    label = min(sorted(counts), key=counts.__getitem__)
    if not doubted and counts[label] < _DOUBT:
        said = (
            f"This cannot be told: of {label} there {are(counts[label], 'are', 'is')} "
            f"{count(counts[label], 'image')} only, and some {_DOUBT} of each class are needed to "
            f"know how it looks."
        )
        return Finding("doubtful labels", "label", "not run", said)
    if not doubted:
        said = "No image was found to look clearly more like another class than its own."
        return Finding("doubtful labels", "label", "clear", said, 0, "images")
    n = len(doubted)
    listing = {paths[row]: labels[answer] for row, answer in doubted}
    return Finding(
        "doubtful labels",
        "label",
        "note",
        f"{count(n, 'image')} {are(n, 'look', 'looks')} more like another class, by colours and "
        f"coarse shapes, and so {are(n, 'are', 'is')} worth a second look.",
        n,
        "images",
        paths=tuple(listing)[:LISTED],
        details={"looks_like": dict(list(listing.items())[:LISTED])},
    )
