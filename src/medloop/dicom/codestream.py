"""What a compressed frame says of its own size, read before any decoder allocates for it."""

from dataclasses import dataclass
from typing import Final

_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
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
    start = frame.find(b"\xff\x4f\xff\x51", 0, 4096)  # at 0, or inside a JP2 box
    return _jpeg_2000(frame, start + 4) if start >= 0 else None


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
