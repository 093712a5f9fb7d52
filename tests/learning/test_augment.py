"""Changes do what was drawn, to pixels, masks and places alike."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.learning.augment import Change, Ranges, draw, recolor, to_input, warp
from tests.phantoms import a_fundus

SIZE = (96, 128)
SAME = Change(
    affine=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    brightness=0.0,
    contrast=1.0,
    gamma=1.0,
    saturation=1.0,
    tint=(1.0, 1.0, 1.0),
    noise=0.0,
    noise_seed=0,
    blur=0.0,
)


def a_change(seed: int) -> Change:
    source = ((SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2)
    return draw(np.random.default_rng(seed), Ranges(), source=source, size=SIZE)


def test_no_change_changes_nothing():
    rgb = a_fundus(SIZE).picture.array
    assert (recolor(warp(rgb, SAME, size=SIZE, smooth=True), SAME) == rgb).all()


def test_ranges_of_zero_draw_no_change():
    still = Ranges(**dict.fromkeys(("rotation_deg", "scale", "shift"), 0.0), flips=False)
    drawn = draw(np.random.default_rng(0), still, source=(63.5, 47.5), size=SIZE)
    assert np.array(drawn.affine) == pytest.approx(np.array(SAME.affine))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_masks_stay_labels(seed):
    bits = np.random.default_rng(seed).choice([0, 1, 4, 16, 21], SIZE).astype(np.uint8)
    moved = warp(bits, a_change(seed), size=SIZE, smooth=False)
    assert set(np.unique(moved)) <= {0, 1, 4, 16, 21}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 90), st.integers(30, 66))
def test_a_point_follows_its_pixel(seed, x, y):
    change = a_change(seed)
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18).astype(np.float32)
    moved = warp(blob, change, size=SIZE, smooth=True)
    expected = np.array(change.affine) @ [x, y, 1]
    if not ((expected > 12) & (expected < np.array(SIZE[::-1]) - 12)).all():
        return
    center = [(moved * axis).sum() / moved.sum() for axis in (columns, rows)]
    assert center == pytest.approx(expected, abs=0.3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_drawn_source_comes_near_the_middle(seed):
    middle = np.array(a_change(seed).affine) @ [(SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2, 1]
    reach = Ranges().shift * np.array(SIZE[::-1])
    assert (np.abs(middle - (np.array(SIZE[::-1]) - 1) / 2) <= reach + 1e-6).all()


def test_black_stays_black():
    change = replace(a_change(3), noise=4.0, blur=0.0)
    assert recolor(np.zeros((*SIZE, 3), np.uint8), change).max() == 0


def test_the_same_generator_draws_the_same_change():
    assert a_change(7) == a_change(7)
    rgb = a_fundus(SIZE).picture.array
    assert (recolor(rgb, a_change(7)) == recolor(rgb, a_change(7))).all()


def test_input_is_channels_first_and_scaled():
    x = to_input(np.array([[[127, 255, 0]]], np.uint8), mean=127.0, scale=128.0)
    assert x.shape == (3, 1, 1)
    assert x.ravel() == pytest.approx([0, 1, -127 / 128])
