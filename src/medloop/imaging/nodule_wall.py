"""Where the lung ends beside a nodule that touches its wall."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from scipy import ndimage

AIR_HU = -400.0  # halfway between lung and chest wall
_FAR_MM = 100.0
_ROUGH_PX = 0.6  # that noise moves a hull outward


def depth_in_lung(
    hu: Float[ndarray, "k j i"],
    spacing_mm: tuple[float, float, float],
    place: tuple[float, float, float],
    *,
    radius_mm: float,
    lung: Bool[ndarray, "k j i"] | None = None,
) -> Float[ndarray, "k j i"]:
    """Measure how deep in the lung voxels lie, in mm, with nodules at its wall counted as lung.

    A given mask stands as it is, unless it leaves the nodule at `place` out. Otherwise the lung
    is the air around, and in each axial slice its convex hull within two radii and 6 mm of the
    nodule: a straight or outward curved wall goes on behind the nodule (Kuhnigk 2006 does so in
    space). Only what is near is looked at: two radii and 4 mm up and down, 14 mm in a slice.
    """
    box = _box(place, spacing_mm, (2 * radius_mm + 4, 2 * radius_mm + 14), hu.shape)
    near = tuple(p - side.start for p, side in zip(map(round, place), box, strict=True))
    depth = np.full(hu.shape, -_FAR_MM, np.float32)
    mask = None if lung is None else lung[box]
    depth[box] = _depth_in_box(
        hu[box], spacing_mm, (near[0], near[1], near[2]), radius_mm, mask
    )
    return depth


def _box(
    place: tuple[float, float, float],
    spacing_mm: tuple[float, float, float],
    half_mm: tuple[float, float],
    shape: tuple[int, ...],
) -> tuple[slice, slice, slice]:
    """Give the box of so much up and down, and so much within the slice, around a place."""
    k, j, i = (
        slice(max(0, round(p) - int(h / mm) - 1), min(n, round(p) + int(h / mm) + 2))
        for p, mm, n, h in zip(
            place, spacing_mm, shape, (half_mm[0], half_mm[1], half_mm[1]), strict=True
        )
    )
    return k, j, i


def _depth_in_box(
    hu: Float[ndarray, "k j i"],
    spacing_mm: tuple[float, float, float],
    place: tuple[int, int, int],
    radius_mm: float,
    lung: Bool[ndarray, "k j i"] | None,
) -> Float[ndarray, "k j i"]:
    pixel_mm = (spacing_mm[1] + spacing_mm[2]) / 2
    is_closed = lung is not None and _holds(lung, place, radius_mm, pixel_mm)
    if lung is not None and is_closed:
        base = lung
    else:
        base = _air_near(hu, spacing_mm, place, radius_mm)
        base = base if lung is None else base | lung
    window = np.zeros(hu.shape[1:], np.uint8)
    cv2.circle(window, (place[2], place[1]), int((2 * radius_mm + 6) / pixel_mm) + 1, 1, -1)
    depth = np.zeros(hu.shape, np.float32)
    for layer, air in enumerate(base):
        inside = air.astype(np.uint8)
        if not is_closed:
            inside |= _hull(inside & window)
        depth[layer] = (_depth(inside) - (0 if is_closed else _ROUGH_PX)) * pixel_mm
    return depth


def _hull(mask: UInt8[ndarray, "j i"]) -> UInt8[ndarray, "j i"]:
    filled = np.zeros_like(mask)
    x_y = cv2.findNonZero(mask)
    if x_y is not None:
        cv2.fillConvexPoly(filled, cv2.convexHull(x_y), 1)
    return filled


def _depth(mask: UInt8[ndarray, "j i"]) -> Float[ndarray, "j i"]:
    """Give the signed distance from the mask's border, in pixels."""
    far = np.float32(_FAR_MM)
    sides = []
    for side in (mask, 1 - mask):
        away = cv2.distanceTransform(side, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        sides.append(np.where(side > 0, np.minimum(away, far) - 0.5, 0))
    return np.asarray(sides[0] - sides[1], np.float32)


def _holds(
    lung: Bool[ndarray, "k j i"],
    place: tuple[int, int, int],
    radius_mm: float,
    pixel_mm: float,
) -> bool:
    """Whether most of the nodule's inner half is lung by the mask given."""
    k, j, i = place
    n = max(1, round(radius_mm / 2 / pixel_mm))
    inner = lung[k, max(0, j - n) : j + n + 1, max(0, i - n) : i + n + 1]
    return bool(inner.mean() > 0.7) if inner.size else False


def _air_near(
    hu: Float[ndarray, "k j i"],
    spacing_mm: tuple[float, float, float],
    place: tuple[int, int, int],
    radius_mm: float,
) -> Bool[ndarray, "k j i"]:
    """Take the connected air with most voxels nearby; air outside the body is another."""
    parts, count = ndimage.label(hu < AIR_HU)
    reach = [int(np.ceil((radius_mm + 6) / mm)) for mm in spacing_mm]
    near = parts[
        tuple(slice(max(0, p - n), p + n + 1) for p, n in zip(place, reach, strict=True))
    ]
    sizes = np.bincount(near.ravel(), minlength=count + 1)
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax()) if sizes.any() else np.zeros(hu.shape, bool)
