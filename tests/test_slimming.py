"""Half precision takes half the room and changes no answer, or is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_scoring import SIZE, calibrated, classifier, noise

from leukoscope.data import seen
from leukoscope.data.seen import Seen
from leukoscope.errors import LeukoscopeError, UsageError
from leukoscope.learn.classifier import Classifier, load
from leukoscope.learn.prediction import answer
from leukoscope.slimming import slim

PIXELS = noise(12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("slimming") / "whole"
    made = calibrated(0)
    # Untrained weights answer at random; colder, they magnify what half precision changes.
    config = replace(made.config, temperature=10.0)
    Classifier(made.network, config, made.memories).save(place)
    (place / "README.md").write_text("# The card\n\nFigures.\n")
    seen.write(Seen({"0123456789abcdef": "train"}), place)
    return place


def test_it_takes_half_the_room_and_answers_the_same(folder: Path, tmp_path: Path) -> None:
    done = slim(folder, tmp_path / "slim")
    assert done.weights < 0.52 * done.weights_before
    assert done.graph < 0.6 * done.weights_before
    assert done.difference < 1e-3
    small = load(tmp_path / "slim")
    assert {tensor.dtype for tensor in small.network.parameters()} == {torch.float32}
    before, after = (answer(one, PIXELS, quiet=True) for one in (load(folder), small))
    np.testing.assert_allclose(after.probabilities, before.probabilities, atol=1e-3)
    np.testing.assert_allclose(after.novelty, before.novelty, rtol=1e-2)
    assert small.config == load(folder).config


def test_what_belongs_to_it_goes_along(folder: Path, tmp_path: Path) -> None:
    slim(folder, tmp_path / "one")
    slim(tmp_path / "one", tmp_path / "two")
    for name in ("one", "two"):
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == [
            *("README.md", "config.json", "model.onnx"),
            *("model.safetensors", "novelty.safetensors", "seen.csv"),
        ]
        assert seen.read(tmp_path / name) == seen.read(folder)
        card = (tmp_path / name / "README.md").read_text()
        assert card.startswith("# The card\n\nFigures.\n")
        assert card.count("In half precision") == 1


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path: Path) -> None:
    large = classifier()
    with torch.no_grad():
        large.network.get_submodule("features.0").weight.mul_(1e7)
    Classifier(large.network, replace(large.config, size=SIZE)).save(tmp_path / "large")
    with pytest.raises(LeukoscopeError, match="answers differently"):
        slim(tmp_path / "large", tmp_path / "slim")
    assert not (tmp_path / "slim").exists()


def test_a_classifier_is_not_slimmed_onto_itself(folder: Path) -> None:
    with pytest.raises(UsageError, match="is the classifier itself"):
        slim(folder, folder)
