"""Soft masks know where, between voxels, a structure ends."""

import math

import numpy as np
import pytest

from medloop.imaging.soft import box_of, centroid_mm, inside, refine, soft_of, volume_mm3
from tests.imaging.soft_phantoms import a_ball, a_box, a_cylinder, a_grid, a_soft


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (2.5, 3.9, 3.9), (5, 1, 1)])
def test_a_ball_has_its_volume_and_center_between_coarse_voxels(spacing_mm):
    soft = a_soft(a_grid(spacing_mm, 60), a_ball(14.0, (1.3, -2.1, 0.7)))
    assert volume_mm3(soft) == pytest.approx(4 / 3 * math.pi * 14**3, rel=0.005)
    assert centroid_mm(soft) == pytest.approx((1.3, -2.1, 0.7), abs=0.02)


def test_a_box_has_its_volume_to_half_a_percent():
    soft = a_soft(a_grid((2.5, 1.2, 1.7), 60), a_box((11.3, 14.4, 12.9)))
    assert volume_mm3(soft) == pytest.approx(8 * 11.3 * 14.4 * 12.9, rel=0.005)


def test_a_cylinder_has_its_volume():
    soft = a_soft(a_grid((2, 2, 2), 50), a_cylinder(12.0, 12.0))
    assert volume_mm3(soft) == pytest.approx(math.pi * 12**2 * 24, rel=0.003)


def test_a_mask_ends_halfway_between_centers_and_at_the_edge_of_the_array():
    grid = a_grid((2, 1, 1), (10, 8, 8))
    mask = np.zeros(grid.shape, bool)
    mask[0:3, 2:6, 2:6] = True  # from the first slice on
    soft = soft_of(mask, grid)
    fine = refine(soft, box_of(soft))
    inner = np.argwhere(fine.array > 0)
    z = fine.grid.to_world(inner.astype(float))[:, 2]
    edge = grid.to_world(np.array([[-0.5, 0, 0], [2.5, 0, 0]]))[:, 2]
    assert z.min() == pytest.approx(edge[0], abs=0.5)
    assert z.max() == pytest.approx(edge[1], abs=0.5)
    assert volume_mm3(soft) == pytest.approx(3 * 4 * 4 * 2, rel=0.1)  # less its corners


def test_nothing_has_no_volume_and_no_center():
    soft = soft_of(np.zeros((3, 4, 5), bool), a_grid((1, 1, 1), (2, 3, 4)))
    assert volume_mm3(soft) == 0
    assert centroid_mm(soft) is None
    assert box_of(soft) is None
    assert not inside(soft).any()


def test_a_center_on_the_surface_is_inside():
    soft = soft_of(np.full((1, 1, 2), 0.5), a_grid((1, 1, 1), (0, 0, 1)))
    assert inside(soft).all()
