"""The trachea and main bronchi: dark tubes down the middle of the upper chest."""

from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Int, Int16
from numpy import ndarray
from scipy import ndimage

_LUMEN_HU: Final = -700  # of a small tube, blurred
_THRESHOLDS_HU: Final = (-860, -890, -920, -940, -955, -970)
_LARGEST: Final = 0.016  # of the body's cross-section: a trachea in one slice
_SMALLEST: Final = 0.0003
_OFF_CENTER: Final = 0.17  # of the body's width
_LEAK: Final = 2.2  # times the tube it started from: beyond it, the lung was entered
_REACH_MM: Final = 45.0
_LEAST_LENGTH: Final = 3  # slices


def find_airways(
    array: Int16[ndarray, "k j i"],
    inside: Bool[ndarray, "k j i"],
    middle: Int[ndarray, " k"],
    width: int,
    steps_mm: tuple[float, float],
) -> Bool[ndarray, "k j i"]:
    """Find the lumen of the trachea and main bronchi; all False where no tube is seen.

    The longest chain of small round dark spots near the middle is the tube. It grows to all
    darker voxels connected with it, at the highest threshold at which it does not flow into
    the lungs (explosion control, Mori 2000).

    Parameters
    ----------
    array, inside
        HU, and what lies within the body; k j i toward superior, posterior and left.
    middle, width
        The body's middle column in each slice, and its usual width, in pixels.
    """
    tube = _tube(_spots(array, inside, middle, width))
    if not tube.any():
        return tube
    box = _around(tube, _REACH_MM / steps_mm[1])
    grown = tube.copy()
    grown[box] |= _grow(array[box], inside[box], tube[box])
    return grown


def _spots(
    array: Int16[ndarray, "k j i"],
    inside: Bool[ndarray, "k j i"],
    middle: Int[ndarray, " k"],
    width: int,
) -> Bool[ndarray, "k j i"]:
    """Dark spots of the size, shape and place of a trachea, slice by slice."""
    spots = np.zeros(array.shape, bool)
    usual = float(np.median(inside.sum(axis=(1, 2))))
    for k in range(len(array)):
        dark = ((array[k] < _LUMEN_HU) & inside[k]).astype(np.uint8)
        count, labels, stats, centers = cv2.connectedComponentsWithStats(dark, connectivity=4)
        area, wide, high = (stats[:, n] for n in (cv2.CC_STAT_AREA, 2, 3))
        fits = (area >= max(2, _SMALLEST * usual)) & (area <= _LARGEST * usual)
        fits &= np.maximum(wide, high) <= 2.5 * np.minimum(wide, high)
        fits &= area >= 0.5 * wide * high
        fits &= np.abs(centers[:, 0] - middle[k]) <= _OFF_CENTER * width
        fits[0] = False
        if count > 1 and fits.any():
            spots[k] = fits[labels]
    return spots


def _tube(spots: Bool[ndarray, "k j i"]) -> Bool[ndarray, "k j i"]:
    """Keep the connected spots that run through most slices; of equals the larger ones."""
    labels, count = ndimage.label(spots)
    if not count:
        return spots
    sizes = np.bincount(labels.ravel())
    lengths = [part[0].stop - part[0].start for part in ndimage.find_objects(labels)]
    best = max(range(count), key=lambda n: (lengths[n], sizes[n + 1]))
    if lengths[best] < min(_LEAST_LENGTH, len(spots)):
        return np.zeros(spots.shape, bool)
    return labels == best + 1


def _around(tube: Bool[ndarray, "k j i"], reach: float) -> tuple[slice, slice, slice]:
    box = ndimage.find_objects(tube.astype(np.uint8))[0]
    flat = [slice(max(0, int(s.start - reach)), int(s.stop + reach)) for s in box[1:]]
    return slice(0, len(tube)), flat[0], flat[1]


def _grow(
    array: Int16[ndarray, "k j i"], inside: Bool[ndarray, "k j i"], tube: Bool[ndarray, "k j i"]
) -> Bool[ndarray, "k j i"]:
    most = _LEAK * int(tube.sum())
    for threshold in _THRESHOLDS_HU:
        labels, _ = ndimage.label((array < threshold) & inside)
        hit = np.unique(labels[tube])
        grown = np.isin(labels, hit[hit > 0])
        if 0 < int(grown.sum()) <= most:
            return grown
    return np.zeros(tube.shape, bool)
