"""Series into one canonical volume or photograph: LPS, and z (or y, x) rising with k."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pydicom
from jaxtyping import Float, Shaped
from numpy import ndarray
from pydicom.pixels.processing import apply_modality_lut

from medloop.core.errors import GeometryError, InputError, UnsuitableError
from medloop.core.geometry import Grid
from medloop.core.image import Picture, Volume
from medloop.core.study import Content, Instance, Notice, Series
from medloop.dicom.damage import damage
from medloop.dicom.enhanced import frames_of
from medloop.dicom.foreign import DICOM_ERRORS, quiet
from medloop.dicom.header import read_header
from medloop.dicom.layout import Layout, Part, Slice, arrange, separate
from medloop.dicom.photo import picture_of
from medloop.dicom.pixels import MAX_PIXEL_BYTES, check, open_dataset, stored_frame
from medloop.dicom.plain import plain_slice
from medloop.dicom.series import slices_of

# Array, origin of each slice (k 3), steps (2 3) -> array on a regular grid, and its affine.
Regularize = Callable[
    [Shaped[ndarray, "k j i"], Float[ndarray, "k 3"], Float[ndarray, "2 3"]],
    tuple[Shaped[ndarray, "m y x"], Float[ndarray, "4 4"]],
]
_INT16: Final = np.iinfo(np.int16)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where to find the pixels of each slice, and what turns them into the unit."""

    frame: Callable[[int], Shaped[ndarray, "j i"]]
    rescale: tuple[tuple[float, float], ...]  # slope and intercept by index
    unit: str
    workers: int


def read_volume(
    series: Series, *, regularize: Regularize | None = None
) -> tuple[Volume, tuple[Notice, ...]]:
    """Read a series as one volume; the notices say what was repaired.

    k runs along the slices' normal towards the patient's head, back or left, so that z never
    falls with k in axial slices, even if that makes the affine left-handed.
    int16 where rescaling keeps whole numbers that fit, float32 otherwise. Unit ``"HU"`` for CT,
    ``"Bq/ml"`` for PET where stated, else ``"1"``.

    Parameters
    ----------
    series
        Of content `Content.VOLUME`. Of one that still holds several volumes the largest is
        read, with a notice.
    regularize
        Puts uneven or tilted slices onto a grid, such as `imaging.resample.regularize`;
        without it they are refused.

    Raises
    ------
    InputError
        If a file is damaged, or (`GeometryError`) the slices form no grid.
    UnsuitableError
        If there is no image in it.
    """
    if series.content is Content.NONE:
        raise UnsuitableError(f"{series.modality or 'object'} holds no image")
    with quiet():
        if len(series.instances) == 1 and series.instances[0].frames > 1:
            slices, source = _multi_frame(series.instances[0].path)
        else:
            slices, source = _single_frames(series.instances)
        part, notices = _largest(slices)
        layout = arrange(part.slices)
        array = _fill(layout, source, part.slices[0].shape)
        notices += _drop_duplicates(layout, source)
    affine = layout.affine
    if not layout.is_regular:
        if regularize is None:
            raise GeometryError(" ".join(notice.text for notice in layout.notices))
        array, affine = regularize(array, layout.origins_mm, layout.steps_mm)
    grid = Grid(array.shape, affine, series.frame_of_reference)
    return Volume(array, grid, source.unit), series.notices + notices + layout.notices


def read_picture(instance: Instance, frame: int = 0) -> Picture:
    """Read one frame of a DICOM photograph, as `photo.picture_of` describes.

    Raises
    ------
    InputError
        If the file is damaged, has no such frame, or holds no pixels.
    """
    with quiet():
        return picture_of(open_dataset(instance.path), frame)


def _largest(slices: Sequence[Slice]) -> tuple[Part, tuple[Notice, ...]]:
    parts = separate(slices)
    first = parts[0]
    if len(parts) == 1:
        return first, ()
    left = len(slices) - len(first.slices)
    text = (
        f"The series holds {len(parts)} volumes; the largest was read ({first.label},"
        f" {len(first.slices)} slices), {left} slices were left out."
    )
    values = (("volumes", len(parts)), ("slices", len(first.slices)), ("left_out", left))
    return first, (Notice("parts-left-out", text, values),)


def _single_frames(instances: Sequence[Instance]) -> tuple[tuple[Slice, ...], _Source]:
    headers = [read_header(instance.path) for instance in instances]
    paths = [header.path for header in headers]

    def frame(index: int) -> Shaped[ndarray, "j i"]:
        return _one_frame(paths[index]) if len(paths) == 1 else _named(_one_frame, paths[index])

    first = open_dataset(paths[0])
    source = _Source(
        frame,
        tuple(header.rescale for header in headers),
        _unit(first, headers[0].modality),
        workers=min(os.cpu_count() or 1, len(paths), 8),
    )
    return slices_of(headers), source


def _named(
    read: Callable[[Path], Shaped[ndarray, "j i"]], path: Path
) -> Shaped[ndarray, "j i"]:
    """Say which file of a series is bad."""
    try:
        return read(path)
    except InputError as error:
        raise InputError(f"slice {path.name}: {error}") from error


