"""A calibrated classifier states what it said of the validation images, and nothing of others."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from red_or_blue import untrained

from leukoscope.evaluate.abstention import class_thresholds, prediction_sets
from leukoscope.evaluate.calibration import apply_temperature, fit_temperature
from leukoscope.learn import calibration
from leukoscope.learn.calibration import calibrate
from leukoscope.learn.classifier import Classifier, load
from leukoscope.learn.devices import fabric_for
from leukoscope.learn.prediction import answer, predict

TRAIN, VALIDATION, TEST = np.arange(40), np.arange(40, 100), np.arange(100, 130)
FABRIC = fabric_for("float32")


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    fields = rng.integers(60, 120, (130, 32, 32, 3))
    fields[::2, :, :, 0] += 60
    fields[1::2, :, :, 2] += 60
    return fields.astype(np.uint8)


@pytest.fixture(scope="module")
def targets() -> NDArray[np.int64]:
    targets = np.arange(130) % 2
    targets[::7] = 1 - targets[::7]  # so that nobody is always right
    return targets.astype(np.int64)


@pytest.fixture(scope="module")
def calibrated(
    pixels: NDArray[np.uint8], targets: NDArray[np.int64]
) -> tuple[Classifier, NDArray[np.float64]]:
    rows = {"train": TRAIN, "validation": VALIDATION}
    return calibrate(untrained(), pixels, targets, **rows, fabric=FABRIC, quiet=True)


def test_raw_probabilities_are_the_uncalibrated_classifier_s(
    calibrated: tuple[Classifier, NDArray[np.float64]], pixels: NDArray[np.uint8]
) -> None:
    plain = predict(untrained(), pixels[VALIDATION], fabric=FABRIC, quiet=True)
    np.testing.assert_allclose(calibrated[1], plain, atol=1e-6)


def test_temperature_and_thresholds_follow_from_the_raw_probabilities(
    calibrated: tuple[Classifier, NDArray[np.float64]], targets: NDArray[np.int64]
) -> None:
    classifier, raw = calibrated
    config = classifier.config
    assert config.temperature == pytest.approx(fit_temperature(targets[VALIDATION], raw))
    assert config.temperature != 1
    scaled = apply_temperature(raw, config.temperature)
    expected = class_thresholds(targets[VALIDATION], scaled, 0.95)
    assert config.set_thresholds == pytest.approx(expected.tolist())
    assert (config.coverage, config.accepted) == (0.95, 0.95)


def test_answers_hold_calibrated_probabilities_sets_and_novelty(
    calibrated: tuple[Classifier, NDArray[np.float64]], pixels: NDArray[np.uint8]
) -> None:
    classifier, _ = calibrated
    said = answer(classifier, pixels[TEST], fabric=FABRIC, quiet=True)
    raw = predict(untrained(), pixels[TEST], fabric=FABRIC, quiet=True)
    expected = apply_temperature(raw, classifier.config.temperature)
    np.testing.assert_allclose(said.probabilities, expected, atol=1e-6)
    assert said.sets is not None
    thresholds = np.array(classifier.config.set_thresholds)
    np.testing.assert_array_equal(said.sets, prediction_sets(said.probabilities, thresholds))
    assert said.novelty is not None
    assert said.novel is not None
    np.testing.assert_array_equal(said.novel, said.novelty > 1)
    assert said.novel.mean() < 0.3


def test_the_demanded_share_of_validation_images_is_not_novel(
    calibrated: tuple[Classifier, NDArray[np.float64]], pixels: NDArray[np.uint8]
) -> None:
    said = answer(calibrated[0], pixels[VALIDATION], fabric=FABRIC, quiet=True)
    assert said.novelty is not None
    assert (said.novelty <= 1 + 1e-5).sum() == np.ceil(61 * 0.95)


def test_pictures_of_something_else_are_novel(
    calibrated: tuple[Classifier, NDArray[np.float64]],
) -> None:
    others = np.stack(
        [
            np.full((32, 32, 3), 255),
            np.zeros((32, 32, 3)),
            np.random.default_rng(0).integers(0, 256, (32, 32, 3)),
            np.indices((32, 32)).sum(0)[..., None] % 2 * np.full(3, 200),
        ]
    ).astype(np.uint8)
    said = answer(calibrated[0], others, fabric=FABRIC, quiet=True)
    assert said.novel is not None
    assert said.novel.all()


def test_only_the_named_rows_are_looked_at(
    calibrated: tuple[Classifier, NDArray[np.float64]],
    pixels: NDArray[np.uint8],
    targets: NDArray[np.int64],
) -> None:
    others, wrong = pixels.copy(), targets.copy()
    others[TEST], wrong[TEST] = 0, -1
    again, _ = calibrate(
        untrained(), others, wrong, train=TRAIN, validation=VALIDATION, fabric=FABRIC, quiet=True
    )
    assert again.config == calibrated[0].config


def test_a_second_calibration_forgets_the_first(
    calibrated: tuple[Classifier, NDArray[np.float64]],
    pixels: NDArray[np.uint8],
    targets: NDArray[np.int64],
) -> None:
    again, raw = calibrate(
        calibrated[0],
        pixels,
        targets,
        train=TRAIN,
        validation=VALIDATION,
        fabric=FABRIC,
        quiet=True,
    )
    assert again.config == calibrated[0].config
    np.testing.assert_array_equal(raw, calibrated[1])


def test_a_demanded_coverage_is_used_and_kept(
    pixels: NDArray[np.uint8], targets: NDArray[np.int64]
) -> None:
    rows = {"train": TRAIN, "validation": VALIDATION}
    classifier, _ = calibrate(
        untrained(), pixels, targets, **rows, coverage=0.6, fabric=FABRIC, quiet=True
    )
    assert classifier.config.coverage == 0.6
    assert max(classifier.config.set_thresholds or ()) < 1


def test_many_training_images_are_not_all_remembered(
    pixels: NDArray[np.uint8], targets: NDArray[np.int64], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "_REMEMBERED", 16)
    rows = {"train": TRAIN, "validation": VALIDATION}
    classifier, _ = calibrate(untrained(), pixels, targets, **rows, fabric=FABRIC, quiet=True)
    assert classifier.memories is not None
    assert {memory.images.shape[0] for memory in classifier.memories.values()} == {16}


def test_comes_back_from_its_folder_with_the_same_answers(
    calibrated: tuple[Classifier, NDArray[np.float64]],
    pixels: NDArray[np.uint8],
    tmp_path: Path,
) -> None:
    untrained().save(tmp_path)
    before = (tmp_path / "model.safetensors").stat().st_mtime_ns
    calibrated[0].save_calibration(tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == before
    again = load(tmp_path)
    assert again.config == calibrated[0].config
    ours, theirs = (
        answer(one, pixels[TEST], fabric=FABRIC, quiet=True) for one in (calibrated[0], again)
    )
    np.testing.assert_allclose(theirs.probabilities, ours.probabilities, atol=1e-6)
    np.testing.assert_allclose(theirs.novelty, ours.novelty, rtol=1e-4)


def test_a_classifier_of_before_answers_without_sets_and_novelty(
    pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    untrained().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for key in ("coverage", "set_thresholds", "accepted"):
        del config[key]
    (tmp_path / "config.json").write_text(json.dumps(config))
    said = answer(load(tmp_path), pixels[:2], fabric=FABRIC, quiet=True)
    assert said.probabilities.shape == (2, 2)
    assert said.sets is said.novelty is said.novel is None


def test_no_image_has_no_answer(calibrated: tuple[Classifier, NDArray[np.float64]]) -> None:
    said = answer(calibrated[0], np.empty((0, 32, 32, 3), np.uint8), quiet=True)
    assert said.probabilities.shape == (0, 2)
    assert said.novelty is not None
    assert said.novelty.shape == (0,)
