"""The trachea and main bronchi: dark tubes down the middle of the upper chest."""

from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Int, Int16
from numpy import ndarray
from scipy import ndimage

_LUMEN_HU: Final = (-700, -820, -900)  # of a blurred tube; darker where lung lies beside it
_THRESHOLDS_HU: Final = (-860, -890, -920, -940, -955, -970)
_LUNG_HU: Final = -500
_DARKER_HU: Final = 40  # than lung usually is
_DARKEST_HU: Final = -950.0
_WALL_HU: Final = -600  # mean of the ring around a tube, 2 pixels wide
_LARGEST: Final = 0.016  # of the body's cross-section: a trachea in one slice
_SMALLEST: Final = 0.0003
_OFF_CENTER: Final = 0.17  # of the body's width
_LEAK: Final = 2.2  # times the tube it started from: beyond it, the lung was entered
_REACH_MM: Final = 45.0
_LEAST_LENGTH: Final = 3  # slices
_GAP_MM: Final = 16.0


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
    tube = _tube(_spots(array, inside, middle, width), steps_mm)
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
    reach = round(2 * _OFF_CENTER * width)
    usual = float(np.median(inside.sum(axis=(1, 2))))
    areas = max(2.0, _SMALLEST * usual), _LARGEST * usual
    lung = array[inside & (array < _LUNG_HU)]
    darkest = max(float(np.median(lung)) - _DARKER_HU, _DARKEST_HU) if lung.size else 0.0
    for k in np.flatnonzero(inside.any(axis=(1, 2))):
        low, high = max(0, int(middle[k]) - reach), int(middle[k]) + reach
        part, within = array[k, :, low:high], inside[k, :, low:high]
        for threshold in _LUMEN_HU:
            dark = ((part < threshold) & within).astype(np.uint8)
            _, labels, stats, centers = cv2.connectedComponentsWithStats(dark, connectivity=4)
            fits = _is_round(stats, areas)
            fits &= np.abs(centers[:, 0] + low - middle[k]) <= _OFF_CENTER * width
            fits[0] = False
            for n in np.flatnonzero(fits):
                spots[k, :, low:high] |= _lumen(labels == n, part, darkest)
    return spots


def _lumen(
    spot: Bool[ndarray, "j i"], array: Int16[ndarray, "j i"], darkest: float
) -> Bool[ndarray, "j i"]:
    """Return the spot if it is darker than lung, with tissue around it; else nothing."""
    around = cv2.dilate(spot.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    is_tube = array[spot].min() < darkest and array[around & ~spot].mean() > _WALL_HU
    return spot if is_tube else np.zeros_like(spot)


def _is_round(stats: Int[ndarray, "n 5"], areas: tuple[float, float]) -> Bool[ndarray, " n"]:
    """Whether each part is of the size and shape of a tube cut across."""
    area, wide, high = (stats[:, n] for n in (cv2.CC_STAT_AREA, 2, 3))
    fits = (area >= areas[0]) & (area <= areas[1]) & (area >= 0.5 * wide * high)
    return fits & (np.maximum(wide, high) <= 2.5 * np.minimum(wide, high))


def _tube(
    spots: Bool[ndarray, "k j i"], steps_mm: tuple[float, float]
) -> Bool[ndarray, "k j i"]:
    """Keep the connected spots that run through most slices, and those that carry them on."""
    labels, count = ndimage.label(spots)
    if not count:
        return spots
    sizes = np.bincount(labels[spots])
    boxes = ndimage.find_objects(labels)
    lengths = [box[0].stop - box[0].start for box in boxes]
    order = sorted(range(count), key=lambda n: (-lengths[n], -sizes[n + 1]))
    least = min(_LEAST_LENGTH, len(spots))
    long_ones = [n for n in order if lengths[n] >= least]
    if not long_ones:
        return np.zeros(spots.shape, bool)
    kept = long_ones[:1]
    for _ in range(3):
        kept += [
            n
            for n in long_ones
            if n not in kept and any(_goes_on(boxes[m], boxes[n], steps_mm) for m in kept)
        ]
    chosen = np.zeros(count + 1, bool)
    chosen[np.array(kept) + 1] = True
    return chosen[labels]


def _goes_on(
    one: tuple[slice, ...], other: tuple[slice, ...], steps_mm: tuple[float, float]
) -> bool:
    """Whether two boxes lie one above the other, with a gap that a tube may bridge."""
    step = (*steps_mm[:1], steps_mm[1], steps_mm[1])
    gaps = [
        (max(a.start, b.start) - min(a.stop, b.stop)) * mm
        for a, b, mm in zip(one, other, step, strict=True)
    ]
    return -steps_mm[0] * 2 <= gaps[0] <= _GAP_MM and max(gaps[1:]) <= _GAP_MM / 2


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
