"""HU scales and histograms of drawn chests, whose air, fat and tissue are known."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.imaging.hounsfield import (
    Quantiles,
    Scale,
    check_hu,
    match_histogram,
    quantiles,
)
from tests.thorax import Chest, a_chest, a_grid

GRID = a_grid(steps_mm=(5.0, 4.0, 4.0))


@cache
def drawn(**changes):
    return a_chest(Chest(**changes), GRID).volume


def codes(checked):
    return [notice.code for notice in checked.notices]


def test_the_peaks_of_air_fat_and_soft_tissue_are_found():
    checked = check_hu(drawn())
    assert checked.scale is Scale.HU
    assert checked.air_hu == pytest.approx(-1000, abs=4)
    assert checked.fat_hu == pytest.approx(-100, abs=4)
    assert checked.soft_hu == pytest.approx(50, abs=4)
    assert (checked.factor, checked.shift_hu, checked.notices) == (1.0, 0.0, ())


@pytest.mark.parametrize("padding_hu", [-2000.0, -3024.0])
def test_padding_is_named_and_does_not_count(padding_hu):
    checked = check_hu(drawn(padding_hu=padding_hu))
    assert (checked.padding, checked.scale) == (padding_hu, Scale.HU)
    assert checked.air_hu == pytest.approx(-1000, abs=4)
    assert codes(checked) == ["hu-padding"]


def test_a_scale_that_is_off_comes_with_the_line_that_mends_it():
    volume = drawn()
    off = volume.with_array((volume.array * 0.97 - 25).astype(np.float32))
    checked = check_hu(off)
    assert checked.air_hu == pytest.approx(-995, abs=5)
    shifted = volume.with_array(volume.array + np.int16(50))
    checked = check_hu(shifted)
    assert codes(checked) == ["hu-calibration", "hu-calibration"]
    assert checked.factor * -950 + checked.shift_hu == pytest.approx(-1000, abs=4)
    assert checked.factor * 100 + checked.shift_hu == pytest.approx(45, abs=4)


def test_a_missing_offset_is_named():
    volume = drawn()
    checked = check_hu(volume.with_array(volume.array + np.int16(1024)))
    assert (checked.scale, codes(checked)) == (Scale.OFFSET_MISSING, ["hu-offset-missing"])


def test_values_upside_down_are_named():
    volume = drawn()
    checked = check_hu(volume.with_array(-volume.array))
    assert (checked.scale, codes(checked)) == (Scale.INVERTED, ["hu-inverted"])


@pytest.mark.parametrize("top", [1, 255, 4000])
def test_values_of_another_kind_are_named(top):
    volume = drawn()
    scaled = (volume.array - volume.array.min()) / np.ptp(volume.array) * top
    checked = check_hu(volume.with_array(scaled.astype(np.float32)))
    assert (checked.scale, codes(checked)) == (Scale.UNKNOWN, ["hu-unknown"])


def test_a_constant_volume_is_of_unknown_scale():
    volume = drawn()
    assert check_hu(volume.with_array(np.zeros_like(volume.array))).scale is Scale.UNKNOWN
    nothing = volume.with_array(np.full(volume.array.shape, np.nan, np.float32))
    assert check_hu(nothing).scale is Scale.UNKNOWN


def test_contrast_does_not_move_the_peak_of_soft_tissue():
    assert check_hu(drawn(blood_hu=350.0)).soft_hu == pytest.approx(50, abs=4)


values = st.lists(st.floats(-1000, 400), min_size=5, max_size=60).map(np.array)


@given(values)
def test_matching_values_with_themselves_changes_nothing(given_values):
    curve = match_histogram(given_values, quantiles(given_values))
    np.testing.assert_allclose(curve.apply(given_values), given_values, atol=0.01)


@given(values, values)
def test_a_curve_keeps_the_order_and_its_limit(one, other):
    curve = match_histogram(one, quantiles(other), most_hu=60.0)
    line = np.linspace(-1200, 600, 400)
    mapped = curve.apply(line)
    assert (np.diff(mapped) >= -1e-3).all()
    at = np.array(curve.given)
    assert np.abs(curve.apply(at) - at).max() <= 60.0 + np.ptp(at) * 1e-6 + 0.01


def test_another_scanners_values_get_the_distribution_of_the_reference():
    rng = np.random.default_rng(0)
    reference = rng.normal(-850, 60, 20_000)
    other = 1.05 * rng.normal(-850, 60, 20_000) + 30
    matched = match_histogram(other, quantiles(reference)).apply(other)
    for share in (0.05, 0.5, 0.95):
        assert np.quantile(matched, share) == pytest.approx(
            np.quantile(reference, share), abs=3
        )


def test_a_reference_that_falls_is_refused():
    with pytest.raises(ValueError, match="must rise"):
        match_histogram(np.arange(5.0), Quantiles((0.1, 0.9), (5.0, 1.0)))
    with pytest.raises(ValueError, match="no values"):
        match_histogram(np.array([]), Quantiles((0.1, 0.9), (1.0, 5.0)))
