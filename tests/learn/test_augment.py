"""Each change of a batch does to the pixels what its number says."""

import pytest
import torch
from torch import Tensor

from leukoscope.learn.augment import CORNER, augment, erase_corner, parameters, resize
from leukoscope.settings import TrainingSettings

COLUMNS = (
    *("scale", "angle", "mirror", "dx", "dy"),
    *("red", "green", "blue", "brightness", "erased"),
)
IDENTITY = dict(zip(COLUMNS, (1, 0, 1, 0, 0, 1, 1, 1, 1, 0), strict=True))


def settings(**changes: object) -> TrainingSettings:
    values = {"network": "resnet18", "size": 32, "epochs": 1, "learning_rate": 0.1} | changes
    return TrainingSettings.model_validate(values)


def table(count: int, **changes: object) -> Tensor:
    return parameters(count, settings(**changes), torch.Generator().manual_seed(0))


def changes(count: int, **values: float) -> Tensor:
    return torch.tensor([list((IDENTITY | values).values())] * count, dtype=torch.float32)


def noise(count: int = 2, size: int = 24) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, size, size, 3), generator=generator, dtype=torch.uint8)
    pixels[:, 0, :5], pixels[:, 1, :5] = 255, 0  # the ends of the range, where types overflow
    return pixels


def test_no_change_gives_the_same_pixels() -> None:
    pixels = noise()
    for same in (pixels, pixels.float()):
        torch.testing.assert_close(
            augment(same, changes(2)), pixels.float(), rtol=0, atol=1e-3, check_stride=False
        )


def test_the_pixels_handed_in_stay_as_they_are() -> None:
    pixels = noise()
    before = pixels.clone()
    augment(pixels, table(2, erase_corner=True))
    assert torch.equal(pixels, before)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_quarter_turn_is_exact(quarters: int) -> None:
    pixels = noise()
    turned = augment(pixels, changes(2, angle=quarters * torch.pi / 2))
    expected = torch.rot90(pixels, quarters, dims=(1, 2)).float()
    torch.testing.assert_close(turned, expected, rtol=0, atol=0.05, check_stride=False)


def test_a_mirrored_field_is_exact() -> None:
    pixels = noise()
    mirrored = augment(pixels, changes(2, mirror=-1))
    torch.testing.assert_close(
        mirrored, pixels.flip(2).float(), rtol=0, atol=0.05, check_stride=False
    )


def test_a_shift_moves_by_its_pixels_and_reflects_what_it_uncovers() -> None:
    pixels = noise(size=24)
    shifted = augment(pixels, changes(2, dx=2 * 3 / 24, dy=2 * -2 / 24))  # the grid spans 2
    torch.testing.assert_close(
        shifted[:, 2:, :21], pixels[:, :22, 3:].float(), rtol=0, atol=0.05, check_stride=False
    )
    torch.testing.assert_close(
        shifted[:, 2:, 21:],
        pixels[:, :22, 21:].flip(2).float(),
        rtol=0,
        atol=0.05,
        check_stride=False,
    )


def test_a_larger_scale_magnifies_around_the_middle() -> None:
    pixels = torch.zeros(1, 32, 32, 3)
    pixels[:, 12:20, 12:20] = 200.0
    larger = augment(pixels, changes(1, scale=2.0))
    assert (larger > 100).sum().item() == pytest.approx(4 * (pixels > 100).sum().item(), rel=0.1)
    assert (larger[0, 9:23, 9:23] > 100).all()


def test_stain_changes_its_own_channel_and_leaves_white_white() -> None:
    pixels = torch.full((1, 8, 8, 3), 100, dtype=torch.uint8)
    denser = augment(pixels, changes(1, green=1.5))[0, 4, 4]
    by_hand = (101 / 256) ** 1.5 * 256 - 1
    torch.testing.assert_close(denser, torch.tensor([100.0, by_hand, 100.0]), rtol=0, atol=1e-2)
    white = torch.full((1, 8, 8, 3), 255, dtype=torch.uint8)
    stained = augment(white, changes(1, red=1.5, green=0.6, blue=2.0))
    torch.testing.assert_close(stained, white.float(), rtol=0, atol=0.1, check_stride=False)


def test_brightness_multiplies() -> None:
    pixels = torch.full((1, 8, 8, 3), 100, dtype=torch.uint8)
    assert augment(pixels, changes(1, brightness=1.2)).mean().item() == pytest.approx(120, abs=0.01)
    assert augment(pixels, changes(1, brightness=9.0)).max().item() == 255


