"""What the README says is what the program does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from leukoscope.cli import app

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_its_python_example_runs(tmp_path: Path) -> None:
    # The other example, of ONNX Runtime alone, is run with what is exported.
    examples = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (example,) = (one for one in examples if "import leukoscope" in one or "from leukoscope" in one)
    subprocess.run([sys.executable, "-c", example], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "first-run" / "report.html").is_file()


def test_it_lists_every_command() -> None:
    assert set(re.findall(r"\| `leukoscope (\w+)", TEXT)) == set(COMMANDS)


@pytest.mark.parametrize("line", sorted(set(re.findall(r"leukoscope (\w+ .*--.*)", TEXT))))
def test_it_names_no_option_that_is_not_there(line: str) -> None:
    known = {option for one in COMMANDS[line.split()[0]].params for option in one.opts}
    assert set(re.findall(r"(?<!\S)--[a-z-]+", line)) <= known


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http)([^)#]+)\)", TEXT))
def test_it_points_at_what_is_there(target: str) -> None:
    assert (README.parent / target).exists()
