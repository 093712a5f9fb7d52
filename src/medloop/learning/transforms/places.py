"""Points and boxes under a `Warp`."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from medloop.learning.transforms.warp import Warp, coordinates, to_output

_ROUNDING = 1e-3  # voxels; single precision stays below


def move_points(warp: Warp, points: Float[ndarray, "n d"]) -> Float[ndarray, "n d"]:
    """Move points, as indices of the source, to indices of the output, in or outside of it."""
    return to_output(warp, points)


def move_boxes(warp: Warp, boxes: Float[ndarray, "n 2 d"]) -> Float[ndarray, "n 2 d"]:
    """Enclose what each box holds of the output, by whole voxels.

    A box is its lower and upper edges as indices: a mask of the voxels 3 to 7 has the box
    2.5 to 7.5. A moved box encloses every voxel of the output whose place in the source lies
    in the box, so all that nearest labels show of its mask. It ends with the output; a box
    that is not in view at all is NaN.
    """
    boxes = np.asarray(boxes, float)
    out = np.full(boxes.shape, np.nan)
    if not len(boxes):
        return out
    at = coordinates(warp, tuple(slice(0, side) for side in warp.shape))
    middles = np.rint(to_output(warp, boxes.mean(axis=1)))
    for n, (low, high) in enumerate(boxes):
        held = np.ones(warp.shape, bool)
        for axis, places in enumerate(at):
            held &= places >= np.float32(low[axis] - _ROUNDING)
            held &= places <= np.float32(high[axis] + _ROUNDING)
        ends = [_ends(held, axis) for axis in range(len(warp.shape))]
        if all(len(found) for found in ends):
            out[n] = np.stack([[f[0] - 0.5 for f in ends], [f[-1] + 0.5 for f in ends]])
        elif (middles[n] >= 0).all() and (middles[n] < warp.shape).all():
            out[n] = middles[n] - 0.5, middles[n] + 0.5  # smaller than a voxel
    return out


def _ends(held: ndarray, axis: int) -> ndarray:
    """List the indices along an axis at which anything is held."""
    others = tuple(other for other in range(held.ndim) if other != axis)
    return np.flatnonzero(held.any(axis=others))
