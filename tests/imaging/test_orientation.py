"""Turning a volume upright moves no voxel in the world."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.geometry import Grid
from medloop.core.image import Patch
from medloop.imaging.orientation import turn_of, upright_grid

nibabel = pytest.importorskip("nibabel")

axes = st.permutations([0, 1, 2])
signs = st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3)
spacings = st.tuples(*[st.floats(0.3, 5)] * 3)
tilts = st.floats(-0.5, 0.5)


def a_grid(order, sign, spacing, tilt):
    turn = np.array(
        [[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn @ (np.eye(3)[:, list(order)] * sign * spacing)
    affine[:3, 3] = (10, -20, 30)
    return Grid((4, 5, 6), affine)


@given(axes, signs, spacings, tilts)
def test_each_value_stays_where_it_is_in_the_world(order, sign, spacing, tilt):
    grid = a_grid(order, sign, spacing, tilt)
    turn = turn_of(grid)
    array = np.arange(120).reshape(4, 5, 6)
    upright, there = turn.upright(array), upright_grid(grid, turn)
    assert upright.shape == there.shape
    for index in ((0, 0, 0), (1, 2, 3), (3, 4, 5)):
        place = grid.to_world(np.array(index, float))
        found = np.rint(there.to_index(place)).astype(int)
        assert upright[tuple(found)] == array[index]
    assert (np.diag(there.affine[:3, :3][::-1]) > 0).all()


@given(axes, signs, spacings, tilts)
def test_turning_back_gives_the_array_again(order, sign, spacing, tilt):
    turn = turn_of(a_grid(order, sign, spacing, tilt))
    array = np.arange(240).reshape(2, 4, 5, 6)
    assert (turn.back(turn.upright(array)) == array).all()


@given(axes, signs, spacings, tilts)
def test_a_box_is_turned_to_where_its_voxels_go(order, sign, spacing, tilt):
    turn = turn_of(a_grid(order, sign, spacing, tilt))
    array = np.arange(120).astype(np.uint8).reshape(4, 5, 6)
    stored = Patch(array[1:3, 0:4, 2:5], (1, 0, 2), (4, 5, 6))
    upright = turn.patch_upright(stored)
    place = tuple(
        slice(a, a + n) for a, n in zip(upright.low, upright.array.shape, strict=True)
    )
    assert np.array_equal(turn.upright(array)[place], upright.array)
    assert upright.shape == turn.upright(array).shape
    back = turn.patch_back(upright)
    assert np.array_equal(back.array, stored.array)
    assert (back.low, back.shape) == (stored.low, stored.shape)


@given(axes, signs, spacings, tilts)
def test_the_turn_is_nibabels(order, sign, spacing, tilt):
    """nibabel turns (i, j, k) toward RAS; ours (k, j, i) toward superior, posterior, left."""
    grid = a_grid(order, sign, spacing, tilt)
    ras = np.diag([-1.0, -1, 1, 1]) @ grid.affine[:, [2, 1, 0, 3]]
    theirs = nibabel.orientations.io_orientation(ras)
    turn = turn_of(grid)
    for ours, stored in enumerate(turn.axes):
        axis, flip = theirs[2 - stored]
        assert axis == 2 - ours
        assert (flip < 0) == (turn.backward[ours] if ours == 0 else not turn.backward[ours])
