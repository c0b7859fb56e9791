"""What is pushed to the Hub comes back as it was, and nothing else goes either way."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_server import TOKEN, Shelf, server

from leukoscope.errors import UsageError
from leukoscope.learn import folder as folders
from leukoscope.learn import hub, networks
from leukoscope.learn.classifier import Classifier, load
from leukoscope.learn.folder import ClassifierConfig

DRIVER = """
import json, sys
from pathlib import Path
from leukoscope.errors import LeukoscopeError
from leukoscope.learn import hub
for call in json.loads(sys.argv[1]):
    try:
        if call[0] == "push":
            print(json.dumps(hub.push(Path(call[1]), call[2], private=call[3])))
        else:
            print(json.dumps(str(hub.find(call[1]))))
    except LeukoscopeError as error:
        print(json.dumps([error.exit_status, str(error)]))
"""


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shelf]:
    """A Hub of this test's own; the environment leads the library there."""
    serving, shelf = server()
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    for key, value in {
        "HF_ENDPOINT": f"http://127.0.0.1:{serving.server_port}",
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
    }.items():
        monkeypatch.setenv(key, value)
    yield shelf
    serving.shutdown()
    thread.join()
    serving.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = ClassifierConfig("squeezenet1_1", ("A", "B"), 32, (0.5,) * 3, (0.25,) * 3)
    Classifier(networks.build("squeezenet1_1", 2), config).save(tmp_path / "classifier")
    (tmp_path / "classifier" / "README.md").write_text("# A card\n")
    (tmp_path / "classifier" / "seen.csv").write_text("sha256,split\n")
    (tmp_path / "classifier" / "patients.csv").write_text("not for others")
    return tmp_path / "classifier"


def run(*calls: list[Any]) -> list[Any]:
    """What the calls answer in a process that reads the environment of now."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(calls)],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_classifier_goes_to_the_hub_and_back(shelf: Shelf, folder: Path) -> None:
    address, found, tagged = run(
        ["push", str(folder), "me/blood", True],
        ["find", "hub:me/blood"],
        ["find", "hub:me/blood@v1"],
    )
    assert address.endswith("/me/blood")
    assert shelf.private == {"me/blood": True}
    assert set(shelf.repos["me/blood"]) == {
        *("config.json", "model.safetensors", "seen.csv", "README.md")
    }
    assert found == tagged
    original, copy = load(folder), load(Path(found))
    assert copy.config == original.config
    for key, value in original.network.state_dict().items():
        assert torch.equal(copy.network.state_dict()[key], value)


def test_only_files_of_a_classifier_are_fetched(shelf: Shelf, folder: Path) -> None:
    files = {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}
    shelf.repos["them/odd"] = files | {"pytorch_model.bin": b"pickle", "evil.py": b"import os"}
    shelf.repos["them/data"] = {"README.md": b"a data set"}
    found, none, nothing, nobody = run(
        ["find", "hub:them/odd"],
        ["find", "hub:them/data"],
        ["find", "hub:them/nothing"],
        ["find", "hub:"],
    )
    assert {path.name for path in Path(found).iterdir()} == set(files)
    assert not any("pytorch_model" in path or "evil" in path for path in shelf.asked)
    assert none == [2, "hub:them/data is no classifier: it has no config.json."]
    assert nothing[0] == 1
    assert nothing[1].startswith("hub:them/nothing could not be fetched from the Hugging Face Hub")
    assert "\n" not in nothing[1]
    assert nobody[0] == 2


def test_what_is_no_classifier_is_not_sent_nor_without_a_token(
    shelf: Shelf, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    (tmp_path / "other").mkdir()
    refused, other, named = run(
        ["push", str(folder), "me/blood", False],
        ["push", str(tmp_path / "other"), "me/blood", False],
        ["push", str(folder), "me/blood/../x y", False],
    )
    assert refused[0] == 1
    assert "could not be sent to me/blood" in refused[1]
    assert other[0] == named[0] == 2
    assert "config.json cannot be read" in other[1]
    assert shelf.repos == {}


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UsageError, match=r"pip install 'leukoscope\[hub\]'"):
        hub.find("hub:me/blood")


def test_the_first_word_is_the_classifier_where_it_is_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "DEFAULT", tmp_path / "none")
    assert hub.split(str(folder), ["a.png"]) == (folder, ["a.png"])
    assert hub.split("pictures", ["a.png"]) == (Path("pictures"), ["a.png"])
    monkeypatch.setattr(folders, "DEFAULT", folder)
    assert hub.split("pictures", ["a.png"]) == (folder, ["pictures", "a.png"])
    assert hub.split(str(folder), []) == (folder, [])


@pytest.mark.parametrize("place", ["classifier", "resnet50-random-seed0/classifier"])
def test_a_run_is_not_taken_for_pictures(folder: Path, tmp_path: Path, place: str) -> None:
    inside = tmp_path / "run" / place
    shutil.copytree(folder, inside)
    with pytest.raises(UsageError, match=f"did you mean {inside}"):
        hub.split(str(tmp_path / "run"), ["a.png"])
