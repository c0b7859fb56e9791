"""By which commands was the run made, by which its audit, and how long did the trainings take?"""

from dataclasses import dataclass

from leukoscope.files import read_csv, read_json
from leukoscope.report.run import Run, history_files


@dataclass(frozen=True, slots=True)
class Record:
    """What the run folder knows of its own making."""

    commands: tuple[str, ...]  # as far as they were recorded
    beyond: int  # results that the settings of the last command do not ask for
    trainings: int  # whose time is known
    seconds: float | None  # all of these together, with validation; None: not recorded
    audit: str  # the command that made the audit; empty where none was kept
    audit_seconds: float | None


def read(run: Run) -> Record:
    """From `settings.json`, the `history.csv` files and `audit/findings.json`."""
    settings = run.settings
    commands = settings.get("commands") or [settings["command"]]
    trainings, seconds = _spent(run)
    file = run.path / "audit" / "findings.json"
    audit = read_json(file) if file.exists() else {}
    return Record(
        commands=tuple(str(one) for one in commands if one),
        beyond=_beyond(run) if len(commands) == 1 else 0,
        trainings=trainings,
        seconds=seconds,
        audit=str(audit.get("command") or ""),
        audit_seconds=audit.get("seconds"),
    )


def _beyond(run: Run) -> int:
    asked = run.settings["settings"]
    seeds, networks = asked.get("seeds"), asked.get("networks")
    return sum(
        (isinstance(seeds, int) and one.seed >= seeds)
        or (bool(networks) and not one.is_baseline and one.network not in networks)
        for one in run.results
    )


def _spent(run: Run) -> tuple[int, float | None]:
    """How many trainings have a history, and the seconds of all their epochs; where none was kept,
    the seconds of the trainings as `results.csv` has them."""
    found = []
    for result in run.results:
        for file in [] if result.folder is None else history_files(result.folder):
            columns, rows = read_csv(file, ("epoch",))
            if "seconds" in columns:
                found.append(sum(float(row["seconds"]) for row in rows))
    if not found:
        known = [one.train_seconds for one in run.results if not one.is_baseline]
        found = [seconds for seconds in known if seconds is not None]
    return len(found), sum(found) if found else None
