"""Whether an object that arrives can be taken: what C-STORE must find out before it answers."""

import io
import zlib
from collections.abc import Callable
from typing import Final

import pydicom

from medloop.dicom.foreign import DICOM_ERRORS, quiet
from medloop.dicom.net.messages import StoreRequest, file_meta, is_uid
from medloop.dicom.scan import NotPlainError, Values, scan

_SOP_CLASS, _UID, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_WANTED: Final = frozenset([_SOP_CLASS, _UID, _STUDY, _SERIES])
_DEFLATED: Final = "1.2.840.10008.1.2.1.99"
_EXPLICIT: Final = "1.2.840.10008.1.2.1"
_NEAR: Final = 16 * 1024
_FAR: Final = 16 * 1024**2
_MISMATCH, _UNREADABLE = 0xA900, 0xC000  # PS3.4 table B.2-1


def refusal(
    request: StoreRequest, syntax: str, start: Callable[[int], bytes]
) -> tuple[int, str] | None:
    """Say why an object is refused: a status and one line; None if it is well.

    `start` returns at most so many of the file's first bytes.
    """
    values = _values(request, syntax, start)
    if values is None:
        return _UNREADABLE, "data set cannot be read"
    found = {tag: values.get(tag, b"").rstrip(b"\0 ").decode("latin-1") for tag in _WANTED}
    if not is_uid(found[_STUDY]) or not is_uid(found[_SERIES]):
        return _UNREADABLE, "data set names no study or series"
    if found[_UID] != request.uid or found[_SOP_CLASS] != request.sop_class:
        return _MISMATCH, "data set is of another object than the request"
    return None


def _values(request: StoreRequest, syntax: str, start: Callable[[int], bytes]) -> Values | None:
    data = b""
    for limit in (_NEAR, _FAR):
        data = start(limit)
        try:
            if syntax == _DEFLATED:
                data = _inflated(request, data, limit)
            return scan(data, _WANTED, is_whole=len(data) < limit)
        except NotPlainError:
            continue
        except zlib.error:
            return None
    return _foreign(data)


def _inflated(request: StoreRequest, data: bytes, limit: int) -> bytes:
    """Replace the file meta group, and inflate what follows it, no further than needed."""
    length = len(file_meta(request.sop_class, request.uid, _DEFLATED))
    body = zlib.decompressobj(wbits=-15).decompress(data[length:], limit)
    return file_meta(request.sop_class, request.uid, _EXPLICIT) + body


def _foreign(data: bytes) -> Values | None:
    """Let pydicom read what is not plain."""
    with quiet():
        try:
            dataset = pydicom.dcmread(
                io.BytesIO(data), stop_before_pixels=True, specific_tags=sorted(_WANTED)
            )
            return {tag: str(dataset[tag].value).encode() for tag in _WANTED if tag in dataset}
        except DICOM_ERRORS:
            return None
