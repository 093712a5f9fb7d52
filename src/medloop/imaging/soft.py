"""Soft masks: volumes whose value tells where, between two voxels, a structure ends.

A soft mask is a `Volume` of unit ``"1"``: inside from 0.5 on, the surface where a smooth curve
through the values crosses 0.5. A probability is one, and so is a mask (its surface runs halfway
between the centers of voxels). What is made here comes as a signed distance, 0.5 at the surface
and straight up to two voxels on either side, so that linear interpolation finds the surface.
Beyond the array everything is outside; a structure cut off there ends half a voxel beyond.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped
from numpy import ndarray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import KDTree

from medloop.core.geometry import Grid
from medloop.core.image import Volume

LEVEL: Final = 0.5
STEP_MM: Final = 0.5  # between samples of the surface
_MOST_SAMPLES: Final = 4_000_000
_PATCH_STEPS: Final = 0.9  # half of the widest gap between places where grid lines meet a plane
_AROUND: Final = 2  # voxels kept around a box: what interpolation at its border needs


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Points of a surface in LPS mm with their normals toward the outside."""

    points_mm: Float[ndarray, "n 3"]
    normals: Float[ndarray, "n 3"]
    step_mm: float


def soft_of(mask: Shaped[ndarray, "k j i"], grid: Grid) -> Volume:
    """Take a mask, or a probability, as a soft mask."""
    return Volume(mask.astype(np.float32), grid, "1")


def inside(soft: Volume) -> Bool[ndarray, "k j i"]:
    """Tell which voxels have their center inside."""
    return soft.array >= LEVEL


def from_distance(
    distance_mm: Shaped[ndarray, "*s"], grid: Grid, *, reach_mm: float | None = None
) -> Float32[ndarray, "*s"]:
    """Turn a signed distance, negative inside, into values of a soft mask."""
    reach = reach_of(grid) if reach_mm is None else reach_mm
    return np.clip(0.5 - np.asarray(distance_mm, np.float32) / (2 * reach), 0, 1)


def reach_of(grid: Grid) -> float:
    """Distance in mm up to which values of a soft mask tell how far the surface is."""
    return 2 * max(grid.spacing_mm)


def box_of(
    soft: Volume, around_mm: float = 0.0, *, grid: Grid | None = None
) -> tuple[slice, slice, slice] | None:
    """Find the box that holds a structure and so much around it; None if it is empty."""
    grid = soft.grid if grid is None else grid
    filled = inside(soft)
    box = []
    # Along an axis that leans, a distance spans more steps than its spacing says.
    per_mm = np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1)
    for axis in range(3):
        rest = tuple(n for n in range(3) if n != axis)
        used = np.flatnonzero(filled.any(axis=rest))
        if len(used) == 0:
            return None
        more = math.ceil(around_mm * float(per_mm[axis]) - 1e-6)
        low, high = int(used[0]) - more, int(used[-1]) + 1 + more
        box.append(slice(max(low, 0), min(high, soft.array.shape[axis])))
    return box[0], box[1], box[2]


def cut(soft: Volume, box: tuple[slice, slice, slice]) -> Volume:
    """Cut a box out, on its own grid."""
    array = soft.array[box]
    start = np.array([part.start for part in box], float)
    affine = soft.grid.affine.copy()
    affine[:3, 3] = soft.grid.to_world(start[None])[0]
    return Volume(array, Grid(array.shape, affine, soft.grid.frame_of_reference), soft.unit)


def refine(
    soft: Volume, box: tuple[slice, slice, slice], *, step_mm: float = STEP_MM
) -> Volume:
    """Interpolate a box, and two voxels around it, by cubic convolution (Keys 1981, a = -1/2).

    Old centers stay samples. Samples lie `step_mm` apart or less, or as near as keeps them
    below four million. Values are less 0.5: positive inside.
    """
    padded, affine = _padded(soft, box)
    spacing = np.array(soft.grid.spacing_mm)
    while True:
        factors = [max(1, math.ceil(s / step_mm - 1e-6)) for s in spacing]
        count = math.prod((n - 1) * f + 1 for n, f in zip(padded.shape, factors, strict=True))
        if count <= _MOST_SAMPLES or max(factors) == 1:
            break
        step_mm *= 1.25
    array = padded - np.float32(LEVEL)
    for axis, factor in enumerate(factors):
        array = _between(array, axis, factor)
    affine[:3, :3] = affine[:3, :3] / factors
    return Volume(array, Grid(array.shape, affine, soft.grid.frame_of_reference), "1")


