"""Where the right lung ends and the left begins, also where both touch."""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, Int, Int16, UInt8
from numpy import ndarray
from scipy import ndimage

RIGHT: Final = 1
LEFT: Final = 2
_TISSUE_COST: Final = 0.02
_CENTRAL_COST: Final = (
    0.12  # at the edge of the zone: lungs have tissue on their outer side too
)
_ZONE: Final = 0.3  # of the body's width: how far from its middle the seam may lie
_SLOPE: Final = 2  # columns it may move from one row to the next
_ONE_SIDED: Final = 0.8  # of a part: it then belongs to one side as a whole


def split_sides(
    lungs: Bool[ndarray, "k j i"],
    array: Int16[ndarray, "k j i"],
    middle: Int[ndarray, " k"],
    width: int,
) -> UInt8[ndarray, "k j i"]:
    """Label the right lung 1 and the left lung 2.

    In each slice the seam is the path from the front to the back that crosses least lung, and
    of lung the least dark: the membranes between both lungs (dynamic programming, as Brown
    1997 found the anterior junction line). Connected parts that lie on one side of it but for
    a little keep that side as a whole.

    Parameters
    ----------
    lungs, array
        Mask and HU, k j i toward superior, posterior and left.
    middle, width
        The body's middle column in each slice, and its usual width, in pixels.
    """
    zone = max(3, round(_ZONE * width))
    columns = np.clip(middle[:, None] + np.arange(-zone, zone + 1), 0, array.shape[2] - 1)
    rows = np.arange(array.shape[1])
    picked = np.arange(len(array))[:, None, None], rows[None, :, None], columns[:, None, :]
    seam = columns[np.arange(len(array))[:, None], _seam(lungs[picked], array[picked])]
    is_left = np.arange(array.shape[2]) > seam[..., None]
    labels = np.where(lungs, np.where(is_left, LEFT, RIGHT), 0).astype(np.uint8)
    return _whole_parts(labels)


def _seam(lungs: Bool[ndarray, "k j n"], array: Int16[ndarray, "k j n"]) -> Int[ndarray, "k j"]:
    """Index of the cheapest column of each row, slice by slice."""
    dark = np.clip(-200 - array.astype(np.float32), 100, 800) / 800
    cost = np.where(lungs, dark, np.float32(_TISSUE_COST))
    cost = ndimage.uniform_filter1d(cost, 3, axis=0, mode="nearest")
    count = cost.shape[2]
    off_center = (np.arange(count) - count // 2) / max(count // 2, 1)
    cost = cost + (_CENTRAL_COST * off_center**2).astype(np.float32)
    total = cost.copy()
    came = np.zeros(cost.shape, np.int8)
    for j in range(1, cost.shape[1]):
        best, moved = _cheapest(total[:, j - 1])
        total[:, j] += best
        came[:, j] = moved
    seam = np.empty(cost.shape[:2], np.int64)
    seam[:, -1] = total[:, -1].argmin(axis=1)
    every = np.arange(len(cost))
    for j in range(cost.shape[1] - 1, 0, -1):
        seam[:, j - 1] = seam[:, j] + came[every, j, seam[:, j]]
    return seam


def _cheapest(
    before: Float32[ndarray, "k n"],
) -> tuple[Float32[ndarray, "k n"], Int[ndarray, "k n"]]:
    """Least cost within reach in the row before, and the step to it."""
    steps = range(-_SLOPE, _SLOPE + 1)
    wide = np.pad(before, ((0, 0), (_SLOPE, _SLOPE)), constant_values=np.float32(1e9))
    count = before.shape[1]
    reached = np.stack(
        [wide[:, _SLOPE + n : _SLOPE + n + count] + 1e-4 * abs(n) for n in steps]
    )
    chosen = reached.argmin(axis=0)
    return reached.min(axis=0), chosen - _SLOPE


def _whole_parts(labels: UInt8[ndarray, "k j i"]) -> UInt8[ndarray, "k j i"]:
    """Give each connected part that is nearly all on one side to that side.

    Parts of the lungs that the seam cut into both sides stay cut, but for islands: what is not
    connected to the largest part of its side goes to the other where it touches that.
    """
    parts, count = ndimage.label(labels > 0)
    inside = labels > 0
    owner, sides = parts[inside], labels[inside]
    total = np.bincount(owner, minlength=count + 1)
    share = np.bincount(owner, sides == LEFT, minlength=count + 1) / np.maximum(total, 1)
    decided = np.where(share > _ONE_SIDED, LEFT, np.where(share < 1 - _ONE_SIDED, RIGHT, 0))
    named = decided.astype(np.uint8)[parts]
    merged = np.where(named > 0, named, labels)
    merged[~inside] = 0
    for side in (RIGHT, LEFT) if (decided[1:] == 0).any() else ():
        pieces, number = ndimage.label(merged == side)
        if number < 2:
            continue
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        largest = int(sizes.argmax())
        loose = (pieces > 0) & (pieces != largest) & (named == 0)
        merged[loose] = RIGHT + LEFT - side
    return merged
