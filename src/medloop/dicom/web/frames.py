"""Stored objects, frames of them, and both without compression."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from medloop.core.errors import InputError
from medloop.dicom.damage import damage
from medloop.dicom.foreign import DICOM_ERRORS, quiet
from medloop.dicom.pixels import check, encoded_frame, frame_count, open_dataset, stored_frame


@dataclass(frozen=True, slots=True)
class Opened:
    """A stored object in memory; only this room looks into the data set."""

    dataset: pydicom.Dataset

    @property
    def syntax(self) -> str:
        """The transfer syntax it is stored in."""
        return str(self.dataset.file_meta.TransferSyntaxUID)

    @property
    def is_compressed(self) -> bool:
        """Whether its frames are."""
        return bool(self.dataset.file_meta.TransferSyntaxUID.is_compressed) and (
            self.dataset.file_meta.TransferSyntaxUID.is_encapsulated
        )

    @property
    def frames(self) -> int:
        """How many frames it holds; 0 if it is no image."""
        return frame_count(self.dataset) if "PixelData" in self.dataset else 0


def open_object(path: Path) -> Opened:
    """Read a stored object.

    Raises
    ------
    InputError
        If it is damaged.
    """
    with quiet():
        return Opened(open_dataset(path))


def frame_bytes(opened: Opened, index: int, *, is_decoded: bool) -> bytes:
    """Return one frame as it is stored, or its values in little endian.

    Uncompressed frames are little endian either way; color is RGB where it was decoded.

    Raises
    ------
    InputError
        If there is no such frame, or it is damaged.
    """
    dataset = opened.dataset
    with quiet():
        check(dataset)
        if not 0 <= index < opened.frames:
            raise InputError(f"image holds {opened.frames} frames, not frame {index + 1}")
        if opened.is_compressed:
            if is_decoded:
                return _little(stored_frame(dataset, index))
            try:
                return encoded_frame(dataset, index)
            except DICOM_ERRORS as error:
                raise InputError("compressed frame is damaged") from error
        if opened.syntax == ExplicitVRBigEndian:
            return _little(stored_frame(dataset, index))
        return _native(dataset, index)


def explicit_bytes(opened: Opened) -> bytes:
    """Return the whole object as a file in Explicit VR Little Endian.

    Raises
    ------
    InputError
        If its pixels cannot be decoded, or it cannot be written again.
    """
    with quiet():
        dataset = pydicom.Dataset(opened.dataset)
        dataset.file_meta = pydicom.dataset.FileMetaDataset(opened.dataset.file_meta)
        if "PixelData" in dataset and (
            opened.is_compressed or opened.syntax == ExplicitVRBigEndian
        ):
            _decompress(opened, dataset)
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        buffer = io.BytesIO()
        try:
            dataset.save_as(
                buffer, enforce_file_format=True, implicit_vr=False, little_endian=True
            )
        except DICOM_ERRORS as error:
            raise InputError(f"cannot be written again: {damage(error, dataset)}") from error
        return buffer.getvalue()


def document(opened: Opened) -> bytes | None:
    """Return the PDF an object encapsulates, if it does."""
    dataset = opened.dataset
    if dataset.get("MIMETypeOfEncapsulatedDocument") != "application/pdf":
        return None
    data = dataset.get("EncapsulatedDocument")
    length = dataset.get("EncapsulatedDocumentLength")
    return bytes(data)[: int(length) if length else None] if data else None


def _decompress(opened: Opened, dataset: pydicom.Dataset) -> None:
    check(opened.dataset)
    data = b"".join(_decoded(opened))
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if int(dataset.BitsAllocated) <= 8 else "OW"
    dataset["PixelData"].is_undefined_length = False
    if int(dataset.get("SamplesPerPixel") or 1) == 3:
        dataset.PhotometricInterpretation = "RGB"
        dataset.PlanarConfiguration = 0


def _decoded(opened: Opened) -> Iterator[bytes]:
    for index in range(opened.frames):
        yield _little(stored_frame(opened.dataset, index))


def _little(array: np.ndarray) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _native(dataset: pydicom.Dataset, index: int) -> bytes:
    samples = int(dataset.get("SamplesPerPixel") or 1)
    bits = int(dataset.Rows) * int(dataset.Columns) * samples * int(dataset.BitsAllocated)
    if str(dataset.get("PhotometricInterpretation")) == "YBR_FULL_422":
        bits = bits * 2 // 3
    start, data = index * bits, dataset.PixelData
    if bits % 8 == 0:
        return bytes(data[start // 8 : (start + bits) // 8])
    packed = np.frombuffer(data, np.uint8)[start // 8 : -(-(start + bits) // 8)]
    loose = np.unpackbits(packed, bitorder="little")[start % 8 : start % 8 + bits]
    return np.packbits(loose, bitorder="little").tobytes()