def surface_of(fine: Volume) -> Surface:
    """Find where lines between neighboring samples cross zero; positive values are inside."""
    array, points, normals = fine.array, [], []
    positive = array > 0
    turned = np.linalg.inv(fine.grid.affine[:3, :3])  # of an index, rows; of a slope, columns
    for axis in range(3):
        low, high = _neighbors(axis)
        edge = np.argwhere(positive[low] != positive[high])
        if len(edge) == 0:
            continue
        other = edge.copy()
        other[:, axis] += 1
        one, two = array[tuple(edge.T)].astype(float), array[tuple(other.T)].astype(float)
        share = one / (one - two)
        place = edge.astype(float)
        place[:, axis] += share
        slope = (1 - share[:, None]) * _slope(array, edge) + share[:, None] * _slope(
            array, other
        )
        slope = slope @ turned
        points.append(fine.grid.to_world(place))
        size = np.linalg.norm(slope, axis=1, keepdims=True)
        normals.append(-slope / np.maximum(size, 1e-12))
    step = float(max(fine.grid.spacing_mm))
    if not points:
        return Surface(np.empty((0, 3)), np.empty((0, 3)), step)
    return Surface(np.concatenate(points), np.concatenate(normals), step)


def distances_to(
    surface: Surface, places_mm: Float[ndarray, "n 3"], *, most_mm: float
) -> Float[ndarray, " n"]:
    """Measure from places to the surface; infinite beyond `most_mm`.

    Beside its nearest point a surface is taken for flat, as far as the next point may lie.
    """
    if len(surface.points_mm) == 0:
        return np.full(len(places_mm), np.inf)
    away, nearest = KDTree(surface.points_mm, compact_nodes=False, balanced_tree=False).query(
        places_mm, distance_upper_bound=most_mm + surface.step_mm
    )
    found = np.flatnonzero(np.isfinite(away))
    arm = places_mm[found] - surface.points_mm[nearest[found]]
    upright = np.abs((arm * surface.normals[nearest[found]]).sum(axis=1))
    aside = np.sqrt(np.maximum((arm**2).sum(axis=1) - upright**2, 0))
    flat = aside <= _PATCH_STEPS * surface.step_mm
    away[found] = np.where(flat, upright, away[found])
    return away


def softened(
    surface: Surface,
    filled: Bool[ndarray, "k j i"],
    grid: Grid,
    *,
    offset_mm: float = 0.0,
) -> Float32[ndarray, "k j i"]:
    """Describe a surface, moved outward by `offset_mm`, as a soft mask on a grid.

    `filled` tells which voxels lie inside the surface before it is moved.
    """
    reach = reach_of(grid)
    roughly = _rough_distance(filled, grid) - offset_mm
    distance = np.copysign(np.inf, roughly)
    diagonal = float(np.linalg.norm(np.abs(grid.affine[:3, :3]).sum(axis=1)))
    near = np.abs(roughly) <= reach + diagonal
    for part, sign in ((near & ~filled, 1.0), (near & filled, -1.0)):
        most = reach + sign * offset_mm
        if most <= 0 or not part.any():
            continue
        index = np.argwhere(part).astype(float)
        found = sign * distances_to(surface, grid.to_world(index), most_mm=most) - offset_mm
        distance[part] = np.where(np.isfinite(found), found, distance[part])
    return from_distance(distance, grid)


def paste(
    array: Float32[ndarray, "k j i"], box: tuple[slice, slice, slice], like: Volume
) -> Volume:
    """Put a box back where it was cut from, with nothing around it."""
    whole = np.zeros(like.array.shape, np.float32)
    whole[box] = array
    return replace(like, array=whole, unit="1")


def shares(fine: Volume) -> Float32[ndarray, "k j i"]:
    """Tell which share of the cell around each sample lies inside, its surface taken for flat.

    Exact where the surface runs along an axis.
    """
    array = fine.array
    slope = np.zeros_like(array)
    for axis in range(3):
        if array.shape[axis] > 1:
            slope += np.abs(np.gradient(array, axis=axis))
    return np.clip(0.5 + array / np.maximum(slope, 1e-6), 0, 1)


