"""What a file is, by its first bytes; names and extensions are not believed."""

import struct
import zlib
from enum import StrEnum
from pathlib import Path

from medloop.core.errors import InputError

_HEAD_BYTES = 560  # a NIfTI-2 header is 540 bytes and the longest we look at
_VALUE_REPRESENTATIONS = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT OB OD OF OL OV OW PN"
    b" SH SL SQ SS ST TM UC UI UL UN UR US UT".split()
)


class Kind(StrEnum):
    """The formats we tell apart."""

    EMPTY = "empty"
    DICOM = "DICOM"
    NIFTI = "NIfTI"
    PNG = "PNG"
    JPEG = "JPEG"
    TIFF = "TIFF"
    ZIP = "zip"
    OTHER = "other"

    @property
    def is_picture(self) -> bool:
        """Whether `files.pictures` reads it."""
        return self in (Kind.PNG, Kind.JPEG, Kind.TIFF)


_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"II*\x00", Kind.TIFF),
    (b"MM\x00*", Kind.TIFF),
    (b"II+\x00", Kind.TIFF),
    (b"MM\x00+", Kind.TIFF),
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
)


def sniff(path: Path) -> Kind:
    """Recognize a file by content.

    Raises
    ------
    InputError
        If the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise InputError(f"cannot be opened: {error.strerror or error}") from error
    return kind_of(head)


def kind_of(head: bytes) -> Kind:
    """Recognize the first bytes of a file; 560 suffice."""
    if not head:
        return Kind.EMPTY
    if head[128:132] == b"DICM":  # before TIFF: a file may be both (PS3.10 7.1)
        return Kind.DICOM
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"\x1f\x8b"):
        head = _gunzip(head)
    if _is_nifti(head):
        return Kind.NIFTI
    return Kind.DICOM if _is_bare_dicom(head) else Kind.OTHER


def _gunzip(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _HEAD_BYTES)
    except zlib.error:
        return b""


def _is_nifti(head: bytes) -> bool:
    if len(head) < 348:
        return False
    size = {struct.unpack("<i", head[:4])[0], struct.unpack(">i", head[:4])[0]}
    if 348 in size:
        return head[344:348] in (b"n+1\x00", b"ni1\x00")
    return 540 in size and head[4:7] in (b"n+2", b"ni2")


def _is_bare_dicom(head: bytes) -> bool:
    """Whether this looks like a data set that lost its preamble (not PS3.10, but met)."""
    if len(head) < 12:
        return False
    tags = (struct.unpack("<HH", head[:4]), struct.unpack(">HH", head[:4]))
    if not any(group in (0x0002, 0x0008) and element <= 0x0100 for group, element in tags):
        return False
    if head[4:6] in _VALUE_REPRESENTATIONS:
        return True
    length: int = struct.unpack("<I", head[4:8])[0]
    return length % 2 == 0 and length <= 256
