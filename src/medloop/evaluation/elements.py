"""Pieces of surface between voxels, and their size, for masks of two and three dimensions.

A mask is read at the corners of its voxels: at each corner meet 2 x 2 x 2 (2 x 2) voxels, and
where some are inside and some are outside, a piece of surface (contour) runs between them. Its
size is that of the marching-cubes polygons (Lorensen & Cline 1987) through the midpoints of the
edges, as Nikolov 2021 (doi:10.2196/26151) weighs them.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

Point = tuple[float, ...]  # in half voxels
Triangle = tuple[int, int, int]


def corner_codes(mask: Bool[ndarray, "*n"]) -> UInt8[ndarray, "*m"]:
    """Code of the voxels that meet at each corner; beyond the array is outside.

    Each axis has one corner more than voxels. The voxel before the corner on every axis has
    the highest bit, the one after it on every axis the lowest.
    """
    padded = np.pad(mask, 1).view(np.uint8)
    codes = np.zeros([n + 1 for n in mask.shape], np.uint8)
    last = 2**mask.ndim - 1
    for n, ends in enumerate(
        itertools.product((slice(None, -1), slice(1, None)), repeat=mask.ndim)
    ):
        codes |= padded[ends] << (last - n)
    return codes


def element_sizes(spacing_mm: Sequence[float]) -> Float[ndarray, " c"]:
    """Size of the surface element of each code, in mm2 (3-D) or mm (2-D).

    Raises
    ------
    ValueError
        If there are not two or three axes.
    """
    if len(spacing_mm) == 2:
        return _contour_lengths(*spacing_mm)
    if len(spacing_mm) != 3:
        raise ValueError(f"surfaces have two or three axes, not {len(spacing_mm)}")
    k, j, i = spacing_mm
    stretch = np.array([j * i, k * i, k * j])
    return np.asarray(np.linalg.norm(_triangle_areas() * stretch, axis=2).sum(axis=1))


def _contour_lengths(j_mm: float, i_mm: float) -> Float[ndarray, " 16"]:
    cut = math.hypot(j_mm, i_mm) / 2  # around one pixel of four
    lengths = np.full(16, cut)
    lengths[[0b0000, 0b1111]] = 0
    lengths[[0b0101, 0b1010]] = j_mm
    lengths[[0b0011, 0b1100]] = i_mm
    lengths[[0b0110, 0b1001]] = 2 * cut
    return lengths


@lru_cache(maxsize=1)
def _triangle_areas() -> Float[ndarray, "256 4 3"]:
    """Area vectors of up to four triangles of each code, in a cube of side 1.

    The fewer of the two kinds of voxels are kept apart where faces leave a choice, so a mask
    and its complement have the same surface; a polygon that is not flat is divided so that its
    area is largest. These rules give the areas of Nikolov's published table, code for code.
    """
    found = np.zeros((256, 4, 3))
    for code in range(256):
        few = code if code.bit_count() <= 4 else 255 - code
        areas = [area for polygon in _polygons(few) for area in _largest_areas(polygon)]
        found[code, : len(areas)] = np.reshape(areas, (-1, 3))
    return found


def _polygons(code: int) -> Iterator[list[Point]]:
    """Draw closed lines around the inside corners of a cube, a piece on each face."""
    inside = {
        corner: bool(code >> (7 - n) & 1)
        for n, corner in enumerate(itertools.product((0, 2), repeat=3))
    }
    following: dict[Point, Point] = {}
    for cycle in _faces():
        held = [inside[corner] for corner in cycle]
        for first in (n for n in range(4) if held[n] and not held[n - 1]):
            last = first
            while held[(last + 1) % 4]:
                last += 1
            following[_middle(cycle, last)] = _middle(cycle, first - 1)
    while following:
        start = next(iter(following))
        polygon, at = [start], following.pop(start)
        while at != start:
            polygon.append(at)
            at = following.pop(at)
        yield polygon


def _faces() -> Iterator[list[tuple[int, ...]]]:
    """Yield the four corners of each face of a cube, counterclockwise seen from outside."""
    for axis, side in itertools.product(range(3), (0, 2)):
        cycle = []
        for u, v in ((0, 0), (2, 0), (2, 2), (0, 2)):
            corner = [0, 0, 0]
            corner[axis], corner[(axis + 1) % 3], corner[(axis + 2) % 3] = side, u, v
            cycle.append(tuple(corner))
        yield cycle if side else cycle[::-1]


def _middle(cycle: list[tuple[int, ...]], n: int) -> Point:
    one, other = cycle[n % 4], cycle[(n + 1) % 4]
    return tuple((a + b) / 2 for a, b in zip(one, other, strict=True))


def _largest_areas(polygon: list[Point]) -> Float[ndarray, "t 3"]:
    """Divide a polygon into triangles of the largest total area; their area vectors."""
    points = np.array(polygon) / 2
    choices = (
        np.array(
            [
                np.cross(points[b] - points[a], points[c] - points[a]) / 2
                for a, b, c in triangles
            ]
        )
        for triangles in _divisions(0, len(points) - 1)
    )
    return max(choices, key=lambda areas: float(np.linalg.norm(areas, axis=1).sum()))


def _divisions(first: int, last: int) -> Iterator[list[Triangle]]:
    """Every way to divide the polygon of points first ... last into triangles."""
    if last - first < 2:
        yield []
    for tip in range(first + 1, last):
        for before in _divisions(first, tip):
            for after in _divisions(tip, last):
                yield [*before, *after, (first, tip, last)]