def test_every_image_gets_its_own_change() -> None:
    pixels = noise(1).expand(8, -1, -1, -1)
    changed = augment(pixels, table(8))
    for first in range(8):
        for second in range(first):
            assert (changed[first] - changed[second]).abs().mean() > 1
    one_by_one = torch.cat([augment(pixels[:1], row[None]) for row in table(8)])
    torch.testing.assert_close(changed, one_by_one, rtol=0, atol=1e-3, check_stride=False)


def test_the_result_stays_within_the_range_of_pixels() -> None:
    wild = {"shift": 0.5, "scale": 0.9, "brightness": 0.9, "stain": 0.9, "erase_corner": True}
    changed = augment(noise(64), table(64, **wild))
    assert changed.isfinite().all()
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_the_generator_decides_the_changes() -> None:
    def drawn(seed: int) -> Tensor:
        return parameters(16, settings(), torch.Generator().manual_seed(seed))

    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))
    generator = torch.Generator().manual_seed(0)
    first = parameters(16, settings(), generator)
    assert not torch.equal(first, parameters(16, settings(), generator))


def test_changes_fill_the_ranges_of_their_settings() -> None:
    drawn = table(4000, scale=0.2, shift=0.1, brightness=0.3, stain=0.05, erase_corner=True)
    columns = dict(zip(COLUMNS, drawn.unbind(dim=1), strict=True))
    limits = {"scale": (0.8, 1.2), "dx": (-0.2, 0.2), "dy": (-0.2, 0.2), "brightness": (0.7, 1.3)}
    limits |= dict.fromkeys(("red", "green", "blue"), (0.95, 1.05))
    for name, (low, high) in limits.items():
        spare = (high - low) / 50
        assert low <= columns[name].min() < low + spare, name
        assert high - spare < columns[name].max() <= high + 1e-6, name
    quarters = columns["angle"] / (torch.pi / 2)
    assert sorted(quarters.round().unique().tolist()) == [0, 1, 2, 3]
    torch.testing.assert_close(quarters, quarters.round())
    assert sorted(columns["mirror"].unique().tolist()) == [-1, 1]
    assert columns["erased"].mean().item() == pytest.approx(0.5, abs=0.05)
    pairs = torch.corrcoef(drawn.T)
    assert (pairs - torch.eye(len(COLUMNS))).abs().max() < 0.08  # no change goes with another


def test_changes_that_are_turned_off_are_not_made() -> None:
    off = table(50, flips=False, scale=0, shift=0, brightness=0, stain=0)
    assert torch.equal(off, changes(50))


def test_only_the_corner_is_painted_over() -> None:
    pixels = torch.full((2, 100, 100, 3), 180, dtype=torch.uint8)
    pixels[1] = 90
    pixels[:, -10:, -20:] = 0  # the bar
    painted = erase_corner(pixels)
    height, width = (round(100 * share) for share in CORNER)
    assert (painted[0] == 180).all()
    assert (painted[1] == 90).all()
    untouched = torch.ones(100, 100, dtype=torch.bool)
    untouched[-height:, -width:] = False
    noisy = noise(2, size=100)
    assert torch.equal(erase_corner(noisy)[:, untouched], noisy[:, untouched])


def test_the_corner_is_painted_in_the_images_that_were_chosen() -> None:
    pixels = torch.full((2, 50, 50, 3), 180, dtype=torch.uint8)
    pixels[:, -3:, -3:] = 0
    chosen = changes(2)
    chosen[1, COLUMNS.index("erased")] = 1
    changed = augment(pixels, chosen)
    assert changed[0, -1, -1].max() < 1
    torch.testing.assert_close(changed[1], torch.full((50, 50, 3), 180.0), rtol=0, atol=0.01)


def test_resize_keeps_what_has_the_size_and_averages_what_has_not() -> None:
    pixels = noise(2, size=24)
    assert resize(pixels, 24) is pixels
    checks = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    checks[:, ::2, ::2] = checks[:, 1::2, 1::2] = 200
    small = resize(checks, 16)
    assert small.shape == (1, 16, 16, 3)
    assert small.dtype == torch.uint8
    assert (small[:, 2:-2, 2:-2].int() - 100).abs().max() < 8  # sampling alone would give 0 or 200
