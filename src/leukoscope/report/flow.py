"""How did the images come from the folder into the test?"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leukoscope.data.samples import SPLITS, Sample
from leukoscope.files import read_csv
from leukoscope.report import wording
from leukoscope.report.evidence_plots import Box
from leukoscope.report.run import Run


def steps(run: Run, findings: Sequence[dict[str, Any]]) -> list[tuple[Box, Box | None]]:
    """The steps before the split, each with what was noted or left out there."""
    total = len(run.samples)
    unread = left_out(run)
    found = total + (unread or 0)
    notes = tuple(
        line
        for name, written in (
            ("equal files", "copies of another file: {:,}"),
            ("overlapping fields", "show cells that another image shows: {:.1%} of all"),
            ("labels of twins", "pairs of these under two labels: {:,}"),
        )
        if (line := _note(findings, name, written))
    )
    return [
        (
            Box(f"Found: {wording.count(found, 'image')}"),
            Box("Left out", (f"cannot be read: {_counted(unread)}",)),
        ),
        (
            Box(f"Used: {wording.count(total, 'image')}", _lines(run.samples)),
            Box("Noted by the audit, kept in" if notes else "No audit was kept", notes),
        ),
    ]


def sides(run: Run) -> list[Box]:
    """Training, validation and test images by class; of folds, that each image is tested once."""
    folds = number_of_folds(run)
    if folds:
        total = len(run.samples)
        return [
            Box(
                f"{folds} folds",
                ("a network is trained once per fold, without its test images", *_trained(run)),
            ),
            Box(f"Test: {wording.count(total, 'image')}", _lines(run.samples)),
        ]
    return [
        Box(
            f"{split.capitalize()}: {wording.count(len(rows), 'image')}",
            _lines(rows),
        )
        for split in SPLITS
        if (rows := [one for one in run.samples if one.split == split])
    ]


def number_of_folds(run: Run) -> int:
    """In how many folds every image is tested once; 0 for one test split."""
    return int(run.settings["settings"].get("folds") or 0)


def _trained(run: Run) -> list[str]:
    """How many images the folds of each protocol train and validate on, from fewest to most."""
    lines = []
    for protocol in dict.fromkeys(one.protocol for one in run.results):
        first = next(one for one in run.results if one.protocol == protocol)
        counts = [] if first.folder is None else _of_folds(first.folder, len(run.samples))
        known = counts or [(first.n_train, first.n_validation)]
        train, validation = (_range([one[place] for one in known]) for place in (0, 1))
        which = "" if counts else " (first fold)"
        lines.append(f"{protocol}: {train} train, {validation} validate{which}")
    return lines


def _of_folds(folder: Path, total: int) -> list[tuple[int, int]]:
    """Training and validation images of each fold that kept its predictions: of all images, those
    that it neither tests nor validates on are trained on."""
    found = []
    for fold in sorted(folder.glob("fold*")):
        tables = [fold / name for name in ("validation.csv", "predictions.csv")]
        if all(table.exists() for table in tables):
            validated, tested = (len(read_csv(table, ("path",))[1]) for table in tables)
            found.append((total - validated - tested, validated))
    return found


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def sentence(run: Run) -> str:
    """The flow in words, for those who do not see it."""
    sides_ = "; ".join(f"{box.title} ({', '.join(box.lines)})" for box in sides(run))
    unread = left_out(run)
    used = wording.count(len(run.samples), "image")
    before = (
        f"Unreadable images left out: {_counted(unread)}. {used} used"
        if unread is None
        else f"{wording.count(len(run.samples) + unread, 'image')} found, {unread:,} unreadable, "
        f"{used} used"
    )
    return f"Flow of images. {before}. {sides_}."


def left_out(run: Run) -> int | None:
    """How many pictures could not be read; None when the run does not say."""
    listed = run.settings["left_out"]
    if isinstance(listed, dict):
        return len(listed)
    # Without --skip-unreadable an unreadable picture stops a run before it begins.
    return 0 if run.settings["settings"].get("skip_unreadable") is False else None


def _counted(number: int | None) -> str:
    return "not recorded" if number is None else f"{number:,}"


def _note(findings: Sequence[dict[str, Any]], check: str, written: str) -> str:
    figure = next((one.get("figure") for one in findings if one.get("check") == check), None)
    if not isinstance(figure, int | float):
        return ""
    return written.format(figure)


def _lines(rows: Sequence[Sample]) -> tuple[str, ...]:
    return tuple(f"{name}: {n:,}" for name, n in sorted(Counter(r.label for r in rows).items()))
