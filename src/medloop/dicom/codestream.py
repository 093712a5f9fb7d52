"""What a compressed frame says of its own size, read before any decoder allocates for it."""

from dataclasses import dataclass
from typing import Final

_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_JP2: Final = b"\x00\x00\x00\x0cjP  "  # starts its first box, of 12 bytes
_STANDALONE: Final = frozenset([0x01, *range(0xD0, 0xD9)])


@dataclass(frozen=True, slots=True)
class Size:
    """Rows, columns, samples and bits of an encoded frame."""

    rows: int
    columns: int
    samples: int
    bits: int


def size_of(frame: bytes) -> Size | None:
    """Read JPEG, JPEG-LS and JPEG 2000 frame headers; `None` for other codings or damage."""
    if frame.startswith(b"\xff\xd8"):
        return _jpeg(frame)
    if frame.startswith(_JP2) and not _reaches_codestream(frame):
        return None
    start = frame.find(b"\xff\x4f\xff\x51", 0, 4096)  # at 0, or inside a JP2 box
    return _jpeg_2000(frame, start + 4) if start >= 0 else None


def _reaches_codestream(frame: bytes) -> bool:
    """Whether the boxes of a JP2 file lead to its codestream (ISO/IEC 15444-1 annex I.4).

    A decoder that steps from box to box never arrives where one is said to have no length.
    """
    position = 12
    while position + 8 <= len(frame):
        length, kind = (
            int.from_bytes(frame[position : position + 4]),
            frame[position + 4 : position + 8],
        )
        if kind == b"jp2c":
            return True
        if length < 8:
            return False
        position += length
    return False


def is_sound_lossless_jpeg(frame: bytes) -> bool:
    """Whether a lossless JPEG is well formed: marker after marker, tables, one scan, the end.

    GDCM, the only decoder of these, ends the process on some that are not.
    """
    seen, position = set(), 2
    while position + 4 <= len(frame) and frame[position] == 0xFF:
        marker = frame[position + 1]
        length = int.from_bytes(frame[position + 2 : position + 4])
        if marker in _STANDALONE or marker == 0xFF or length < 2:
            return False
        seen.add(marker)
        position += 2 + length
        if marker == 0xDA:
            break
    return (
        {0xC3, 0xC4, 0xDA} <= seen and len(seen & _JPEG_FRAMES) == 1 and _ends(frame, position)
    )


def _ends(frame: bytes, position: int) -> bool:
    """Whether the first marker in the coded data, restarts aside, is the end of the image."""
    while (position := frame.find(b"\xff", position)) >= 0 and position + 1 < len(frame):
        following = frame[position + 1]
        if following == 0xD9:
            return True
        if following not in (0x00, 0xFF, *range(0xD0, 0xD8)):
            return False
        position += 1 if following == 0xFF else 2
    return False


def _jpeg(frame: bytes) -> Size | None:
    position = 2
    while position + 9 < len(frame):
        if frame[position] != 0xFF:
            return None
        marker = frame[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _STANDALONE:
            position += 2
            continue
        if marker in _JPEG_FRAMES:
            bits, rows, columns, samples = _unpack(frame, position + 4, (1, 2, 2, 1))
            return Size(rows, columns, samples, bits)
        position += 2 + max(int.from_bytes(frame[position + 2 : position + 4]), 2)
    return None


def _jpeg_2000(frame: bytes, position: int) -> Size | None:
    widths = (2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 2, 1)
    if position + sum(widths) > len(frame):
        return None
    _, _, x1, y1, x0, y0, *_, samples, bits = _unpack(frame, position, widths)
    return Size(y1 - y0, x1 - x0, samples, (bits & 0x7F) + 1)


def _unpack(data: bytes, position: int, widths: tuple[int, ...]) -> list[int]:
    numbers = []
    for width in widths:
        numbers.append(int.from_bytes(data[position : position + width]))
        position += width
    return numbers
