"""From slices that lie unevenly or askew to a regular grid, and from one size to another."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Shaped
from numpy import ndarray
from scipy import ndimage

_SHARP = -0.75  # Keys's a, as OpenCV and PyTorch have it


def regularize(
    array: Shaped[ndarray, "k j i"],
    origins_mm: Float[ndarray, "k 3"],
    steps_mm: Float[ndarray, "2 3"],
) -> tuple[Shaped[ndarray, "m y x"], Float[ndarray, "4 4"]]:
    """Interpolate parallel slices linearly onto an upright grid that holds all of them.

    Parameters
    ----------
    array
        Slices, in order along their common normal or against it.
    origins_mm
        LPS position of voxel [0, 0] of each slice.
    steps_mm
        LPS steps from row to row (j) and from column to column (i), perpendicular.

    Returns
    -------
    array, affine
        In the dtype that came in, at the median slice distance; the affine maps (k, j, i, 1)
        to LPS mm. What no slice covers holds the minimum.

    Raises
    ------
    ValueError
        If there are fewer than two slices, or two of them coincide.
    """
    row, column = steps_mm
    normal = np.cross(column, row)
    normal /= np.linalg.norm(normal) * np.sign((origins_mm[-1] - origins_mm[0]) @ normal or 1)
    depth = (origins_mm - origins_mm[0]) @ normal
    if len(depth) < 2 or np.diff(depth).min() <= 0:
        raise ValueError("two or more slices must lie in order along their normal")
    offsets = np.stack(
        [(origins_mm - origins_mm[0]) @ step / (step @ step) for step in (row, column)], axis=1
    )
    low = np.floor(offsets.min(axis=0) + 1e-3)
    extent = np.ceil(offsets.max(axis=0) - 1e-3) - low
    shape = (array.shape[1] + int(extent[0]), array.shape[2] + int(extent[1]))
    gap = float(np.median(np.diff(depth)))
    count = round(float(depth[-1]) / gap) + 1
    gap = float(depth[-1]) / (count - 1)

    fill = array.min()
    out = np.empty((count, *shape), array.dtype)
    for k in range(count):
        at = k * gap
        above = min(max(int(np.searchsorted(depth, at, side="left")), 1), len(depth) - 1)
        weight = np.clip((at - depth[above - 1]) / (depth[above] - depth[above - 1]), 0, 1)
        mixed = np.zeros(shape, np.float32)
        for n, share in ((above - 1, 1 - weight), (above, weight)):
            if share > 0:
                mixed += share * _place(array[n], offsets[n] - low, shape, fill=float(fill))
        out[k] = np.rint(mixed) if array.dtype.kind in "iu" else mixed
    affine = np.eye(4)
    affine[:3, :3] = np.stack([normal * gap, row, column], axis=1)
    affine[:3, 3] = origins_mm[0] + low[0] * row + low[1] * column
    return out, affine


def resize(
    array: Shaped[ndarray, "*s"],
    size: tuple[int, ...],
    *,
    rows: tuple[int, int] | None = None,
    cubic: bool = False,
) -> Float32[ndarray, "*t"]:
    """Interpolate linearly onto `size` voxels that fill the same space.

    Where an axis loses voxels, each new one is the mean over its width, so that thin structures
    do not vanish between samples; where it gains some, `cubic` keeps edges sharper by cubic
    convolution (Keys 1981, a = -0.75). `rows` asks for a part of the first axis, (first, past
    the last), alone.
    """
    out = np.asarray(array, np.float32)
    for axis in reversed(range(array.ndim)):
        wanted = rows if axis == 0 and rows is not None else (0, size[axis])
        if array.shape[axis] != size[axis]:
            out = _along(out, axis, size[axis], wanted, cubic=cubic)
        elif wanted != (0, size[axis]):
            out = out[wanted[0] : wanted[1]]
    return np.clip(out, array.min(), array.max()) if cubic else out


def resize_part(
    array: Shaped[ndarray, "*s"],
    size: tuple[int, ...],
    box: Sequence[tuple[int, int]],
    *,
    cubic: bool = False,
) -> Float32[ndarray, "*t"]:
    """Return a box of what `resize` would, (first, past the last) along each axis, alone.

    Memory and time are those of the box.
    """
    out = np.asarray(array, np.float32)
    for axis in reversed(range(array.ndim)):
        if array.shape[axis] != size[axis]:
            out = _along(out, axis, size[axis], box[axis], cubic=cubic)
        else:
            out = out[(slice(None),) * axis + (slice(*box[axis]),)]
    return np.clip(out, array.min(), array.max()) if cubic else out


def read_of(have: int, size: int, wanted: tuple[int, int]) -> tuple[int, int]:
    """Voxels of an axis of `have` that `wanted` of `size` come from; (first, past the last)."""
    if have == size:
        return wanted
    weight, low = _weights(have, size, wanted, cubic=False)
    return low, low + weight.shape[1]


def written_from(have: int, size: int, read: tuple[int, int]) -> tuple[int, int]:
    """Voxels of an axis of `size` that any of `read` of `have` shapes; (first, past the last).

    At each end up to two more.
    """
    if have == size:
        return read
    step = have / size
    reach = max(step, 1.0)
    first = math.floor((read[0] + 0.5 - reach) / step - 0.5)
    last = math.ceil((read[1] - 0.5 + reach) / step - 0.5)
    return max(0, first), min(size, last + 1)


def resize_piece(
    piece: Shaped[ndarray, "*s"],
    first: Sequence[int],
    have: tuple[int, ...],
    size: tuple[int, ...],
    box: Sequence[tuple[int, int]],
) -> Float32[ndarray, "*t"]:
    """Return a box of what `resize` would of an array of `have` voxels, from a piece of it.

    The piece starts at `first`, and holds at least what `read_of` says of each axis.
    """
    out = np.asarray(piece, np.float32)
    for axis in reversed(range(piece.ndim)):
        if have[axis] != size[axis]:
            weight, low = _weights(have[axis], size[axis], box[axis], cubic=False)
            out = _weighed(out, axis, weight, low - first[axis])
        else:
            part = slice(box[axis][0] - first[axis], box[axis][1] - first[axis])
            out = out[(slice(None),) * axis + (part,)]
    return out


def _along(
    array: Float32[ndarray, "*s"],
    axis: int,
    size: int,
    wanted: tuple[int, int],
    *,
    cubic: bool,
) -> Float32[ndarray, "*t"]:
    """Interpolate, or average, along one axis: a small matrix times the array."""
    weight, low = _weights(array.shape[axis], size, wanted, cubic=cubic)
    return _weighed(array, axis, weight, low)


def _weights(
    have: int, size: int, wanted: tuple[int, int], *, cubic: bool
) -> tuple[Float32[ndarray, "n m"], int]:
    """Weight of old voxels, from a first one on that is told too, in each wanted one."""
    step = have / size
    center = (np.arange(*wanted) + 0.5) * step - 0.5
    reach = max(step, 1.0)  # half-width of the triangle that weighs old voxels
    old = np.arange(have)
    if cubic and step < 1:
        weight = _cubic(center, have)
    else:
        inner = np.clip(center, 0, have - 1)[:, None]
        weight = np.maximum(0.0, 1 - np.abs(inner - old) / reach)
    weight /= weight.sum(axis=1, keepdims=True)
    used = np.flatnonzero(weight.any(axis=0))
    low, high = int(used[0]), int(used[-1]) + 1
    return weight[:, low:high].astype(np.float32), low


def _weighed(
    array: Float32[ndarray, "*s"], axis: int, weight: Float32[ndarray, "n m"], low: int
) -> Float32[ndarray, "*t"]:
    part = np.take(array, range(low, low + weight.shape[1]), axis=axis)
    return np.moveaxis(np.tensordot(weight, part, axes=(1, axis)), 0, axis)


def _cubic(center: Float[ndarray, " n"], have: int) -> Float[ndarray, "n m"]:
    """Weigh the four voxels around each center; beyond the ends the last one goes on."""
    first = np.floor(center).astype(int) - 1
    weight = np.zeros((len(center), have))
    for n in range(4):
        away = np.abs(center - (first + n))
        near = (_SHARP + 2) * away**3 - (_SHARP + 3) * away**2 + 1
        far = _SHARP * (away**3 - 5 * away**2 + 8 * away - 4)
        share = np.where(away <= 1, near, np.where(away < 2, far, 0.0))
        np.add.at(weight, (np.arange(len(center)), np.clip(first + n, 0, have - 1)), share)
    return weight


def _place(
    image: Shaped[ndarray, "j i"],
    offset: Float[ndarray, "2"],
    shape: tuple[int, int],
    *,
    fill: float,
) -> Float[ndarray, "y x"]:
    """Put a slice into a larger frame at a fractional place."""
    wide = np.full(shape, fill, np.float32)
    whole = np.floor(offset + 1e-3).astype(int)
    rest = offset - whole
    if np.abs(rest).max() <= 1e-3:
        wide[whole[0] : whole[0] + image.shape[0], whole[1] : whole[1] + image.shape[1]] = image
        return wide
    wide[: image.shape[0], : image.shape[1]] = image
    return ndimage.shift(wide, offset, order=1, mode="constant", cval=fill)
