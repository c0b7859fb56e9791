"""The classifier of the package works right after installation, and says what it is."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from leukoscope.data import seen, synthetic
from leukoscope.learn import classifier as classifiers
from leukoscope.learn.answers import Answers
from leukoscope.learn.backends import open_backend
from leukoscope.learn.folder import DEFAULT, read_config
from leukoscope.learn.prediction import answer
from leukoscope.serve.model import open_model


@pytest.fixture(scope="module")
def answers() -> Answers:
    """PyTorch's."""
    return answer(classifiers.load(DEFAULT), pixels(), quiet=True)


def pixels() -> NDArray[np.uint8]:
    """Eight drawn smears and as many images of noise."""
    smears = synthetic.draw(per_class=2, size=224, seed=0).pixels[:8]
    noise = np.random.default_rng(0).integers(0, 256, smears.shape, dtype=np.uint8)
    return np.concatenate([smears, noise])


def test_it_is_small_and_complete() -> None:
    files = {path.name: path.stat().st_size for path in DEFAULT.iterdir()}
    assert set(files) == {
        *("README.md", "config.json", "model.onnx", "model.safetensors"),
        *("novelty.safetensors", "seen.csv"),
    }
    assert sum(files.values()) <= 25e6


def test_it_is_calibrated_and_knows_its_limits(answers: Answers) -> None:
    config = read_config(DEFAULT)
    assert config.classes == ("Benign", "Early", "Pre", "Pro")
    assert config.temperature != 1
    assert answers.probabilities.sum(axis=1) == pytest.approx(1)
    assert answers.sets is not None
    assert answers.novel is not None
    assert answers.novel[8:].all()  # noise is no smear


def test_its_graph_answers_the_same(answers: Answers) -> None:
    said = open_backend(DEFAULT, engine="onnx").answer(pixels())
    np.testing.assert_allclose(said.probabilities, answers.probabilities, atol=1e-5)
    assert answers.novelty is not None
    np.testing.assert_allclose(said.novelty, answers.novelty, rtol=1e-3)


def test_it_tells_which_files_it_learned_from() -> None:
    known = seen.read(DEFAULT)
    assert known is not None
    assert known.split("f" * 64) == ""


def test_its_card_says_that_it_does_not_diagnose() -> None:
    card = Path(DEFAULT, "README.md").read_text(encoding="utf-8")
    assert "It assists and does not diagnose." in card
    assert "95 % interval" in card
    assert open_model(None).card == card
