"""A warp is one map: on the grid, at points, and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.learning.transforms.warp import Warp, coordinates, to_output, to_source
from tests.learning.transforms.drawn import composed, warps


def whole(warp: Warp) -> tuple[slice, ...]:
    return tuple(slice(0, side) for side in warp.shape)


@settings(max_examples=20, deadline=None)
@given(warps())
def test_the_tensor_product_is_the_composition_of_its_parts(drawn):
    warp, _ = drawn
    assert coordinates(warp, whole(warp)) == pytest.approx(composed(warp), abs=2e-5)


@settings(max_examples=20, deadline=None)
@given(warps())
def test_points_and_the_grid_go_the_same_way(drawn):
    warp, _ = drawn
    indices = np.argwhere(np.ones(warp.shape)).astype(float)
    expected = coordinates(warp, whole(warp)).reshape(len(warp.shape), -1).T
    assert to_source(warp, indices) == pytest.approx(expected, abs=2e-5)


@settings(max_examples=20, deadline=None)
@given(warps(), st.integers(0, 1000))
def test_a_place_comes_back_from_its_source(drawn, seed):
    warp, _ = drawn
    share = np.random.default_rng(seed).uniform(-0.5, 1.5, (20, len(warp.shape)))
    places = share * np.array(warp.shape)
    assert to_output(warp, to_source(warp, places)) == pytest.approx(places, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(warps())
def test_the_strongest_draw_folds_nowhere(drawn):
    warp, _ = drawn
    sharp = np.linalg.det(warp.matrix)
    places = np.random.default_rng(0).uniform(0, 1, (200, len(warp.shape)))
    places *= np.maximum(np.array(warp.shape) - 1, 0)
    step = 1e-5
    moved = [
        (to_source(warp, places + step * e) - to_source(warp, places - step * e)) / (2 * step)
        for e in np.eye(len(warp.shape))
    ]
    assert (np.linalg.det(np.stack(moved, axis=2)) / sharp > 0).all()


@settings(max_examples=20, deadline=None)
@given(warps())
def test_a_region_is_a_part_of_the_whole(drawn):
    warp, _ = drawn
    part = tuple(slice(side // 3, side) for side in warp.shape)
    expected = coordinates(warp, whole(warp))[(slice(None), *part)]
    assert coordinates(warp, part) == pytest.approx(expected, abs=2e-5)
