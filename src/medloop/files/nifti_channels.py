"""NIfTI of several channels, and grids without pixels; single volumes are `files.nifti`."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from medloop.core.errors import FOREIGN_ERRORS, GeometryError, InputError
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.files.nifti import MAX_BYTES

_RAS_TO_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
_MM: Final = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}


@dataclass(frozen=True, slots=True)
class NiftiHeader:
    """Where the voxels lie, and how many channels each holds."""

    grid: Grid
    channels: int


def read_nifti_header(path: Path) -> NiftiHeader:
    """Read the grid and the number of channels; no pixel is unpacked.

    Raises
    ------
    InputError
        If it is no NIfTI file, has five axes or more, or no geometry.
    """
    return _described(_open(path))


def read_nifti_channel(path: Path, channel: int) -> Volume:
    """Read one channel of a 4-D file, counted from 0; the only one of a 3-D file is 0.

    Values that are no numbers stay as they are.

    Raises
    ------
    InputError
        As `read_nifti_header`; if there is no such channel, or the file is damaged.
    """
    image = _open(path)
    header = _described(image)
    if not 0 <= channel < header.channels:
        raise InputError(f"NIfTI has {header.channels} channels; there is no channel {channel}")
    size = float(np.prod(header.grid.shape, dtype=float)) * image.get_data_dtype().itemsize
    if size > MAX_BYTES:
        raise InputError(
            f"NIfTI channel holds {size / 1e9:.1f} GB; the limit is {MAX_BYTES / 1e9:.1f} GB"
        )
    try:
        where = (..., channel) if len(image.shape) == 4 else (...,)
        array = np.asarray(image.dataobj[where])
    except FOREIGN_ERRORS as error:
        raise InputError(f"NIfTI cannot be read: {_one_line(error)}") from error
    if array.dtype.kind not in "iuf":
        raise InputError(f"NIfTI holds {array.dtype} values, not scalars")
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
    array = array.reshape(header.grid.shape[::-1]).transpose(2, 1, 0)
    return Volume(np.ascontiguousarray(array), header.grid, "1")


def _open(path: Path) -> nib.Nifti1Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = nib.load(path)
        except (*FOREIGN_ERRORS, ImageFileError, HeaderDataError) as error:
            raise InputError(f"NIfTI cannot be read: {_one_line(error)}") from error
    if not isinstance(image, nib.Nifti1Image):
        raise InputError(f"{type(image).__name__} is no NIfTI")
    return image


def _described(image: nib.Nifti1Image) -> NiftiHeader:
    shape = tuple(int(n) for n in image.shape)
    while len(shape) > 4 and shape[-1] == 1:
        shape = shape[:-1]
    if not 2 <= len(shape) <= 4 or min(shape) < 1:
        raise InputError(f"NIfTI has shape {list(shape)}; at most channels of volumes are read")
    if image.affine is None or not np.isfinite(image.affine).all():
        raise GeometryError("NIfTI affine holds values that are not finite")
    i, j, k = (*shape, 1)[:3]
    scale = _MM.get(image.header.get_xyzt_units()[0], 1.0)
    affine = _RAS_TO_LPS @ np.diag([scale, scale, scale, 1.0]) @ image.affine
    return NiftiHeader(Grid((k, j, i), affine[:, [2, 1, 0, 3]]), (*shape, 1, 1)[3])


def _one_line(error: BaseException) -> str:
    """Say what went wrong without the path: names of files may name people."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, ImageFileError):
        return "its header is damaged or truncated"
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
