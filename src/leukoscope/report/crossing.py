"""How many test images have a twin on the training side?"""

from typing import Any

from leukoscope.audit import leaks as crossed
from leukoscope.audit.duplicates import read_overlaps
from leukoscope.data.samples import read_samples
from leukoscope.report.run import Run


def leaks(run: Run) -> list[dict[str, Any]]:
    """What `settings.json` counts for each protocol and seed.

    A run that was made before it was counted is counted now, from the rows of each training and
    the overlaps of its audit; without an audit nothing is known of it.
    """
    written: list[dict[str, Any]] = run.settings["leaks"]
    table = run.path / "audit" / "overlaps.csv"
    if written or not table.exists():
        return written
    overlaps = read_overlaps(table)
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for result in run.results:
        key = (result.protocol, result.seed)
        rows = None if result.folder is None else result.folder / "samples.csv"
        if key in found or rows is None or not rows.exists():
            continue
        one = crossed.find(read_samples(rows), overlaps)
        found[key] = {
            **{"protocol": result.protocol, "seed": result.seed, "audited": True},
            **{"tested": one.tested, "known": one.known, "pairs": len(one.pairs)},
        }
    return list(found.values())
