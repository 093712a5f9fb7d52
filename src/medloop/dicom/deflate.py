"""Deflated DICOM files (PS3.5 A.5), inflated no further than a limit."""

import io
import zlib
from pathlib import Path
from typing import BinaryIO, Final

from medloop.core.errors import InputError

MAX_INFLATED_BYTES: Final = 512 * 1024**2

_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
_EXPLICIT: Final = b"1.2.840.10008.1.2.1\0"


def open_inflated(path: Path) -> BinaryIO:
    """Open a DICOM file; a deflated one as the explicit little-endian file it stands for.

    Raises
    ------
    InputError
        If it inflates to more than the limit, or not at all.
    """
    file = path.open("rb")
    at = _syntax_at(file.read(1024))
    file.seek(0)
    if at is None:
        return file
    with file:
        return io.BytesIO(_inflated(file.read(), at))


def inflated(data: bytes) -> bytes:
    """Return the bytes of a DICOM file as `open_inflated` gives them."""
    at = _syntax_at(data[:1024])
    return data if at is None else _inflated(data, at)


def is_deflated(path: Path) -> bool:
    """Whether a file says that its data set is deflated."""
    with path.open("rb") as file:
        return _syntax_at(file.read(1024)) is not None


def _syntax_at(head: bytes) -> int | None:
    """Find where the file meta group names the deflated transfer syntax, if it does."""
    at = head.find(b"\x02\x00\x10\x00UI")
    is_named = at >= 0 and head[at + 8 :].startswith(_DEFLATED)
    return at if head[128:132] == b"DICM" and is_named else None


def _inflated(data: bytes, at: int) -> bytes:
    """Replace the transfer syntax and inflate what follows the file meta group."""
    group_length = int.from_bytes(data[140:144], "little")
    length = int.from_bytes(data[at + 6 : at + 8], "little")
    start = 144 + group_length
    if data[132:138] != b"\x02\x00\x00\x00UL" or not at < start < len(data):
        raise InputError("deflated DICOM file has no usable file meta group")
    meta = bytearray(data[132:start])
    meta[8:12] = (group_length - length + len(_EXPLICIT)).to_bytes(4, "little")
    at -= 132
    meta[at + 6 : at + 8 + length] = len(_EXPLICIT).to_bytes(2, "little") + _EXPLICIT
    unpacker = zlib.decompressobj(wbits=-15)
    try:
        body = unpacker.decompress(data[start:], MAX_INFLATED_BYTES)
    except zlib.error as error:
        raise InputError("deflated DICOM file is damaged") from error
    if unpacker.unconsumed_tail:
        limit = MAX_INFLATED_BYTES // 1024**2
        raise InputError(f"deflated DICOM file inflates to more than the limit of {limit} MiB")
    return data[:132] + bytes(meta) + body
