"""Margins move surfaces by a tenth of a millimeter's worth, in the patient's directions."""

import math
from collections.abc import Callable
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import GeometryError
from medloop.core.geometry import Grid
from medloop.imaging.margins import Margin, crop, expand, spare, targets
from medloop.imaging.soft import box_of, cut, inside, soft_of, volume_mm3
from tests.imaging.soft_phantoms import (
    UPRIGHT,
    a_ball,
    a_box,
    a_grid,
    a_soft,
    extent_mm,
    support_mm,
)

# Toward right, left, anterior, posterior, superior, inferior, as a margin counts them.
SIDES = ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, 1), (0, 0, -1))
OBLIQUE = np.array([[0.96, 0.0, 0.28], [0.0, 1.0, 0.0], [-0.28, 0.0, 0.96]]) @ UPRIGHT
UNEVEN = Margin(3.0, 6.0, 2.0, 8.0, 5.0, 1.0)


def ellipsoid_mm(margin: Margin, direction) -> float:
    """How far the ellipsoid of a margin reaches in a direction (its support function)."""
    x, y, z = np.array(direction, float) / np.linalg.norm(direction)
    right, left, anterior, posterior, superior, inferior = astuple(margin)
    lengths = (
        left if x > 0 else right,
        posterior if y > 0 else anterior,
        superior if z > 0 else inferior,
    )
    return math.hypot(*(m * u for m, u in zip(lengths, (x, y, z), strict=True)))


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (2.5, 3.9, 3.9), (3, 1, 1)])
@pytest.mark.parametrize("mm", [0.7, 5.0, -4.0])
def test_a_ball_grows_and_shrinks_by_a_margin_on_coarse_voxels(spacing_mm, mm):
    soft = expand(a_soft(a_grid(spacing_mm, 50), a_ball(15.0)), Margin.even(mm))
    for direction in (*SIDES, (1, 1, 0), (1, -1, 1)):
        assert extent_mm(soft, direction) == pytest.approx(15 + mm, abs=0.1)
    assert volume_mm3(soft) == pytest.approx(4 / 3 * math.pi * (15 + mm) ** 3, rel=0.005)


def test_a_grown_box_has_the_volume_of_steiners_formula():
    half, rounding, mm = (8.0, 10.0, 6.0), 4.0, 5.0
    soft = a_soft(a_grid((2, 1.5, 1.5), 48), lambda at: a_box(half)(at) - rounding)
    grown = expand(soft, Margin.even(mm))
    (a, b, c), r = (2 * h for h in half), rounding + mm
    expected = (
        a * b * c
        + 2 * (a * b + b * c + c * a) * r
        + math.pi * (a + b + c) * r**2
        + 4 / 3 * math.pi * r**3
    )
    assert volume_mm3(grown) == pytest.approx(expected, rel=0.005)


def test_a_shrunk_box_stays_a_box():
    soft = expand(a_soft(a_grid((2, 1.5, 1.5), 40), a_box((12, 10, 14))), Margin.even(-3.0))
    assert volume_mm3(soft) == pytest.approx(18 * 14 * 22, rel=0.01)
    for direction, half in zip(SIDES, (9, 9, 7, 7, 11, 11), strict=True):
        assert extent_mm(soft, direction) == pytest.approx(half, abs=0.1)


@pytest.mark.parametrize("turn", [UPRIGHT, -UPRIGHT, np.eye(3), OBLIQUE])
def test_an_uneven_margin_reaches_as_far_as_its_ellipsoid_on_each_side(turn):
    soft = expand(a_soft(a_grid((2.5, 1.5, 1.5), 44, turn=turn), a_ball(10.0)), UNEVEN)
    oblique = ((1, 1, 0), (-1, 1, 1), (1, -1, -1), (-1, -2, 1))
    for direction in (*SIDES, *oblique):
        expected = 10 + ellipsoid_mm(UNEVEN, direction)
        assert support_mm(soft, direction) == pytest.approx(expected, abs=0.1)


def test_a_side_without_margin_stays_where_it_is():
    margin = Margin(left_mm=7.0)
    soft = expand(a_soft(a_grid((2, 2, 2), 50), a_box((10, 9, 12))), margin)
    for direction, half in zip(SIDES, (10, 17, 9, 9, 12, 12), strict=True):
        assert extent_mm(soft, direction) == pytest.approx(half, abs=0.1)
    assert volume_mm3(soft) == pytest.approx(27 * 18 * 24, rel=0.01)


def test_an_uneven_margin_shrinks_each_side_by_its_own():
    margin = Margin(-1.0, -4.0, -2.0, -3.0, -5.0, -0.5)
    soft = expand(a_soft(a_grid((2, 2, 2), 40), a_box((12, 12, 12))), margin)
    for direction, half in zip(SIDES, (11, 8, 10, 9, 7, 11.5), strict=True):
        assert extent_mm(soft, direction) == pytest.approx(half, abs=0.1)


def test_a_cylinder_cut_off_by_the_image_shrinks_from_the_cut_too():
    grid = a_grid((2, 1, 1), (20, 30, 30))
    mask = np.zeros(grid.shape, bool)
    mask[:, 8:23, 8:23] = True
    low = grid.to_world(np.array([[-0.5, 15, 15]]))[0]
    soft = expand(soft_of(mask, grid), Margin.even(-3.0))
    z = grid.to_world(np.argwhere(inside(soft)).astype(float))[:, 2]
    assert z.min() == pytest.approx(low[2] + 3, abs=1)


