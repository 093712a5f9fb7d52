"""One frame as a photograph: color and gray as a screen shows them."""

import numpy as np
import pydicom
from jaxtyping import Shaped
from numpy import ndarray
from pydicom.pixels.processing import apply_color_lut

from medloop.core.errors import InputError
from medloop.core.image import Picture
from medloop.dicom.damage import damage
from medloop.dicom.foreign import DICOM_ERRORS
from medloop.dicom.pixels import check, frame_count, stored_frame


def picture_of(dataset: pydicom.Dataset, frame: int = 0) -> Picture:
    """Decode one frame: RGB, or gray with black at 0; 8 bits, or spread over 16.

    Palettes and YBR become RGB, MONOCHROME1 is inverted, signed values start at 0, one-bit
    images are 0 and 255, and depths between 9 and 15 bits are shifted up to 16.

    Raises
    ------
    InputError
        If there is no such frame, or it cannot be decoded.
    """
    check(dataset)
    if not 0 <= frame < frame_count(dataset):
        raise InputError(f"image holds {frame_count(dataset)} frames, not frame {frame}")
    array = stored_frame(dataset, frame)
    try:
        photometric = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2")
        if photometric == "PALETTE COLOR":
            array = _eight_bits(apply_color_lut(array, dataset))
        elif array.ndim == 3:
            array = _color(array, photometric, dataset)
        else:
            array = _gray(array, photometric, dataset)
    except DICOM_ERRORS as error:
        raise InputError(f"image cannot be shown ({damage(error, dataset)})") from error
    return Picture(np.ascontiguousarray(array), spacing_mm=_spacing_mm(dataset))


def _color(
    array: Shaped[ndarray, "y x c"], photometric: str, dataset: pydicom.Dataset
) -> ndarray:
    if array.dtype == np.uint32:
        array = (array >> 16).astype(np.uint16)
    if array.dtype not in (np.uint8, np.uint16) or array.shape[2] < 3:
        raise InputError(
            f"{photometric} image holds {array.dtype} values; 8 or 16 bit are read"
        )
    array = array[..., :3]
    bits = int(dataset.get("BitsStored") or dataset.BitsAllocated)
    return array << (16 - bits) if array.dtype == np.uint16 and 8 < bits < 16 else array


def _gray(array: Shaped[ndarray, "y x"], photometric: str, dataset: pydicom.Dataset) -> ndarray:
    bits = int(dataset.get("BitsStored") or dataset.BitsAllocated)
    if array.dtype.kind == "f":
        raise InputError("floating-point pixels are no photograph")
    values = array.astype(np.int64)
    if array.dtype.kind == "i":
        values += 1 << (bits - 1)
    if photometric == "MONOCHROME1":
        values = (1 << bits) - 1 - values
    values = np.clip(values, 0, (1 << bits) - 1)
    if bits == 1:
        return (values * 255).astype(np.uint8)
    if bits <= 8:
        return (values << (8 - bits)).astype(np.uint8)
    shift = 16 - bits
    return (values << shift if shift >= 0 else values >> -shift).astype(np.uint16)


def _eight_bits(array: Shaped[ndarray, "y x c"]) -> Shaped[ndarray, "y x c"]:
    """Palettes hold 16-bit entries even for 8-bit colors (PS3.3 C.7.6.3.1.5)."""
    rgb = array[..., :3]
    return (rgb >> 8).astype(np.uint8) if rgb.dtype == np.uint16 else rgb.astype(np.uint8)


def _spacing_mm(dataset: pydicom.Dataset) -> tuple[float, float] | None:
    """Distance between rows and columns, where the header states one that can be."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        try:
            row, column = (float(part) for part in dataset.get(keyword) or ())
        except DICOM_ERRORS:
            continue
        if 0 < row < 1000 and 0 < column < 1000:
            return row, column
    return None
