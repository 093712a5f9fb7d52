"""Soft masks drawn from formulas: signed distances on grids that lie as we like."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import map_coordinates

from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.imaging.soft import box_of, from_distance, refine, surface_of

UPRIGHT = np.eye(3)[:, ::-1]  # k, j, i rise with z, y, x


def a_grid(
    spacing_mm: Sequence[float],
    size_mm: float | Sequence[float],
    *,
    turn: np.ndarray = UPRIGHT,
    off_mm: Sequence[float] = (0.37, 0.21, 0.53),
) -> Grid:
    """Around the origin, `size_mm` wide along k, j, i, its centers off it."""
    spacing = np.array(spacing_mm, float)
    count = np.ceil(np.broadcast_to(size_mm, 3) / spacing).astype(int) + 1
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = np.array(off_mm) - affine[:3, :3] @ ((count - 1) / 2)
    return Grid((int(count[0]), int(count[1]), int(count[2])), affine, "2.25.9")


def places_of(grid: Grid) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    return grid.to_world(index.reshape(-1, 3).astype(float)).reshape(*grid.shape, 3)


def a_soft(grid: Grid, distance_mm) -> Volume:
    """`distance_mm` takes places (..., 3) in LPS mm to signed distances, negative inside."""
    return Volume(from_distance(distance_mm(places_of(grid)), grid), grid, "1")


def a_ball(radius_mm: float, center_mm=(0.0, 0.0, 0.0)):
    return lambda places: np.linalg.norm(places - np.array(center_mm), axis=-1) - radius_mm


def a_box(half_mm: Sequence[float], center_mm=(0.0, 0.0, 0.0)):
    def distance(places):
        over = np.abs(places - np.array(center_mm)) - np.array(half_mm)
        outside = np.linalg.norm(np.maximum(over, 0), axis=-1)
        return outside + np.minimum(over.max(axis=-1), 0)

    return distance


def a_cylinder(radius_mm: float, half_mm: float, axis: int = 2):
    """Along x, y or z (0, 1, 2)."""

    def distance(places):
        across = np.linalg.norm(np.delete(places, axis, axis=-1), axis=-1) - radius_mm
        along = np.abs(places[..., axis]) - half_mm
        over = np.stack([across, along], axis=-1)
        outside = np.linalg.norm(np.maximum(over, 0), axis=-1)
        return outside + np.minimum(over.max(axis=-1), 0)

    return distance


def extent_mm(soft: Volume, direction: Sequence[float], start_mm=(0.0, 0.0, 0.0)) -> float:
    """How far the surface lies from a place inside."""
    fine = refine(soft, box_of(soft))
    along = np.array(direction, float) / np.linalg.norm(direction)
    steps = np.arange(0, 80, 0.005)
    index = fine.grid.to_index(np.array(start_mm) + steps[:, None] * along)
    values = map_coordinates(fine.array, index.T, order=1, mode="constant", cval=-0.5)
    return float(steps[np.argmax(values < 0)])


def support_mm(soft: Volume, direction: Sequence[float]) -> float:
    """Largest coordinate of the surface along a direction."""
    points = surface_of(refine(soft, box_of(soft))).points_mm
    return float((points @ (np.array(direction, float) / np.linalg.norm(direction))).max())
