"""NIfTI files and pictures without what they say beside their pixels."""

import gzip
import io
from pathlib import Path
from typing import TypedDict

import nibabel as nib
import numpy as np
from PIL import Image

from medloop.core.errors import FOREIGN_ERRORS, InputError, UnsuitableError
from medloop.dicom.deidentify import Clean, Profile
from medloop.dicom.deidentify.objects import write_whole
from medloop.dicom.deidentify.pixels import Reader
from medloop.dicom.deidentify.streams import without_remarks
from medloop.files.nifti import MAX_BYTES, read_nifti
from medloop.files.pictures import read_picture
from medloop.imaging.deface import face_mask

_TEXTS = ("descrip", "aux_file", "intent_name", "db_name", "data_type")
_ORIENTATION = 274


class Done(TypedDict, total=False):
    """Fields of a report's row."""

    removed: dict[str, int]
    text_sought: bool
    text_boxes: tuple[tuple[int, int, int, int], ...]
    defaced: bool
    warnings: tuple[str, ...]


def clean_nifti(path: Path, out: Path, profile: Profile) -> Done:
    """Write a NIfTI file without header texts and extensions; its voxels stay as they are.

    With `Clean.RECOGNIZABLE`, the voxels of a face become the least value.

    Raises
    ------
    InputError
        If it is damaged.
    """
    try:
        data = path.read_bytes()
        packed = data[:2] == b"\x1f\x8b"
        raw = _unpacked(data) if packed else data
        header, voxels, removed = _bare(raw)
    except FOREIGN_ERRORS as error:
        raise InputError(
            "NIfTI cannot be read: its header or its voxels are damaged"
        ) from error
    told: Done = {"removed": removed, "defaced": False}
    if Clean.RECOGNIZABLE in profile.clean:
        try:
            voxels = _defaced(path, header, voxels)
            told["defaced"] = True
        except (InputError, UnsuitableError) as error:
            told["warnings"] = (f"the face was not removed: {error}",)
    whole = header.binaryblock + b"\0\0\0\0" + voxels
    write_whole(out, gzip.compress(whole, 6, mtime=0) if packed else whole)
    return told


def _unpacked(data: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise InputError(f"NIfTI holds more than {MAX_BYTES / 1e9:.1f} GB")
    return raw


def _bare(raw: bytes) -> tuple[nib.Nifti1Header, bytes, dict[str, int]]:
    second = 540 in (int.from_bytes(raw[:4], "little"), int.from_bytes(raw[:4], "big"))
    kind, length = (nib.Nifti2Header, 540) if second else (nib.Nifti1Header, 348)
    header: nib.Nifti1Header = kind(raw[:length], check=False)  # type: ignore[no-untyped-call]
    start = int(header["vox_offset"])
    if header["magic"].tobytes()[:2] != b"n+" or start < length:
        raise InputError("NIfTI header comes without its image; one .nii file is read")
    size = int(np.prod(header.get_data_shape())) * header.get_data_dtype().itemsize
    voxels = raw[start : start + size]
    if len(voxels) < size:
        raise InputError(f"NIfTI is truncated: {len(voxels)} bytes of {size}")
    removed = {}
    for name in _TEXTS:
        if name in header.keys() and header[name].tobytes().strip(b"\0 "):  # noqa: SIM118
            removed[name] = 1
            header[name] = b""
    if start > length + 4:
        removed["extensions"] = 1
    header["vox_offset"] = length + 4
    return header, voxels, removed


def _defaced(path: Path, header: nib.Nifti1Header, voxels: bytes) -> bytes:
    mask = face_mask(read_nifti(path))
    shape = header.get_data_shape()
    values = np.frombuffer(bytearray(voxels), header.get_data_dtype()).reshape(shape, order="F")
    values.flags.writeable = True
    stored = values.reshape(mask.shape[::-1], order="F")
    stored[mask.transpose(2, 1, 0)] = stored.min()
    return stored.tobytes(order="F")


def clean_picture(path: Path, out: Path, read: Reader) -> Done:
    """Write a picture without metadata, and with the text found in it blanked.

    A JPEG without text keeps its coded pixels; with text it is coded anew at quality 95.

    Raises
    ------
    InputError
        If it is damaged.
    ServiceError
        If text cannot be looked for.
    """
    array = read_picture(path).array
    gray = array.max(axis=2) if array.ndim == 3 else array
    gray = (gray >> 8).astype(np.uint8) if gray.dtype == np.uint16 else gray
    boxes = read(gray)
    if not boxes and _is_upright_jpeg(path):
        write_whole(out, without_remarks(path.read_bytes()))
    else:
        array = array.copy()
        for box in boxes:
            array[box.top : box.bottom, box.left : box.right] = 0
        _save(array, out)
    places = tuple((box.top, box.left, box.bottom, box.right) for box in boxes)
    return {"removed": {"metadata": 1}, "text_sought": True, "text_boxes": places}


def _is_upright_jpeg(path: Path) -> bool:
    with Image.open(path) as image:
        return image.format == "JPEG" and image.getexif().get(_ORIENTATION, 1) == 1


def _save(array: np.ndarray, out: Path) -> None:
    if array.dtype == np.uint16 and array.ndim == 3:
        raise InputError("color of 16 bits with text in it cannot be written")
    target = io.BytesIO()
    image = Image.fromarray(array)
    format_ = {".jpeg": "JPEG", ".png": "PNG", ".tiff": "TIFF"}.get(out.suffix, "PNG")
    image.save(target, format_, quality=95) if format_ == "JPEG" else image.save(
        target, format_
    )
    write_whole(out, target.getvalue())
