"""Probabilities come in the order of the rows, and a bad picture costs its row alone."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from leukoscope.errors import DataError, UsageError
from leukoscope.learn import networks
from leukoscope.learn.calibration import calibrate
from leukoscope.learn.classifier import Classifier, ClassifierConfig, load
from leukoscope.learn.devices import fabric_for
from leukoscope.learn.prediction import answer, predict, predict_files, together

CLASSES = ("Benign", "Early", "Pre")


def classifier() -> Classifier:
    torch.manual_seed(0)
    config = ClassifierConfig("squeezenet1_1", CLASSES, 32, (0.5,) * 3, (0.05,) * 3)
    network = networks.build(config.network, 3)
    torch.nn.init.normal_(network.get_submodule("classifier.1").weight, std=0.1)
    return Classifier(network.to(memory_format=torch.channels_last), config).eval()


def noise(count: int, size: int = 32) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 200, (count, 1, 1, 3))
    return (base + rng.integers(0, 56, (count, size, size, 3))).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    classifier().save(tmp_path / "classifier")
    return tmp_path / "classifier"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four pictures in two folders, and one file that only claims to be one."""
    below = tmp_path / "pictures"
    for number, pixels in enumerate(noise(4)):
        file = below / f"day{number // 2}" / f"field{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    (below / "day0" / "field0b.jpg").write_text("this is no picture")
    (below / "day0" / "notes.txt").write_text("nor is this")
    return below


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_equals_a_loop_over_single_images() -> None:
    ours, pixels = classifier(), noise(70)  # more than one batch
    probabilities = predict(ours, pixels, fabric=fabric_for("float32"), quiet=True)
    by_hand = np.empty((70, 3))
    with torch.no_grad():
        for row, image in enumerate(pixels):
            logits = ours(torch.from_numpy(image)[None])[0].double().numpy()
            odds = np.exp(logits - logits.max())
            by_hand[row] = odds / odds.sum()
    np.testing.assert_allclose(probabilities, by_hand, atol=1e-5)
    assert probabilities.std(axis=0).min() > 1e-3  # the images do differ
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)


def test_order_of_the_rows_is_kept() -> None:
    ours, pixels, fabric = classifier(), noise(70), fabric_for("float32")
    order = np.random.default_rng(1).permutation(70)
    straight = predict(ours, pixels, fabric=fabric, quiet=True)
    shuffled = predict(ours, pixels[order], fabric=fabric, quiet=True)
    np.testing.assert_allclose(shuffled, straight[order], atol=1e-5)


def test_a_classifier_in_training_mode_predicts_all_the_same() -> None:
    ours, pixels, fabric = classifier(), noise(3), fabric_for("float32")
    straight = predict(ours, pixels, fabric=fabric, quiet=True)
    np.testing.assert_array_equal(
        predict(ours.train(), pixels, fabric=fabric, quiet=True), straight
    )


def test_no_image_gives_no_row() -> None:
    assert predict(classifier(), noise(0), quiet=True).shape == (0, 3)


@pytest.mark.parametrize("shape", [(2, 48, 48, 3), (2, 3, 32, 32), (32, 32, 3)])
def test_pixels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="takes N×32×32×3 pixels"):
        predict(classifier(), np.zeros(shape, dtype=np.uint8), quiet=True)


