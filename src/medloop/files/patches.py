"""Boxes of an image in one small file: what a network went by, how sure it was.

A zip of NumPy arrays (``.npz``), three for each box by its number: ``N`` (uint8), ``N_low``
(first voxel) and ``N_shape`` (voxels of the whole). Same boxes, same bytes.
"""

import zipfile
from collections.abc import Collection, Mapping
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray

from medloop.core.errors import FOREIGN_ERRORS, InputError, ServiceError
from medloop.core.image import Patch

_LEVEL: Final = 6  # of compression
_MOST_BYTES: Final = 1 << 30  # of one array
_LEADS: Final = 4096  # bytes of an array's header, and to spare


def write_patches(patches: Mapping[int, Patch], path: Path) -> None:
    """Write boxes by their numbers, in that order.

    Raises
    ------
    ServiceError
        If the disk is in the way.
    """
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as file:
            for number, patch in sorted(patches.items()):
                _add(file, f"{number}", patch.array)
                _add(file, f"{number}_low", np.array(patch.low, np.int32))
                _add(file, f"{number}_shape", np.array(patch.shape, np.int32))
    except OSError as error:
        raise ServiceError(f"boxes cannot be written: {error.strerror}") from error


def read_patches(path: Path, only: Collection[int] | None = None) -> Mapping[int, Patch]:
    """Read boxes by their numbers, all or `only` some.

    Raises
    ------
    InputError
        If the file is damaged.
    ServiceError
        If it cannot be read now.
    """
    try:
        with zipfile.ZipFile(path) as file:
            numbers = sorted(int(name[:-4]) for name in file.namelist() if "_" not in name)
            chosen = [n for n in numbers if only is None or n in only]
            return {number: _patch(file, number) for number in chosen}
    except OSError as error:
        raise ServiceError(f"boxes cannot be read: {error.strerror}") from error
    except (*FOREIGN_ERRORS, zipfile.BadZipFile, InputError) as error:
        raise InputError(f"{path.name} is damaged") from error


def _add(file: zipfile.ZipFile, name: str, array: Shaped[ndarray, "*size"]) -> None:
    held = BytesIO()
    np.lib.format.write_array(held, np.ascontiguousarray(array), allow_pickle=False)
    member = zipfile.ZipInfo(f"{name}.npy")  # of 1980: no time is written
    member.external_attr = 0o600 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    file.writestr(member, held.getvalue(), compresslevel=_LEVEL)


def _patch(file: zipfile.ZipFile, number: int) -> Patch:
    array = _array(file, f"{number}", _MOST_BYTES)
    low, shape = (
        tuple(int(n) for n in _array(file, f"{number}_{name}", _LEADS))
        for name in ("low", "shape")
    )
    if array.dtype != np.uint8:
        raise InputError(f"box {number} holds {array.dtype}")
    return Patch(array, low, shape)


def _array(file: zipfile.ZipFile, name: str, most: int) -> Shaped[ndarray, "*size"]:
    member = file.getinfo(f"{name}.npy")
    if member.file_size > most + _LEADS:
        raise InputError(f"{name} takes {member.file_size} bytes, the limit is {most}")
    array = np.lib.format.read_array(BytesIO(file.read(member)), allow_pickle=False)
    return np.asarray(array)
