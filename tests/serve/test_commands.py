"""The commands of the service: what one needs, or one sentence that says what is wrong."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import torch
from colours import CLASSES, RED, picture, review, send, shas

from leukoscope import cli
from leukoscope.data.samples import read_samples
from leukoscope.learn import networks
from leukoscope.learn.classifier import Classifier
from leukoscope.learn.folder import ClassifierConfig
from leukoscope.serve import keys


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The exit status of the program in this process."""
    monkeypatch.setattr(sys, "argv", ["leukoscope", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_a_key_is_made_listed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.csv"
    assert run(monkeypatch, "keys", "add", "Ada", "--keys", file) == 0
    secret = capsys.readouterr().out.strip()
    assert keys.Keyring(file).name(secret) == "Ada"
    assert run(monkeypatch, "keys", "list", "--keys", file) == 0
    assert capsys.readouterr().out.endswith("Ada\n")
    assert run(monkeypatch, "keys", "remove", "Eda", "--keys", file) == 2
    assert "Did you mean Ada?" in capsys.readouterr().err
    assert run(monkeypatch, "keys", "remove", "Ada", "--keys", file) == 0
    assert keys.Keyring(file).name(secret) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("serve", "--host", "0.0.0.0"), "leukoscope keys add"),
        (("serve", "--limit", "image=3"), "Did you mean images?"),
        (("serve", "--keys", "none.csv"), "none.csv cannot be read"),
        (("serve", "nowhere", "--port", "0", "--database", "r.sqlite"), "nowhere"),
        (("serve", "--database", "ftp://x"), "SQLite file or a URL"),
        (("serve", "--prefix", "smears"), "does not start with /"),
        (("reviews", "export", "--pictures", "none", "--database", "r.sqlite"), "not a folder"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEUKOSCOPE_DATA", str(tmp_path / "data"))
    assert run(monkeypatch, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("leukoscope: ")
    assert words in line


def test_from_the_command_to_training_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    config = ClassifierConfig("squeezenet1_1", CLASSES, 32, (0.5,) * 3, (0.2,) * 3)
    Classifier(networks.build(config.network, 3), config).save(tmp_path / "classifier")
    command = [sys.executable, "-m", "leukoscope.cli", "serve", "classifier", "--port", "0"]
    with subprocess.Popen(
        [*command, "--database", "r.sqlite", "--pictures", "kept"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdout is not None
        line = service.stdout.readline()
        assert "SqueezeNet" in line or "squeezenet" in line
        with httpx.Client(base_url=line.split()[-1], timeout=60) as client:
            assert "assists and does not diagnose" in client.get("/").text
            for sha256 in shas(send(client, RED, picture(kind="TIFF"))):
                kept = client.post("/api/reviews", json=review(sha256, patient="P1"))
                assert kept.status_code == 201
        service.send_signal(signal.SIGINT)
        _, log = service.communicate(timeout=60)
    assert service.returncode == 0
    assert "Traceback" not in log
    exported = ("reviews", "export", "--pictures", tmp_path / "kept")
    database, out = ("--database", tmp_path / "r.sqlite"), ("--out", tmp_path / "samples.csv")
    assert run(monkeypatch, *exported, *database, *out) == 0
    rows = read_samples(tmp_path / "samples.csv")
    assert [(row.group, row.source) for row in rows] == [("P1", "reviews")] * 2
    assert "--protocol group" in capsys.readouterr().out
