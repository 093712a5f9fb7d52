"""Stored pixel values, checked against the bytes that are there before any is decoded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pydicom
from jaxtyping import Shaped
from numpy import ndarray
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from medloop.core.errors import InputError
from medloop.dicom.charls import decoder
from medloop.dicom.codestream import is_sound_lossless_jpeg, size_of
from medloop.dicom.damage import damage
from medloop.dicom.deflate import open_inflated
from medloop.dicom.foreign import DICOM_ERRORS

MAX_SIDE_PX: Final = 20_000
MAX_FRAME_PIXELS: Final = 150_000_000
MAX_PIXEL_BYTES: Final = 1536 * 1024**2

_PLAIN: Final = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
_JPEG_LS: Final = (JPEGLSLossless, JPEGLSNearLossless)
# GDCM ends the whole process on some damaged JPEG, and pylibjpeg's RLE decoder its thread.
_PREFERRED: Final = ("pydicom", "pyjpegls", "pylibjpeg", "pillow", "gdcm")
# JPEG, JPEG-LS and JPEG 2000 (PS3.5 A.4.1 to A.4.4, A.4.9): frames that state their own size.
_SELF_DESCRIBED: Final = (
    "1.2.840.10008.1.2.4.5",
    "1.2.840.10008.1.2.4.7",
    "1.2.840.10008.1.2.4.8",
    "1.2.840.10008.1.2.4.9",
)
_DEPTHS: Final = (1, 8, 16, 32)


def open_dataset(path: Path) -> pydicom.Dataset:
    """Read a whole file, without decoding its pixels.

    Raises
    ------
    InputError
        If it is no readable DICOM file.
    """
    try:
        with open_inflated(path) as file:
            dataset = pydicom.dcmread(file, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:
            dataset.file_meta.TransferSyntaxUID = _guessed_syntax(dataset)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}") from error
    except DICOM_ERRORS as error:
        raise InputError(f"DICOM file is damaged: {damage(error)}") from error
    return dataset


def check(dataset: pydicom.Dataset) -> None:
    """Compare what the header promises with the bytes that are there.

    Raises
    ------
    InputError
        If there are no pixels, too many, or fewer than promised.
    """
    try:
        _check(dataset)
    except DICOM_ERRORS as error:
        raise InputError(f"DICOM image header is damaged: {damage(error, dataset)}") from error


def frame_count(dataset: pydicom.Dataset) -> int:
    """Count the frames the header promises."""
    return max(int(dataset.get("NumberOfFrames") or 1), 1)


def stored_frame(dataset: pydicom.Dataset, index: int = 0) -> Shaped[ndarray, "j i *c"]:
    """Decode one frame of a checked data set; YBR becomes RGB, palettes stay indices.

    Unused bits are cleared, or filled with the sign.

    Raises
    ------
    InputError
        If it is damaged, or no decoder exists.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        if syntax in _PLAIN and _is_simple(dataset):
            array = _plain_frame(dataset, index)
        elif syntax in _JPEG_LS and _is_simple(dataset) and decoder() is not None:
            array = _jpeg_ls_frame(dataset, index)
        else:
            array = _foreign_frame(dataset, index)
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        return _significant(native, dataset)
    except DICOM_ERRORS as error:
        raise InputError(_why(dataset, error)) from error


def stored_frames(dataset: pydicom.Dataset) -> Iterator[Shaped[ndarray, "j i *c"]]:
    """Decode all frames of a checked data set in order; otherwise as `stored_frame`."""
    for index in range(frame_count(dataset)):
        yield stored_frame(dataset, index)


def _check(dataset: pydicom.Dataset) -> None:
    if "PixelData" not in dataset:
        is_float = "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset
        raise InputError("holds floating-point pixels" if is_float else "holds no pixel data")
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if max(rows, columns) > MAX_SIDE_PX or rows * columns > MAX_FRAME_PIXELS:
        limit = (
            f"{MAX_SIDE_PX} pixels a side and {MAX_FRAME_PIXELS // 1_000_000} million in all"
        )
        raise InputError(f"image is {columns} x {rows} pixels; the limit is {limit}")
    if min(rows, columns) < 1:
        raise InputError(f"image is {columns} x {rows} pixels")
    bits, samples = int(dataset.BitsAllocated), int(dataset.get("SamplesPerPixel") or 1)
    if bits not in _DEPTHS or samples not in (1, 3, 4):
        raise InputError(
            f"image has {samples} samples of {bits} bits; 1, 3 or 4 of 1 to 32 are read"
        )
    frames = frame_count(dataset)
    promised = rows * columns * samples * bits * frames / 8
    if promised > MAX_PIXEL_BYTES:
        raise InputError(
            f"image holds {promised / 1e9:.2f} GB in {frames} frames;"
            f" the limit is {MAX_PIXEL_BYTES / 1e9:.2f} GB"
        )
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        subsampled = str(dataset.get("PhotometricInterpretation")) == "YBR_FULL_422"
        needed = promised * 2 / 3 if subsampled else promised
        if len(dataset.PixelData) < int(needed):
            raise InputError(
                f"image is truncated: {len(dataset.PixelData)} bytes of {int(needed)}"
            )
    elif frames * 8 > len(dataset.PixelData):
        raise InputError(f"image promises {frames} frames in {len(dataset.PixelData)} bytes")


