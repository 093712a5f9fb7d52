"""Nodules from the outlines of several readers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from medloop.core.geometry import Grid
from medloop.learning.lung.readings import Contour, Reading

READERS: Final = 4
_SHRINK: Final = 0.9
_LEAST_MM: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """One nodule: the outlines that belong together, at most one a reader but for mistakes."""

    readings: tuple[Reading, ...]

    @property
    def contours(self) -> tuple[Contour, ...]:
        """Lines of all its readers."""
        return tuple(contour for reading in self.readings for contour in reading.contours)

    def mean(self, name: str) -> float:
        """Mean rating of its readers; NaN where none gave it."""
        given = [r.ratings[name] for r in self.readings if name in r.ratings]
        return float(np.mean(given)) if given else float("nan")


def nodules(
    readings: Sequence[Reading], pixel_mm: float, within_mm: float
) -> tuple[Marked, ...]:
    """Put outlines together that are of one nodule.

    Two belong together if points of theirs are at most `within_mm` (the slice thickness) apart;
    where that joins more than four outlines, the distance shrinks by a tenth until it does not,
    as in pylidc (Hancock & Magnan 2016).
    """
    if not readings:
        return ()
    trees = [cKDTree(_points_mm(r, pixel_mm)) for r in readings]
    near = np.zeros((len(readings),) * 2)
    for a, b in zip(*np.triu_indices(len(readings), 1), strict=True):
        near[a, b] = near[b, a] = trees[a].query(trees[b].data)[0].min()
    while True:
        _, which = connected_components(coo_array(near <= within_mm), directed=False)
        if within_mm <= _LEAST_MM or np.bincount(which).max() <= READERS:
            break
        within_mm *= _SHRINK
    groups = [np.flatnonzero(which == n) for n in range(which.max() + 1)]
    return tuple(Marked(tuple(readings[int(n)] for n in group)) for group in groups)


def _points_mm(reading: Reading, pixel_mm: float) -> Float[ndarray, "n 3"]:
    parts = [
        np.c_[c.points * pixel_mm, np.full(len(c.points), c.z_mm)] for c in reading.contours
    ]
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Where slices and pixels of an axial volume (or a crop of one) lie in its scan.

    Attributes
    ----------
    slices_mm
        z of each slice of the array, rising or falling.
    shape
        Rows and columns of the array.
    corner
        [row, column] in the scan of the array's first pixel.
    pixel_mm
        Distance of pixels.
    """

    slices_mm: Float[ndarray, " k"]
    shape: tuple[int, int]
    corner: tuple[int, int] = (0, 0)
    pixel_mm: float = 1.0

    def mask(self, reading: Reading) -> Bool[ndarray, "k j i"]:
        """Voxels one reader outlined; a contour's own pixels are outside (LIDC's rule).

        Contours between slices of the array count for the nearest one, at most half a step
        away.
        """
        out = np.zeros((len(self.slices_mm), *self.shape), bool)
        steps = np.abs(np.diff(self.slices_mm))
        reach = 0.5 * float(steps.min() if len(steps) else 1.0) + 1e-3
        for contour in sorted(reading.contours, key=lambda c: c.is_hole):
            k = int(np.abs(self.slices_mm - contour.z_mm).argmin())
            if abs(self.slices_mm[k] - contour.z_mm) > reach:
                continue
            inside = self._filled(contour)
            out[k] = out[k] & ~inside if contour.is_hole else out[k] | inside
        return out

    def agreed(self, marked: Marked, share: float = 0.5) -> Bool[ndarray, "k j i"]:
        """Voxels that at least this share of the nodule's readers outlined."""
        masks = [self.mask(reading) for reading in marked.readings]
        return np.asarray(np.mean(masks, axis=0, dtype=np.float32) >= share)

    def _filled(self, contour: Contour) -> Bool[ndarray, "j i"]:
        points = (contour.points - np.array(self.corner)[::-1]).astype(np.int32)
        drawn = np.zeros(self.shape, np.uint8)
        if len(points) < 3:  # too few to enclose anything: they are the mark
            keep = ((points >= 0) & (points < np.array(self.shape)[::-1])).all(1)
            drawn[points[keep, 1], points[keep, 0]] = 1
            return drawn.astype(bool)
        cv2.fillPoly(drawn, [points], 1)
        cv2.polylines(drawn, [points], isClosed=True, color=0)
        return drawn.astype(bool)


def frame_of(grid: Grid) -> Frame:
    """Describe a whole axial volume.

    Contours know rows and columns of the stored slices, so the grid must be upright: index
    axes along +z or -z, +y and +x.
    """
    k = np.arange(grid.shape[0], dtype=float)
    z = grid.to_world(np.c_[k, 0 * k, 0 * k])[:, 2]
    return Frame(z, (grid.shape[1], grid.shape[2]), pixel_mm=grid.spacing_mm[2])
