"""The face in a CT or MR of the head, so that it can be taken out before images are shared.

Nothing is registered and no network asked. The head is the largest piece of tissue; the nose is
where its front stands out most from what lies beside it; the face is what lies in front of an
oblique plane, 12 mm behind the root of the nose, that falls back by one millimeter a millimeter
to 35 mm, and ends below the chin. All lengths are those of an adult, scaled by the head's own.
The frontal lobes lie above that plane and the temporal lobes behind it. Ears stay.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray
from scipy import ndimage

from medloop.core.errors import UnsuitableError
from medloop.core.image import Volume
from medloop.imaging.orientation import turn_of, upright_grid

_COARSE_MM: Final = 2.0
_ADULT_LENGTH_MM: Final = 190.0  # forehead to occiput
_LENGTHS_MM: Final = (110.0, 260.0)  # of a newborn's head, and of the largest
_WIDTHS_MM: Final = (80.0, 215.0)
_NOSE_BELOW_TOP_MM: Final = (100.0, 185.0)
_NOSE_STANDS_OUT_MM: Final = 7.0
_ROOT_ABOVE_TIP_MM: Final = 42.0
_ROOT_BELOW_TOP_MM: Final = (75.0, 125.0)
_STEP_MM: Final = 12.0
_DEPTH_MM: Final = 35.0
_CHIN_BELOW_ROOT_MM: Final = 130.0


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    """Tissue on a coarse grid, z up, y back, x left; `scale` is 1 for an adult."""

    inside: Bool[ndarray, "z y x"]
    spacing_mm: tuple[float, float, float]
    top: int
    middle: int
    scale: float


def face_mask(volume: Volume) -> Bool[ndarray, "k j i"]:
    """Mark the face, and the air in front of it.

    Raises
    ------
    UnsuitableError
        If no head is seen, not its top, or no nose: a brain without its skull has none.
    """
    turn = turn_of(volume.grid)
    spacing = upright_grid(volume.grid, turn).spacing_mm
    array = turn.upright(volume.array)
    if array.ndim != 3 or min(array.shape) < 3:
        raise UnsuitableError(f"no head is seen in {array.shape} voxels")
    head = _find_head(array, spacing)
    root_mm, front_mm = _root_of_nose(head)
    z_mm = np.arange(array.shape[0]) * spacing[0]
    y_mm = np.arange(array.shape[1]) * spacing[1]
    below = root_mm - z_mm
    depth = np.minimum(below + _STEP_MM * head.scale, _DEPTH_MM * head.scale)
    is_face = (below > 0) & (below < _CHIN_BELOW_ROOT_MM * head.scale)
    plane = y_mm[None, :] < (front_mm + depth)[:, None]
    mask = np.zeros(array.shape, bool)
    mask[:] = (plane & is_face[:, None])[:, :, None]
    return np.ascontiguousarray(turn.back(mask))


def _find_head(array: Shaped[ndarray, "z y x"], spacing: tuple[float, float, float]) -> _Head:
    steps = tuple(max(1, round(_COARSE_MM / mm)) for mm in spacing)
    coarse = array[:: steps[0], :: steps[1], :: steps[2]].astype(np.float32)
    mm = (spacing[0] * steps[0], spacing[1] * steps[1], spacing[2] * steps[2])
    inside = _tissue(coarse)
    areas = inside.sum(axis=(1, 2)) * mm[1] * mm[2]
    levels = np.flatnonzero(areas > 300)
    if not len(levels):
        raise UnsuitableError("no head is seen: there is no tissue")
    top = int(levels[-1])
    upper = inside[max(0, top - round(100 / mm[0])) : top + 1]
    if top == len(inside) - 1 and areas[top] > 0.6 * areas.max():
        raise UnsuitableError("the top of the head is not in view")
    length, width = _reach(upper, 1) * mm[1], _reach(upper, 2) * mm[2]
    for name, value, limits in (("length", length, _LENGTHS_MM), ("width", width, _WIDTHS_MM)):
        if not limits[0] <= value <= limits[1]:
            raise UnsuitableError(
                f"no head is seen: {name} {value:.0f} mm is not {limits[0]:.0f} to"
                f" {limits[1]:.0f} mm"
            )
    if len(upper) * mm[0] < 60:
        raise UnsuitableError(f"only {len(upper) * mm[0]:.0f} mm of a head are in view")
    columns = np.flatnonzero(upper.any(axis=(0, 1)))
    middle = int(columns[0] + columns[-1]) // 2
    return _Head(inside, mm, top, middle, length / _ADULT_LENGTH_MM)


def _reach(inside: Bool[ndarray, "z y x"], axis: int) -> int:
    """Return how many voxels an axis is long, in the level where it is longest."""
    other = 3 - axis
    lines: Bool[ndarray, "z n"] = np.any(inside, axis=other)
    return int(lines.sum(axis=1).max())


def _tissue(array: Float[ndarray, "z y x"]) -> Bool[ndarray, "z y x"]:
    """Return the largest piece that is no air, filled level by level, without thin things."""
    dark, bright = np.percentile(array, (1, 99))
    if bright <= dark:
        raise UnsuitableError("no head is seen: all voxels are alike")
    clipped = np.clip(array, dark, bright)
    threshold = dark + 0.6 * (_otsu(clipped) - dark)
    opened = ndimage.binary_opening(clipped > threshold, np.ones((3, 3, 3), bool))
    labels, count = ndimage.label(opened)
    if not count:
        raise UnsuitableError("no head is seen: there is no tissue")
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = labels == sizes.argmax()
    return np.stack([ndimage.binary_fill_holes(level) for level in largest])


def _otsu(values: Float[ndarray, "z y x"]) -> float:
    """Return the threshold that parts two classes best (Otsu 1979)."""
    counts, edges = np.histogram(values, 256)
    centers = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centers)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = sums / below - (sums[-1] - sums) / above
        between = np.nan_to_num(below * above * apart**2)
    return float(centers[between.argmax()])


def _root_of_nose(head: _Head) -> tuple[float, float]:
    """Return height and depth of the root of the nose, in mm from the first voxel."""
    z, y, x = head.spacing_mm
    near = _front(head, -12 * head.scale / x, 12 * head.scale / x)
    beside = np.fmax(
        _front(head, 28 * head.scale / x, 40 * head.scale / x),
        _front(head, -40 * head.scale / x, -28 * head.scale / x),
    )
    stands_out = (beside - near) * y
    low, high = (head.top - mm * head.scale / z for mm in _NOSE_BELOW_TOP_MM[::-1])
    levels = np.arange(len(head.inside))
    candidates = np.where((levels >= low) & (levels <= high), stands_out, np.nan)
    if not np.isfinite(candidates).any():
        raise UnsuitableError("no nose is seen: the head ends above it")
    tip = int(np.nanargmax(candidates))
    limits = [head.top - mm * head.scale / z for mm in _ROOT_BELOW_TOP_MM]
    root = min(max(tip + _ROOT_ABOVE_TIP_MM * head.scale / z, limits[1]), limits[0])
    level = min(max(round(root), 0), len(near) - 1)
    fronts = near[max(0, level - 2) : level + 3]
    front = float(np.median(fronts[np.isfinite(fronts)])) if np.isfinite(fronts).any() else 0.0
    # A brain without its skull, or a head from behind, recedes where a nose stands out.
    least = _NOSE_STANDS_OUT_MM * head.scale
    beyond = (front - near[tip]) * y
    if not (candidates[tip] >= least and beyond >= least):
        raise UnsuitableError(
            f"no nose is seen: the front stands out by {candidates[tip]:.0f} mm from its sides"
            f" and by {beyond:.0f} mm from above, {least:.0f} mm are asked"
        )
    return root * z, front * y


def _front(head: _Head, least: float, most: float) -> Float[ndarray, " z"]:
    """Return the foremost voxel of each level between two distances from the middle."""
    first, last = head.middle + round(least), head.middle + round(most) + 1
    columns = head.inside[:, :, max(first, 0) : max(last, 0)]
    line: Bool[ndarray, "z y"] = np.any(columns, axis=2)
    return np.where(line.any(axis=1), line.argmax(axis=1), np.nan)
