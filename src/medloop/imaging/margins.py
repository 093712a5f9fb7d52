"""Margins around structures, exact between voxels, in the patient's directions.

A margin grows a structure by an ellipsoid whose six semi-axes are its six lengths (Minkowski
sum; the octants of the ellipsoid meet on its axes), or shrinks it by taking the same from what
lies around it. Directions are the patient's, however the grid lies: LPS x rises toward the
left, y toward posterior, z toward superior.
"""

import math
from dataclasses import astuple, dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray
from scipy.ndimage import map_coordinates

from medloop.core.errors import GeometryError
from medloop.core.geometry import Grid, apart
from medloop.core.image import Volume
from medloop.imaging.booleans import intersection, subtraction
from medloop.imaging.gauge import SemiAxes, least_steps, signed_gauge
from medloop.imaging.soft import (
    LEVEL,
    STEP_MM,
    box_of,
    cut,
    inside,
    paste,
    reach_of,
    refine,
    softened,
    surface_of,
)

MOST_MM: Final = 100.0
_SAGITTA_MM: Final = 0.02  # by which an ellipsoid between two samples may miss a plane
_UPRIGHT: Final = 1e-3  # an axis of a grid may lean so far from the patient's


@dataclass(frozen=True, slots=True)
class Margin:
    """How far each side of a structure moves, in mm; all outward, or all inward (negative)."""

    right_mm: float = 0.0
    left_mm: float = 0.0
    anterior_mm: float = 0.0
    posterior_mm: float = 0.0
    superior_mm: float = 0.0
    inferior_mm: float = 0.0

    def __post_init__(self) -> None:
        sides = astuple(self)
        if not all(math.isfinite(side) and abs(side) <= MOST_MM for side in sides):
            raise ValueError(f"a margin is at most {MOST_MM:g} mm, got {sides}")
        if min(sides) < 0 < max(sides):
            raise ValueError(f"a margin grows on all sides or shrinks on all, got {sides}")

    @classmethod
    def even(cls, mm: float) -> "Margin":
        """Make a margin that is the same in all directions."""
        return cls(mm, mm, mm, mm, mm, mm)

    @property
    def is_even(self) -> bool:
        """Whether it is the same in all directions."""
        return len(set(astuple(self))) == 1


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What a physician drew (GTV) and what margins made of it, as soft masks."""

    gtv: Volume
    ctv: Volume
    ptv: Volume


def expand(soft: Volume, margin: Margin) -> Volume:
    """Move the surface of a soft mask outward by a margin, or inward where it is negative.

    The result is a soft mask on the same grid: a signed distance to the new surface. What grows
    beyond the grid ends with it. A margin of nothing returns what came in.
    """
    sides = astuple(margin)
    most_mm = max(abs(side) for side in sides)
    if most_mm == 0:
        return soft
    box = box_of(soft, most_mm + reach_of(soft.grid))
    if box is None:
        return paste(np.zeros((1, 1, 1), np.float32), (slice(0, 1),) * 3, soft)
    near = cut(soft, box)
    if margin.is_even:
        tight = box_of(soft) or box
        surface = surface_of(refine(soft, tight))
        array = softened(surface, inside(near), near.grid, offset_mm=margin.right_mm)
    else:
        array = _uneven(soft, near, margin)
    return paste(array, box, soft)


def crop(soft: Volume, body: Volume, *, gap_mm: float = 0.0) -> Volume:
    """Keep what lies in the body, and deeper in it than a gap.

    Raises
    ------
    GeometryError
        If the two do not lie on one grid.
    """
    return intersection(soft, _near(body, soft, -gap_mm))


def spare(soft: Volume, organ: Volume, *, gap_mm: float = 0.0) -> Volume:
    """Keep what lies outside an organ, and farther from it than a gap.

    Raises
    ------
    GeometryError
        If the two do not lie on one grid.
    """
    return subtraction(soft, _near(organ, soft, gap_mm))


def targets(
    gtv: Volume, to_ctv: Margin, to_ptv: Margin, *, body: Volume | None = None
) -> Targets:
    """Grow a GTV to CTV and on to PTV; both end at the surface of the body, if it is given.

    Volumes to treat are a physician's decision: margins only grow what a physician drew.

    Raises
    ------
    GeometryError
        If the body lies on another grid.
    """
    ctv = expand(gtv, to_ctv)
    if body is not None:
        ctv = crop(ctv, body)
    ptv = expand(ctv, to_ptv)
    return Targets(gtv, ctv, ptv if body is None else crop(ptv, body))


def _near(other: Volume, soft: Volume, margin_mm: float) -> Volume:
    """Move another structure's surface, measured only around the one that it limits."""
    difference = apart(soft.grid, other.grid, soft.array.shape, other.array.shape)
    if difference:
        raise GeometryError(f"two structures lie on different grids: {difference}")
    reach = reach_of(soft.grid)
    box = box_of(soft, 2 * reach + abs(margin_mm))
    if margin_mm == 0 or box is None:
        return other
    # Of a structure that goes on beyond the box no surface lies at the box's border.
    return paste(_moved(other, box, margin_mm), box, other)


