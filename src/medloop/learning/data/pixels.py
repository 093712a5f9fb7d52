"""From a reference to pixels: the images and masks of a case, in the layouts that are read."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Integer, Shaped
from numpy import ndarray
from PIL import Image as Pillow
from PIL import ImageSequence

from medloop.core.errors import FOREIGN_ERRORS, GeometryError, InputError
from medloop.core.geometry import Grid, apart
from medloop.core.image import Picture, Volume
from medloop.core.study import Notice
from medloop.dicom.read import read_volume
from medloop.files.itk import SUFFIXES, read_itk
from medloop.files.nifti import read_nifti_with_notices
from medloop.files.nifti_channels import read_nifti_channel
from medloop.files.pictures import read_picture
from medloop.files.sniff import Kind as FileKind
from medloop.files.sniff import sniff
from medloop.imaging.resample import regularize
from medloop.learning.data.description import CaseSource, Channel


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """The channels of a case on one grid.

    `array` is (c, k, j, i), or (c, y, x) of a picture, whose `grid` is None. `missing` counts
    the values that were NaN or infinite and took the minimum.
    """

    array: Shaped[ndarray, "c ..."]
    grid: Grid | None
    missing: int = 0
    notices: tuple[Notice, ...] = ()


def read_image(case: CaseSource) -> Image:
    """Read all channels of a case.

    Raises
    ------
    InputError
        If a file is missing, damaged or holds no number, or (`GeometryError`) the channels lie
        on different grids; the message starts with the name of the file.
    """
    read = [_named(channel) for channel in case.channels]
    if not read:
        raise InputError(f"{case.name} has no image")
    for channel, image in zip(case.channels[1:], read[1:], strict=True):
        reason = apart(read[0].grid, image.grid, read[0].array.shape[1:], image.array.shape[1:])
        if reason:
            raise GeometryError(
                f"{channel.path.name}: {reason} of {case.channels[0].path.name}"
            )
    return Image(
        np.concatenate([image.array for image in read]),
        read[0].grid,
        sum(image.missing for image in read),
        tuple(notice for image in read for notice in image.notices),
    )


def read_grid_array(path: Path) -> tuple[Shaped[ndarray, "*space"], Grid | None]:
    """Read one file of values as stored: a volume, a stack of pages, or gray pixels.

    Indices of a palette come back as they are, which is how masks are stored in PNG.

    Raises
    ------
    InputError
        If it is missing, damaged, or a picture in color.
    """
    kind = sniff(path)
    if kind is FileKind.NIFTI:
        volume = read_nifti_channel(path, 0)
        return volume.array, volume.grid
    if kind.is_picture:
        return _whole_picture(path)
    if path.suffix.lower() in SUFFIXES:
        volume = read_itk(path)
        return volume.array, volume.grid
    raise InputError(f"{kind} is no image that is read")


def is_stack(path: Path) -> bool:
    """Whether a file is a volume: anything but a picture of one page."""
    if not sniff(path).is_picture:
        return True
    try:
        with Pillow.open(path) as image:
            return getattr(image, "n_frames", 1) > 1
    except FOREIGN_ERRORS:
        return False


def npz_array(path: Path, member: str) -> Shaped[ndarray, "n ..."]:
    """Return one array of an ``.npz``, unpacked once while it stays as it is.

    Raises
    ------
    InputError
        If the file is damaged, or has no such array.
    """
    try:
        return _unpacked(path, member, path.stat().st_mtime_ns)
    except KeyError as error:
        raise InputError(f"has no array {member}") from error
    except (*FOREIGN_ERRORS, BadZipFile) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"cannot be read: {reason}") from error


@lru_cache(maxsize=6)  # a row a call: unpacking the array for each would take days
def _unpacked(path: Path, member: str, _changed_ns: int) -> Shaped[ndarray, "n ..."]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        array: Shaped[ndarray, "n ..."] = archive[member]
    array.setflags(write=False)
    return array


def _named(channel: Channel) -> Image:
    try:
        return _channel(channel)
    except InputError as error:
        raise type(error)(f"{channel.path.name}: {error}") from error


def _channel(channel: Channel) -> Image:
    if channel.series is not None:
        volume, notices = read_volume(channel.series, regularize=regularize)
        return _of_volume(volume, notices)
    if channel.member:
        return _of_row(npz_array(channel.path, channel.member), channel.index or 0)
    if sniff(channel.path) is FileKind.NIFTI:
        if channel.index is None:
            return _of_volume(*read_nifti_with_notices(channel.path))
        return _of_volume(read_nifti_channel(channel.path, channel.index))
    if not is_stack(channel.path):
        return _of_picture(read_picture(channel.path))
    array, grid = read_grid_array(channel.path)
    return _finite(array[None], grid, ())


def _of_volume(volume: Volume, notices: tuple[Notice, ...] = ()) -> Image:
    return _finite(volume.array[None], volume.grid, notices)


def _of_picture(picture: Picture) -> Image:
    array = np.moveaxis(picture.array, -1, 0) if picture.is_color else picture.array[None]
    return Image(np.ascontiguousarray(array), None)


def _of_row(array: Shaped[ndarray, "n ..."], row: int) -> Image:
    """One image of a MedMNIST array: gray or color, or a volume with 1 mm voxels."""
    one = array[row]
    if one.ndim == 3 and one.shape[-1] == 3:
        return Image(np.ascontiguousarray(np.moveaxis(one, -1, 0)), None)
    grid = Grid(one.shape, np.eye(4)[:, [2, 1, 0, 3]]) if one.ndim == 3 else None
    return _finite(one[None], grid, ())


def _finite(
    array: Shaped[ndarray, "c ..."], grid: Grid | None, notices: tuple[Notice, ...]
) -> Image:
    told = sum(
        int(value)
        for notice in notices
        if notice.code == "nan-replaced"
        for key, value in notice.values
        if key == "voxels"
    )
    if array.dtype.kind != "f":
        return Image(array, grid, told, notices)
    finite = np.isfinite(array)
    missing = int(array.size - np.count_nonzero(finite))
    if missing == array.size:
        raise InputError(f"all {missing} values are NaN or infinite")
    if missing:
        array = np.where(finite, array, array[finite].min())
    return Image(array, grid, told + missing, notices)


def _whole_picture(path: Path) -> tuple[Integer[ndarray, "*space"], Grid | None]:
    try:
        with Pillow.open(path) as image:
            if getattr(image, "n_frames", 1) > 1:
                pages = [np.asarray(page) for page in ImageSequence.Iterator(image)]
                return _stacked(pages, path)
            if image.mode in ("P", "1"):
                return np.array(image).astype(np.uint8), None
    except FOREIGN_ERRORS as error:
        raise InputError("picture is damaged or truncated") from error
    array = read_picture(path).array
    if array.ndim == 3:
        if (array == array[..., :1]).all():
            return array[..., 0], None
        raise InputError("picture is in color; a mask has one whole number a pixel")
    return array, None


def _stacked(
    pages: list[Shaped[ndarray, "y x *c"]], path: Path
) -> tuple[Shaped[ndarray, "k j i"], Grid]:
    if len({page.shape for page in pages}) > 1 or pages[0].ndim != 2:
        raise InputError("pages of the TIFF are in color or differ in size")
    array = np.stack(pages)
    affine = np.diag([*_spacing_mm(path), 1.0])[[2, 1, 0, 3]]
    return array, Grid(array.shape, affine)


def _spacing_mm(path: Path) -> tuple[float, float, float]:
    """Read the distances of slices, rows and columns from nnU-Net's JSON beside a TIFF."""
    stem = path.name.partition(".")[0]
    for name in (stem, stem[:-5]):  # an image's name ends in _0000
        beside = path.with_name(f"{name}.json")
        if name and beside.is_file():
            try:
                k, j, i = (float(v) for v in json.loads(beside.read_text())["spacing"])
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(f"{beside.name} states no spacing of three axes") from error
            return k, j, i
    return 1.0, 1.0, 1.0
