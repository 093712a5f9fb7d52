"""Sizes of a region that somebody drew, from its voxels alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist, squareform


@dataclass(frozen=True, slots=True)
class MaskSize:
    """Axes in the slice where the region is largest, its longest diameter, and its volume."""

    long_mm: float
    short_mm: float
    greatest_mm: float
    volume_mm3: float


def mask_size(
    mask: Bool[ndarray, "k j i"], spacing_mm: tuple[float, float, float]
) -> MaskSize | None:
    """Measure a region of upright slices; None where it has no voxel.

    Lengths run between the middles of outer voxel faces; the short axis is the width of the
    region across its long axis.
    """
    areas = mask.sum(axis=(1, 2))
    if not areas.any():
        return None
    flat = np.argwhere(mask[int(areas.argmax())]) * np.array(spacing_mm[1:])
    long_mm, across = _longest(_faces(flat, spacing_mm[1:]))
    widths = _faces(flat, spacing_mm[1:]) @ across
    greatest_mm, _ = _longest(_faces(np.argwhere(mask) * np.array(spacing_mm), spacing_mm))
    return MaskSize(
        long_mm=long_mm,
        short_mm=min(float(np.ptp(widths)), long_mm),
        greatest_mm=max(greatest_mm, long_mm),
        volume_mm3=float(mask.sum()) * float(np.prod(spacing_mm)),
    )


def _faces(
    centers: Float[ndarray, "n d"], spacing_mm: tuple[float, ...]
) -> Float[ndarray, "m d"]:
    """Return the middles of all faces of voxels."""
    steps = np.diag(np.array(spacing_mm) / 2)
    return np.concatenate([centers + step for step in (*steps, *-steps)])


def _longest(points: Float[ndarray, "n d"]) -> tuple[float, Float[ndarray, " d"]]:
    """Return the longest distance between points, and (of flat ones) the direction across."""
    try:
        outer = points[ConvexHull(points).vertices]
    except QhullError:  # all in one line
        outer = np.unique(points, axis=0)
    apart = squareform(pdist(outer))
    one, other = np.unravel_index(int(apart.argmax()), apart.shape)
    along = (outer[one] - outer[other]) / max(float(apart.max()), 1e-9)
    across = np.array([-along[1], along[0]]) if along.size == 2 else along
    return float(apart.max()), across
