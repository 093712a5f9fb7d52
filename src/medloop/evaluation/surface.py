"""How far the surfaces of two masks lie apart, in mm, in two and three dimensions.

Two surfaces are in use, and figures of one do not compare with figures of the other:

* *border voxels*: the voxels of a mask with an outside neighbor across a face; each counts
  once. The mean distance and Hausdorff distances are of these, as in MONAI and medpy.
* *surface elements*: pieces of surface at the corners of voxels, each weighed by its size
  (`elements`). Surface Dice is of these, as Nikolov 2021 defines it (doi:10.2196/26151).

The edge of the array is outside. If both masks are empty every figure is NaN; if one is,
distances are infinite and surface Dice is 0.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer
from numpy import ndarray
from scipy.ndimage import distance_transform_edt

from medloop.evaluation.elements import corner_codes, element_sizes
from medloop.evaluation.nearest import nearest_mm
from medloop.evaluation.overlap import require_same_grid


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceDistances:
    """Distance from each border voxel of one mask to the nearest of the other, both ways."""

    truth_mm: Float[ndarray, " n"]  # from each border voxel of the truth
    predicted_mm: Float[ndarray, " m"]


@dataclass(frozen=True, slots=True)
class SurfaceFigures:
    """The usual figures of one pair of masks; `dice` by tolerance in mm."""

    mean_mm: float
    hausdorff_mm: float
    hausdorff_95_mm: float
    dice: Mapping[float, float]


@dataclass(frozen=True, slots=True)
class AddedPath:
    """Contour that would have to be drawn anew."""

    pixels: int
    length_mm: float


def surface_distances(
    truth: Bool[ndarray, "*n"], predicted: Bool[ndarray, "*n"], *, spacing_mm: Sequence[float]
) -> SurfaceDistances:
    """Measure from border voxel to border voxel, center to center.

    Raises
    ------
    ValueError
        If the shapes differ, or there is not one positive spacing for each axis.
    """
    require_same_grid(truth, predicted, spacing_mm)
    box = _box(truth, predicted)
    ours, theirs = _border(truth[box]), _border(predicted[box])
    return SurfaceDistances(
        nearest_mm(ours, theirs, spacing_mm=spacing_mm),
        nearest_mm(theirs, ours, spacing_mm=spacing_mm),
    )


def mean_surface_distance(distances: SurfaceDistances) -> float:
    """Mean over the border voxels of both masks together (average symmetric surface distance).

    Heimann 2009 (doi:10.1109/TMI.2009.2013851); MONAI's with ``symmetric=True``.
    """
    both = np.concatenate([distances.truth_mm, distances.predicted_mm])
    return float(both.mean()) if len(both) else math.nan


def hausdorff_distance(distances: SurfaceDistances, *, percentile: float = 100) -> float:
    """Take the greater directed distance, at a percentile (Huttenlocher 1993); 95: HD95.

    A percentile between two distances is interpolated, as NumPy does.
    """
    ways = [way for way in (distances.truth_mm, distances.predicted_mm) if len(way)]
    if not ways:
        return math.nan
    return max(_percentile(way, percentile) for way in ways)


def surface_dice(
    truth: Bool[ndarray, "*n"],
    predicted: Bool[ndarray, "*n"],
    *,
    spacing_mm: Sequence[float],
    tolerances_mm: Sequence[float],
) -> tuple[float, ...]:
    """Share of both surfaces that lies within each tolerance of the other (Nikolov 2021).

    Raises
    ------
    ValueError
        If the shapes differ, there are not two or three axes with a positive spacing each, or
        a tolerance is negative.
    """
    require_same_grid(truth, predicted, spacing_mm)
    if any(not limit >= 0 for limit in tolerances_mm):
        raise ValueError(f"tolerances must not be negative, got {tuple(tolerances_mm)}")
    sizes = element_sizes(spacing_mm)
    box = _box(truth, predicted)
    codes = [corner_codes(mask[box]) for mask in (truth, predicted)]
    ours, theirs = ((code != 0) & (code != len(sizes) - 1) for code in codes)
    weight = np.concatenate([sizes[codes[0][ours]], sizes[codes[1][theirs]]])
    if len(weight) == 0:
        return tuple(math.nan for _ in tolerances_mm)
    far_mm = np.concatenate(
        [
            nearest_mm(ours, theirs, spacing_mm=spacing_mm),
            nearest_mm(theirs, ours, spacing_mm=spacing_mm),
        ]
    )
    return tuple(float(weight[far_mm <= limit].sum() / weight.sum()) for limit in tolerances_mm)


def surface_figures(
    truth: Bool[ndarray, "*n"],
    predicted: Bool[ndarray, "*n"],
    *,
    spacing_mm: Sequence[float],
    tolerances_mm: Sequence[float] = (1.0, 2.0, 3.0),
) -> SurfaceFigures:
    """Take mean distance, Hausdorff distances and surface Dice of one pair of masks.

    Raises
    ------
    ValueError
        As `surface_distances` and `surface_dice` do.
    """
    distances = surface_distances(truth, predicted, spacing_mm=spacing_mm)
    dice = surface_dice(truth, predicted, spacing_mm=spacing_mm, tolerances_mm=tolerances_mm)
    return SurfaceFigures(
        mean_surface_distance(distances),
        hausdorff_distance(distances),
        hausdorff_distance(distances, percentile=95),
        dict(zip(tolerances_mm, dice, strict=True)),
    )


def surface_figures_by_label(
    truth: Integer[ndarray, "*n"],
    predicted: Integer[ndarray, "*n"],
    *,
    labels: Sequence[int],
    spacing_mm: Sequence[float],
    tolerances_mm: Sequence[float] = (1.0, 2.0, 3.0),
) -> Mapping[int, SurfaceFigures]:
    """Take the figures of each label of two label maps.

    Raises
    ------
    ValueError
        As `surface_figures` does.
    """
    return {
        label: surface_figures(
            truth == label,
            predicted == label,
            spacing_mm=spacing_mm,
            tolerances_mm=tolerances_mm,
        )
        for label in labels
    }


def added_path_length(
    truth: Bool[ndarray, "*n"],
    predicted: Bool[ndarray, "*n"],
    *,
    spacing_mm: Sequence[float],
    tolerance_mm: float = 0.0,
) -> AddedPath:
    """Contour pixels of the truth farther than a tolerance from the prediction's contour.

    Slice by slice along the first axis, as contours are drawn (Vaassen 2020,
    doi:10.1016/j.phro.2019.12.001, counts pixels); a pixel is as long as the geometric mean of
    its sides. In a slice without predicted contour all of the truth counts.

    Raises
    ------
    ValueError
        If the shapes differ, or there are not two or three axes with a positive spacing each.
    """
    require_same_grid(truth, predicted, spacing_mm)
    if truth.ndim not in (2, 3):
        raise ValueError(f"contours have two or three axes, not {truth.ndim}")
    if truth.ndim == 2:
        truth, predicted = truth[None], predicted[None]
    plane_mm = tuple(spacing_mm[-2:])
    pixels = 0
    for ours, theirs in zip(truth, predicted, strict=True):
        if not ours.any():
            continue
        here, there = _border(ours), _border(theirs)
        if there.any():
            here &= distance_transform_edt(~there, sampling=plane_mm) > tolerance_mm
        pixels += int(np.count_nonzero(here))
    return AddedPath(pixels, pixels * math.sqrt(plane_mm[0] * plane_mm[1]))


def _box(one: Bool[ndarray, "*n"], other: Bool[ndarray, "*n"]) -> tuple[slice, ...]:
    """Smallest box that holds both masks; nothing, if there is nothing to hold."""
    box = []
    for axis in range(one.ndim):
        rest = tuple(n for n in range(one.ndim) if n != axis)
        used = np.flatnonzero(one.any(axis=rest) | other.any(axis=rest))
        box.append(slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0))
    return tuple(box)


def _border(mask: Bool[ndarray, "*n"]) -> Bool[ndarray, "*n"]:
    """Voxels of a mask that have an outside neighbor across a face; beyond is outside."""
    inside = mask.copy()
    for axis in range(mask.ndim):
        lines, kept = np.moveaxis(mask, axis, 0), np.moveaxis(inside, axis, 0)
        kept[1:] &= lines[:-1]
        kept[:-1] &= lines[1:]
        kept[:1] = False
        kept[-1:] = False
    return mask & ~inside


def _percentile(values: Float[ndarray, " n"], percentile: float) -> float:
    if not np.isfinite(values).all():
        return math.inf  # of an empty mask; between infinities nothing can be interpolated
    return float(np.percentile(values, percentile))
