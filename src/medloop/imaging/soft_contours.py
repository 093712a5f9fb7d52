"""A soft mask from contours: what lies between voxels is read off the points."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Float32
from numpy import ndarray

from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.core.structure import Contour
from medloop.imaging.soft import Surface, distances_to, from_distance, reach_of

_POINT_MM = 0.2  # between points along a contour
_SAME_PLANE = 0.05  # slices between contours that lie on one plane


def soft_of_contours(
    contours: Sequence[Contour], mask: Bool[ndarray, "k j i"], grid: Grid
) -> Volume:
    """Measure from each voxel to the contours on its slice; the mask tells which is inside.

    Between slices a structure changes evenly, as interpolation of distances has it, and it ends
    half a slice beyond its last contours. Bridges to holes, walked there and back, are none of
    its surface.

    Parameters
    ----------
    contours
        Of one structure, with the slices they lie on; those without are left out.
    mask
        What the contours enclose: the centers inside them.
    """
    array = np.zeros(grid.shape, np.float32)
    drawn: Bool[ndarray, " k"] = np.asarray(mask.any(axis=(1, 2)))
    for k in np.flatnonzero(drawn):
        surface = _surface([c for c in contours if c.k == k], int(k), grid)
        array[k] = _layer(surface, mask[k], int(k), grid)
    for k in np.flatnonzero(~drawn):
        array[k] = _beyond(array, drawn, int(k))
    return Volume(array, grid, "1")


def _layer(
    surface: Surface, mask: Bool[ndarray, "j i"], k: int, grid: Grid
) -> Float32[ndarray, "j i"]:
    """Turn distances on one slice into values, measured only around its contours."""
    reach = reach_of(grid)
    layer = mask.astype(np.float32)
    index = grid.to_index(surface.points_mm)[:, 1:]
    if len(index) == 0:
        return layer
    more = reach / np.array(grid.spacing_mm[1:]) + 1
    low = np.maximum(np.floor(index.min(axis=0) - more), 0).astype(int)
    high = np.minimum(np.ceil(index.max(axis=0) + more) + 1, mask.shape).astype(int)
    if (high <= low).any():
        return layer
    box = (slice(low[0], high[0]), slice(low[1], high[1]))
    rows, columns = np.meshgrid(*map(np.arange, low, high), indexing="ij")
    places = grid.to_world(np.stack([np.full(rows.shape, k), rows, columns], -1).astype(float))
    away = distances_to(surface, places.reshape(-1, 3), most_mm=reach).reshape(rows.shape)
    layer[box] = from_distance(np.where(mask[box], -away, away), grid)
    return layer


def _surface(contours: Sequence[Contour], k: int, grid: Grid) -> Surface:
    """Set points along the contours of the plane nearest to a slice, with their normals."""
    planes = [float(grid.to_index(c.points_mm)[:, 0].mean()) for c in contours]
    points, normals = [np.empty((0, 3))], [np.empty((0, 3))]
    if planes:
        nearest = min(planes, key=lambda plane: abs(plane - k))
        kept = [
            contour
            for contour, plane in zip(contours, planes, strict=True)
            if abs(plane - nearest) <= _SAME_PLANE
        ]
        start, end = _edges(kept, k, grid)
        across = np.cross(grid.affine[:3, 1], grid.affine[:3, 2])
        for begin, finish in zip(start, end, strict=True):
            along = finish - begin
            length = float(np.linalg.norm(along))
            count = max(1, int(np.ceil(length / _POINT_MM)))
            share = (np.arange(count) + 0.5) / count
            points.append(begin + share[:, None] * along)
            normal = np.cross(along, across)
            normals.append(np.tile(normal / np.linalg.norm(normal), (count, 1)))
    return Surface(np.concatenate(points), np.concatenate(normals), _POINT_MM)


def _edges(
    contours: Sequence[Contour], k: int, grid: Grid
) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n 3"]]:
    """Join the points of each contour, moved onto the slice, and drop what is walked twice."""
    once: dict[tuple[bytes, bytes], tuple[ndarray, ndarray]] = {}
    for contour in contours:
        index = grid.to_index(contour.points_mm)
        index[:, 0] = k
        points = np.round(grid.to_world(index), 4)
        for begin, finish in zip(points, np.roll(points, -1, axis=0), strict=True):
            there, back = begin.tobytes(), finish.tobytes()
            if there != back and once.pop((back, there), None) is None:
                once[there, back] = (begin, finish)
    if not once:
        return np.empty((0, 3)), np.empty((0, 3))
    start, end = zip(*once.values(), strict=True)
    return np.array(start), np.array(end)


def _beyond(
    array: Float32[ndarray, "k j i"], drawn: Bool[ndarray, " k"], k: int
) -> Float32[ndarray, "j i"]:
    """Continue beyond the last contours so that the surface lies halfway to the next slice.

    The layers beyond mirror those before, inside and outside exchanged.
    """
    layer = np.ones(array.shape[1:], np.float32)
    found = False
    for side in (-1, 1):
        for steps in (1, 2):
            edge, mirrored = k + side * steps, k + side * (2 * steps - 1)
            if not 0 <= edge < len(drawn) or not drawn[edge]:
                continue
            source = mirrored if 0 <= mirrored < len(drawn) and drawn[mirrored] else edge
            np.minimum(layer, np.minimum(array[source], 1 - array[source]), out=layer)
            found = True
            break
    return layer if found else np.zeros_like(layer)
