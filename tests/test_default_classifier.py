"""The classifier of the package works right after installation, and says what it is."""

from pathlib import Path

import numpy as np
import pytest

from leukoscope.data import seen, synthetic
from leukoscope.learn import classifier as classifiers
from leukoscope.learn.prediction import Answers, answer
from leukoscope.serve.model import open_model

MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def answers() -> Answers:
    """To eight drawn smears and as many images of noise."""
    smears = synthetic.draw(per_class=2, size=224, seed=0).pixels[:8]
    noise = np.random.default_rng(0).integers(0, 256, smears.shape, dtype=np.uint8)
    loaded = classifiers.load(classifiers.DEFAULT)
    return answer(loaded, np.concatenate([smears, noise]), quiet=True)


def test_it_is_small_and_complete() -> None:
    files = {path.name: path.stat().st_size for path in classifiers.DEFAULT.iterdir()}
    expected = {"config.json", "model.safetensors", "novelty.safetensors", "seen.csv", "README.md"}
    assert set(files) == expected
    assert sum(files.values()) <= 25 * MEBIBYTE


def test_it_is_calibrated_and_knows_its_limits(answers: Answers) -> None:
    config = classifiers.read_config(classifiers.DEFAULT)
    assert config.classes == ("Benign", "Early", "Pre", "Pro")
    assert config.temperature != 1
    assert answers.probabilities.sum(axis=1) == pytest.approx(1)
    assert answers.sets is not None
    assert answers.novel is not None
    assert answers.novel[8:].all()  # noise is no smear


def test_it_tells_which_files_it_learned_from() -> None:
    known = seen.read(classifiers.DEFAULT)
    assert known is not None
    assert known.split("f" * 64) == ""


def test_its_card_says_that_it_does_not_diagnose() -> None:
    card = Path(classifiers.DEFAULT, "README.md").read_text(encoding="utf-8")
    assert "It assists and does not diagnose." in card
    assert "95 % interval" in card
    assert open_model(None).card == card
