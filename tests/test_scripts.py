"""The scripts install what they need, once, and what tests need only for tests and checks."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
PYTHON = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
    *"-m venv"*)
        mkdir -p "$LEUKOSCOPE_VENV/bin"
        for name in python leukoscope ruff mypy; do cp "$0" "$LEUKOSCOPE_VENV/bin/$name"; done ;;
esac
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python that does nothing but write down what it was called with."""
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    monkeypatch.setenv("PYTHON", str(python))
    monkeypatch.setenv("LEUKOSCOPE_VENV", str(tmp_path / "venv"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def installs(script: str, calls: Path) -> list[str]:
    """The environment that a script makes, and what it installs there."""
    calls.write_text("")
    subprocess.run([SCRIPTS / script], check=True, capture_output=True, env=os.environ)
    said = calls.read_text().splitlines()
    return [line.split()[-1] for line in said if "-m venv" in line or "-m pip" in line]


def test_the_program_is_installed_once_and_without_what_tests_need(installed: Path) -> None:
    venv = str(installed.with_name("venv"))
    assert installs("leukoscope", installed) == [venv, "."]
    assert installs("leukoscope", installed) == []
    assert installs("check", installed) == [".[dev]"]  # into the same environment
    for script in ("check", "test", "leukoscope"):
        assert installs(script, installed) == []


def test_a_changed_file_makes_the_environment_anew(installed: Path) -> None:
    venv = installed.with_name("venv")
    assert installs("test", installed) == [str(venv), ".[dev]"]
    (venv / "made-from").write_text("1 2")
    assert installs("leukoscope", installed) == [str(venv), "."]
