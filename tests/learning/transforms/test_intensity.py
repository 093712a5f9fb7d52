"""Values change as was drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medloop.learning.transforms import IntensityChange, IntensityRanges
from medloop.learning.transforms.intensity import change_values, draw_change
from tests.learning.transforms.drawn import values

ALWAYS = IntensityRanges(chance=1.0)
SHAPES = st.sampled_from([(12, 17), (5, 12, 17), (1, 12, 17)])


def a_change(seed: int, spacing_mm: tuple[float, ...] = (1.0, 1.0)) -> IntensityChange:
    return draw_change(np.random.default_rng(seed), ALWAYS, spacing_mm=spacing_mm)


def test_no_change_changes_nothing():
    channel = values((9, 8))
    assert (change_values(channel, IntensityChange()) == channel).all()


def test_nothing_is_drawn_without_a_chance():
    never = IntensityRanges(chance=0)
    drawn = draw_change(np.random.default_rng(0), never, spacing_mm=(1, 1, 1))
    assert drawn == IntensityChange(noise_seed=drawn.noise_seed)


@settings(max_examples=20, deadline=None)
@given(SHAPES)
def test_brightness_and_contrast_move_mean_and_deviation(shape):
    channel = 5 + 3 * values(shape)
    out = change_values(channel, IntensityChange(brightness=0.5, contrast=1.2))
    assert out.mean() == pytest.approx(channel.mean() + 0.5 * channel.std(), rel=1e-4)
    assert out.std() == pytest.approx(1.2 * channel.std(), rel=1e-4)


def test_gamma_keeps_the_range_and_bends_between():
    channel = np.linspace(-4, 4, 81, dtype=np.float32).reshape(9, 9)
    out = change_values(channel, IntensityChange(gamma=2.0))
    assert out == pytest.approx(((channel + 4) / 8) ** 2 * 8 - 4, abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(SHAPES, st.floats(0.2, 1.2))
def test_blur_equals_the_reference(shape, sigma):
    channel = values(shape)
    sigmas = tuple(sigma * (axis + 1) / len(shape) for axis in range(len(shape)))
    out = change_values(channel, IntensityChange(blur=sigmas))
    expected = ndimage.gaussian_filter(channel, sigmas, mode="reflect", truncate=6)
    assert out == pytest.approx(expected, abs=2e-3)


def test_blur_is_alike_in_mm():
    k, j, i = a_change(0, (3.0, 1.0, 1.5)).blur
    assert (3 * k, 1.5 * i) == pytest.approx((j, j))


def test_a_coarse_axis_is_not_made_coarser_than_the_others():
    assert all(a_change(seed, (3.0, 1.0, 1.0)).shares[0] == 1 for seed in range(20))


@pytest.mark.parametrize("shape", [(16, 24), (8, 16, 24)])
def test_half_the_resolution_averages_neighbors(shape):
    channel = np.indices(shape).sum(axis=0).astype(np.float32)
    checks = (channel % 2) * 2 - 1
    change = IntensityChange(shares=(0.5,) * len(shape))
    assert np.abs(change_values(checks, change)).max() < 1e-5
    inner = (slice(2, -2),) * len(shape)
    assert change_values(channel, change)[inner] == pytest.approx(channel[inner], abs=1e-4)


def test_noise_has_the_drawn_deviation_and_its_seed():
    channel = np.where(np.arange(40_000).reshape(200, 200) % 2, 10.0, -10.0).astype(np.float32)
    change = IntensityChange(noise=0.1, noise_seed=4)
    out = change_values(channel, change)
    assert (out - channel).std() == pytest.approx(1.0, rel=0.03)
    assert (out == change_values(channel, change)).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_whole_numbers_stay_in_their_range(seed):
    channel = np.random.default_rng(seed).integers(0, 256, (12, 17)).astype(np.uint8)
    before = channel.copy()
    out = change_values(channel, a_change(seed))
    assert out.dtype == np.uint8
    assert (channel == before).all()


def test_a_flat_channel_stays_finite():
    out = change_values(np.full((9, 9), 3, np.float32), a_change(1))
    assert out == pytest.approx(np.full((9, 9), 3.0))


@pytest.mark.parametrize("wrong", [{"resolution": 0}, {"chance": 2}, {"noise": -1}], ids=str)
def test_ranges_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        IntensityRanges(**wrong)
