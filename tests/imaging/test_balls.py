import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from medloop.imaging.balls import close, grow, shrink

STEPS = st.tuples(st.floats(0.6, 5.0), st.floats(0.6, 2.5))


def a_mask(seed: int, share: float) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(9, 14, 12)) < share


@given(st.integers(0, 999), STEPS, st.floats(1.0, 9.0))
def test_growing_adds_what_a_distance_transform_says(seed, steps_mm, radius_mm):
    mask = a_mask(seed, 0.02)
    mask[4, 7, 6] = True
    away = ndimage.distance_transform_edt(~mask, (steps_mm[0], steps_mm[1], steps_mm[1]))
    grown = grow(mask, radius_mm, steps_mm=steps_mm)
    tolerance = 0.04 * radius_mm + 0.02  # of the in-slice transform's 5 x 5 neighborhood
    assert grown[away <= radius_mm - tolerance].all()
    assert not grown[away > radius_mm + tolerance].any()


@given(st.integers(0, 999), STEPS, st.floats(1.0, 6.0))
def test_shrinking_is_growing_of_what_is_outside(seed, steps_mm, radius_mm):
    mask = a_mask(seed, 0.9)
    shrunk = shrink(mask, radius_mm, steps_mm=steps_mm)
    assert (shrunk == ~grow(~mask, radius_mm, steps_mm=steps_mm)).all()
    assert (mask | ~shrunk).all()


@given(st.integers(0, 999), STEPS, st.floats(1.0, 6.0))
def test_closing_only_adds(seed, steps_mm, radius_mm):
    mask = a_mask(seed, 0.3)
    assert (close(mask, radius_mm, steps_mm=steps_mm) | ~mask).all()


@pytest.mark.parametrize(("radius_mm", "is_filled"), [(4.0, False), (8.0, True)])
def test_a_ball_rolls_over_a_pit_that_is_narrower_than_it(radius_mm, is_filled):
    rows, columns = np.ogrid[:40, :40]
    slice_ = (rows >= 20) & ~((np.abs(columns - 20) <= 5) & (rows < 30))
    mask = np.broadcast_to(slice_, (30, 40, 40))
    closed = close(mask, radius_mm, steps_mm=(1.0, 1.0))
    assert bool(closed[15, 24, 20]) is is_filled
    assert not closed[15, 10, 20]


def test_growing_nothing_gives_nothing():
    assert not grow(np.zeros((3, 4, 5), bool), 3.0, steps_mm=(1.0, 1.0)).any()
