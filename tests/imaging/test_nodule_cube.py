import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.imaging.nodule_cube import cut, frame_around, spread

SPACING = (2.5, 0.7, 0.7)


def test_a_cube_has_its_middle_where_it_was_asked_for():
    frame = frame_around((7.3, 20.1, 18.6), SPACING, half_mm=6.0, step_mm=0.5)
    assert frame.center == pytest.approx((7.3, 20.1, 18.6))
    assert frame.size == 25
    assert frame.from_center_mm()[[0, -1]] == pytest.approx([-6.0, 6.0])


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(st.floats(5, 9), st.floats(18, 22), st.floats(18, 22)),
    st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.floats(-9, 9)),
)
def test_a_slope_is_the_same_slope_in_the_cube(center, slope):
    k, j, i = np.meshgrid(*(np.arange(n, dtype=float) for n in (15, 41, 41)), indexing="ij")
    crop = (slope[0] * k + slope[1] * j + slope[2] * i).astype(np.float32)
    frame = frame_around(center, SPACING, half_mm=5.0, step_mm=0.6)
    at = [frame.positions(axis) for axis in range(3)]
    expected = slope[0] * at[0][:, None, None] + slope[1] * at[1][:, None] + slope[2] * at[2]
    assert cut(crop, frame) == pytest.approx(expected, abs=0.01)


def test_beyond_the_crop_its_border_goes_on():
    crop = np.full((5, 5, 5), 3.0, np.float32)
    frame = frame_around((0.0, 2.0, 2.0), (1.0, 1.0, 1.0), half_mm=20.0, step_mm=1.0)
    assert cut(crop, frame) == pytest.approx(3.0)


def test_a_ball_in_the_cube_covers_the_voxels_whose_centers_it_holds():
    frame = frame_around((7.0, 20.0, 20.0), SPACING, half_mm=8.0, step_mm=0.4)
    mm = frame.from_center_mm()
    ball = mm[:, None, None] ** 2 + mm[:, None] ** 2 + mm**2 <= 25
    mask = spread(ball, frame, (15, 41, 41))
    k, j, i = np.meshgrid(*(np.arange(n) for n in (15, 41, 41)), indexing="ij")
    away = np.sqrt((2.5 * (k - 7)) ** 2 + (0.7 * (j - 20)) ** 2 + (0.7 * (i - 20)) ** 2)
    assert mask[away < 4.7].all()
    assert not mask[away > 5.3].any()


def test_a_cube_beside_the_crop_covers_nothing():
    frame = frame_around((100.0, 2.0, 2.0), (1.0, 1.0, 1.0), half_mm=3.0, step_mm=1.0)
    assert not spread(np.ones((7, 7, 7), bool), frame, (5, 5, 5)).any()
