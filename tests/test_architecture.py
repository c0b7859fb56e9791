"""Imports point one way, and what needs no torch loads none."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import leukoscope

PACKAGE = Path(leukoscope.__file__).parent

BASE = {"", "errors", "files", "progress"}
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "progress": set(),
    "recipes": set(),
    "settings": {"errors", "recipes"},
    "results": BASE | {"recipes", "report"},
    "data": BASE,
    "audit": BASE | {"data", "evaluate"},
    "learn": BASE | {"settings", "data", "evaluate"},
    "evaluate": {"errors"},  # stands alone: no files, no plots
    "report": BASE | {"data", "audit", "evaluate"},
    "evidence": BASE | {"data", "evaluate"},
    "evaluations": BASE | {"data", "evaluate", "evidence", "report"},
    "serve": BASE | {"data", "learn", "report"},
    "audits": BASE | {"data", "audit", "learn", "report"},
    "outcome": BASE | {"results", "explanation", "data", "audit", "learn", "evaluate"},
    "trial": BASE | {"settings", "outcome", "data", "learn"},
    "revisit": BASE | {"results", "outcome", "trial", "data", "learn", "report"},
    "pooling": {"data", "audit", "evaluate", "learn"},
    "scoring": BASE | {"pooling", "data", "audit", "learn"},
    "explanation": BASE | {"data", "audit", "learn", "report"},
    "exporting": BASE | {"data", "learn"},
    "slimming": BASE | {"data", "learn"},
    "benchmark": BASE
    | {"settings", "recipes", "results", "trial", "audits"}
    | {"data", "audit", "learn", "evaluate", "report"},
    "cli": BASE
    | {
        "settings",
        "results",
        "benchmark",
        "revisit",
        "audits",
        "scoring",
        "explanation",
        "exporting",
        "slimming",
        "evidence",
        "evaluations",
        "data",
        "audit",
        "learn",
        "evaluate",
        "report",
        "serve",
    },
}
"""What each room, or file of the top folder, may import; "" is the package with its version."""

WITHOUT_TORCH = ("data", "audit", "evaluate", "report")


def module(path: Path) -> str:
    return ".".join(("leukoscope", *path.relative_to(PACKAGE).with_suffix("").parts))


def room(name: str) -> str:
    """`data` of `leukoscope.data.images`."""
    return (*name.split("."), "")[1]


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or in a function, but not for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        inner
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for inner in ast.walk(block)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                inner = PACKAGE.joinpath(*node.module.split(".")[1:], alias.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").is_file()
                yield f"{node.module}.{alias.name}" if is_module else node.module


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_point_one_way(path: Path) -> None:
    here = room(module(path))
    assert here in ALLOWED, f"say what {here} may import"
    ours = {room(name) for name in imported(path) if name.split(".")[0] == "leukoscope"}
    assert ours - {here} <= ALLOWED[here]


def test_the_allowed_directions_have_no_circle() -> None:
    left = dict(ALLOWED)
    while left:
        free = [name for name, needs in left.items() if not needs & left.keys()]
        assert free, f"a circle among {', '.join(left)}"
        for name in free:
            del left[name]


@pytest.mark.parametrize("path", FILES, ids=module)
def test_torch_lives_in_one_room(path: Path) -> None:
    tensors = {"torch", "torchvision", "lightning_fabric", "safetensors"}
    found = {name.split(".")[0] for name in imported(path)} & tensors
    assert not found or room(module(path)) == "learn"


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh Python holds after this code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_rooms_without_torch_load_none() -> None:
    modules = [module(path) for path in FILES if room(module(path)) in WITHOUT_TORCH]
    assert {room(name) for name in modules} == set(WITHOUT_TORCH)
    loaded = loaded_by("\n".join(f"import {name.removesuffix('.__init__')}" for name in modules))
    assert {"leukoscope.data.images", "leukoscope.report.report", "numpy"} <= loaded
    assert not {"torch", "torchvision", "lightning_fabric", "kagglehub"} & loaded
    assert not {name for name in loaded if name.startswith("leukoscope.learn")}


def test_the_package_loads_nothing_else() -> None:
    assert loaded_by("import leukoscope") - loaded_by("") == {"leukoscope"}


def test_the_command_line_starts_without_what_is_heavy() -> None:
    loaded = loaded_by("import leukoscope.cli")
    heavy = {"torch", "numpy", "scipy", "sklearn", "matplotlib", "pydantic", "PIL", "jinja2"}
    assert "typer" in loaded
    assert not heavy & loaded
    ours = {room(name) for name in loaded if name.startswith("leukoscope.")}
    assert ours <= {"cli", "errors", "files"}


def test_the_classifier_of_the_package_answers_without_torch() -> None:
    code = "from leukoscope.serve.model import open_model\nopen_model(None)"
    loaded = loaded_by(code)
    assert "onnxruntime" in loaded
    assert not {"torch", "torchvision", "sklearn", "scipy.stats", "scipy.signal"} & loaded