def volume_mm3(soft: Volume, *, step_mm: float = 1.0) -> float:
    """Measure the volume inside the surface, not by counting voxels."""
    box = box_of(soft)
    if box is None:
        return 0.0
    fine = refine(soft, box, step_mm=step_mm)
    return float(shares(fine).sum(dtype=np.float64)) * fine.grid.voxel_mm3


def centroid_mm(soft: Volume, *, step_mm: float = 1.0) -> tuple[float, float, float] | None:
    """Find the center of mass in LPS mm; None if there is nothing inside."""
    box = box_of(soft)
    if box is None:
        return None
    fine = refine(soft, box, step_mm=step_mm)
    weight = shares(fine).astype(np.float64)
    total = weight.sum()
    index = [
        float((weight.sum(axis=tuple(m for m in range(3) if m != n)) @ np.arange(size)) / total)
        for n, size in enumerate(weight.shape)
    ]
    x, y, z = fine.grid.to_world(np.array([index]))[0].tolist()
    return x, y, z


def _rough_distance(filled: Bool[ndarray, "k j i"], grid: Grid) -> Float[ndarray, "k j i"]:
    """Measure to the nearest center on the other side, negative inside; a diagonal too far."""
    around = np.pad(filled, 1)
    if not around.any():
        return np.full(filled.shape, np.inf)
    inner = (slice(1, -1),) * 3
    outside = distance_transform_edt(~around, sampling=grid.spacing_mm)[inner]
    within = distance_transform_edt(around, sampling=grid.spacing_mm)[inner]
    return np.where(filled, -within, outside)


def _padded(
    soft: Volume, box: tuple[slice, slice, slice]
) -> tuple[Float32[ndarray, "k j i"], Float[ndarray, "4 4"]]:
    """Cut a box with two voxels around it; beyond the array lies what ends halfway there."""
    array = soft.array
    for axis, part in enumerate(box):
        taken = np.arange(part.start - _AROUND, part.stop + _AROUND)
        beyond = (taken < 0) | (taken >= soft.array.shape[axis])
        array = np.take(array, np.clip(taken, 0, soft.array.shape[axis] - 1), axis=axis)
        array = array.astype(np.float32)
        planes = np.moveaxis(array, axis, 0)
        planes[beyond] = np.minimum(planes[beyond], 1 - planes[beyond])
    start = np.array([[float(part.start - _AROUND) for part in box]])
    affine = soft.grid.affine.astype(float).copy()
    affine[:3, 3] = soft.grid.to_world(start)[0]
    return array, affine


def _between(
    array: Float32[ndarray, "k j i"], axis: int, factor: int
) -> Float32[ndarray, "z y x"]:
    """Put `factor` - 1 samples between neighbors along an axis."""
    if factor == 1:
        return array
    old = np.moveaxis(array, axis, 0)
    count = len(old)
    new = np.empty(((count - 1) * factor + 1, *old.shape[1:]), np.float32)
    new[::factor] = old
    more = np.concatenate([old[:1], old, old[-1:]])
    for phase in range(1, factor):
        weights = _keys(phase / factor)
        new[phase::factor] = sum(
            np.float32(weight) * more[n : n + count - 1] for n, weight in enumerate(weights)
        )
    return np.moveaxis(new, 0, axis)


def _keys(share: float) -> Sequence[float]:
    """Weigh the four samples around a place between the middle two (Keys 1981, a = -1/2)."""
    s = share
    return (
        -s * (1 - s) ** 2 / 2,
        1 - 2.5 * s**2 + 1.5 * s**3,
        s * (1 + 4 * s - 3 * s**2) / 2,
        -(s**2) * (1 - s) / 2,
    )


def _neighbors(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    low = tuple(slice(None, -1) if n == axis else slice(None) for n in range(3))
    high = tuple(slice(1, None) if n == axis else slice(None) for n in range(3))
    return low, high


def _slope(array: Float32[ndarray, "k j i"], at: ndarray) -> Float[ndarray, "n 3"]:
    """Take central differences at samples, one-sided ones at the border."""
    slope = np.zeros((len(at), 3))
    for axis in range(3):
        ahead, behind = at.copy(), at.copy()
        ahead[:, axis] = np.minimum(at[:, axis] + 1, array.shape[axis] - 1)
        behind[:, axis] = np.maximum(at[:, axis] - 1, 0)
        gone = np.maximum(ahead[:, axis] - behind[:, axis], 1)
        slope[:, axis] = (array[tuple(ahead.T)] - array[tuple(behind.T)]) / gone
    return slope