def _guessed_syntax(dataset: pydicom.Dataset) -> pydicom.uid.UID:
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _is_simple(dataset: pydicom.Dataset) -> bool:
    return dataset.get("SamplesPerPixel", 1) == 1 and dataset.BitsAllocated in (8, 16)


def _dtype(dataset: pydicom.Dataset) -> np.dtype:
    kind = "i" if dataset.get("PixelRepresentation") == 1 else "u"
    return np.dtype(f"<{kind}{dataset.BitsAllocated // 8}")


def _plain_frame(dataset: pydicom.Dataset, index: int) -> Shaped[ndarray, "j i"]:
    dtype, shape = _dtype(dataset), (int(dataset.Rows), int(dataset.Columns))
    count = shape[0] * shape[1]
    offset = index * count * dtype.itemsize
    return np.frombuffer(dataset.PixelData, dtype, count, offset).reshape(shape)


def _jpeg_ls_frame(dataset: pydicom.Dataset, index: int) -> Shaped[ndarray, "j i"]:
    decode = decoder()
    frame = encoded_frame(dataset, index)
    size = size_of(frame)
    depth = 8 if size is not None and size.bits <= 8 else 16
    if decode is None or size is None or size.samples != 1 or depth != dataset.BitsAllocated:
        return _foreign_frame(dataset, index)
    array = np.empty((size.rows, size.columns), _dtype(dataset))
    decode(frame, array)
    return array


def encoded_frame(dataset: pydicom.Dataset, index: int) -> bytes:
    """Cut one compressed frame out, if its own header agrees with the data set's size.

    Raises
    ------
    InputError
        If it is not there, or of another size.
    """
    frame = get_frame(dataset.PixelData, index, number_of_frames=frame_count(dataset))
    size = size_of(frame)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if size is None and dataset.file_meta.TransferSyntaxUID.startswith(_SELF_DESCRIBED):
        raise InputError("compressed frame is damaged: its own header cannot be read")
    if size is not None and (size.rows, size.columns) != (rows, columns):
        raise InputError(
            f"compressed frame is {size.columns} x {size.rows} pixels,"
            f" the header says {columns} x {rows}"
        )
    return frame


def _foreign_frame(dataset: pydicom.Dataset, index: int) -> Shaped[ndarray, "j i *c"]:
    syntax = dataset.file_meta.TransferSyntaxUID
    frame = encoded_frame(dataset, index) if syntax.is_encapsulated else b""
    if syntax in (JPEGLossless, JPEGLosslessSV1) and not is_sound_lossless_jpeg(frame):
        raise InputError("compressed frame is damaged: it is no well-formed lossless JPEG")
    decoder_of = get_decoder(syntax)
    known = decoder_of.available_plugins
    plugin = next((name for name in _PREFERRED if name in known), "")
    array, _ = decoder_of.as_array(dataset, index=index, decoding_plugin=plugin)
    return array


def _significant(array: Shaped[ndarray, "j i *c"], dataset: pydicom.Dataset) -> ndarray:
    """Keep the stored bits alone: old overlays and noise live in the others (PS3.5 8.1.1)."""
    stored = int(dataset.get("BitsStored") or dataset.BitsAllocated)
    width = array.dtype.itemsize * 8
    if not 1 <= stored < width or array.dtype.kind not in "iu" or dataset.BitsAllocated == 1:
        return array
    low = int(dataset.get("HighBit") or stored - 1) - stored + 1
    left = width - stored - max(min(low, width - stored), 0)
    return (array << left) >> (width - stored)


def _why(dataset: pydicom.Dataset, error: BaseException) -> str:
    name = dataset.file_meta.TransferSyntaxUID.name
    if isinstance(error, NotImplementedError):
        return f"no decoder for {name} is installed"
    if isinstance(error, RuntimeError):  # pydicom's list of what each decoder said
        return f"pixels cannot be decoded ({name}): damaged, or no installed decoder reads them"
    text = (str(error).splitlines() or [damage(error, dataset)])[0][:120]
    return f"pixels cannot be decoded ({name}): {text}"
