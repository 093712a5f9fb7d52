"""Slices between drawn ones follow the shape; drawn ones stay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from medloop.core.errors import InputError
from medloop.imaging.between import fill_between


def disc(radius: float, center=(32.0, 32.0), size=(64, 64)):
    rows, columns = np.indices(size)
    return np.hypot(rows - center[0], columns - center[1]) <= radius


def on_slices(**drawn):
    mask = np.zeros((11, 64, 64), bool)
    for name, plane in drawn.items():
        mask[int(name[1:])] = plane
    return mask


def test_a_cone_is_found_between_its_ends():
    filled = fill_between(on_slices(n0=disc(5), n10=disc(25)), [0, 10])
    for n in range(11):
        assert np.sqrt(filled[n].sum() / np.pi) == pytest.approx(5 + 2 * n, abs=0.5)


def test_what_moves_passes_the_middle():
    mask = on_slices(n0=disc(14, (28, 32)), n10=disc(14, (36, 32)))
    middle = fill_between(mask, [0, 10])[5]
    rows, columns = np.nonzero(middle)
    assert (rows.mean(), columns.mean()) == pytest.approx((32, 32), abs=0.3)


def test_towards_an_empty_slice_the_object_ends():
    filled = fill_between(on_slices(n0=disc(12)), [0, 10])
    areas = filled.sum((1, 2))
    assert (np.diff(areas) <= 0).all()
    assert areas[3] > 0
    assert areas[7] == 0


@given(st.lists(st.integers(0, 10), max_size=5), st.integers(0, 2))
def test_drawn_slices_and_those_outside_stay(drawn, axis):
    mask = np.random.default_rng(1).random((11, 11, 11)) > 0.5
    filled = np.moveaxis(fill_between(mask, drawn, axis=axis), axis, 0)
    planes = np.moveaxis(mask, axis, 0)
    inner = range(min(drawn, default=0), max(drawn, default=0) + 1)
    for n in range(11):
        if n in drawn or n not in inner:
            assert_array_equal(filled[n], planes[n])


def test_spacing_decides_where_the_outline_passes():
    mask = np.zeros((3, 40, 40), bool)
    mask[0, 10:30, 10:30] = mask[2, 18:22, 10:30] = True
    assert fill_between(mask, [0, 2], spacing=(1.0, 4.0))[1].sum() > 0


def test_a_slice_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="slices 0 to 11 of 11"):
        fill_between(np.zeros((11, 4, 4), bool), [0, 11])
