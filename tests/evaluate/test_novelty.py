"""What lies beside the remembered images is novel, in whichever layer, and nothing else is."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from leukoscope.evaluate.novelty import Memory, novelty, remember

Layers = dict[str, NDArray[np.float64]]


def images(count: int, seed: int, *, shift: float = 0.0) -> Layers:
    """Two layers: the first in two looks, the second in one; `shift` moves the first."""
    rng = np.random.default_rng(seed)
    looks = rng.integers(0, 2, (count, 1)) * 8.0
    return {
        "first": rng.normal(size=(count, 6)) + looks + shift,
        "last": 50 * rng.normal(size=(count, 20)) + 100,
    }


@pytest.fixture(scope="module")
def memories() -> dict[str, Memory]:
    return remember(images(200, 0), images(300, 1))


def test_equals_the_neighbours_of_scikit_learn(memories: dict[str, Memory]) -> None:
    learned, held_out, asked = images(200, 0), images(300, 1), images(50, 2, shift=1)
    ratios = []
    for name in ("first", "last"):
        scaler = StandardScaler().fit(learned[name])
        neighbours = NearestNeighbors(n_neighbors=1).fit(scaler.transform(learned[name]))
        near, far = (
            neighbours.kneighbors(scaler.transform(part[name]))[0][:, 0]
            for part in (held_out, asked)
        )
        ratios.append((near, far, np.sort(near)[int(np.ceil(301 * 0.95)) - 1]))
    joint = np.max([near / usual for near, _, usual in ratios], axis=0)
    limit = np.sort(joint)[int(np.ceil(301 * 0.95)) - 1]
    expected = np.max([far / usual for _, far, usual in ratios], axis=0) / limit
    np.testing.assert_allclose(novelty(asked, memories), expected, rtol=2e-3)  # 16-bit memory


def test_the_demanded_share_of_held_out_images_is_accepted() -> None:
    held_out = images(300, 1)
    for accepted in (0.5, 0.9, 0.95):
        values = novelty(held_out, remember(images(200, 0), held_out, accepted=accepted))
        assert (values <= 1 + 1e-9).sum() == np.ceil(301 * accepted)


def test_new_images_of_the_same_kind_are_accepted_as_promised(memories: dict[str, Memory]) -> None:
    assert (novelty(images(2000, 5), memories) <= 1).mean() == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("layer", ["first", "last"])
def test_one_layer_that_sees_a_difference_is_enough(
    layer: str, memories: dict[str, Memory]
) -> None:
    asked = images(40, 3)
    asked[layer] = asked[layer] + 10 * asked[layer].std()
    assert (novelty(asked, memories) > 1).all()


def test_what_lies_between_two_looks_is_novel(memories: dict[str, Memory]) -> None:
    """A single Gaussian over both looks would call their middle the most usual place."""
    middle = images(40, 4)
    middle["first"] = np.full((40, 6), 4.0)
    assert (novelty(middle, memories) > 1).all()


def test_remembered_images_are_the_least_novel(memories: dict[str, Memory]) -> None:
    assert novelty(images(200, 0), memories).max() < 0.05


def test_units_and_order_change_nothing(memories: dict[str, Memory]) -> None:
    learned, held_out, asked = images(200, 0), images(300, 1), images(30, 2, shift=2)
    straight = novelty(asked, memories)
    order = np.random.default_rng(0).permutation(200)
    other = [
        {"first": part["first"] * 1000 - 7, "last": part["last"]}
        for part in ({k: v[order] for k, v in learned.items()}, held_out, asked)
    ]
    np.testing.assert_allclose(novelty(other[2], remember(*other[:2])), straight, rtol=2e-3)


def test_a_feature_that_never_varied_and_now_does_is_novel() -> None:
    learned, held_out, asked = images(100, 0), images(100, 1), images(10, 2)
    for part in (learned, held_out, asked):
        part["first"][:, 0] = 0.5
    memories = remember(learned, held_out)
    assert (novelty(asked, memories) <= 1).sum() >= 8
    asked["first"][:, 0] = 3.0
    assert (novelty(asked, memories) > 1).all()


def test_images_that_are_all_alike_leave_nothing_infinite() -> None:
    same = {"first": np.ones((5, 3))}
    memories = remember(same, same)
    np.testing.assert_array_equal(novelty(same, memories), 0)
    assert np.isfinite(novelty({"first": np.full((1, 3), 1.1)}, memories)).all()
    assert novelty({"first": np.full((1, 3), 1.1)}, memories)[0] > 1


def test_few_held_out_images_give_the_largest_of_them_as_limit() -> None:
    held_out = images(4, 1)
    assert novelty(held_out, remember(images(50, 0), held_out)).max() == pytest.approx(1)


def test_a_memory_is_small(memories: dict[str, Memory]) -> None:
    assert memories["last"].images.dtype == np.float16
    assert memories["last"].images.shape == (200, 20)


def test_no_image_has_no_novelty(memories: dict[str, Memory]) -> None:
    nothing = {"first": np.empty((0, 6)), "last": np.empty((0, 20))}
    assert novelty(nothing, memories).shape == (0,)