def test_a_folder_is_predicted_and_a_bad_picture_costs_its_row_alone(
    folder: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "answers.csv"
    assert predict_files([folder], [pictures], out, quiet=True) == (4, 1)
    rows = table(out)
    assert list(rows[0]) == [
        *("path", "predicted"),
        *(f"probability_{name}" for name in CLASSES),
        "error",
    ]
    names = ["field0.png", "field0b.jpg", "field1.png", "field2.png", "field3.png"]
    assert [Path(row["path"]).name for row in rows] == names
    bad = rows.pop(1)
    assert "field0b.jpg" in bad["error"]
    assert bad["predicted"] == bad["probability_Pre"] == ""
    expected = predict(classifier(), noise(4), quiet=True)
    for row, probabilities in zip(rows, expected, strict=True):
        given = [float(row[f"probability_{name}"]) for name in CLASSES]
        assert given == pytest.approx(probabilities.tolist(), abs=1e-6)
        assert row["predicted"] == CLASSES[probabilities.argmax()]
        assert row["error"] == ""


def test_pictures_of_another_size_are_fitted(folder: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    Image.fromarray(noise(1, size=100)[0]).save(large)
    assert predict_files([folder], [large], tmp_path / "answers.csv", quiet=True) == (1, 0)


def test_a_picture_named_twice_gets_one_row(folder: Path, pictures: Path, tmp_path: Path) -> None:
    paths = [pictures / "day1" / "field3.png", pictures / "day1", pictures / "day1"]
    assert predict_files([folder], paths, tmp_path / "answers.csv", quiet=True) == (2, 0)
    names = [Path(row["path"]).name for row in table(tmp_path / "answers.csv")]
    assert names == ["field3.png", "field2.png"]


def test_pictures_that_are_all_bad_are_all_listed(
    folder: Path, pictures: Path, tmp_path: Path
) -> None:
    bad = pictures / "day0" / "field0b.jpg"
    assert predict_files([folder], [bad], tmp_path / "answers.csv", quiet=True) == (0, 1)
    assert [row["path"] for row in table(tmp_path / "answers.csv")] == [str(bad)]


def test_a_missing_path_is_named_before_any_work(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.png is not there"):
        predict_files([folder], [tmp_path / "nowhere.png"], tmp_path / "answers.csv", quiet=True)
    assert not (tmp_path / "answers.csv").exists()


def test_a_folder_without_pictures_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty has no pictures"):
        predict_files([folder], [tmp_path / "empty"], tmp_path / "answers.csv", quiet=True)


def calibrated(seed: int) -> Classifier:
    """A classifier that knows its limits, of another training for another seed."""
    ours = classifier()
    torch.manual_seed(seed)
    torch.nn.init.normal_(ours.network.get_submodule("classifier.1").weight, std=0.1)
    pixels, targets = noise(60), np.arange(60) % 3
    rows = {"train": np.arange(30), "validation": np.arange(30, 60)}
    return calibrate(ours, pixels, targets, **rows, coverage=0.5, quiet=True)[0]


def test_several_classifiers_answer_together(tmp_path: Path) -> None:
    ours, pixels = [calibrated(seed) for seed in (1, 2)], noise(40)[30:]
    fabric = fabric_for("float32")
    one, two = (answer(each, pixels, fabric=fabric, quiet=True) for each in ours)
    both = together([one, two])
    np.testing.assert_allclose(both.probabilities, (one.probabilities + two.probabilities) / 2)
    assert both.sets is not None
    np.testing.assert_array_equal(both.sets, one.sets | two.sets)
    np.testing.assert_allclose(both.novelty, (one.novelty + two.novelty) / 2)
    np.testing.assert_array_equal(both.novel, both.novelty > 1)
    assert (both.sets != one.sets).any()


def test_one_that_knows_no_sets_leaves_the_ensemble_without() -> None:
    pixels = noise(3)
    both = together([answer(c, pixels, quiet=True) for c in (calibrated(1), classifier())])
    assert both.probabilities.shape == (3, 3)
    assert both.sets is both.novelty is both.novel is None


def test_an_ensemble_of_one_is_itself() -> None:
    said = answer(calibrated(1), noise(3), quiet=True)
    again = together([said])
    np.testing.assert_array_equal(again.probabilities, said.probabilities)
    np.testing.assert_array_equal(again.sets, said.sets)
    np.testing.assert_array_equal(again.novel, said.novel)


def test_files_are_predicted_by_several_with_sets_and_novelty(
    pictures: Path, tmp_path: Path
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for seed, place in enumerate(folders):
        calibrated(seed).save(place)
    assert predict_files(folders, [pictures], tmp_path / "answers.csv", quiet=True) == (4, 1)
    rows = table(tmp_path / "answers.csv")
    assert list(rows[0])[-3:] == ["set", "novelty", "error"]
    bad = rows.pop(1)
    assert bad["error"]
    assert not any(bad[name] for name in bad if name not in ("path", "error"))
    said = together([answer(load(place), noise(4), quiet=True) for place in folders])
    assert said.sets is not None
    assert said.novelty is not None
    for row, probabilities, possible, unlike in zip(
        rows, said.probabilities, said.sets, said.novelty, strict=True
    ):
        given = [float(row[f"probability_{name}"]) for name in CLASSES]
        assert given == pytest.approx(probabilities.tolist(), abs=1e-6)
        assert row["set"] == "|".join(np.array(CLASSES)[possible])
        assert float(row["novelty"]) == pytest.approx(unlike, rel=1e-4)


def test_classifiers_of_other_classes_are_not_averaged(
    folder: Path, pictures: Path, tmp_path: Path
) -> None:
    config = replace(classifier().config, classes=("a", "b", "c"))
    Classifier(classifier().network, config).save(tmp_path / "other")
    with pytest.raises(UsageError, match=r"other tells a, b, c apart .* cannot be averaged"):
        predict_files([folder, tmp_path / "other"], [pictures], tmp_path / "out.csv", quiet=True)
