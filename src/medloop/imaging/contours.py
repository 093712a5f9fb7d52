"""Closed contours around a probability or a mask, slice by slice, finer than the voxels."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from contourpy import FillType, contour_generator
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from medloop.core.geometry import Grid
from medloop.core.structure import Contour

FRAGMENT_MM2: Final = 1.0
_STRAIGHT_MM: Final = 0.01  # points closer to the line between their neighbors are redundant
_CLEAR: Final = 0.02  # voxels between a contour and a voxel's center, at least
_DECIMALS: Final = 4  # of a mm, well inside the 16 characters of a DS


def contours_of(
    field: Shaped[ndarray, "k j i"],
    grid: Grid,
    *,
    level: float = 0.5,
    offset: tuple[int, int, int] = (0, 0, 0),
) -> tuple[Contour, ...]:
    """Draw where a field crosses a level on each slice of a grid, by marching squares.

    A contour encloses exactly the voxel centers on which the field reaches the level, and runs
    between them where linear interpolation puts it, at least a fiftieth of a voxel off every
    center. Beyond the field everything is outside, half a voxel from the outermost centers.
    Holes are joined to the contour around them by a bridge of no width (keyhole, PS3.3
    C.8.8.6.3); islands are contours of their own. Points are rounded to 0.1 um, and left out
    within 0.01 mm of the line between their neighbors. Nothing else crosses or touches.

    Parameters
    ----------
    field
        Probabilities, a mask, or signed distances: a whole grid or a box cut from it.
    offset
        Index on the grid of the first voxel of `field`.

    Raises
    ------
    ValueError
        If the field holds a value that is no number.
    """
    plane_mm = grid.affine[:3, 1:3]
    contours = []
    for k, layer in enumerate(field):
        inside = layer >= level
        if not inside.any():
            continue
        rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        box = np.s_[
            max(rows[0] - 1, 0) : rows[-1] + 2, max(columns[0] - 1, 0) : columns[-1] + 2
        ]
        corner = np.array([box[0].start + offset[1], box[1].start + offset[2]])
        for outer, *holes in _rings(layer[box], level):
            kept = [_without_straight(ring, plane_mm) for ring in (outer, *holes)]
            ring = _keyhole(kept[0], kept[1:]) + corner
            index = np.column_stack([np.full(len(ring), float(k + offset[0])), ring])
            points_mm = _distinct(np.round(grid.to_world(index), _DECIMALS))
            contours.append(Contour(points_mm, k + offset[0]))
    return tuple(contours)


def without_fragments(
    contours: Sequence[Contour], *, least_mm2: float = FRAGMENT_MM2
) -> tuple[tuple[Contour, ...], int]:
    """Leave out contours of fewer than three points or a smaller area; say how many."""
    kept = tuple(c for c in contours if len(c.points_mm) >= 3 and c.area_mm2 >= least_mm2)
    return kept, len(contours) - len(kept)


def _rings(
    layer: Shaped[ndarray, "j i"], level: float
) -> Iterator[list[Float[ndarray, "_ 2"]]]:
    """Trace each region: its outer ring and those of its holes, as open (row, column) rings."""
    generator = contour_generator(z=_over(layer, level), fill_type=FillType.OuterOffset)
    for points, starts in zip(*generator.filled(0.0, np.inf), strict=True):
        yield [
            points[start : stop - 1, ::-1] - 1.0  # the first point is repeated; x stands first
            for start, stop in pairwise(starts)
        ]


def _over(layer: Shaped[ndarray, "j i"], level: float) -> Float[ndarray, "_ _"]:
    """Subtract the level, add a margin outside, and keep the zero crossings off the centers."""
    over = layer.astype(np.float64) - level
    if not np.isfinite(over).all():
        raise ValueError("the field holds values that are no numbers")
    inside = np.pad(over >= 0, 1)
    over = np.pad(over, 1, mode="edge")
    over[~inside] = -np.abs(over[~inside])
    size = np.abs(over)
    least = np.finfo(float).tiny
    near_out = _CLEAR * _largest_neighbor(np.where(inside, least, size))
    near_in = _CLEAR * _largest_neighbor(np.where(inside, size, least))
    return np.where(inside, np.maximum(over, near_out), np.minimum(over, -near_in))


def _largest_neighbor(values: Float[ndarray, "j i"]) -> Float[ndarray, "j i"]:
    largest = np.zeros_like(values)
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:-1], np.s_[1:])):
        np.maximum(largest[one], values[other], out=largest[one])
        np.maximum(largest[:, one], values[:, other], out=largest[:, one])
    return largest


def _without_straight(
    ring: Float[ndarray, "_ 2"], plane_mm: Float[ndarray, "3 2"]
) -> Float[ndarray, "_ 2"]:
    """Leave out points of a closed ring as long as none lies off the line that replaces it.

    Every second point is tried at once, then the ring is turned by one; three turns in which
    all stay have tried each.
    """
    points = ring @ plane_mm.T
    limit = min(_STRAIGHT_MM, _CLEAR / 2 * float(np.linalg.norm(plane_mm, axis=0).min()))
    kept = np.arange(len(ring))
    stayed = 0
    while stayed < 3 and len(kept) > 4:
        tried = np.arange(0, len(kept) - 1, 2)
        off = _off_line(points, kept[tried - 1], kept[tried + 1])
        gone = tried[off <= limit]
        kept = np.roll(np.delete(kept, gone), 1)
        stayed = 0 if len(gone) else stayed + 1
    return ring[np.sort(kept)]


def _off_line(
    points: Float[ndarray, "n 3"], first: Int[ndarray, " m"], last: Int[ndarray, " m"]
) -> Float[ndarray, " m"]:
    """Measure how far the points between first and last lie from the line between them."""
    count = (last - first - 1) % len(points)
    begun = np.cumsum(count) - count
    step = np.arange(count.sum()) - np.repeat(begun, count)
    between = points[(np.repeat(first, count) + 1 + step) % len(points)]
    start, along = points[first], points[last] - points[first]
    length2 = np.maximum((along**2).sum(axis=1), 1e-12)
    start, along, length2 = (np.repeat(v, count, axis=0) for v in (start, along, length2))
    arm = between - start
    share = np.clip((arm * along).sum(axis=1) / length2, 0, 1)
    away = np.linalg.norm(arm - share[:, None] * along, axis=1)
    return np.maximum.reduceat(away, begun)


def _keyhole(
    outer: Float[ndarray, "_ 2"], holes: Sequence[Float[ndarray, "_ 2"]]
) -> Float[ndarray, "_ 2"]:
    """Join holes to their outer ring, each by a bridge along its row to the nearest edge.

    From left to right, so the edge that a bridge meets first belongs to the ring or to a hole
    that is already joined; bridges cross nothing.
    """
    ring = outer
    for hole in sorted(holes, key=lambda points: float(points[:, 1].min())):
        turned = np.roll(hole, -int(np.argmin(hole[:, 1])), axis=0)
        edge, pier = _nearest_left(ring, turned[0])
        parts = [ring[: edge + 1], pier[None], turned, turned[:1], pier[None], ring[edge + 1 :]]
        ring = np.concatenate(parts)
    return ring


def _nearest_left(
    ring: Float[ndarray, "_ 2"], point: Float[ndarray, "2"]
) -> tuple[int, Float[ndarray, "2"]]:
    """Find the edge that a ray towards lower columns meets first, and where."""
    start, end = ring, np.roll(ring, -1, axis=0)
    rise = end[:, 0] - start[:, 0]
    flat = rise == 0
    share = np.where(flat, 0.0, (point[0] - start[:, 0]) / np.where(flat, 1.0, rise))
    column = start[:, 1] + share * (end[:, 1] - start[:, 1])
    column = np.where(flat, np.maximum(start[:, 1], end[:, 1]), column)
    low, high = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    met = (low <= point[0]) & (point[0] <= high) & (column < point[1])
    edge = int(np.argmax(np.where(met, column, -np.inf)))
    return edge, np.array([point[0], column[edge]])


def _distinct(points: Float[ndarray, "_ 3"]) -> Float[ndarray, "_ 3"]:
    moved: Bool[ndarray, " _"] = (points != np.roll(points, 1, axis=0)).any(axis=1)
    return points[moved]
