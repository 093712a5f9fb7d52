"""The plain case of a slice, decoded without building a data set.

Gray, one frame, 8 or 16 bits, uncompressed or JPEG-LS: most CT there is. A whole series reads
in the time its frames take to decode; everything else goes through `pixels`.
"""

from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.dicom.charls import decoder
from medloop.dicom.codestream import Size, size_of
from medloop.dicom.scan import (
    TRANSFER_SYNTAX,
    UNDEFINED,
    NotPlainError,
    Values,
    first_frame,
    scan_to_pixels,
)

_SAMPLES, _FRAMES, _ROWS, _COLUMNS = 0x00280002, 0x00280008, 0x00280010, 0x00280011
_ALLOCATED, _STORED, _SIGNED, _LUT = 0x00280100, 0x00280101, 0x00280103, 0x00283000
_WANTED: Final = frozenset(
    [_SAMPLES, _FRAMES, _ROWS, _COLUMNS, _ALLOCATED, _STORED, _SIGNED, _LUT]
)
_UNCOMPRESSED: Final = frozenset([b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1"])
_JPEG_LS: Final = frozenset([b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.4.81"])


def plain_slice(path: Path) -> Shaped[ndarray, "j i"] | None:
    """Decode the stored values of a plain slice; `None` if it is not one.

    Raises
    ------
    InputError
        If the frame is damaged.
    """
    try:
        data = path.read_bytes()
        values, start, length = scan_to_pixels(data, _WANTED)
        if not _is_plain(values):
            return None
        syntax = values.get(TRANSFER_SYNTAX, b"").rstrip(b"\0 ")
        if syntax in _UNCOMPRESSED:
            return _uncompressed(data, values, start, length)
        if syntax in _JPEG_LS and length == UNDEFINED:
            return _jpeg_ls(first_frame(data, start), values)
    except NotPlainError:
        return None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}") from error
    return None


def _short(values: Values, tag: int) -> int:
    return int.from_bytes(values.get(tag, b"")[:2], "little")


def _is_plain(values: Values) -> bool:
    allocated = _short(values, _ALLOCATED)
    return (
        _short(values, _SAMPLES) == 1
        and values.get(_FRAMES, b"1").strip(b"\0 ") == b"1"
        and allocated in (8, 16)
        and _short(values, _STORED) == allocated
        and _LUT not in values
    )


def _dtype(values: Values) -> np.dtype[np.integer]:
    kind = "i" if _short(values, _SIGNED) == 1 else "u"
    return np.dtype(f"<{kind}{_short(values, _ALLOCATED) // 8}")


def _uncompressed(
    data: bytes, values: Values, start: int, length: int
) -> Shaped[ndarray, "j i"] | None:
    dtype, shape = _dtype(values), (_short(values, _ROWS), _short(values, _COLUMNS))
    count = shape[0] * shape[1]
    if count == 0 or length < count * dtype.itemsize or start + length > len(data):
        return None
    return np.frombuffer(data, dtype, count, start).reshape(shape)


def _jpeg_ls(frame: bytes, values: Values) -> Shaped[ndarray, "j i"] | None:
    decode, dtype = decoder(), _dtype(values)
    rows, columns = _short(values, _ROWS), _short(values, _COLUMNS)
    size = size_of(frame)
    if decode is None or size is None:
        return None
    wide = 16 if size.bits > 8 else 8
    if Size(rows, columns, 1, size.bits) != size or wide != dtype.itemsize * 8:
        return None
    array = np.empty((rows, columns), dtype)
    decode(frame, array)
    return array
