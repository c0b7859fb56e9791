"""A network can be asked again and again what it learns from some of the images."""

import numpy as np
import pytest

from leukoscope.errors import UsageError
from leukoscope.learn import probe


def test_it_learns_what_there_is_to_learn_and_the_same_each_time() -> None:
    noise = np.random.default_rng(0).integers(0, 60, (96, 80, 80, 3))
    targets = np.arange(96) % 2
    noise[targets == 1, ..., 0] += 150
    learn = probe.learner("resnet18", noise.astype(np.uint8), targets)
    rows = np.arange(96)
    told = learn(rows[:72], rows[72:])
    assert (told == targets[72:]).mean() > 0.9
    assert np.array_equal(told, learn(rows[:72], rows[72:]))


@pytest.mark.parametrize(("name", "says"), [("resnet81", "resnet18"), ("inception_v3", "64 px")])
def test_a_network_that_cannot_is_refused_before_the_work(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        probe.check(name)
