"""Each change does what its name says, by the amount, and leaves the rest alone."""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from leukoscope.data import synthetic
from leukoscope.data.perturbations import (
    CORNER,
    PERTURBATIONS,
    Perturbation,
    perturb,
)

NAMED = {one.name: one for one in PERTURBATIONS}
GRADES = [(one, amount) for one in PERTURBATIONS for amount in one.amounts]


@pytest.fixture(scope="module")
def fields() -> NDArray[np.uint8]:
    return synthetic.draw(per_class=1, size=224, seed=1).pixels


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def change(name: str, fields: NDArray[np.uint8], amount: float) -> NDArray[np.float64]:
    return perturb(fields, NAMED[name], amount).astype(float)


def density(pixels: NDArray[Any]) -> NDArray[np.float64]:
    return -np.log((pixels.astype(float) + 1) / 256)


@pytest.mark.parametrize(("one", "amount"), GRADES, ids=lambda v: getattr(v, "name", str(v)))
def test_changes_a_copy_and_repeats_itself(
    one: Perturbation, amount: float, fields: NDArray[np.uint8]
) -> None:
    before = fields.copy()
    changed = perturb(fields, one, amount)
    assert changed.dtype == np.uint8
    assert changed.shape == fields.shape
    assert difference(changed, fields) > 0.05
    np.testing.assert_array_equal(fields, before)
    np.testing.assert_array_equal(perturb(fields, one, amount), changed)


@pytest.mark.parametrize("one", PERTURBATIONS, ids=lambda one: one.name)
def test_a_higher_severity_changes_more(one: Perturbation, fields: NDArray[np.uint8]) -> None:
    for side in (-1, 1):
        amounts = [a for a in one.amounts if (a - one.unchanged) * side > 0]
        graded = sorted(amounts, key=one.severity)
        assert [one.severity(a) for a in graded] == list(range(1, len(graded) + 1))
        done = [difference(perturb(fields, one, a), fields) for a in graded]
        assert done == sorted(done)


@pytest.mark.parametrize("name", ["blue dye", "eosin", "white balance", "brightness", "scale"])
def test_the_unchanged_amount_changes_nothing(name: str, fields: NDArray[np.uint8]) -> None:
    one = NAMED[name]
    assert np.abs(change(name, fields, one.unchanged) - fields).max() <= 1


def test_no_field_gives_no_field() -> None:
    assert perturb(np.empty((0, 8, 8, 3), np.uint8), PERTURBATIONS[0], 0.5).shape == (0, 8, 8, 3)


@pytest.mark.parametrize(
    ("name", "direction"), [("blue dye", (0.65, 0.70, 0.29)), ("eosin", (0.07, 0.99, 0.11))]
)
def test_a_dye_grows_in_optical_density(name: str, direction: tuple[float, ...]) -> None:
    """Beer–Lambert: a field of one dye with twice the dye has twice its optical density."""
    unit = np.array(direction) / np.linalg.norm(direction)
    field = np.rint(256 * np.exp(-0.4 * unit) - 1).astype(np.uint8)
    fields = np.tile(field, (1, 4, 4, 1))
    stronger = density(change(name, fields, 2.0))[0, 0, 0]
    np.testing.assert_allclose(stronger, 2 * density(field), atol=0.02)
    other = "eosin" if name == "blue dye" else "blue dye"
    np.testing.assert_allclose(change(other, fields, 2.0)[0, 0, 0], field, atol=2)


def test_an_empty_slide_has_no_dye_to_change() -> None:
    white = np.full((1, 4, 4, 3), 255, np.uint8)
    for name in ("blue dye", "eosin"):
        np.testing.assert_array_equal(change(name, white, 2.0), white)


def test_white_balance_trades_red_for_blue() -> None:
    grey = np.full((1, 4, 4, 3), 100, np.uint8)
    assert change("white balance", grey, 0.2)[0, 0, 0].tolist() == [120, 100, 80]


def test_brightness_stops_at_white() -> None:
    grey = np.full((1, 4, 4, 3), 200, np.uint8)
    assert change("brightness", grey, 1.4).max() == 255
    assert change("brightness", grey, 0.8)[0, 0, 0].tolist() == [160, 160, 160]


def test_blur_is_pillow_s(fields: NDArray[np.uint8]) -> None:
    sigma = 4.0
    blurred = np.asarray(Image.fromarray(fields[0]).filter(ImageFilter.GaussianBlur(sigma)))
    inner = slice(16, -16)  # Pillow approximates by boxes, and treats the border otherwise
    ours = change("blur", fields, 4.0)[0]
    assert difference(ours[inner, inner], blurred[inner, inner]) < 1.5
    assert difference(ours, fields[0]) > 4


def test_blur_follows_the_size_of_the_field() -> None:
    """The same field at half the side loses the same to the same amount."""
    large = np.zeros((1, 224, 224, 3), np.uint8)
    large[:, 80:144, 80:144] = 240
    small = large[:, ::2, ::2]
    halved = change("blur", large, 4.0).reshape(1, 112, 2, 112, 2, 3).mean((2, 4))
    assert difference(halved, change("blur", small, 4.0)) < 0.5 < difference(halved, small)


def test_jpeg_is_what_pillow_would_save(fields: NDArray[np.uint8]) -> None:
    file = io.BytesIO()
    Image.fromarray(fields[0]).save(file, "JPEG", quality=10)
    np.testing.assert_array_equal(change("jpeg", fields, 10)[0], np.asarray(Image.open(file)))


def test_scale_enlarges_about_the_centre() -> None:
    field = np.zeros((1, 41, 41, 3), np.uint8)
    field[0, 16:25, 16:25] = 255
    shares = {a: (change("scale", field, a) > 127).mean() * 41**2 / 81 for a in (0.7, 1.5)}
    assert shares[1.5] == pytest.approx(2.25, rel=0.2)
    assert shares[0.7] == pytest.approx(0.49, rel=0.3)
    for amount in (0.7, 1.5):
        rows, columns = np.nonzero(change("scale", field, amount)[0, :, :, 0] > 127)
        assert (rows.mean(), columns.mean()) == pytest.approx((20, 20), abs=0.6)


def test_covering_the_scale_bar_touches_that_corner_alone(fields: NDArray[np.uint8]) -> None:
    covered = perturb(fields, NAMED["scale bar"], 1)
    height, width = (int(share * 224) for share in CORNER)
    kept = np.ones((224, 224), bool)
    kept[-height:, -width:] = False
    np.testing.assert_array_equal(covered[:, kept], fields[:, kept])
    corner = covered[0, -height:, -width:].reshape(-1, 3)
    assert (corner == np.median(fields[0], axis=(0, 1)).astype(np.uint8)).all()
