"""Masks as they travel between page and server: the bits of a box of voxels.

A box is ((x, y, z), (x, y, z)), lowest voxel and the one after the highest, on the viewing grid
(`imaging.viewing`); its bits run x fastest, eight a byte, the first in the highest bit.
"""

import base64
import binascii
from typing import Final

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from medloop.core.errors import InputError

Place = tuple[int, int, int]
Box = tuple[Place, Place]

MOST_VOXELS: Final = 1 << 24  # of one box


def require_box(box: Box, shape: tuple[int, int, int] | None = None) -> Place:
    """Return how many voxels a box has along z, y and x.

    Raises
    ------
    InputError
        If it is empty, too large, or does not lie in an array of `shape` (z, y, x).
    """
    low, high = box
    size = tuple(b - a for a, b in zip(low, high, strict=True))
    if min(size) < 1:
        raise InputError(f"box {low} to {high} is empty")
    is_inside = shape is None or all(b <= n for b, n in zip(high, shape[::-1], strict=True))
    if min(low) < 0 or not is_inside:
        raise InputError(f"box {low} to {high} does not lie in the image")
    voxels = size[0] * size[1] * size[2]
    if voxels > MOST_VOXELS:
        raise InputError(f"box has {voxels} voxels, the limit is {MOST_VOXELS}")
    return size[2], size[1], size[0]


def slices_of(box: Box) -> tuple[slice, slice, slice]:
    """Return what cuts a box out of an array (z, y, x)."""
    (x, y, z), (x_end, y_end, z_end) = box
    return slice(z, z_end), slice(y, y_end), slice(x, x_end)


def pack(mask: Bool[ndarray, "z y x"]) -> str:
    """Write the bits of a mask as base64."""
    return base64.b64encode(np.packbits(mask).tobytes()).decode("ascii")


def unpack(text: str, shape: tuple[int, int, int]) -> Bool[ndarray, "z y x"]:
    """Read the bits of a mask.

    Raises
    ------
    InputError
        If they are no base64, or of another number.
    """
    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except (binascii.Error, ValueError) as error:
        raise InputError("mask is no base64") from error
    voxels = shape[0] * shape[1] * shape[2]
    if len(packed) != -(-voxels // 8):
        raise InputError(f"mask has {len(packed)} bytes for {voxels} voxels")
    return np.unpackbits(packed, count=voxels).view(np.bool_).reshape(shape)
