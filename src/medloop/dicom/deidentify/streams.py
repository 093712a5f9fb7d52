"""Remarks in compressed frames: a JPEG inside DICOM may carry Exif and comments."""

from collections.abc import Iterator
from typing import Final

_APPLICATION: Final = frozenset(range(0xE1, 0xF0)) - {
    0xEE
}  # APP0: JFIF, APP14: color transform
_JPEG_COMMENT: Final = 0xFE
_START_OF_SCAN: Final = 0xDA
_J2K_COMMENT: Final = 0x64
_J2K_TILE: Final = 0x90


def without_remarks(frame: bytes) -> bytes:
    """Drop what a JPEG, JPEG-LS or JPEG 2000 frame says beside its pixels, and what follows it.

    Other codings, and frames that are no well-formed stream, return as they are.
    """
    if frame.startswith(b"\xff\xd8"):
        return _jpeg(frame)
    if frame.startswith(b"\xff\x4f\xff\x51"):
        return _jpeg_2000(frame)
    return frame


def _jpeg(frame: bytes) -> bytes:
    kept = [b"\xff\xd8"]
    position = 2
    for marker, end in _segments(frame, position, _START_OF_SCAN):
        if marker not in _APPLICATION and marker != _JPEG_COMMENT:
            kept.append(frame[position:end])
        position = end
    end = frame.rfind(b"\xff\xd9")
    kept.append(frame[position : end + 2] if end > position else frame[position:])
    whole = b"".join(kept)
    return whole + b"\0" * (len(whole) % 2)


def _jpeg_2000(frame: bytes) -> bytes:
    kept = [b"\xff\x4f"]
    position = 2
    for marker, end in _segments(frame, position, _J2K_TILE):
        if marker != _J2K_COMMENT:
            kept.append(frame[position:end])
        position = end
    kept.append(frame[position:])
    whole = b"".join(kept)
    return whole + b"\0" * (len(whole) % 2)


def _segments(frame: bytes, position: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield marker and end of each segment before the marker `last`."""
    while position + 4 <= len(frame) and frame[position] == 0xFF:
        marker = frame[position + 1]
        if marker == last:
            return
        end = position + 2 + int.from_bytes(frame[position + 2 : position + 4])
        if end <= position + 3 or end > len(frame):
            return
        yield marker, end
        position = end
