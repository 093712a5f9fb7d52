"""MetaImage (.mhd, .mha) and NRRD, through SimpleITK."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray

from medloop.core.errors import InputError, ServiceError
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.files.nifti import MAX_BYTES

SUFFIXES: Final = (".mhd", ".mha", ".nrrd")


def read_itk(path: Path) -> Volume:
    """Read a volume in LPS mm, which is ITK's own frame; voxels in the order stored.

    Raises
    ------
    InputError
        If it is damaged, not three-dimensional, of several channels, or too large.
    ServiceError
        If SimpleITK is not installed.
    """
    grid, load = _open(path)
    try:
        array = load()
    except RuntimeError as error:
        raise InputError(f"image cannot be read: {_one_line(error)}") from error
    array = array.astype(np.float32) if array.dtype.kind == "f" else array
    return Volume(array, grid, "1")


def read_itk_grid(path: Path) -> Grid:
    """Read only where the voxels lie; raises as `read_itk`."""
    return _open(path)[0]


def _open(path: Path) -> tuple[Grid, Callable[[], Shaped[ndarray, "k j i"]]]:
    """Read the header; return the grid, and what reads the voxels."""
    try:
        itk = import_module("SimpleITK")  # heavy, and only these formats need it
    except ModuleNotFoundError as error:
        raise ServiceError(f"{path.suffix} needs the package SimpleITK") from error
    itk.ProcessObject.SetGlobalWarningDisplay(False)  # noqa: FBT003 - its signature
    reader = itk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"image cannot be read: {_one_line(error)}") from error
    axes, channels = reader.GetDimension(), reader.GetNumberOfComponents()
    if (axes, channels) != (3, 1):
        raise InputError(
            f"image has {axes} axes and {channels} channels; three axes and one are read"
        )
    i, j, k = (int(n) for n in reader.GetSize())
    if 2.0 * i * j * k > MAX_BYTES:
        raise InputError(f"image holds {k} x {j} x {i} voxels; the limit is {MAX_BYTES // 2}")
    directions = np.array(reader.GetDirection(), dtype=float).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = (directions * np.array(reader.GetSpacing(), dtype=float))[:, ::-1]
    affine[:3, 3] = reader.GetOrigin()
    return Grid((k, j, i), affine), lambda: itk.GetArrayFromImage(reader.Execute())


def _one_line(error: BaseException) -> str:
    """Say that it failed without ITK's text, which holds paths and source lines."""
    told = [line for line in str(error).splitlines() if "ITK ERROR" in line]
    words = told[-1].rpartition(": ")[2] if told else ""
    return words[:160] if words and "/" not in words else "it is missing, damaged or unknown"
