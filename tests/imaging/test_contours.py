"""Contours enclose the voxels they are drawn around, where interpolation puts them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.ndimage import gaussian_filter

from medloop.core.geometry import Grid
from medloop.core.structure import Contour
from medloop.imaging.contours import contours_of, without_fragments
from tests.strategies import grids

AFFINE = np.array([[0, 0, 1, 5], [0, 1, 0, 7], [2, 0, 0, 9], [0, 0, 0, 1]], float)
AXIAL = Grid((3, 40, 50), AFFINE)


def in_plane(contour: Contour, grid: Grid) -> np.ndarray:
    """Points as (row, column)."""
    return grid.to_index(contour.points_mm)[:, 1:]


def enclosed(contours, grid: Grid) -> np.ndarray:
    """Count for each voxel center, modulo two, how often contours go around it."""
    inside = np.zeros(grid.shape, bool)
    row, column = np.indices(grid.shape[1:])
    for contour in contours:
        start = in_plane(contour, grid)
        for (r0, c0), (r1, c1) in zip(start, np.roll(start, -1, axis=0), strict=True):
            if r0 == r1:
                continue
            between = (min(r0, r1) <= row) & (row < max(r0, r1))
            inside[contour.k] ^= between & (c0 + (row - r0) * (c1 - c0) / (r1 - r0) < column)
    return inside


def crossings(contours, grid: Grid) -> int:
    """Count pairs of edges that truly cross; to meet in a point or to coincide is not to."""
    edges = []
    for contour in contours:
        points = in_plane(contour, grid) * np.array(grid.spacing_mm[1:])
        edges.append(np.stack([points, np.roll(points, -1, axis=0)], axis=1))
    a, b = np.concatenate(edges).transpose(1, 0, 2)

    def side(start, end, point):
        along, arm = (end - start)[:, None], point[None] - start[:, None]
        area = along[..., 0] * arm[..., 1] - along[..., 1] * arm[..., 0]
        return area / (np.linalg.norm(along, axis=-1) + 1e-12)  # distance off the line

    over = side(a, b, a), side(a, b, b)
    splits = (np.minimum(*over) < -2e-4) & (np.maximum(*over) > 2e-4)
    return int((splits & splits.T).sum() // 2)


def blobs(seed: int, shape=(1, 24, 30), sigma=1.5) -> np.ndarray:
    noise = np.random.default_rng(seed).random(shape)
    smooth = gaussian_filter(noise, (0, sigma, sigma))
    return ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(grids().flatmap(lambda g: st.tuples(st.just(g), npst.arrays(bool, g.shape))))
def test_contours_of_a_mask_enclose_its_voxels(drawn):
    grid, mask = drawn
    assert (enclosed(contours_of(mask, grid), grid) == mask).all()


@settings(max_examples=30, deadline=None)
@given(
    grids().flatmap(
        lambda g: st.tuples(
            st.just(g), npst.arrays(np.float32, g.shape, elements=st.floats(0, 1, width=32))
        )
    )
)
def test_contours_of_a_probability_enclose_the_voxels_that_reach_the_level(drawn):
    grid, field = drawn
    assert (enclosed(contours_of(field, grid), grid) == (field >= 0.5)).all()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("hard", [False, True])
def test_nothing_crosses(seed, hard):
    field = blobs(seed, sigma=0.8 if seed % 2 else 2.0)
    grid = Grid(field.shape, AFFINE)
    contours = contours_of(field >= 0.5 if hard else field, grid)
    assert len(contours) > 0
    assert crossings(contours, grid) == 0


def test_a_crossing_is_counted_where_there_is_one():
    bow = np.array([[0, 0], [4, 4], [4, 0], [0, 4.0]])
    points = AXIAL.to_world(np.column_stack([np.zeros(4), bow]))
    assert crossings([Contour(points, 0)], AXIAL) == 1


def test_a_circle_lies_where_interpolation_puts_it():
    row, column = np.indices(AXIAL.shape[1:])
    away = np.hypot(row - 19.3, column - 24.6)
    field = np.repeat(np.clip(0.5 + (12.0 - away) / 4, 0, 1)[None], 3, axis=0)
    for contour in contours_of(field, AXIAL):
        radius = np.linalg.norm(in_plane(contour, AXIAL) - np.array([19.3, 24.6]), axis=1)
        assert np.abs(radius - 12).max() < 0.03  # a straight step between voxels, r = 12
        assert contour.area_mm2 == pytest.approx(np.pi * 144, rel=0.003)


def test_signed_distances_have_their_contour_at_zero():
    row, column = np.indices(AXIAL.shape[1:])
    distance = 12.0 - np.hypot(row - 19.3, column - 24.6)
    (contour,) = contours_of(distance[None], Grid((1, 40, 50), AFFINE), level=0.0)
    radius = np.linalg.norm(in_plane(contour, AXIAL) - np.array([19.3, 24.6]), axis=1)
    assert np.abs(radius - 12).max() < 0.02


def test_a_hole_is_joined_by_a_bridge_of_no_width():
    mask = np.zeros(AXIAL.shape, bool)
    mask[1, 5:30, 8:40] = True
    mask[1, 10:20, 15:25] = False
    mask[1, 10:20, 30:34] = False
    (contour,) = contours_of(mask, AXIAL)
    corners = 0.5  # mm2: marching squares cuts an eighth off each convex corner
    assert contour.area_mm2 == pytest.approx(25 * 32 - 100 - 40 - corners + 2 * corners)
    edges = np.stack([contour.points_mm, np.roll(contour.points_mm, -1, axis=0)], axis=1)
    both_ways = {e.tobytes() for e in edges} & {e[::-1].tobytes() for e in edges}
    assert len(both_ways) == 4  # two bridges, there and back
    assert (enclosed([contour], AXIAL) == mask).all()


def test_an_island_in_a_hole_is_a_contour_of_its_own():
    mask = np.zeros(AXIAL.shape, bool)
    mask[1, 5:30, 8:40] = True
    mask[1, 10:25, 15:30] = False
    mask[1, 14:20, 18:26] = True
    contours = contours_of(mask, AXIAL)
    assert len(contours) == 2
    assert (enclosed(contours, AXIAL) == mask).all()


def test_voxels_that_meet_at_a_corner_share_no_point():
    mask = np.zeros(AXIAL.shape, bool)
    mask[0, 10, 10] = mask[0, 11, 11] = True
    contours = contours_of(mask, AXIAL)
    points = np.concatenate([c.points_mm for c in contours])
    assert len(np.unique(points, axis=0)) == len(points)
    assert (enclosed(contours, AXIAL) == mask).all()


def test_what_leaves_the_field_is_closed_half_a_voxel_outside():
    contours = contours_of(np.ones((1, 4, 5), np.float32), Grid((1, 4, 5), AFFINE))
    index = in_plane(contours[0], AXIAL)
    assert index.min(axis=0).tolist() == [-0.5, -0.5]
    assert index.max(axis=0).tolist() == [3.5, 4.5]


def test_straight_edges_keep_only_their_ends():
    mask = np.zeros(AXIAL.shape, bool)
    mask[0, 5:30, 8:40] = True
    (contour,) = contours_of(mask, AXIAL)
    assert len(contour.points_mm) == 8  # four corners, each cut


def test_points_that_are_left_out_lie_within_a_hundredth_of_a_millimeter():
    row, column = np.indices(AXIAL.shape[1:])
    field = (np.clip(0.5 + (16.0 - np.hypot(row - 19, column - 24)) / 4, 0, 1))[None]
    fine = Grid((1, 40, 50), AFFINE)
    coarse = Grid((1, 40, 50), AFFINE * np.array([1000, 1000, 1000, 1]))
    (few,), (all_points,) = contours_of(field, fine), contours_of(field, coarse)
    assert len(few.points_mm) < len(all_points.points_mm)
    start, end = in_plane(few, fine), np.roll(in_plane(few, fine), -1, axis=0)
    for point in in_plane(all_points, coarse):  # the same points, but none redundant
        t = ((point - start) * (end - start)).sum(1) / ((end - start) ** 2).sum(1)
        near = start + np.clip(t, 0, 1)[:, None] * (end - start)
        assert np.linalg.norm(near - point, axis=1).min() <= 0.0101


def test_mirroring_field_and_affine_together_changes_nothing_in_the_patient():
    field = blobs(5)
    grid = Grid(field.shape, AFFINE)
    flip = np.eye(4)
    flip[2, 2], flip[2, 3] = -1, field.shape[2] - 1
    mirrored = contours_of(field[:, :, ::-1], Grid(field.shape, AFFINE @ flip))
    plain = contours_of(field, grid)
    assert sorted(c.area_mm2 for c in mirrored) == pytest.approx(
        sorted(c.area_mm2 for c in plain), abs=0.01
    )
    assert (enclosed(mirrored, grid) == enclosed(plain, grid)).all()


@given(grids(), st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_every_point_lies_on_its_slice(grid, seed):
    mask = np.random.default_rng(seed).random(grid.shape) > 0.5
    for contour in contours_of(mask, grid):
        off_mm = (grid.to_index(contour.points_mm)[:, 0] - contour.k) * grid.spacing_mm[0]
        assert np.abs(off_mm).max() < 1e-4
        assert len(contour.points_mm) >= 3


def test_a_box_of_a_field_gives_the_contours_of_the_field():
    field = np.zeros((3, 40, 50), np.float32)
    field[1:, 8:32, 10:40] = blobs(3, (2, 24, 30))
    field[:, [8, 31], :] = field[:, :, [10, 39]] = 0
    whole = contours_of(field, AXIAL)
    cut = contours_of(field[1:, 8:32, 10:40], AXIAL, offset=(1, 8, 10))
    assert [c.k for c in whole] == [c.k for c in cut]
    assert all((a.points_mm == b.points_mm).all() for a, b in zip(whole, cut, strict=True))


def test_an_empty_field_has_no_contour():
    assert contours_of(np.zeros(AXIAL.shape, np.float32), AXIAL) == ()


def test_a_field_with_no_numbers_is_refused():
    field = np.ones((1, 40, 50), np.float32)
    field[0, 3, 3] = np.nan
    with pytest.raises(ValueError, match="no numbers"):
        contours_of(field, Grid((1, 40, 50), AFFINE))


def test_fragments_are_left_out_and_counted():
    mask = np.zeros(AXIAL.shape, bool)
    mask[0, 5:15, 5:15] = True
    mask[0, 20, 20] = mask[2, 3, 3] = True
    kept, left_out = without_fragments(contours_of(mask, AXIAL))
    assert ([c.k for c in kept], left_out) == ([0], 2)
    flat = Contour(np.zeros((2, 3)), 0)
    assert without_fragments([flat], least_mm2=0.0) == ((), 1)
