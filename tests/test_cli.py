"""What a person sees: the right answer, or one clear sentence, the right status and no debris."""

import contextlib
import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import leukoscope
from leukoscope import cli
from leukoscope.audit.duplicates import write_overlaps
from leukoscope.data.samples import SPLITS, Sample, read_samples, write_samples

NETWORK = "squeezenet1_1"  # the smallest one that learns from 32 pixels
TINY = ("--epochs", "1", "--set", "size=32", "--set", "batch=4", "--quiet")
COMMANDS = (
    *("benchmark", "audit", "find", "split", "train", "predict", "evaluate"),
    *("calibrate", "stress", "explain", "export", "slim", "push", "report", "serve"),
)


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str


def call(*arguments: object) -> Answer:
    """The program in this process, where torch has to be imported once only."""
    out, err = io.StringIO(), io.StringIO()
    status: Any = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["leukoscope", *map(str, arguments)])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                cli.main()
            except SystemExit as error:
                status = error.code
    return Answer(status or 0, out.getvalue(), err.getvalue())


def process(*arguments: object) -> Answer:
    """The program as the shell runs it."""
    command = [sys.executable, "-m", "leukoscope.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def sentence(answer: Answer, *, status: int) -> str:
    """The one sentence of a failed call."""
    assert answer.status == status, answer.err
    assert "Traceback" not in answer.out + answer.err
    (line,) = answer.err.splitlines()
    assert line.startswith("leukoscope: ")
    assert line.endswith((".", "?"))
    assert ".." not in line.replace("...", "")
    assert ".part" not in line
    return line


def files(folder: Path) -> set[str]:
    """All files below a folder, hidden ones too."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def picture(label: str, number: int) -> Image.Image:
    """A noisy 40×36 picture, bright or dark."""
    rng = np.random.default_rng([number, len(label)])
    pixels = rng.integers(0, 90, (36, 40, 3)) + (120 if label == "Benign" else 20)
    return Image.fromarray(pixels.astype(np.uint8))


def draw(folder: Path, **per_class: int) -> Path:
    for label, count in per_class.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            picture(label, number).save(folder / label / f"{number}.png")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return draw(tmp_path / "data", Benign=4, Pro=4)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def benchmark(data: Path, out: Path, *more: object) -> Answer:
    return call(
        *("benchmark", "--data", data, "--networks", NETWORK, *TINY, "--out", out),
        *("--no-audit", *more),
    )


# The parser


def test_the_version_and_nothing_else() -> None:
    assert process("--version") == Answer(0, f"{leukoscope.__version__}\n", "")


def test_every_command_is_known() -> None:
    known = {command.callback.__name__ for command in cli.app.registered_commands}
    assert known == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    answer = call(command, "--help")
    assert (answer.status, answer.err) == (0, "")
    assert f"leukoscope {command}" in answer.out
    first_line = getattr(cli, command).__doc__.splitlines()[0]
    assert first_line in " ".join(answer.out.split())
    assert call(command, "-h") == answer


def test_help_lists_the_commands_and_says_that_it_does_not_diagnose() -> None:
    answer = call("--help")
    assert (answer.status, answer.err) == (0, "")
    assert all(f" {command} " in answer.out for command in COMMANDS)
    assert "does not diagnose" in " ".join(re.sub(r"[│\s]+", " ", answer.out).split())


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("benchmark --epochs 0", "--epochs"),
        ("benchmark --epochs many", "--epochs"),
        ("benchmark --seeds 0", "--seeds"),
        ("benchmark --classes four", "--classes"),
        ("benchmark --network vgg16", "--network"),
        ("split samples.csv", "--out"),
        ("split samples.csv --out x.csv --seed -1", "--seed"),
        ("split samples.csv --out x.csv --seed 4294967296", "--seed"),
        ("train samples.csv --out x", "--network"),
        ("find", "DIR"),
        ("diagnose", "diagnose"),
    ],
)
def test_what_cannot_be_parsed_is_a_wrong_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = call(*line.split())
    assert (answer.status, answer.out) == (2, "")
    assert named in answer.err
    assert "Traceback" not in answer.err
    assert files(tmp_path) == set()


def test_ctrl_c_has_its_own_status(data: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("leukoscope.data.sources.find", interrupted)
    answer = call("find", data, "--out", out / "samples.csv")
    assert answer.status == 130
    assert "Traceback" not in answer.err


# From a folder to a report, without torch

DRIVER = """
import shlex, sys
from leukoscope.cli import main
for line in sys.stdin:
    sys.argv = ["leukoscope", *shlex.split(line)]
    try:
        main()
    except SystemExit as ended:
        print("status", ended.code)
print("torch" in sys.modules)
"""


def test_find_split_evaluate_and_report_need_no_torch(tmp_path: Path) -> None:
    data, run = draw(tmp_path / "my data", Benign=20, Early=20, Pro=10), tmp_path / "run"
    folder = run / "theirs-random-seed0"
    folder.mkdir(parents=True)
    found, split = tmp_path / "tables" / "found.csv", run / "samples.csv"
    rows = [  # another program's answers for the five test images
        "path,label,probability_Benign,probability_Malignant",
        *(f"Benign/{number}.png,Benign,0.75,0.25" for number in range(2)),
        *(f"Early/{number}.png,Malignant,0.5,0.5" for number in range(2)),
        "Pro/0.png,Malignant,0.125,0.875",
    ]
    (folder / "predictions.csv").write_text("\n".join(rows))
    identity = {"network": "theirs", "protocol": "random", "classes": "binary", "seed": 0}
    sizes = {"n_train": 40, "n_validation": 5, "n_test": 5}
    (folder / "settings.json").write_text(json.dumps(identity | sizes))
    for name in ("settings.json", "card.json"):
        (run / name).write_text("{}")  # what is not known need not be said
    lines = [
        ("find", data, "--out", found),
        ("split", found, "--out", split, "--seed", 0),
        ("evaluate", folder / "predictions.csv", "--out", folder),
        ("report", run, "--without-images"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input="\n".join(shlex.join(map(str, line)) for line in lines),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.count("status 0") == 4
    assert done.stdout.splitlines()[-1] == "False"

    assert f"{found}: 50 images; Benign 20, Early 20, Pro 10" in done.stdout
    assert f"pass --root {data} with it" in done.stdout
    before, after = read_samples(found), read_samples(split)
    assert [(a.path, a.sha256) for a in after] == [(b.path, b.sha256) for b in before]
    assert [sum(row.split == name for row in after) for name in SPLITS] == [40, 5, 5]
    assert re.search(r"^train +40 +Benign 16, Early 16, Pro 8$", done.stdout, re.MULTILINE)

    # By hand: the class of an exact half is the first, so three of five are right.
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["accuracy"]["value"] == pytest.approx(0.6)
    assert metrics["confusion"] == [[2, 0], [2, 1]]
    loss = -(2 * np.log(0.75) + 2 * np.log(0.5) + np.log(0.875)) / 5
    assert metrics["loss"]["value"] == pytest.approx(loss)
    with (run / "results.csv").open() as file:
        (result,) = csv.DictReader(file)
    assert (result["network"], float(result["accuracy"])) == ("theirs", 0.6)
    assert str(run / "report.html") in done.stdout
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "theirs" in page
    assert "http" not in "".join(re.findall(r"""(?:src|href)=["']([^"']*)""", page))
    assert not [name for name in files(tmp_path) if ".part" in name]


def test_find_says_what_differs_from_the_card(tmp_path: Path) -> None:
    for label, count in {"Benign": 500, "Early": 985, "Pre": 963, "Pro": 804}.items():
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "data" / label / f"{number}.png").touch()
    answer = process("find", tmp_path / "data", "--out", tmp_path / "data" / "samples.csv")
    assert answer.status == 0
    assert answer.err.startswith("warning: ")
    assert "should hold Benign 504" in answer.err
    assert "found Benign 500, Early 985, Pre 963, Pro 804" in answer.err
    assert "--root" not in answer.out  # the table lies where its paths start


# Bad input: the data


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    answer = process("find", tmp_path / "empty", "--out", tmp_path / "samples.csv")
    assert f"{tmp_path / 'empty'} has no images" in sentence(answer, status=1)
    assert files(tmp_path) == set()


def test_an_empty_folder_stops_a_benchmark(tmp_path: Path, out: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty has no images" in sentence(benchmark(tmp_path / "empty", out), status=1)
    assert files(tmp_path) == set()


def test_an_empty_class_folder(data: Path, out: Path) -> None:
    (data / "Early").mkdir()
    line = sentence(benchmark(data, out), status=1)
    assert f"{data / 'Early'} is a class folder without images" in line
    assert not out.exists() or files(out) == set()


def test_data_that_are_not_there(tmp_path: Path, out: Path) -> None:
    line = sentence(benchmark(tmp_path / "none", out), status=2)
    assert f"{tmp_path / 'none'} is not there; give a folder" in line
    assert files(tmp_path) == set()


def test_one_class_only(tmp_path: Path, out: Path) -> None:
    draw(tmp_path / "data", Pro=6)
    line = sentence(benchmark(tmp_path / "data", out), status=1)
    assert "There is one class only (Pro); a classifier needs two." in line
    assert files(out) == set()


@pytest.mark.parametrize("count", [1, 2])
def test_a_class_with_fewer_images_than_splits(tmp_path: Path, out: Path, count: int) -> None:
    draw(tmp_path / "data", Benign=6, Pro=count)
    line = sentence(benchmark(tmp_path / "data", out), status=1)
    assert f"The class Pro has {count} image" in line
    assert files(out) == set()


def test_a_class_with_fewer_images_than_splits_cannot_be_split_either(tmp_path: Path) -> None:
    table, out = tmp_path / "samples.csv", tmp_path / "split.csv"
    table.write_text("path,label\na,Benign\nb,Benign\nc,Benign\nd,Pro\n")
    answer = process("split", table, "--out", out)
    assert "The class Pro has 1 image, and none of them in the" in sentence(answer, status=1)
    assert not out.exists()


@pytest.mark.parametrize(("beside", "hint"), [(True, " --out DIR"), (False, " --root IMAGES --o")])
def test_a_split_by_scene_says_how_to_audit(
    data: Path, tmp_path: Path, beside: bool, hint: str
) -> None:
    table = (data if beside else tmp_path) / "samples.csv"
    table.write_text("path,label\nBenign/0.png,Benign\nPro/0.png,Pro\n")
    answer = call("split", table, "--out", tmp_path / "split.csv", "--protocol", "scene")
    assert f"needs an audit: leukoscope audit {table}{hint}" in sentence(answer, status=2)


def test_a_split_leaves_out_what_the_audit_could_not_read(tmp_path: Path) -> None:
    audit, out = tmp_path / "audit", tmp_path / "split.csv"
    rows = [Sample(f"{label}{number}.png", label) for label in "AB" for number in range(8)]
    audit.mkdir()
    write_samples(rows, audit / "samples.csv")
    write_overlaps([], audit / "overlaps.csv")
    reasons = {"A9.png": "A9.png is not a picture."}
    found = {"check": "readable", "details": {"reasons": reasons}}
    (audit / "findings.json").write_text(json.dumps({"findings": [found]}))
    write_samples([*rows, Sample("A9.png", "A")], tmp_path / "samples.csv")
    answer = call(
        *("split", tmp_path / "samples.csv", "--out", out, "--protocol", "scene"),
        *("--audit", audit),
    )
    assert (answer.status, answer.err) == (0, "left out: A9.png is not a picture.\n")
    assert {row.path for row in read_samples(out)} == {row.path for row in rows}


def test_groups_are_asked_for_by_name(tmp_path: Path) -> None:
    table, out = tmp_path / "samples.csv", tmp_path / "split.csv"
    rows = [f"{label}{n}.png,{label},{label}{n // 2}" for label in "AB" for n in range(8)]
    table.write_text("\n".join(["path,label,group", *rows]))
    assert call("split", table, "--out", out, "--protocol", "group").status == 0
    sides = {(row.group, row.split) for row in read_samples(out)}
    assert len(sides) == len({group for group, _ in sides})
    table.write_text("\n".join(["path,label,group", *rows, "B9.png,B,A1"]))
    answer = call("split", table, "--out", out, "--protocol", "group")
    assert "The group A1 has two labels, A and B (B9.png)" in sentence(answer, status=1)


def encoded(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def huge_png() -> bytes:
    """A PNG that says it has 30,000×30,000 pixels."""
    content = bytearray(encoded(Image.new("1", (8, 8)), "PNG"))  # whose header is made to lie
    content[16:24] = (30_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


UNREADABLE = {
    "text.jpg": (b"Dear colleague,\n", "is not a picture (JPEG, PNG, BMP, TIFF, WEBP)."),
    "truncated.jpg": (encoded(picture("Pro", 0), "JPEG")[:-300], "cannot be decoded: "),
    "empty.png": (b"", "is not a picture"),
    "huge.png": (huge_png(), "too large"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_picture_stops_a_benchmark(
    data: Path, out: Path, pixel_cache: Path, name: str
) -> None:
    content, reason = UNREADABLE[name]
    (data / "Pro" / name).write_bytes(content)
    line = sentence(benchmark(data, out), status=1)
    assert str(data / "Pro" / name) in line
    assert reason in line
    assert files(out) == set()
    assert files(pixel_cache) == set()


def test_nothing_is_left_when_all_is_unreadable(tmp_path: Path, out: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "1.png").write_text(name)
    answer = benchmark(tmp_path / "data", out, "--skip-unreadable")
    assert answer.status == 1
    *left_out, last = answer.err.splitlines()
    assert len(left_out) == 2
    assert "without what cannot be read, holds no images." in last
    assert files(out) == set()


def test_a_file_that_changed_since_its_table_was_written(data: Path, out: Path) -> None:
    table = data / "samples.csv"
    assert call("find", data, "--out", table).status == 0
    picture("Pro", 99).save(data / "Pro" / "1.png")
    line = sentence(benchmark(table, out), status=1)
    assert f"{data / 'Pro' / '1.png'} is not the file that the table was written for" in line
    assert files(out) == set()


def test_predictions_that_are_none(tmp_path: Path, out: Path) -> None:
    table = tmp_path / "predictions.csv"
    table.write_text("path,label,probability_A,probability_B\nx,A,0.9,0.9\n")
    answer = call("evaluate", table, "--out", out)
    assert "line 2: 0.9, 0.9 are not probabilities" in sentence(answer, status=1)
    assert "none.csv cannot be read as CSV" in sentence(
        call("evaluate", tmp_path / "none.csv", "--out", out), status=2
    )
    assert not out.exists()


# Bad input: the call


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--networks", "googlnet"], "no torchvision network 'googlnet'. Did you mean googlenet?"),
        (["--networks", "alexnet,ResNet-50"], "'ResNet-50'. Did you mean resnet50?"),
        (["--set", "epoch=3"], "There is no setting 'epoch'. Did you mean epochs?"),
        (["--set", "epochs=0"], "epochs=0: Input should be greater than or equal to 1."),
        (["--set", "epochs=many"], "epochs=many: Input should be a valid integer"),
        (["--set", "size=8"], "size=8: Input should be greater than or equal to 32."),
        (["--set", "batch"], "--set takes KEY=VALUE, not 'batch'."),
        (["--set", "network=vgg16"], "it has the option --network."),
        (
            ["--protocol", "groups"],
            "There is no protocol 'groups'; known are random, scene, session, group",
        ),
        (["--protocol", ","], "--protocol needs at least one of random, scene, session, group"),
        (["--negative", "Healthy", "--data", "three"], "needs the class Healthy among A, B, C"),
    ],
)
def test_a_wrong_option_is_named_with_the_nearest_right_one(
    tmp_path: Path, out: Path, options: list[str], expected: str
) -> None:
    data = draw(tmp_path / "data", A=3, B=3, C=3)
    options = [str(data) if option == "three" else option for option in options]
    epochs = [] if "epochs" in str(options) else ["--epochs", "1"]
    if "--data" not in options:
        options += ["--data", str(data)]
    answer = call("benchmark", "--quiet", "--out", out, *epochs, *options)
    assert expected in sentence(answer, status=2)
    assert not out.exists() or files(out) == set()


def train(data: Path, out: Path, *more: object) -> Answer:
    """One training on a table whose split column is filled."""
    rows = [
        f"{label}/{number}.png,{label},{split}"
        for label in ("Benign", "Pro")
        for number, split in enumerate(("train", "train", "validation", "test"))
    ]
    (data / "samples.csv").write_text("\n".join(["path,label,split", *rows]))
    return call(
        *("train", data / "samples.csv", "--network", NETWORK, "--out", out, "--epochs", 1),
        *("--set", "size=32", "--set", "batch=4", "--quiet", *more),
    )


def test_a_table_without_its_splits_cannot_be_trained_on(data: Path, out: Path) -> None:
    (data / "samples.csv").write_text("path,label\nBenign/0.png,Benign\nPro/0.png,Pro\n")
    answer = call("train", data / "samples.csv", "--network", NETWORK, "--out", out)
    assert "Benign/0.png is in no split" in sentence(answer, status=1)
    assert not out.exists()


def test_an_unreadable_picture_stops_a_training_before_anything_is_written(
    data: Path, out: Path
) -> None:
    (data / "Pro" / "0.png").write_text("no picture")
    assert "is not a picture" in sentence(train(data, out), status=1)
    assert not out.exists()


def test_a_training_goes_on_without_what_is_unreadable(data: Path, out: Path) -> None:
    (data / "Pro" / "0.png").write_text("no picture")
    answer = train(data, out, "--skip-unreadable")
    assert answer.status == 0, answer.err
    assert answer.err.startswith(f"left out: {data / 'Pro' / '0.png'} is not a picture")
    assert len(read_samples(out / "samples.csv")) == 7


def test_weights_of_another_network(data: Path, out: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    weights = tmp_path / "other.safetensors"
    save_file({"conv1.weight": np.zeros((64, 3, 7, 7), np.float32)}, weights)
    line = sentence(train(data, out, "--weights", weights), status=2)
    assert f"{weights} holds weights of another network than {NETWORK}" in line
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("weights.pth", "weights are read from .safetensors files only"),
        ("weights.safetensors", "cannot be read as safetensors"),
        ("none.safetensors", "is not there"),
        ("ImageNet", "weights are read from .safetensors files only"),
    ],
)
def test_weights_that_are_none(
    data: Path, out: Path, tmp_path: Path, name: str, expected: str
) -> None:
    (tmp_path / "weights.pth").write_bytes(b"\x80\x04")
    (tmp_path / "weights.safetensors").write_text("these are words")
    line = sentence(train(data, out, "--weights", tmp_path / name), status=2)
    assert f"{tmp_path / name}" in line
    assert expected in line
    assert not out.exists()


def test_a_setting_that_needs_weights(data: Path, out: Path) -> None:
    answer = train(data, out, "--set", "trainable=last")
    assert "trainable=last needs weights" in sentence(answer, status=2)
    assert not out.exists()


# Bad input: the disk


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nobody can write; permissions do not hold the superuser back."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    with mounted(folder, "ro"):
        yield folder


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A disk of so many kilobytes, for the superuser."""
    with contextlib.ExitStack() as stack:

        def make(kilobytes: int) -> Path:
            folder = tmp_path / "disk"
            folder.mkdir()
            return stack.enter_context(mounted(folder, f"size={kilobytes}k"))

        yield make


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        allowed = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        allowed = False
    if not allowed:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> set[str]:
    """The one file that leaves no room for another."""
    with (folder / "filler").open("wb", 0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(folder).free < 4096
    return {"filler"}


def predictions(folder: Path) -> Path:
    path = folder / "predictions.csv"
    path.write_text("path,label,probability_A,probability_B\nx,A,0.9,0.1\ny,B,0.1,0.9\n")
    return path


@pytest.mark.parametrize("command", ["find", "split", "evaluate", "benchmark", "train"])
def test_a_read_only_output_folder(
    data: Path, tmp_path: Path, read_only: Path, command: str
) -> None:
    out = read_only / "below"
    answer = {
        "find": lambda: process("find", data, "--out", out / "samples.csv"),
        "split": lambda: call("split", table(tmp_path), "--out", out / "samples.csv"),
        "evaluate": lambda: call("evaluate", predictions(tmp_path), "--out", out),
        "benchmark": lambda: benchmark(data, out),
        "train": lambda: train(data, out),
    }[command]()
    line = sentence(answer, status=2)
    assert re.search(rf"{out} cannot be written to: (Read-only|Permission)", line)
    assert files(read_only) == set()


def table(folder: Path) -> Path:
    path = folder / "samples.csv"
    rows = [f"{label}{number}.png,{label}" for label in "AB" for number in range(4)]
    path.write_text("\n".join(["path,label", *rows]))
    return path


def test_a_read_only_cache(
    data: Path, out: Path, read_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEUKOSCOPE_CACHE", str(read_only / "cache"))
    line = sentence(benchmark(data, out), status=2)
    assert re.search(rf"{read_only / 'cache'} cannot be written to: (Read-only|Permission)", line)
    assert files(out) == set()


@pytest.mark.parametrize("command", ["find", "evaluate", "benchmark", "train"])
def test_an_output_folder_that_is_a_file(data: Path, tmp_path: Path, command: str) -> None:
    out = tmp_path / "out"
    out.write_text("mine")
    answer = {
        "find": lambda: call("find", data, "--out", out / "samples.csv"),
        "evaluate": lambda: call("evaluate", predictions(tmp_path), "--out", out),
        "benchmark": lambda: benchmark(data, out),
        "train": lambda: train(data, out),
    }[command]()
    assert f"{out} is a file; name a folder." in sentence(answer, status=2)
    assert out.read_text() == "mine"


def test_an_output_file_that_is_a_folder(data: Path, out: Path) -> None:
    (out / "mine").mkdir(parents=True)
    line = sentence(call("find", data, "--out", out), status=1)
    assert f"{out}: Is a directory." in line
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("command", ["find", "split", "evaluate"])
def test_a_full_disk(data: Path, tmp_path: Path, disk: Callable[[int], Path], command: str) -> None:
    out = disk(64)
    filler = fill(out)
    answer = {
        "find": lambda: process("find", data, "--out", out / "samples.csv"),
        "split": lambda: call("split", table(tmp_path), "--out", out / "samples.csv"),
        "evaluate": lambda: call("evaluate", predictions(tmp_path), "--out", out),
    }[command]()
    line = sentence(answer, status=1)
    assert re.search(rf"{out}/(samples\.csv|metrics\.json): No space left on device\.", line)
    assert files(out) == filler


@pytest.mark.parametrize("more", [(), ("--skip-unreadable",)])
def test_a_full_disk_below_the_pixel_cache(
    data: Path,
    out: Path,
    disk: Callable[[int], Path],
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
) -> None:
    (data / "Pro" / "text.jpg").write_text("no picture")
    small = disk(512)
    monkeypatch.setenv("LEUKOSCOPE_CACHE", str(small))
    # Nine pictures of 224 × 224 × 3 bytes are 1.3 MB.
    line = sentence(benchmark(data, out, "--set", "size=224", *more), status=1)
    assert re.search(rf"{small}/\w+-224\.npy: No space left on device\.", line)
    assert files(small) == set()
    assert files(out) == set()


@pytest.mark.parametrize("kilobytes", [1024, 6 * 1024], ids=["weights", "checkpoint"])
def test_a_disk_that_fills_during_a_training(
    data: Path, disk: Callable[[int], Path], kilobytes: int
) -> None:
    out = disk(kilobytes)
    line = sentence(train(data, out / "run"), status=1)
    assert str(out / "run") in line
    left = files(out / "run")
    assert not [name for name in left if ".part" in name]
    assert not {"metrics.json", "predictions.csv", "checkpoint.pt"} & left
    fill(out)  # what could not be written takes no room either


# A whole run, on every kind of picture and one that is none


@dataclass(frozen=True)
class Run:
    data: Path
    out: Path
    answer: Answer

    def again(self, *more: object) -> Answer:
        return benchmark(self.data, self.out, "--skip-unreadable", *more)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("run")
    data = draw(folder / "data", Benign=6, Pro=3)
    (data / "Pro" / "text.jpg").write_text("no picture")
    exif = Image.Exif()
    exif[0x0112] = 6
    first = picture("Pro", 5)
    first.convert("L").save(data / "Pro" / "grey.png")
    first.convert("CMYK").save(data / "Pro" / "cmyk.jpg")
    first.save(data / "Pro" / "turned.jpg", exif=exif)
    first.quantize(8).save(data / "Pro" / "palette.png", transparency=0)
    sixteen = np.asarray(first.convert("L")).astype(np.uint16) * 257
    Image.fromarray(sixteen).save(data / "Pro" / "sixteen.png")
    Image.fromarray(sixteen).save(data / "Pro" / "sixteen.tiff")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEUKOSCOPE_CACHE", str(folder / "cache"))
        answer = benchmark(data, folder / "out", "--skip-unreadable")
        yield Run(data, folder / "out", answer)


def test_a_run_goes_on_without_what_is_unreadable(run: Run) -> None:
    assert run.answer.status == 0, run.answer.err
    (left_out,) = run.answer.err.splitlines()
    assert left_out.startswith(f"left out: {run.data / 'Pro' / 'text.jpg'} is not a picture")
    rows = read_samples(run.out / "samples.csv")
    found = files(run.data) - {"Pro/text.jpg"}
    assert {row.path for row in rows} == found
    assert len(found) == 15
    recorded = json.loads((run.out / "settings.json").read_text())["left_out"]
    assert list(recorded) == ["Pro/text.jpg"]
    assert recorded["Pro/text.jpg"].startswith("is not a picture")
    page = (run.out / "report.html").read_text()
    assert "16 images found, 1 unreadable, 15 images used" in page
    assert {(row.label, row.split) for row in rows} == {
        (label, split) for label in ("Benign", "Pro") for split in SPLITS
    }


def test_a_run_leaves_whole_files_and_ends_with_their_names(run: Run) -> None:
    left = files(run.out)
    one = f"{NETWORK}-random-seed0"
    assert {
        *("results.csv", "report.html", "settings.json", "samples.csv", "card.json"),
        *(f"{one}/{name}" for name in ("metrics.json", "predictions.csv", "history.csv")),
        *(f"{one}/classifier/{name}" for name in ("config.json", "model.safetensors", "README.md")),
    } <= left
    assert not [name for name in left if ".part" in name or "checkpoint" in name]
    assert f"Report:  {run.out / 'report.html'}" in run.answer.out
    assert f"Table:   {run.out / 'results.csv'}" in run.answer.out
    assert NETWORK in run.answer.out
    assert "Colour forest" in run.answer.out


def test_predictions_are_exactly_the_test_rows(run: Run) -> None:
    tested = {row.path for row in read_samples(run.out / "samples.csv") if row.split == "test"}
    for network in (NETWORK, "colour-forest", "majority"):
        with (run.out / f"{network}-random-seed0" / "predictions.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert {row["path"] for row in rows} == tested
        assert len(rows) == len(tested)


def figures(run: Run) -> dict[str, bytes]:
    """What must not change when a finished run is asked for again."""
    names = [name for name in files(run.out) if name.startswith(NETWORK) or name == "results.csv"]
    return {name: (run.out / name).read_bytes() for name in names if "README" not in name}


def test_the_same_command_computes_nothing_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def trained(*_: object, **__: object) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr("leukoscope.learn.training.train", trained)
    monkeypatch.setattr("leukoscope.data.images.decode", trained)
    monkeypatch.setattr("leukoscope.audit.shortcuts.colour_forest", trained)
    monkeypatch.setattr("leukoscope.report.report.write", lambda run: run / "report.html")
    monkeypatch.setenv("LEUKOSCOPE_CACHE", str(run.out.parent / "cache"))
    before = figures(run)
    answer = run.again()
    assert answer.status == 0, answer.err
    assert answer.out == run.answer.out
    assert answer.err == run.answer.err  # what is left out is said every time
    assert figures(run) == before


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--set", "flips=false"), "was made with flips True, not False"),
        (("--epochs", 2), "was made with epochs 1, not 2"),
        (("--negative", "Pro"), "was made with class_names"),
    ],
)
def test_a_run_of_other_settings_is_left_as_it_is(
    run: Run, more: tuple[object, ...], said: str
) -> None:
    before = {name: (run.out / name).read_bytes() for name in files(run.out)}
    line = sentence(skipped(run.again(*more)), status=2)
    assert said in line
    assert line.startswith(f"leukoscope: {run.out}/")
    assert line.endswith("choose another --out, or delete the folder.")
    assert {name: (run.out / name).read_bytes() for name in files(run.out)} == before


def skipped(answer: Answer) -> Answer:
    """The answer without the pictures that it left out."""
    lines = answer.err.splitlines(keepends=True)
    kept = "".join(line for line in lines if not line.startswith("left out: "))
    return Answer(answer.status, answer.out, kept)


def test_a_run_of_other_images_is_left_as_it_is(run: Run, data: Path) -> None:
    before = {name: (run.out / name).read_bytes() for name in files(run.out)}
    line = sentence(benchmark(data, run.out), status=2)
    assert f"{run.out} holds a comparison of other images than {data}" in line
    assert {name: (run.out / name).read_bytes() for name in files(run.out)} == before


def test_a_report_is_written_again_from_the_files_alone(run: Run) -> None:
    before = figures(run)
    (run.out / "report.html").unlink()
    (run.out / "results.csv").unlink()
    answer = call("report", run.out)
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.strip() == str(run.out / "report.html")
    assert (run.out / "report.html").exists()
    assert figures(run) == before


def test_a_report_of_nothing_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "none"):
        assert f"{folder} holds no finished run" in sentence(call("report", folder), status=2)
    assert files(tmp_path) == set()


def test_predicting_gives_an_unreadable_picture_a_row_with_its_error(
    run: Run, tmp_path: Path
) -> None:
    classifier = run.out / f"{NETWORK}-random-seed0" / "classifier"
    out = tmp_path / "new" / "predictions.csv"
    answer = call("predict", classifier, run.data, "--out", out, "--quiet")
    assert answer.status == 0, answer.err
    assert f"{out}: 15 predicted, 1 unreadable." in answer.out
    assert "does not diagnose" in answer.out
    with out.open() as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert len(rows) == 16
    bad = rows.pop(str(run.data / "Pro" / "text.jpg"))
    assert bad["predicted"] == bad["probability_Benign"] == bad["probability_Malignant"] == ""
    assert "is not a picture" in bad["error"]
    for row in rows.values():
        shares = [float(value) for key, value in row.items() if key.startswith("probability_")]
        assert sum(shares) == pytest.approx(1)
        assert row["error"] == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("no-classifier", "."), "no-classifier is not there"),  # then it must be a picture
        (("a.png",), "a.png is not there"),
    ],
)
def test_predicting_without_pictures_or_classifier(
    data: Path, tmp_path: Path, words: tuple[str, ...], expected: str
) -> None:
    named = [data / "Pro" / word for word in words]
    answer = call("predict", *named, "--out", tmp_path / "x.csv")
    assert expected in sentence(answer, status=2)
    assert not (tmp_path / "x.csv").exists()
