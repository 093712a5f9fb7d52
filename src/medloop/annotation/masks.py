"""Label maps on their way to pages and back: as NIfTI on the viewing grid, or as PNG.

The voxels are the volume's own, only turned (`imaging.viewing`), so that a mask which was
drawn is kept voxel by voxel. What comes in must lie on the same grid and have known labels.
"""

import gzip
import zlib
from collections.abc import Collection
from typing import Final

import cv2
import numpy as np
from jaxtyping import Integer, UInt8, UInt16
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.core.geometry import Grid, apart
from medloop.files.nifti import decode_nifti, encode_nifti
from medloop.imaging.viewing import from_viewing, to_viewing, viewing_grid

Labels = UInt8[ndarray, "*shape"] | UInt16[ndarray, "*shape"]

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_LEVEL: Final = 1  # masks are mostly empty: more takes long and saves little
_ROOM: Final = 64 << 20  # a mask of another shape is unpacked up to here, to say so
_MOST: Final = 65535


def encode(labels: Integer[ndarray, "k j i"], grid: Grid) -> bytes:
    """Return a label map as gzipped NIfTI on the viewing grid, uint8 where that suffices.

    The same labels on the same grid give the same bytes.
    """
    seen = to_viewing(_small(labels), grid)
    return gzip.compress(encode_nifti(seen, viewing_grid(grid)), _LEVEL, mtime=0)


def decode(data: bytes, grid: Grid, known: Collection[int]) -> Integer[ndarray, "k j i"]:
    """Read a label map that was sent, NIfTI gzipped or not, onto the volume's own voxels.

    It may lie on the viewing grid or on the volume's own, its axes in the same order.

    Raises
    ------
    InputError
        If it cannot be read, has another shape or place, values that are no labels, or a
        label that is not among the `known`.
    """
    most = max(int(np.prod(grid.shape)) * 8, _ROOM)
    try:
        volume, _ = decode_nifti(data, max_bytes=most)
    except zlib.error as error:
        raise InputError("the mask is not gzipped whole") from error
    seen = viewing_grid(grid)
    labels = _whole(volume.array)
    differs = apart(seen, volume.grid, seen.shape, volume.grid.shape)
    if differs and not apart(grid, volume.grid, grid.shape, volume.grid.shape):
        return _known(np.ascontiguousarray(labels), known)
    if differs:
        raise InputError(f"the mask's {differs} of the volume: draw on volume.nii")
    return _known(np.ascontiguousarray(from_viewing(labels, grid)), known)


def encode_flat(labels: Integer[ndarray, "y x"]) -> bytes:
    """Return the label map of a picture as PNG, 8 or 16 bits gray."""
    done, data = cv2.imencode(".png", _small(labels), [cv2.IMWRITE_PNG_COMPRESSION, 3])
    assert done, "PNG holds any gray image"  # noqa: S101
    return data.tobytes()


def decode_flat(
    data: bytes, size: tuple[int, int], known: Collection[int]
) -> Integer[ndarray, "y x"]:
    """Read the label map of a picture of this size (height, width) from PNG.

    A page's canvas has colors: gray ones of it count, each value being a label.

    Raises
    ------
    InputError
        As `decode` does.
    """
    if not data.startswith(_PNG) or len(data) < 33:
        raise InputError("the mask of a picture is sent as PNG")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    if (height, width) != size:
        raise InputError(
            f"the mask is {width} x {height} pixels, the picture {size[1]} x {size[0]}"
        )
    try:
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise InputError("the mask's PNG is damaged") from error
    if array is None or array.shape[:2] != size:
        raise InputError("the mask's PNG is damaged")
    if array.ndim == 3:
        if (array[..., :3] != array[..., :1]).any():
            raise InputError("the mask has colors; labels are gray values")
        array = array[..., 0]
    return _known(np.ascontiguousarray(array), known)


def present(labels: Integer[ndarray, "*shape"]) -> frozenset[int]:
    """Name the labels that are there, background left out."""
    is_there = np.zeros(_MOST + 1, bool)
    for plane in labels.reshape(len(labels), -1):
        if plane.any():  # most slices of most masks are empty
            is_there[np.flatnonzero(np.bincount(plane))] = True
    return frozenset(int(n) for n in np.flatnonzero(is_there[1:]) + 1)


def _known(labels: Integer[ndarray, "*shape"], known: Collection[int]) -> Labels:
    strange = sorted(present(labels) - set(known))
    if strange:
        are = ", ".join(map(str, sorted(known))) or "none"
        raise InputError(
            f"the mask holds label {strange[0]}; there are {are}: "
            f"add a finding with that segment first"
        )
    return _small(labels)


def _whole(array: ndarray) -> Integer[ndarray, "*shape"]:
    """Read numbers as labels: whole, from 0 to 65535."""
    if not array.size:
        raise InputError("the mask is empty")
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > _MOST:
        raise InputError(f"the mask holds {low:g} to {high:g}; labels are 0 to {_MOST}")
    if array.dtype.kind == "f":
        whole = np.rint(array)
        if (whole != array).any():
            raise InputError("the mask holds values between whole numbers; labels are whole")
        array = whole
    return array if array.dtype in (np.uint8, np.uint16) else array.astype(np.uint16)


def _small(labels: Integer[ndarray, "*shape"]) -> Labels:
    """Keep labels in as few bytes as hold them."""
    if labels.dtype == np.uint8:
        return labels
    kind = np.uint8 if not labels.size or int(labels.max()) < 256 else np.uint16
    return labels.astype(kind)
