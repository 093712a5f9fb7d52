"""Contours keep, as a soft mask, what they tell of the space between voxels."""

import math

import numpy as np
import pytest

from medloop.core.image import Volume
from medloop.core.structure import Contour
from medloop.imaging.contours import contours_of
from medloop.imaging.dvh import dvh_of
from medloop.imaging.margins import Margin, expand
from medloop.imaging.soft import centroid_mm, volume_mm3
from medloop.imaging.soft_contours import soft_of_contours
from tests.imaging.soft_phantoms import a_grid, extent_mm, places_of


def a_ring(grid, k: int, radius_mm: float, center=(0.0, 0.0)) -> Contour:
    angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    z = float(grid.to_world(np.array([[k, 0.0, 0.0]]))[0, 2])
    points = np.stack(
        [
            center[0] + radius_mm * np.cos(angle),
            center[1] + radius_mm * np.sin(angle),
            np.full(len(angle), z),
        ],
        axis=1,
    )
    return Contour(points, k)


def a_stack(grid, radius_of_k, center=(0.0, 0.0)) -> Volume:
    radii = {k: radius_of_k(k) for k in range(grid.shape[0])}
    contours = [a_ring(grid, k, r, center) for k, r in radii.items() if r > 0]
    across = np.linalg.norm(places_of(grid)[..., :2] - np.array(center), axis=-1)
    mask = across <= np.array([radii[k] for k in range(grid.shape[0])])[:, None, None]
    return soft_of_contours(contours, mask, grid)


GRID = a_grid((3.0, 1.2, 1.2), (42, 40, 40))


def test_a_cylinder_ends_half_a_slice_beyond_its_contours():
    soft = a_stack(GRID, lambda k: 12.0 if 4 <= k < 12 else 0.0, (1.3, -0.7))
    assert volume_mm3(soft) == pytest.approx(math.pi * 12**2 * 8 * 3, rel=0.005)
    top = float(GRID.to_world(np.array([[7.5, 0.0, 0.0]]))[0, 2])
    assert centroid_mm(soft) == pytest.approx((1.3, -0.7, top), abs=0.02)


def test_a_ball_drawn_on_3_mm_slices_has_its_volume():
    z = GRID.to_world(np.array([[k, 0.0, 0.0] for k in range(GRID.shape[0])]))[:, 2]
    soft = a_stack(GRID, lambda k: math.sqrt(max(14.0**2 - z[k] ** 2, 0)))
    assert volume_mm3(soft) == pytest.approx(4 / 3 * math.pi * 14**3, rel=0.01)


def test_a_drawn_cylinder_grows_by_a_margin_to_a_tenth_of_a_millimeter():
    soft = a_stack(GRID, lambda k: 9.0 if 4 <= k < 11 else 0.0)
    start = GRID.to_world(np.array([[7.0, 0.0, 0.0]]))[0]
    grown = expand(soft, Margin.even(5.0))
    for direction in ((1, 0, 0), (0, -1, 0), (1, 1, 0)):
        found = extent_mm(grown, direction, (0.0, 0.0, float(start[2])))
        assert found == pytest.approx(14.0, abs=0.1)


def test_a_hole_joined_by_a_bridge_has_no_surface_along_the_bridge():
    across = np.linalg.norm(places_of(GRID)[..., :2], axis=-1)
    field = np.minimum(13.0 - across, across - 5.0)
    field[:4] = field[11:] = -9.0
    contours = contours_of(field, GRID, level=0.0)
    assert len(contours) == 7  # each with its bridge
    soft = soft_of_contours(contours, field >= 0, GRID)
    expected = math.pi * (13**2 - 5**2) * 7 * 3
    assert volume_mm3(soft) == pytest.approx(expected, rel=0.01)
    between = (np.abs(across - 9) < 1.5) & (np.arange(15) == 7)[:, None, None]
    assert soft.array[between].min() > 0.5 + 2.4 / 12  # 2.5 mm and more from either ring


def test_the_dose_to_a_drawn_cylinder_is_within_half_a_percent():
    soft = a_stack(GRID, lambda k: 12.0 if 4 <= k < 12 else 0.0)
    grid = a_grid((2.0, 2.0, 2.0), 60)
    middle = float(GRID.to_world(np.array([[7.5, 0.0, 0.0]]))[0, 2])
    values = 30 + places_of(grid)[..., 2] - middle
    dvh = dvh_of(soft, Volume(values.astype(np.float32), grid, "Gy"))
    for share in (0.98, 0.95, 0.5, 0.05, 0.02):
        expected = 30 + 12 - share * 24
        assert dvh.dose_to_share(share) == pytest.approx(expected, abs=0.005 * 42)
    assert dvh.mean_gy == pytest.approx(30, rel=0.005)


def test_without_contours_there_is_nothing():
    soft = soft_of_contours([], np.zeros(GRID.shape, bool), GRID)
    assert not soft.array.any()
