"""How did the images come from the folder into the test?"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from leukoscope.data.samples import SPLITS, Sample
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
            ("overlapping fields", "share of overlapping fields: {:.1%}"),
            ("labels of twins", "overlapping pairs under two labels: {:,}"),
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
    folds = run.settings["settings"].get("folds")
    if folds:
        total = len(run.samples)
        return [
            Box(
                f"{folds} folds",
                ("each network is trained once per fold,", "without its test images"),
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