def _one_frame(path: Path) -> Shaped[ndarray, "j i"]:
    plain = plain_slice(path)
    if plain is not None:
        return plain
    dataset = open_dataset(path)
    check(dataset)
    return _modality(stored_frame(dataset), dataset)


def _multi_frame(path: Path) -> tuple[tuple[Slice, ...], _Source]:
    dataset = open_dataset(path)
    check(dataset)
    slices, rescale = frames_of(dataset)
    unit = _unit(dataset, _stated(dataset, "Modality"))

    def frame(index: int) -> Shaped[ndarray, "j i"]:
        return stored_frame(dataset, index)

    return slices, _Source(frame, rescale, unit, workers=1)


def _modality(
    array: Shaped[ndarray, "j i"], dataset: pydicom.Dataset
) -> Shaped[ndarray, "j i"]:
    """Apply a modality lookup table, which few scanners write (PS3.3 C.11.1)."""
    if "ModalityLUTSequence" not in dataset:
        return array
    try:
        return apply_modality_lut(array, dataset)
    except DICOM_ERRORS as error:
        raise InputError(
            f"modality lookup table is damaged ({damage(error, dataset)})"
        ) from error


def _fill(layout: Layout, source: _Source, shape: tuple[int, int]) -> Shaped[ndarray, "k j i"]:
    """Decode the slices into one array, several at a time."""
    count = len(layout.order)
    if count * shape[0] * shape[1] * 2 > MAX_PIXEL_BYTES:
        size = count * shape[0] * shape[1] * 2 / 1e9
        raise InputError(
            f"volume holds {size:.2f} GB; the limit is {MAX_PIXEL_BYTES / 1e9:.2f} GB"
        )
    whole = all(_is_whole(source.rescale[index]) for index in layout.order)
    array = np.empty((count, *shape), np.int16 if whole else np.float32)

    def place(k: int) -> Shaped[ndarray, "j i"] | None:
        index = layout.order[k]
        stored = source.frame(index)
        if stored.shape != shape:
            raise InputError(f"slice is {stored.shape}, the first one {shape}")
        values = _rescaled(stored, source.rescale[index], whole=whole)
        if not np.can_cast(values.dtype, array.dtype, "same_kind") or (
            whole and not _fits(values)
        ):
            return values
        array[k] = values
        return None

    with ThreadPoolExecutor(source.workers) as pool:
        misfits = list(pool.map(place, range(count)))
    if all(misfit is None for misfit in misfits):
        return array
    array = array.astype(np.float32)
    for k, misfit in enumerate(misfits):
        if misfit is not None:
            array[k] = misfit
    return array


def _is_whole(rescale: tuple[float, float]) -> bool:
    slope, intercept = rescale
    return slope == int(slope) and intercept == int(intercept) and abs(slope) <= 1024


def _rescaled(
    stored: Shaped[ndarray, "j i"], rescale: tuple[float, float], *, whole: bool
) -> Shaped[ndarray, "j i"]:
    slope, intercept = rescale
    if stored.dtype.kind == "f" or not whole:
        return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    if (slope, intercept) == (1.0, 0.0):
        return stored
    low, high = int(stored.min()), int(stored.max())
    ends = (low * int(slope) + int(intercept), high * int(slope) + int(intercept))
    if _INT16.min <= min(ends) and max(ends) <= _INT16.max:
        # Wrap-around is harmless here: the final values are known to fit.
        narrow = stored.astype(np.int16)
        if slope != 1:
            narrow *= np.int16(slope)
        narrow += np.array(int(intercept)).astype(np.int16)
        return narrow
    return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _fits(values: Shaped[ndarray, "j i"]) -> bool:
    if np.can_cast(values.dtype, np.int16):
        return True
    return _INT16.min <= int(values.min()) and int(values.max()) <= _INT16.max


def _drop_duplicates(layout: Layout, source: _Source) -> tuple[Notice, ...]:
    """Drop slices stored twice.

    Raises
    ------
    GeometryError
        If two slices in one place differ.
    """
    for kept, dropped in layout.duplicates:
        if not np.array_equal(source.frame(kept), source.frame(dropped)):
            count = len(layout.duplicates)
            raise GeometryError(
                f"{count} slices lie where another lies, and differ: several acquisitions?"
            )
    if not layout.duplicates:
        return ()
    count = len(layout.duplicates)
    text = f"{count} slices were stored twice; the copies were dropped."
    return (Notice("duplicate-slices", text, (("slices", count),)),)


def _unit(dataset: pydicom.Dataset, modality: str) -> str:
    """UCUM unit of rescaled values."""
    if modality == "CT":
        stated = _stated(dataset, "RescaleType") or "HU"
        return "HU" if stated in ("HU", "US") else stated
    if modality == "PT" and _stated(dataset, "Units") == "BQML":
        return "Bq/ml"
    return "1"


def _stated(dataset: pydicom.Dataset, keyword: str) -> str:
    """Read an optional value; a damaged one counts as absent."""
    try:
        return str(dataset.get(keyword) or "")
    except DICOM_ERRORS:
        return ""