def test_a_margin_of_nothing_returns_what_came_in():
    soft = a_soft(a_grid((3, 1, 1), 20), a_ball(6.0))
    assert expand(soft, Margin()) is soft


def test_nothing_grows_to_nothing():
    grid = a_grid((2, 2, 2), 10)
    soft = soft_of(np.zeros(grid.shape, bool), grid)
    assert not expand(soft, Margin.even(5.0)).array.any()
    assert not expand(soft, UNEVEN).array.any()


@pytest.mark.parametrize("sides", [(1.0, -1.0), (float("nan"), 0.0), (101.0, 0.0)])
def test_a_margin_that_cannot_be_meant_is_refused(sides):
    with pytest.raises(ValueError, match="margin"):
        Margin(*sides)


lengths = st.integers(0, 12).map(lambda n: n * 0.37)
balls = st.lists(
    st.tuples(st.floats(5, 8), st.tuples(*[st.floats(-4, 4)] * 3)), min_size=1, max_size=3
)


def a_cluster(drawn) -> Callable[[np.ndarray], np.ndarray]:
    return lambda at: np.min([a_ball(radius, center)(at) for radius, center in drawn], axis=0)


@pytest.mark.slow
@settings(deadline=None, max_examples=8)
@given(balls, st.tuples(*[lengths] * 6), st.floats(0.2, 2))
def test_more_margin_never_takes_a_voxel_away(drawn, sides, more):
    soft = a_soft(a_grid((3, 2, 2), 34), a_cluster(drawn))
    less = expand(soft, Margin(*sides)).array
    assert (less >= soft.array - 0.02).all()
    wider = expand(soft, Margin(*(side + more for side in sides))).array
    assert (wider >= less - 0.02).all()


@pytest.mark.slow
@settings(deadline=None, max_examples=8)
@given(balls, st.tuples(*[lengths] * 6), st.integers(0, 2), st.booleans())
def test_mirroring_array_and_affine_together_changes_nothing(drawn, sides, axis, shrinks):
    margin = Margin(*(-side / 4 if shrinks else side for side in sides))
    soft = a_soft(a_grid((3, 2, 2), 34), a_cluster(drawn))
    grid = soft.grid
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, axis] * (grid.shape[axis] - 1)
    affine[:3, axis] *= -1
    mirrored = soft_of(np.flip(soft.array, axis), Grid(grid.shape, affine))
    grown = np.flip(expand(mirrored, margin).array, axis)
    np.testing.assert_allclose(grown, expand(soft, margin).array, atol=0.02)


def test_a_target_is_cropped_below_the_skin():
    grid = a_grid((2, 2, 2), 60)
    body = a_soft(grid, a_box((25, 25, 25)))
    soft = a_soft(grid, a_ball(10.0, (-18.0, 0, 0)))
    cropped = crop(soft, body, gap_mm=3.0)
    assert extent_mm(cropped, (-1, 0, 0), (-18, 0, 0)) == pytest.approx(4.0, abs=0.1)
    assert extent_mm(cropped, (1, 0, 0), (-18, 0, 0)) == pytest.approx(10.0, abs=0.1)


def test_a_target_keeps_its_gap_from_an_organ():
    grid = a_grid((2, 2, 2), 60)
    soft = a_soft(grid, a_ball(14.0))
    organ = a_soft(grid, a_box((8, 30, 30), (18.0, 0, 0)))  # from x = 10 on
    spared = spare(soft, organ, gap_mm=2.5)
    assert extent_mm(spared, (1, 0, 0)) == pytest.approx(7.5, abs=0.1)
    assert extent_mm(spared, (-1, 0, 0)) == pytest.approx(14.0, abs=0.1)
    assert extent_mm(spare(soft, organ), (1, 0, 0)) == pytest.approx(10.0, abs=0.1)


def test_structures_on_different_grids_are_refused():
    soft = a_soft(a_grid((2, 2, 2), 30), a_ball(8.0))
    moved = a_soft(a_grid((2, 2, 2), 30, off_mm=(1, 0, 0)), a_ball(8.0))
    with pytest.raises(GeometryError, match="different grids"):
        spare(soft, moved, gap_mm=1.0)


def test_a_gtv_becomes_ctv_and_ptv_and_both_end_at_the_skin():
    grid = a_grid((2.5, 1.5, 1.5), 60)
    gtv = a_soft(grid, a_ball(8.0, (10.0, 0, 0)))
    body = a_soft(grid, a_box((22, 28, 28)))
    made = targets(gtv, Margin.even(5.0), Margin(3.0, 3.0, 3.0, 3.0, 4.0, 4.0), body=body)
    assert made.gtv is gtv
    start = (10.0, 0, 0)
    assert extent_mm(made.ctv, (-1, 0, 0), start) == pytest.approx(13, abs=0.1)
    assert extent_mm(made.ctv, (1, 0, 0), start) == pytest.approx(12, abs=0.1)
    assert extent_mm(made.ptv, (-1, 0, 0), start) == pytest.approx(16, abs=0.1)
    assert extent_mm(made.ptv, (0, 0, 1), start) == pytest.approx(17, abs=0.1)
    assert extent_mm(made.ptv, (1, 0, 0), start) == pytest.approx(12, abs=0.1)


def test_a_box_cut_out_lies_where_it_was():
    soft = a_soft(a_grid((2, 1, 1), 30), a_ball(6.0))
    box = box_of(soft, 2.0)
    part = cut(soft, box)
    start = np.array([[s.start for s in box]], float)
    assert part.grid.to_world(np.zeros((1, 3))) == pytest.approx(soft.grid.to_world(start))
