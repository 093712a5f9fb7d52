"""The trunk in a CT: what lies within its outline, and where its middle is."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray
from scipy import ndimage

from medloop.imaging.coarse import Coarse

_TISSUE_HU: Final = -300
_FINER: Final = 2  # coarse pixels to one here


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """`inside` the convex outline of each slice; `middle` column by slice; `width` in pixels.

    The middle is that of the outline, or the scanner's (x = 0) where the field of view shows
    one side of the body alone.

    `width` is 0 where there is no body.
    """

    inside: Bool[ndarray, "k j i"]
    middle: Int[ndarray, " k"]
    width: int


def find_body(coarse: Coarse) -> Body:
    """Outline the largest piece of tissue slice by slice, table and loose clothes left out."""
    soft = (coarse.array > _TISSUE_HU) & ~coarse.padding
    thin = soft[:, ::_FINER, ::_FINER]
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    opened = np.stack([cv2.erode(s.astype(np.uint8), cross, borderValue=1) for s in thin])
    labels, count = ndimage.label(opened)
    inside = np.zeros(soft.shape, bool)
    if not count:
        return Body(inside, np.full(len(soft), soft.shape[2] // 2), 0)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    trunk = labels == sizes.argmax()
    for k in np.flatnonzero(trunk.any(axis=(1, 2))):
        inside[k] = _outline(trunk[k], soft.shape[1:])
    columns: Bool[ndarray, "k i"] = np.any(inside, axis=1)
    widths = columns.sum(axis=1)
    usual = int(np.median(widths[widths > 0]))
    middle = _middle(columns)
    if _is_one_sided(inside, coarse.padding):
        isocenter = round(float(coarse.grid.to_index(np.zeros((1, 3)))[0, 2]))
        middle = np.full(len(soft), min(max(isocenter, 0), soft.shape[2] - 1))
    return Body(inside, middle, usual)


def _is_one_sided(inside: Bool[ndarray, "k j i"], padding: Bool[ndarray, "k j i"]) -> bool:
    """Whether the field of view cuts the body on one side alone: its middle is not seen."""
    half = inside.shape[2] // 2
    beside = np.zeros_like(padding)
    beside[:, :, 1:] |= padding[:, :, :-1]
    beside[:, :, :-1] |= padding[:, :, 1:]
    beside[:, :, [0, -1]] = True
    met = (beside & inside).any(axis=1)
    seen = max(1, int(inside.any(axis=(1, 2)).sum()))
    shares = [float(part.any(axis=1).sum()) / seen for part in (met[:, :half], met[:, half:])]
    return max(shares) > 0.9 and min(shares) < 0.6


def _outline(trunk: Bool[ndarray, "y x"], shape: tuple[int, ...]) -> Bool[ndarray, "j i"]:
    """Convex outline, one pixel wider for what erosion took, at the finer size."""
    points = np.argwhere(trunk)[:, ::-1].astype(np.int32)
    hull = cv2.convexHull(points)
    filled = cv2.fillConvexPoly(np.zeros(trunk.shape, np.uint8), hull, 1)
    wider = cv2.dilate(filled, np.ones((3, 3), np.uint8))
    fine = np.repeat(np.repeat(wider, _FINER, axis=0), _FINER, axis=1)
    return fine[: shape[0], : shape[1]] > 0


def _middle(columns: Bool[ndarray, "k i"]) -> Int[ndarray, " k"]:
    """Middle column of the outline, the same for neighbors unless arms come and go."""
    count = columns.shape[1]
    first, last = columns.argmax(axis=1), count - 1 - columns[:, ::-1].argmax(axis=1)
    seen = columns.any(axis=1)
    usual = float(np.median((first + last)[seen])) / 2
    own = np.where(seen, (first + last) / 2, usual)
    return np.rint(np.clip(own, usual - 0.05 * count, usual + 0.05 * count)).astype(np.int64)
