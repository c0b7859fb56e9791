"""What Leukoscope raises when a person can mend it: one sentence each, and an exit status."""

import difflib
from collections.abc import Iterable


class LeukoscopeError(Exception):
    """Work that failed. The message is one clear sentence with the path and the reason."""

    exit_status = 1


class UsageError(LeukoscopeError):
    """A wrong call: an unknown name, a setting out of range, a file that is not there."""

    exit_status = 2


class DataError(LeukoscopeError):
    """A data set that cannot be used as it is: an empty class, an unreadable picture."""


class Interrupted(LeukoscopeError):
    """Ctrl-C."""

    exit_status = 130


def nearest(name: str, known: Iterable[str]) -> str:
    """' Did you mean …?' with the known name most like this one, or nothing."""
    matches = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]}?" if matches else ""
