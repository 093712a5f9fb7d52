"""Growing, shrinking and closing masks by balls measured in mm, at any slice distance."""

import math

import cv2
import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray


def grow(
    mask: Bool[ndarray, "k j i"], radius_mm: float, *, steps_mm: tuple[float, float]
) -> Bool[ndarray, "k j i"]:
    """Add what lies within `radius_mm` of the mask.

    `steps_mm` are the distances between slices and between pixels, which are square.
    """
    return _away_mm2(mask, radius_mm, steps_mm) <= np.float32(radius_mm**2 + 1e-3)


def shrink(
    mask: Bool[ndarray, "k j i"], radius_mm: float, *, steps_mm: tuple[float, float]
) -> Bool[ndarray, "k j i"]:
    """Take away what lies within `radius_mm` of voxels outside the mask.

    Beyond the ends of the array the mask goes on as it ends.
    """
    return ~grow(~mask, radius_mm, steps_mm=steps_mm)


def close(
    mask: Bool[ndarray, "k j i"], radius_mm: float, *, steps_mm: tuple[float, float]
) -> Bool[ndarray, "k j i"]:
    """Fill what a ball of `radius_mm` that rolls around the mask cannot reach."""
    grown = grow(_framed(mask, radius_mm, steps_mm), radius_mm, steps_mm=steps_mm)
    closed = shrink(grown, radius_mm, steps_mm=steps_mm)
    frame = _frame(radius_mm, steps_mm)
    inner = tuple(slice(n, size - n) for n, size in zip(frame, closed.shape, strict=True))
    return closed[inner] | mask


def _frame(radius_mm: float, steps_mm: tuple[float, float]) -> tuple[int, int, int]:
    """Voxels around the array within which a grown mask stays; none beyond the end slices."""
    wide = math.ceil(radius_mm / steps_mm[1]) + 1
    return 0, wide, wide


def _framed(
    mask: Bool[ndarray, "k j i"], radius_mm: float, steps_mm: tuple[float, float]
) -> Bool[ndarray, "z y x"]:
    return np.pad(mask, [(n, n) for n in _frame(radius_mm, steps_mm)])


def _away_mm2(
    mask: Bool[ndarray, "k j i"], radius_mm: float, steps_mm: tuple[float, float]
) -> Float32[ndarray, "k j i"]:
    """Squared distance to the mask, exact up to the radius.

    Distances within each slice first, then the least sum over the slices in reach: the
    separable distance transform (Felzenszwalb and Huttenlocher 2012), cut off at the radius.
    """
    far = np.float32(4 * radius_mm**2 + 1)
    flat = np.full(mask.shape, far, np.float32)
    for k in np.flatnonzero(mask.any(axis=(1, 2))):
        outside = np.logical_not(mask[k]).astype(np.uint8)
        in_slice = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_5)
        np.minimum((in_slice * np.float32(steps_mm[1])) ** 2, far, out=flat[k])
    nearest = flat.copy()
    for n in range(1, min(int(radius_mm / steps_mm[0]), len(mask) - 1) + 1):
        more = np.float32((n * steps_mm[0]) ** 2)
        np.minimum(nearest[n:], flat[:-n] + more, out=nearest[n:])
        np.minimum(nearest[:-n], flat[n:] + more, out=nearest[:-n])
    return nearest
