"""Every picture gets its row, once, in order, whatever kind of thing holds it and whatever dies."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from leukoscope import scoring as module
from leukoscope.data import seen
from leukoscope.data.predictions import Predictions, read_predictions
from leukoscope.data.samples import Sample, digest
from leukoscope.errors import DataError, Interrupted, UsageError
from leukoscope.learn import networks
from leukoscope.learn.answers import together
from leukoscope.learn.calibration import calibrate
from leukoscope.learn.classifier import Classifier, load
from leukoscope.learn.folder import ClassifierConfig
from leukoscope.learn.prediction import answer, predict
from leukoscope.scoring import Scored, Scoring, score

SIZE = 32
CLASSES = ("Benign", "Early", "Pre")


def classifier(classes: tuple[str, ...] = CLASSES, seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    config = ClassifierConfig("squeezenet1_1", classes, SIZE, (0.5,) * 3, (0.05,) * 3)
    network = networks.build(config.network, len(classes))
    torch.nn.init.normal_(network.get_submodule("classifier.1").weight, std=0.1)
    return Classifier(network.to(memory_format=torch.channels_last), config).eval()


def calibrated(seed: int) -> Classifier:
    pixels, targets = noise(60, seed=9), np.arange(60) % 3
    rows = {"train": np.arange(30), "validation": np.arange(30, 60)}
    return calibrate(classifier(seed=seed), pixels, targets, **rows, coverage=0.5, quiet=True)[0]


def noise(count: int, size: int = SIZE, seed: int = 0) -> NDArray[np.uint8]:
    """Images of one colour each, with noise; purple enough to count as having nuclei."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 120, (count, 1, 1, 3)) + np.array([80, 0, 80])
    return (base + rng.integers(0, 56, (count, size, size, 3))).astype(np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("classifiers") / "one"
    classifier().save(place)
    return place


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four pictures in two folders, and one file that only claims to be one."""
    below = tmp_path / "pictures"
    for number, pixels in enumerate(noise(4)):
        file = below / f"day{number // 2}" / f"field{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(pixels))
    (below / "day0" / "field0b.jpg").write_text("this is no picture")
    (below / "day0" / "notes.txt").write_text("nor is this")
    return below


def run(folder: Path | list[Path], out: Path, *words: object, **options: Any) -> Scored:
    folders = folder if isinstance(folder, list) else [folder]
    return score(Scoring(folders, [str(word) for word in words], out, quiet=True, **options))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def probabilities(rows: list[dict[str, str]]) -> NDArray[np.float64]:
    return np.array([[float(row[f"probability_{name}"]) for name in CLASSES] for row in rows])


def test_a_folder_is_predicted_and_a_bad_picture_costs_its_row_alone(
    folder: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "answers.csv"
    done = run(folder, out, pictures)
    assert (done.predicted, done.unreadable, done.earlier) == (4, 1, 0)
    rows = table(out)
    assert list(rows[0]) == [
        *("path", "predicted"),
        *(f"probability_{name}" for name in CLASSES),
        *("malignant", "warnings", "fields", "error"),
    ]
    names = ["field0.png", "field0b.jpg", "field1.png", "field2.png", "field3.png"]
    assert [Path(row["path"]).name for row in rows] == names
    bad = rows.pop(1)
    assert "field0b.jpg is not a picture" in bad["error"]
    assert not any(bad[name] for name in bad if name not in ("path", "error"))
    expected = predict(classifier(), noise(4), quiet=True)
    np.testing.assert_allclose(probabilities(rows), expected, atol=1e-6)
    for row, own in zip(rows, expected, strict=True):
        assert row["predicted"] == CLASSES[own.argmax()]
        assert float(row["malignant"]) == pytest.approx(1 - own[0], abs=1e-6)
        assert (row["fields"], row["error"]) == ("1", "")
    assert sorted(path.name for path in out.parent.iterdir()) == ["answers.csv"]


def test_every_format_says_the_same(folder: Path, pictures: Path, tmp_path: Path) -> None:
    import pyarrow.parquet

    for suffix in ("csv", "jsonl", "parquet"):
        run(folder, tmp_path / f"answers.{suffix}", pictures)
    rows = table(tmp_path / "answers.csv")
    lines = (tmp_path / "answers.jsonl").read_text().splitlines()
    parquet = pyarrow.parquet.read_table(tmp_path / "answers.parquet").to_pylist()
    assert [json.loads(line) for line in lines] == parquet
    for row, other in zip(rows, parquet, strict=True):
        assert (row["path"], row["error"]) == (other["path"], other["error"])
        for name in CLASSES:
            text = row[f"probability_{name}"]
            assert (float(text) if text else None) == other[f"probability_{name}"]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_gets_the_answers_of_its_folder(
    folder: Path, pictures: Path, tmp_path: Path, kind: str
) -> None:
    archive = tmp_path / f"set.{kind}"
    files = sorted(path for path in pictures.rglob("*") if path.is_file())
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for file in files:
                packed.write(file, file.relative_to(pictures))
    else:
        with tarfile.open(archive, "w:gz") as packed:
            for file in files:
                packed.add(file, str(file.relative_to(pictures)))
    run(folder, tmp_path / "loose.csv", pictures, precision="float32")
    done = run(folder, tmp_path / "packed.csv", archive, precision="float32")
    assert (done.predicted, done.unreadable) == (4, 1)
    loose, packed_rows = table(tmp_path / "loose.csv"), table(tmp_path / "packed.csv")
    for one, other in zip(loose, packed_rows, strict=True):
        assert other.pop("path") == one.pop("path").replace(str(pictures), str(archive))
        assert bool(other.pop("error")) == bool(one.pop("error"))
        assert other == one


def test_an_archive_that_ends_early_costs_one_row(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "set.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for number, pixels in enumerate(noise(9)):
            content = png(pixels)
            entry = tarfile.TarInfo(f"{number}.png")
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    done = run(folder, tmp_path / "answers.csv", archive)
    assert done.unreadable == 1
    assert 1 <= done.predicted < 9
    assert "cannot be read to its end" in table(tmp_path / "answers.csv")[-1]["error"]


def test_more_pictures_than_one_batch_stay_in_order(folder: Path, tmp_path: Path) -> None:
    for number, pixels in enumerate(noise(23)):
        (tmp_path / f"{number:02}.png").write_bytes(png(pixels))
    out = tmp_path / "out" / "answers.csv"
    run(folder, out, tmp_path, batch=4, precision="float32")
    expected = predict(classifier(), noise(23), quiet=True)
    np.testing.assert_allclose(probabilities(table(out)), expected, atol=1e-5)


def test_pictures_that_are_all_bad_are_all_listed(
    folder: Path, pictures: Path, tmp_path: Path
) -> None:
    bad = pictures / "day0" / "field0b.jpg"
    done = run(folder, tmp_path / "answers.csv", bad)
    assert (done.predicted, done.unreadable) == (0, 1)
    assert [row["path"] for row in table(tmp_path / "answers.csv")] == [bad.as_posix()]


def test_wrong_calls_are_named_before_any_work(
    folder: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "answers.csv"
    for words, options, expected in (
        ([tmp_path / "nowhere.png"], {}, "nowhere.png is not there"),
        ([], {}, "nothing to predict"),
        ([pictures], {"tile": 3}, "--tile must be at least 16"),
        ([pictures], {"batch": 0}, "--batch must be at least 1"),
    ):
        with pytest.raises(UsageError, match=expected):
            run(folder, out, *words, **options)
    with pytest.raises(UsageError, match=r"tables end in \.csv, \.jsonl, \.parquet"):
        run(folder, tmp_path / "new" / "answers.xls", pictures)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty has no pictures"):
        run(folder, out, tmp_path / "empty")
    assert not out.parent.exists()


# Tiles


def test_a_large_picture_is_tiled_and_pooled(folder: Path, tmp_path: Path) -> None:
    tiles = noise(6, 40)
    large = np.concatenate([np.concatenate(list(row), axis=1) for row in (tiles[:3], tiles[3:])])
    (tmp_path / "large.png").write_bytes(png(large))
    for number, pixels in enumerate(tiles):
        (tmp_path / f"tile{number}.png").write_bytes(png(pixels))
    run(folder, tmp_path / "whole.csv", tmp_path / "large.png", tile=40, precision="float32")
    run(folder, tmp_path / "parts.csv", tmp_path / "tile*.png", precision="float32")
    (whole,) = rows = table(tmp_path / "whole.csv")
    assert whole["fields"] == "6"
    parts = probabilities(table(tmp_path / "parts.csv"))
    np.testing.assert_allclose(probabilities(rows)[0], parts.mean(axis=0), atol=1e-5)


def test_fields_without_a_nucleus_do_not_count(folder: Path, tmp_path: Path) -> None:
    (cell,) = noise(1, 40)
    empty = np.random.default_rng(0).integers(225, 240, (40, 40, 3), dtype=np.uint8)
    (tmp_path / "both.png").write_bytes(png(np.concatenate([cell, empty], axis=1)))
    (tmp_path / "cell.png").write_bytes(png(cell))
    (tmp_path / "empty.png").write_bytes(png(np.concatenate([empty, empty], axis=1)))
    run(folder, tmp_path / "out.csv", tmp_path / "*.png", tile=40, precision="float32")
    both, alone, nothing = rows = table(tmp_path / "out.csv")
    assert (both["fields"], alone["fields"], nothing["fields"]) == ("1", "1", "2")
    np.testing.assert_allclose(*probabilities(rows)[:2], atol=1e-6)
    assert "almost empty" in nothing["warnings"]
    assert "almost empty" not in both["warnings"]


def test_a_picture_of_which_much_is_cut_off_is_warned_of(folder: Path, tmp_path: Path) -> None:
    (wide,) = noise(1, 64)
    (tmp_path / "wide.png").write_bytes(png(wide[:32]))
    run(folder, tmp_path / "out.csv", tmp_path / "wide.png")
    run(folder, tmp_path / "tiled.csv", tmp_path / "wide.png", tile=32)
    assert "sides cut off" in table(tmp_path / "out.csv")[0]["warnings"]
    assert "sides cut off" not in table(tmp_path / "tiled.csv")[0]["warnings"]


# What a calibrated classifier knows, and several together


def test_sets_and_novelty_of_one_and_of_several(pictures: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for seed, place in enumerate(folders):
        calibrated(seed).save(place)
    for chosen in (folders[:1], folders):
        out = tmp_path / f"{len(chosen)}.csv"
        run(chosen, out, pictures)
        rows = table(out)
        assert list(rows[0])[-6:] == ["set", "novelty", "novel", "warnings", "fields", "error"]
        bad = rows.pop(1)
        assert not any(bad[name] for name in bad if name not in ("path", "error"))
        said = together([answer(load(place), noise(4), quiet=True) for place in chosen])
        np.testing.assert_allclose(probabilities(rows), said.probabilities, atol=1e-6)
        assert [row["set"] for row in rows] == [
            "|".join(np.array(CLASSES)[inside]) for inside in said.sets
        ]
        assert [float(row["novelty"]) for row in rows] == pytest.approx(said.novelty, rel=1e-4)
        assert [row["novel"] for row in rows] == [str(bool(n)).lower() for n in said.novel]


def remembers(folder: Path, **splits: Path) -> None:
    """The classifier in the folder now knows these files by their split."""
    rows = [
        Sample(path.name, "Benign", split=split, sha256=digest(path))
        for split, path in splits.items()
    ]
    seen.write(seen.of_samples(rows), folder)


def test_pictures_that_it_learned_from_are_named(pictures: Path, tmp_path: Path) -> None:
    one, other, unsaid = (tmp_path / name for name in ("one", "other", "unsaid"))
    for number, place in enumerate((one, other, unsaid)):
        classifier(seed=number).save(place)
    fields = [pictures / f"day{number // 2}" / f"field{number}.png" for number in range(4)]
    remembers(one, train=fields[0], validation=fields[2])
    remembers(other, train=fields[2])
    done = run(one, tmp_path / "one.csv", pictures, group_by_folder=True)
    assert (done.trained, done.validated) == (1, 1)
    rows = table(tmp_path / "one.csv")
    assert [row["seen"] for row in rows] == ["train", "", "", "validation", ""]
    assert [row["seen"] for row in table(tmp_path / "one-groups.csv")] == ["1", "1"]
    assert read_predictions_of(rows, tmp_path).seen == ("train", "", "validation", "")
    both = run([one, other], tmp_path / "both.csv", pictures)
    assert (both.trained, both.validated) == (2, 0)
    # Nobody knows what the third one has seen: no column is better than a false word.
    run([one, unsaid], tmp_path / "unsaid.csv", pictures)
    assert "seen" not in table(tmp_path / "unsaid.csv")[0]


def test_a_picture_is_known_again_in_an_archive(pictures: Path, tmp_path: Path) -> None:
    classifier().save(tmp_path / "one")
    field = pictures / "day0" / "field0.png"
    remembers(tmp_path / "one", train=field)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        packed.write(field, "renamed.png")
    run(tmp_path / "one", tmp_path / "out.csv", tmp_path / "set.zip")
    assert [row["seen"] for row in table(tmp_path / "out.csv")] == ["train"]


def read_predictions_of(rows: list[dict[str, str]], folder: Path) -> Predictions:
    """The rows as `leukoscope evaluate` reads them, all labelled Benign."""
    path = folder / "labelled.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["label", *rows[0]])
        writer.writeheader()
        writer.writerows({"label": "Benign"} | row for row in rows)
    return read_predictions(path)


def test_classifiers_of_other_classes_are_not_averaged(
    folder: Path, pictures: Path, tmp_path: Path
) -> None:
    ours = classifier()
    Classifier(ours.network, replace(ours.config, classes=("a", "b", "c"))).save(tmp_path / "other")
    with pytest.raises(UsageError, match=r"other tells a, b, c apart .* cannot be averaged"):
        run([folder, tmp_path / "other"], tmp_path / "out.csv", pictures)


# Folders


def test_folders_get_their_mean_with_an_interval(
    folder: Path, pictures: Path, tmp_path: Path
) -> None:
    done = run(folder, tmp_path / "out.csv", pictures, group_by_folder=True)
    assert done.groups == tmp_path / "out-groups.csv"
    groups = table(done.groups)
    assert [Path(row["group"]).name for row in groups] == ["day0", "day1"]
    assert [(row["pictures"], row["unreadable"]) for row in groups] == [("2", "1"), ("2", "0")]
    rows = table(tmp_path / "out.csv")
    mean = probabilities([rows[0], rows[2]]).mean(axis=0)
    np.testing.assert_allclose(probabilities(groups)[0], mean, atol=1e-8)
    for name in CLASSES:
        low, value, high = (
            float(groups[0][f"{part}_{name}"]) for part in ("low", "probability", "high")
        )
        assert 0 <= low <= value <= high <= 1


def test_labels_by_folder_can_be_evaluated(tmp_path: Path) -> None:
    classifier(("Benign", "Malignant")).save(tmp_path / "binary")
    for name, pixels in zip(("Benign", "Early", "Pro"), noise(3), strict=True):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "a.png").write_bytes(png(pixels))
    (tmp_path / "set" / "Pro" / "bad.png").write_bytes(b"")
    run(tmp_path / "binary", tmp_path / "out.csv", tmp_path / "set", label_by_folder=True)
    read = read_predictions(tmp_path / "out.csv")
    assert read.labels == ("Benign", "Malignant", "Malignant")
    assert read.unreadable == 1


# Cut short


def killed_run(folder: Path, archive: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "leukoscope.cli", "predict", str(folder), str(archive)]
    return subprocess.Popen([*command, "--out", str(out), "--batch", "2", "--quiet"])


def test_a_killed_run_goes_on_where_it_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, out = tmp_path / "set.zip", tmp_path / "out.csv"
    content = png(noise(1)[0])
    with zipfile.ZipFile(archive, "w") as packed:
        for number in range(400):
            packed.writestr(f"{number:04}.png", content)
    process = killed_run(folder, archive, out)
    journal = tmp_path / "out.csv.unfinished"
    while not journal.exists() or journal.read_bytes().count(b"\n") < 10:
        assert process.poll() is None
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    kept = journal.read_bytes().count(b"\n") - 1
    assert 9 <= kept < 400

    asked: list[int] = []
    original = module._rows

    def counted(chunk: list[Any], *others: Any) -> list[Any]:
        asked.append(len(chunk))
        return original(chunk, *others)

    monkeypatch.setattr(module, "_rows", counted)
    done = run(folder, out, archive)
    assert (done.predicted, done.earlier) == (400, kept)
    assert sum(asked) == 400 - kept
    assert [row["path"] for row in table(out)] == [f"{archive}/{n:04}.png" for n in range(400)]
    assert not journal.exists()


def test_ctrl_c_keeps_what_is_done(
    folder: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = module._rows
    calls: list[int] = []

    def stopped(*given: Any) -> list[Any]:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*given)

    monkeypatch.setattr(module, "_rows", stopped)
    with pytest.raises(Interrupted, match="The same command goes on from here"):
        run(folder, tmp_path / "out.csv", pictures, batch=2)
    done = run(folder, tmp_path / "out.csv", pictures, batch=3)
    assert (done.predicted, done.unreadable, done.earlier) == (4, 1, 2)
    run(folder, tmp_path / "whole.csv", pictures)
    parts, whole = table(tmp_path / "out.csv"), table(tmp_path / "whole.csv")
    assert [row["path"] for row in parts] == [row["path"] for row in whole]
    read = [row for row in parts if not row["error"]], [row for row in whole if not row["error"]]
    np.testing.assert_allclose(*map(probabilities, read), atol=1e-5)


def test_other_work_does_not_go_on_from_there(
    folder: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out.csv"
    with monkeypatch.context() as patch:
        patch.setattr(module.tables, "write_table", stop)
        with pytest.raises(KeyboardInterrupt):
            run(folder, out, pictures)
    with pytest.raises(UsageError, match="another tile"):
        run(folder, out, pictures, tile=32, precision="float32")
    with pytest.raises(UsageError, match=r"number 1 was .*field0\.png, now .*field2\.png"):
        run(folder, out, pictures / "day1")
    classifier(seed=5).save(tmp_path / "other")
    with pytest.raises(UsageError, match="another classifier"):
        run(tmp_path / "other", out, pictures)
    assert run(folder, out, pictures).earlier == 5


def test_memory_does_not_grow_with_the_pictures(folder: Path, tmp_path: Path) -> None:
    content = png(noise(1, 200)[0])  # 120 kB of pixels each
    peaks = []
    for count in (40, 160):
        archive = tmp_path / f"{count}.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            for number in range(count):
                packed.writestr(f"{number}.png", content)
        tracemalloc.start()
        run(folder, tmp_path / f"{count}.csv", archive, batch=8)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 5_000_000
