"""The baselines see colours and class sizes, and nothing else; the probes find what was planted."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from leukoscope.audit.shortcuts import (
    BINS,
    MAP_SIDE,
    Probe,
    View,
    _bits,
    _dealt,
    background,
    colour_forest,
    colour_histogram,
    contradicted,
    grouped,
    information,
    majority,
    probe,
    views,
)
from leukoscope.data.images import Facts
from leukoscope.data.synthetic import CLASSES, Smears, draw
from leukoscope.errors import DataError


def noise(count: int = 5) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 13, 17, 3), dtype=np.uint8)


def test_histogram_equals_numpy_s() -> None:
    pixels = noise()
    pixels[0] = 255
    pixels[1] = 0
    features = colour_histogram(pixels)
    assert features.shape == (5, 48)
    for image, row in zip(pixels, features, strict=True):
        for channel in range(3):
            counts, _ = np.histogram(image[..., channel], bins=BINS, range=(0, 256))
            np.testing.assert_allclose(row[channel * BINS : (channel + 1) * BINS], counts / 221)


def test_histogram_sees_no_place() -> None:
    pixels = noise()
    shuffled = np.random.default_rng(1).permutation(pixels.reshape(5, -1, 3), axis=1)
    same = colour_histogram(shuffled.reshape(pixels.shape))
    np.testing.assert_array_equal(same, colour_histogram(pixels))


def test_forest_tells_colours_apart() -> None:
    rng = np.random.default_rng(0)
    targets = np.arange(60) % 3
    pixels = rng.integers(0, 120, (60, 8, 8, 3), dtype=np.uint8)
    for row, target in enumerate(targets):
        pixels[row, ..., target] += 60
    probabilities = colour_forest(pixels[:45], targets[:45], pixels[45:], classes=3)
    assert probabilities.shape == (15, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), targets[45:])
    again = colour_forest(pixels[:45], targets[:45], pixels[45:], classes=3)
    np.testing.assert_array_equal(again, probabilities)


def test_forest_finds_nothing_in_shuffled_labels() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (300, 6, 6, 3), dtype=np.uint8)
    targets = rng.integers(0, 2, 300)
    probabilities = colour_forest(pixels[:150], targets[:150], pixels[150:], classes=2)
    assert abs((probabilities.argmax(axis=1) == targets[150:]).mean() - 0.5) < 0.15


def test_forest_keeps_the_place_of_a_class_that_it_never_saw() -> None:
    pixels = noise(6)
    probabilities = colour_forest(pixels, np.array([0, 2, 0, 2, 0, 2]), pixels, classes=3)
    np.testing.assert_array_equal(probabilities[:, 1], 0)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), [0, 2, 0, 2, 0, 2])


def test_majority_says_the_shares_of_the_training_set() -> None:
    shares = majority(np.array([1, 1, 0, 1]), 2, classes=3)
    np.testing.assert_array_equal(shares, [[0.25, 0.75, 0], [0.25, 0.75, 0]])


def facts(count: int) -> list[Facts]:
    return [Facts("PNG", "RGB", 64, 64, 1000, "")] * count


def viewed(smears: Smears, one: Sequence[Facts] | None = None) -> dict[str, View]:
    count = len(smears.pixels)
    paths = [f"{row:04d}.png" for row in np.random.default_rng(9).permutation(count)]
    return views(smears.pixels, facts=one or facts(count), paths=paths, quiet=True)


def probed(smears: Smears, *, one: Sequence[Facts] | None = None) -> dict[str, Probe]:
    labels = sorted({field.label for field in smears.fields})
    targets = np.array([labels.index(field.label) for field in smears.fields])
    found = probe(
        viewed(smears, one), targets, [field.scene for field in smears.fields], quiet=True
    )
    return {single.name: single for single in found}


@pytest.fixture(scope="module")
def marked() -> dict[str, Probe]:
    """Smears of one look whose scale bar gives the class away."""
    return probed(draw(per_class=40, size=64, seed=1, looks="same", marks="label"))


def test_a_scale_bar_that_goes_with_the_class_is_found_in_its_corner(
    marked: dict[str, Probe],
) -> None:
    assert marked["bottom right corner"].accuracy > 0.95
    assert marked["bottom right corner"].skill(0.25) > 0.5
    for corner in ("top left corner", "top right corner", "bottom left corner"):
        assert marked[corner].interval.low < 0.4


def test_shuffled_labels_bring_every_probe_to_the_majority_share(marked: dict[str, Probe]) -> None:
    for one in marked.values():
        assert one.shuffled_interval.low <= 0.25 <= one.shuffled_interval.high, one.name


def test_what_says_nothing_scores_the_majority_share(marked: dict[str, Probe]) -> None:
    assert marked["file facts"].accuracy == pytest.approx(0.25)
    order = marked["file order"]
    assert order.interval.low <= 0.25 <= order.interval.high


def test_file_facts_that_go_with_the_class_are_found() -> None:
    smears = draw(per_class=20, size=64, seed=2, looks="same")
    one = [
        Facts("JPEG" if field.label == "Pro" else "PNG", "RGB", 64, 64, 1000, "")
        for field in smears.fields
    ]
    found = probed(smears, one=one)["file facts"]
    assert found.accuracy == pytest.approx(0.5)  # Pro, and the commonest of the other three


def test_the_information_map_lights_up_where_the_mark_is() -> None:
    smears = draw(per_class=60, size=64, seed=3, looks="same", marks="label")
    targets = np.array([CLASSES.index(field.label) for field in smears.fields])
    scenes = [field.scene for field in smears.fields]
    found = information(smears.pixels, targets, scenes)
    bits = found.bits
    assert bits.shape == (MAP_SIDE, MAP_SIDE)
    row, column = np.unravel_index(bits.argmax(), bits.shape)
    assert min(row, column) > 0.6 * MAP_SIDE
    assert bits.max() > 5 * max(0.02, np.median(bits))
    assert bits.max() > 3 * found.chance
    same = draw(per_class=60, size=64, seed=3, looks="same")
    clean = information(same.pixels, targets, scenes)
    assert clean.bits.max() < 0.5 * bits.max()


def test_shuffled_labels_light_up_no_more_than_chance() -> None:
    smears = draw(per_class=8, size=64, seed=5, looks="same")
    paths = [field.path for field in smears.fields]
    for seed in range(5):
        targets = np.random.default_rng(seed).permutation(np.arange(len(paths)) % 4)
        found = information(smears.pixels, targets, paths)
        assert found.bits.max() < 1.5 * found.chance


def test_bits_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import mutual_info_score

    rng = np.random.default_rng(0)
    levels, dealt = rng.integers(0, 8, (40, 5)).astype(np.uint8), rng.integers(0, 3, (2, 40))
    found = _bits(levels, dealt)
    for row, labels in enumerate(dealt):
        for place, column in enumerate(levels.T):
            expected = mutual_info_score(labels, column) / np.log(2)
            assert found[row, place] == pytest.approx(expected, abs=1e-5)


def test_labels_are_dealt_to_whole_scenes() -> None:
    targets = np.repeat([0, 1, 2, 0, 1], 4)
    scenes = [f"{number}" for number in np.repeat(range(5), 4)]
    dealt = _dealt(targets, scenes, np.random.default_rng(1))
    np.testing.assert_array_equal(np.bincount(dealt), np.bincount(targets))
    assert all(len(set(dealt[start : start + 4])) == 1 for start in range(0, 20, 4))


def test_too_few_scenes_are_said_plainly() -> None:
    with pytest.raises(DataError, match="too few scenes in a class: 1, and 5 folds"):
        grouped(np.array([0, 0, 1, 1]), ["a", "a", "b", "b"], folds=5, seed=0)


def test_a_rare_class_keeps_no_other_from_being_probed() -> None:
    targets = np.array([0] * 6 + [1] * 6 + [2])
    folds = grouped(targets, [str(row) for row in range(13)], folds=5, seed=0)
    assert sorted(row for _, test in folds for row in test) == list(range(13))


def test_the_background_is_where_no_cell_is() -> None:
    image = np.full((64, 64, 3), 230, np.uint8)
    image[10:30, 10:30] = (200, 150, 160)  # red cell
    image[40:54, 40:54] = (110, 60, 150)  # nucleus
    found = background(image)
    assert not found[9:31, 9:31].any()
    assert not found[39:55, 39:55].any()
    assert found[:5].all()
    assert background(np.zeros((64, 64, 3), np.uint8)).any()


def test_a_wrong_label_is_contradicted() -> None:
    smears = draw(per_class=40, size=64, seed=4, marks="label")
    targets = np.array([CLASSES.index(field.label) for field in smears.fields])
    wrong = targets.copy()
    wrong[7] = (wrong[7] + 1) % 4
    found = contradicted(viewed(smears), wrong, [field.scene for field in smears.fields])
    assert (7, targets[7]) in found
    assert len(found) < 10