def _moved(
    other: Volume, box: tuple[slice, slice, slice], margin_mm: float
) -> Float32[ndarray, "k j i"]:
    near = cut(other, box)
    surface = surface_of(refine(other, box))
    return softened(surface, inside(near), near.grid, offset_mm=margin_mm)


def _uneven(soft: Volume, near: Volume, margin: Margin) -> Float32[ndarray, "k j i"]:
    """Grow, or shrink, by the gauge; then describe the surface where it is 1."""
    shrinks = min(astuple(margin)) < 0
    fine = _upright(soft, margin)
    array = -fine.array if shrinks else fine.array
    axes = _semi_axes(margin, fine.grid)
    gauge = signed_gauge(array, axes.turned if shrinks else axes)
    level = gauge - 1 if shrinks else 1 - gauge
    grown = fine.with_array(level.astype(np.float32))
    return softened(surface_of(grown), _sampled(grown, near.grid) > 0, near.grid)


def _upright(soft: Volume, margin: Margin) -> Volume:
    """Sample a structure, and room to grow, along the patient's axes."""
    tight = box_of(soft)
    assert tight is not None, "an empty structure has no margin"  # noqa: S101 # expand saw to it
    lengths = [abs(side) for side in astuple(margin) if side]
    step_mm = min(max(math.sqrt(_SAGITTA_MM * 4 * min(lengths)), STEP_MM), 2 * STEP_MM)
    fine = refine(soft, tight, step_mm=step_mm)
    if not _is_upright(fine.grid):
        fine = _turned(fine)
    room = []
    for axis in range(3):
        world, rises = _direction(fine.grid, axis)
        low, high = _lengths(margin)[world]
        step = fine.grid.spacing_mm[axis]
        ends = (math.ceil(low / step) + 2, math.ceil(high / step) + 2)
        room.append(ends if rises else ends[::-1])
    if min(astuple(margin)) < 0:
        room = [(1, 1)] * 3
    array = np.pad(fine.array, room, mode="constant", constant_values=-LEVEL)
    affine = fine.grid.affine.copy()
    start = np.array([[-float(low) for low, _ in room]])
    affine[:3, 3] = fine.grid.to_world(start)[0]
    return Volume(array, Grid(array.shape, affine, fine.grid.frame_of_reference), "1")


def _lengths(margin: Margin) -> tuple[tuple[float, float], ...]:
    """Lengths toward falling and rising x, y and z."""
    return (
        (abs(margin.right_mm), abs(margin.left_mm)),
        (abs(margin.anterior_mm), abs(margin.posterior_mm)),
        (abs(margin.inferior_mm), abs(margin.superior_mm)),
    )


def _semi_axes(margin: Margin, grid: Grid) -> SemiAxes:
    rising, falling = [], []
    for axis, step in enumerate(grid.spacing_mm):
        world, rises = _direction(grid, axis)
        low, high = (least_steps(length, step) for length in _lengths(margin)[world])
        rising.append(high if rises else low)
        falling.append(low if rises else high)
    return SemiAxes((rising[0], rising[1], rising[2]), (falling[0], falling[1], falling[2]))


def _direction(grid: Grid, axis: int) -> tuple[int, bool]:
    """Tell which patient axis a grid's axis is, and whether it rises with it."""
    column = grid.affine[:3, axis]
    world = int(np.abs(column).argmax())
    return world, bool(column[world] > 0)


def _is_upright(grid: Grid) -> bool:
    directions: Float[ndarray, "3 3"] = np.abs(
        grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    )
    return bool((np.sort(directions, axis=0)[:2] < _UPRIGHT).all())


def _turned(fine: Volume) -> Volume:
    """Sample on a grid along the patient's axes that holds the whole of another."""
    grid = fine.grid
    ends = np.stack(np.meshgrid(*[(0.0, n - 1.0) for n in grid.shape], indexing="ij"), -1)
    corners = grid.to_world(ends.reshape(-1, 3))
    step = min(grid.spacing_mm)
    size = np.ceil((corners.max(axis=0) - corners.min(axis=0)) / step).astype(int) + 1
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, ::-1] * step  # k, j, i rise with z, y, x
    affine[:3, 3] = corners.min(axis=0)
    shape = (int(size[2]), int(size[1]), int(size[0]))
    upright = Grid(shape, affine, grid.frame_of_reference)
    return Volume(_sampled(fine, upright), upright, "1")


def _sampled(fine: Volume, grid: Grid) -> Float32[ndarray, "k j i"]:
    """Interpolate linearly at the centers of a grid; outside lies beyond."""
    to_fine = np.linalg.inv(fine.grid.affine) @ grid.affine
    out = np.empty(grid.shape, np.float32)
    rows = np.stack(np.meshgrid(*map(np.arange, grid.shape[1:]), indexing="ij"), axis=-1)
    first = rows @ to_fine[:3, 1:3].T + to_fine[:3, 3]
    for k in range(grid.shape[0]):
        place = np.moveaxis(first + k * to_fine[:3, 0], -1, 0)
        map_coordinates(fine.array, place, output=out[k], order=1, mode="constant", cval=-LEVEL)
    return out
