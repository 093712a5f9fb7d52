"""Draws keep to their ranges, and rotations are rotations in mm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.learning.transforms import SpatialRanges, Warp, draw_warp
from medloop.learning.transforms.warp import to_output, to_source
from tests.learning.transforms.drawn import ALL, EXACT, warps

STILL = SpatialRanges(affine_chance=0, elastic_chance=0, flip_chance=0)
ROTATION = SpatialRanges(
    rotation_deg=90, tilt_deg=90, scale=0, stretch=0, elastic_chance=0, flip_chance=0.5
)
SPACING = (4.0, 0.7, 0.9)


def a_warp(ranges: SpatialRanges, seed: int = 0, **more) -> Warp:
    known = {"spacing_mm": SPACING, "shape": (12, 40, 30)} | more
    return draw_warp(np.random.default_rng(seed), ranges, **known)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_rotation_keeps_distances_in_mm(seed):
    warp = a_warp(ROTATION, seed)
    points = np.random.default_rng(seed).uniform(0, 10, (6, 3))
    before = np.linalg.norm(np.diff(points * SPACING, axis=0), axis=1)
    after = np.linalg.norm(np.diff(to_output(warp, points) * SPACING, axis=0), axis=1)
    assert after == pytest.approx(before)


def test_no_tilt_keeps_slices_as_they_are():
    warp = a_warp(SpatialRanges(tilt_deg=0, elastic_chance=0, stretch=0, scale=0))
    assert np.abs(warp.matrix[0]) == pytest.approx([1, 0, 0])
    assert warp.matrix[1:, 0] == pytest.approx([0, 0])


def test_a_still_draw_is_the_identity():
    warp = a_warp(STILL)
    points = np.random.default_rng(0).uniform(0, 12, (5, 3))
    assert warp.is_exact
    assert to_source(warp, points) == pytest.approx(points)


@settings(max_examples=20, deadline=None)
@given(warps(EXACT))
def test_flips_and_quarter_turns_keep_voxels_on_voxels(drawn):
    assert drawn[0].is_exact


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_only_planes_with_equal_spacing_turn_by_quarters(seed):
    warp = a_warp(EXACT, seed, spacing_mm=(4.0, 0.7, 0.7))
    assert np.abs(warp.matrix[0]).tolist() == [1, 0, 0]


def test_only_the_named_axes_flip():
    ranges = SpatialRanges(affine_chance=0, elastic_chance=0, flip_chance=1, flip_axes=(1,))
    assert np.diag(a_warp(ranges).matrix).tolist() == [1, -1, 1]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_drawn_patch_lies_in_the_source_where_it_fits(seed):
    warp = a_warp(STILL, seed, patch=(16, 20, 30))
    low, high = to_source(warp, np.array([[0.0, 0, 0], [15, 19, 29]]))
    assert ((low >= 0) & (high <= (11, 39, 29)))[1:].all()
    assert low[0] <= 0
    assert high[0] >= 11


def test_a_given_center_comes_to_the_middle():
    warp = a_warp(SpatialRanges(elastic_chance=0), patch=(8, 9, 10), center=(3.0, 30.0, 7.5))
    assert to_output(warp, np.array([[3.0, 30.0, 7.5]])) == pytest.approx(warp.middle[None])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_elastic_cells_are_alike_in_mm_and_displacements_bounded(seed):
    ranges = SpatialRanges(elastic=0.4, elastic_cells=6, elastic_chance=1)
    warp = a_warp(ranges, seed, shape=(24, 140, 110))
    assert warp.cells == (6, 6, 6)
    assert warp.nodes is not None
    cell = (np.array(warp.shape) - 1) / np.array(warp.cells)
    assert (np.abs(warp.nodes).reshape(3, -1).max(axis=1) <= 0.4 * cell).all()


def test_thick_slices_have_fewer_cells():
    warp = a_warp(SpatialRanges(elastic_cells=6, elastic_chance=1), shape=(6, 140, 110))
    assert warp.cells == (1, 6, 6)


def test_the_same_generator_draws_the_same_warp():
    one, two = a_warp(ALL, 5), a_warp(ALL, 5)
    assert (one.matrix == two.matrix).all()
    assert (one.center == two.center).all()
    assert (one.nodes is None and two.nodes is None) or (one.nodes == two.nodes).all()


@pytest.mark.parametrize(
    "wrong",
    [{"elastic": 0.45}, {"distortion": 1.0}, {"flip_chance": 1.5}, {"elastic_cells": 0}],
    ids=str,
)
def test_ranges_that_fold_or_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SpatialRanges(**wrong)


def test_axes_that_disagree_are_refused():
    with pytest.raises(ValueError, match="disagree"):
        a_warp(STILL, spacing_mm=(1.0, 1.0))


def test_an_axis_to_flip_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="flip_axes"):
        a_warp(SpatialRanges(flip_axes=(3,)))
