"""Nuclei and scale bars are found where they are, and attention is counted where it lies."""

from pathlib import Path

import numpy as np
import pytest

from leukoscope.audit.attention import (
    REGIONS,
    Attention,
    Looked,
    attention,
    read_attention,
    spreads,
    write_attention,
)
from leukoscope.audit.regions import nuclei, scale_bar
from leukoscope.data.synthetic import draw

CLEAN = draw(per_class=3, size=128, seed=2).pixels
MARKED = draw(per_class=3, size=128, seed=2, marks="random").pixels


def field() -> np.ndarray:
    """A pale slide with a red cell, a nucleus of radius 14 and a speck of 2, all as discs."""
    image = np.full((128, 128, 3), 240, np.uint8)
    for row, column, radius, colour in (
        (30, 30, 14, (100, 60, 170)),
        (90, 40, 14, (215, 175, 165)),
        (60, 100, 2, (100, 60, 170)),
    ):
        y, x = np.ogrid[:128, :128]
        image[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = colour
    return image


def test_a_nucleus_is_found_but_no_red_cell_and_no_speck() -> None:
    found = nuclei(field())
    y, x = np.ogrid[:128, :128]
    disc = (y - 30) ** 2 + (x - 30) ** 2 <= 14**2
    assert (found & disc).sum() / (found | disc).sum() > 0.8
    assert not found[60:].any()


def test_a_hole_in_a_nucleus_belongs_to_it() -> None:
    image = field()
    image[26:34, 26:34] = 240
    assert nuclei(image)[30, 30]


def test_every_drawn_field_has_nuclei_and_they_are_no_background() -> None:
    shares = [nuclei(image).mean() for image in CLEAN]
    assert min(shares) > 0.005
    assert max(shares) < 0.5
    assert not nuclei(np.full((64, 64, 3), 230, np.uint8)).any()


def test_scale_bars_are_found_where_they_are_burned_in() -> None:
    for clean, marked in zip(CLEAN, MARKED, strict=True):
        assert not scale_bar(clean).any()
        changed = (clean != marked).any(axis=2)
        found = scale_bar(marked)
        assert found[64:, 64:].sum() == found.sum()
        assert (found & changed).sum() > 0.7 * changed.sum()
        assert found.sum() < 3 * changed.sum()
        assert not (nuclei(marked) & found).any()


@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_mark_may_be_in_any_corner(corner: tuple[int, int]) -> None:
    image = np.full((128, 128, 3), 235, np.uint8)
    top, left = 4 + corner[0] * 112, 4 + corner[1] * 100
    image[top : top + 2, left : left + 20] = (200, 30, 40)
    found = scale_bar(image)
    assert found[top : top + 2, left : left + 20].all()
    assert found.sum() < 300


def test_attention_is_counted_where_it_lies() -> None:
    image = field()
    on_nucleus = np.zeros((128, 128), np.float32)
    on_nucleus[28:33, 28:33] = 1
    assert attention(on_nucleus, image).shares == (1, 0, 0)
    assert attention(on_nucleus[::-1], image).shares == (0, 0, 1)
    everywhere = attention(np.ones((128, 128), np.float32), image)
    assert everywhere.shares == pytest.approx(everywhere.areas)
    assert sum(everywhere.areas) == pytest.approx(1)
    assert attention(np.zeros((128, 128), np.float32), image).shares is None


def test_the_ratio_of_a_class_is_that_of_its_means(tmp_path: Path) -> None:
    image = field()
    maps = [np.zeros((128, 128), np.float32) for _ in range(4)]
    for count, heat in enumerate(maps):  # none, a third, a half, three fifths on the nucleus
        heat[30, 30] = count
        heat[100, 100] = 2 if count else 0
    rows = [
        Looked(f"{k}.png", label, "A", attention(heat, image))
        for k, (label, heat) in enumerate(zip("BAAA", maps, strict=True))
    ]
    table = tmp_path / "attention.csv"
    write_attention(rows, table)
    found = spreads(read_attention(table))
    assert [(one.label, one.region, one.n) for one in found] == [("A", r, 3) for r in REGIONS]
    assert found[0].share == pytest.approx((1 / 3 + 1 / 2 + 3 / 5) / 3, abs=1e-6)
    assert found[0].area == pytest.approx(rows[0].attention.areas[0], abs=1e-6)
    assert found[0].ratio.value == pytest.approx(found[0].share / found[0].area)
    assert found[0].ratio.interval is None  # of three images
    assert found[1].ratio == (None, None)  # there is no scale bar


def test_a_map_that_sees_nothing_has_a_ratio_of_one_however_skewed_the_areas() -> None:
    areas = np.random.default_rng(0).gamma(0.5, 0.2, size=120)
    blind = [
        Looked(f"{k}.png", "A", "A", Attention((a, 0.0, 1 - a), (a, 0.0, 1 - a)))
        for k, a in enumerate(areas.tolist())
    ]
    ratio = spreads(blind)[0].ratio
    assert ratio.interval is not None
    assert (ratio.value, ratio.interval.low, ratio.interval.high) == pytest.approx((1, 1, 1))


def test_the_ratio_weighs_whole_groups_where_they_are_known() -> None:
    rng = np.random.default_rng(1)
    areas = rng.gamma(2, 0.05, size=100).tolist()
    tells = np.repeat(rng.uniform(0.5, 1.5, size=10), 10).tolist()  # images of a group are alike
    rows = [
        Looked(f"{k}.png", "A", "A", Attention((a * t, 0.0, 1 - a * t), (a, 0.0, 1 - a)))
        for k, (a, t) in enumerate(zip(areas, tells, strict=True))
    ]
    alone = spreads(rows)[0].ratio.interval
    together = spreads(rows, {f"{k}.png": f"g{k // 10}" for k in range(100)})[0].ratio.interval
    unknown = spreads(rows, {"0.png": "g0"})[0].ratio.interval
    one = spreads(rows, dict.fromkeys((row.path for row in rows), "g"))[0].ratio
    assert alone is not None
    assert together is not None
    assert together.method == "bootstrap over 10 groups"
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    assert unknown == alone
    assert one.interval is None
