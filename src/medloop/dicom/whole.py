"""Whether a file ends before its pixels do, as one does that is still being copied."""

import struct
from pathlib import Path
from typing import BinaryIO, Final

from medloop.core.errors import InputError
from medloop.dicom.scan import UNDEFINED, NotPlainError, scan_to_pixels

_HEADS: Final = (64 * 1024, 8 * 1024**2)
_SOP_UID: Final = frozenset([0x00080018])
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)


def is_cut_off(path: Path) -> bool:
    """Whether pixel data is announced that the file does not hold; False where unclear.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            for limit in _HEADS:
                file.seek(0)
                try:
                    _, start, length = scan_to_pixels(file.read(limit), _SOP_UID)
                except NotPlainError:
                    continue
                if length != UNDEFINED:
                    return start + length > size
                return _is_open(file, start, size)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}") from error
    return False


def _is_open(file: BinaryIO, position: int, size: int) -> bool:
    """Walk the fragments (PS3.5 A.4): whether they go on after the end of the file."""
    while position + 8 <= size:
        file.seek(position)
        group, element, length = struct.unpack("<HHI", file.read(8))
        if (group, element) != _ITEM:
            return False  # their end, or damage of another kind
        position += 8 + length
    return True
