"""NIfTI-1 that browsers read without unpacking: int16, written and read slice by slice."""

from pathlib import Path
from typing import Final

import nibabel as nib
import numpy as np
from jaxtyping import Int16, Shaped
from numpy import ndarray

from medloop.core.errors import ServiceError
from medloop.core.geometry import Grid

HEAD_BYTES: Final = 352  # header, and the four bytes that say no more follows it

_RAS_TO_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
_INT16: Final = np.iinfo(np.int16)
_SLAB: Final = 8  # slices turned and written at once


def write_plain(array: Shaped[ndarray, "z y x"], grid: Grid, path: Path) -> tuple[float, float]:
    """Write an array on its grid, its last axis fastest; returns slope and intercept.

    Whole numbers that fit are kept as they are (1, 0); others are spread over all of int16,
    and value = slope * stored + intercept.

    Raises
    ------
    ServiceError
        If the disk is in the way.
    """
    slope, intercept = _scale(array)
    try:
        with path.open("wb") as file:
            file.write(_head(grid, slope, intercept))
            for first in range(0, len(array), _SLAB):
                slab = array[first : first + _SLAB]
                _stored(slab, slope, intercept).tofile(file)
    except OSError as error:
        raise ServiceError(f"image cannot be written: {error.strerror}") from error
    return slope, intercept


def open_plain(path: Path, shape: tuple[int, int, int]) -> Int16[ndarray, "z y x"]:
    """Map the voxels of such a file into memory; only what is looked at is read.

    Raises
    ------
    ServiceError
        If the file is gone, or shorter than the shape says.
    """
    try:
        return np.memmap(path, "<i2", "r", HEAD_BYTES, shape)
    except (OSError, ValueError) as error:
        raise ServiceError("prepared image cannot be read") from error


def _scale(array: Shaped[ndarray, "z y x"]) -> tuple[float, float]:
    low, high = float(array.min()), float(array.max())
    is_whole = array.dtype.kind in "iub"
    if is_whole and _INT16.min <= low and high <= _INT16.max:
        return 1.0, 0.0
    slope = max((high - low) / (int(_INT16.max) - int(_INT16.min)), 1e-30)
    return slope, low - slope * int(_INT16.min)


def _stored(
    slab: Shaped[ndarray, "z y x"], slope: float, intercept: float
) -> Int16[ndarray, "z y x"]:
    if (slope, intercept) == (1.0, 0.0):
        return np.ascontiguousarray(slab, "<i2")
    steps = np.rint((slab.astype(np.float64) - intercept) / slope)
    return np.clip(steps, _INT16.min, _INT16.max).astype("<i2")


def _head(grid: Grid, slope: float, intercept: float) -> bytes:
    affine = _RAS_TO_LPS @ grid.affine[:, [2, 1, 0, 3]]
    header = nib.Nifti1Header(endianness="<")
    header.set_data_dtype(np.int16)
    header.set_data_shape(grid.shape[::-1])
    header.set_xyzt_units("mm")
    header.set_sform(affine, code=1)
    header.set_qform(affine, code=1, strip_shears=True)
    header["magic"], header["vox_offset"] = b"n+1", HEAD_BYTES
    header["scl_slope"], header["scl_inter"] = slope, intercept
    return bytes(header.binaryblock) + bytes(4)
