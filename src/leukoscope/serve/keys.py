"""Who may ask? A file of names and hashed keys.

The file is a table with the columns `name, sha256, created`. A key is 256 random bits, so one
SHA-256 hides it as well as a slow hash would hide a password.
"""

import hashlib
import secrets
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from leukoscope.errors import LeukoscopeError, UsageError, nearest
from leukoscope.files import make_folder, read_csv, write_csv
from leukoscope.serve.logs import log
from leukoscope.serve.text import SHORT, line

_MARK = "leukoscope_"  # lets a scanner of repositories recognise a key that was committed


@dataclass(frozen=True, slots=True)
class Key:
    """One row of the file: whose key it is, and what it hashes to."""

    name: str
    sha256: str
    created: str


COLUMNS = tuple(field.name for field in fields(Key))


def add(path: Path, name: str) -> str:
    """A new key for this person or program, which is written nowhere else."""
    known = read(path) if path.exists() else []
    if not name or line(name) != name or len(name) > SHORT:
        raise UsageError(f"{name!r} is no name for a key: one line of up to {SHORT} letters.")
    if name in {key.name for key in known}:
        raise UsageError(f"{path} has a key for {name} already; remove that one first.")
    secret = _MARK + secrets.token_urlsafe(32)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    _write(path, [*known, Key(name, _hash(secret), created)])
    return secret


def remove(path: Path, name: str) -> None:
    """Nothing; the key of this name is refused from now on, also by a service that runs."""
    known = read(path)
    left = [key for key in known if key.name != name]
    if len(left) == len(known):
        raise UsageError(f"{path} has no key for {name}.{nearest(name, [k.name for k in known])}")
    _write(path, left)


def read(path: Path) -> list[Key]:
    """The rows of the file; `UsageError` when it is not there or something else."""
    _, rows = read_csv(path, COLUMNS)
    return [Key(**{column: row[column] for column in COLUMNS}) for row in rows]


class Keyring:
    """The keys of a file as it is now; a service sees added and removed keys at once.

    Raises `UsageError` when the file is not there.
    """

    def __init__(self, path: Path) -> None:
        read(path)  # raises when there is no such file; one that goes away later lets nobody in
        self._path = path
        self._changed = -1
        self._names: dict[str, str] = {}

    def name(self, secret: str) -> str | None:
        """Whose key this is, or None.

        Looking a hash up takes a time that depends on the hash only, which says nothing about keys.
        """
        self._refresh()
        return self._names.get(_hash(secret))

    def _refresh(self) -> None:
        try:
            changed = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            changed = 0
        if changed == self._changed:
            return
        self._names, self._changed = {}, changed
        if changed:
            try:
                self._names = {key.sha256: key.name for key in read(self._path)}
            except LeukoscopeError as error:  # damaged while the service runs: nobody is let in
                log.error("the keys cannot be read", exc_info=error)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _write(path: Path, keys: list[Key]) -> None:
    make_folder(path.parent)
    write_csv(path, COLUMNS, (astuple(key) for key in keys))
    path.chmod(0o600)
