"""The plain case of a DICOM header, read without building a data set.

Indexing wants forty values of each of thousands of files. This walks explicit and implicit
little-endian headers (PS3.5 section 7.1) and keeps those values as bytes; whatever is not plain
(no preamble, deflated, big-endian, unknown value representation) it leaves to pydicom.
"""

import struct
from collections.abc import Set as AbstractSet
from typing import Final

_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT: Final = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)
UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
TRANSFER_SYNTAX: Final = 0x00020010
_IMPLICIT: Final = b"1.2.840.10008.1.2"
_NOT_PLAIN: Final = frozenset([b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.1.99", b""])
_PIXEL_DATA: Final = 0x7FE00010
_META_END: Final = 0x0002FFFF
_MAX_DEPTH: Final = 32

_explicit = struct.Struct("<HH2sH").unpack_from
_implicit = struct.Struct("<HHI").unpack_from
_long = struct.Struct("<I").unpack_from

Values = dict[int, bytes]


class NotPlainError(Exception):
    """The header is for pydicom to read. Never leaves the room."""


class CutOffError(NotPlainError):
    """The file ends within an element, or pretends to be plain and is not."""


def scan(data: bytes, wanted: AbstractSet[int], *, is_whole: bool) -> Values:
    """Collect the values of wanted tags, and of the whole file meta group.

    Ends after the largest wanted tag, or with the data if that is the whole file.

    Raises
    ------
    NotPlainError
        If the header is unusual, or does not end within `data`.
    """
    found, position, _ = _scan(data, wanted, last=max(wanted))
    if position >= len(data) and not is_whole:
        raise CutOffError
    return found


def scan_to_pixels(data: bytes, wanted: AbstractSet[int]) -> tuple[Values, int, int]:
    """Collect values as `scan`, and find the value of the pixel data: its place and length.

    The length is `UNDEFINED` where the pixels are encapsulated (PS3.5 A.4).

    Raises
    ------
    NotPlainError
        If the header is unusual, or no pixel data follows it.
    """
    found, position, explicit = _scan(data, wanted, last=_PIXEL_DATA - 1)
    try:
        tag, start, length = _element(data, position, is_explicit=explicit)
    except struct.error as error:
        raise NotPlainError from error
    if tag != _PIXEL_DATA:
        raise NotPlainError
    return found, start, length


def items(data: bytes, wanted: AbstractSet[int], *, is_explicit: bool) -> tuple[Values, ...]:
    """Collect values of each item of a sequence (PS3.5 section 7.5).

    Raises
    ------
    NotPlainError
        If it is no sequence, or damaged.
    """
    found = []
    position = 0
    try:
        while position < len(data):
            group, element, length = _implicit(data, position)
            if group << 16 | element == _SEQUENCE_END:
                break
            if group << 16 | element != _ITEM:
                raise NotPlainError
            start = position + 8
            if length == UNDEFINED:
                position = _after_item(data, start, is_explicit=is_explicit, depth=0)
                end = position - 8
            else:
                position = end = start + length
            values: Values = {}
            _walk(data[:end], start, values, wanted, last=_ITEM - 1, is_explicit=is_explicit)
            found.append(values)
    except struct.error as error:
        raise CutOffError from error
    return tuple(found)


def first_frame(data: bytes, position: int) -> bytes:
    """Join the fragments of encapsulated pixel data that holds one frame (PS3.5 A.4).

    Raises
    ------
    NotPlainError
        If the items are damaged.
    """
    fragments = []
    try:
        group, element, length = _implicit(data, position)
        while (tag := group << 16 | element) != _SEQUENCE_END:
            if tag != _ITEM or position + 8 + length > len(data):
                raise NotPlainError
            fragments.append(data[position + 8 : position + 8 + length])
            position += 8 + length
            group, element, length = _implicit(data, position)
    except struct.error as error:
        raise NotPlainError from error
    return b"".join(fragments[1:])  # the first is the offset table


def _scan(data: bytes, wanted: AbstractSet[int], *, last: int) -> tuple[Values, int, bool]:
    if data[128:132] != b"DICM":
        raise NotPlainError
    found: Values = {}
    try:
        position = _walk(data, 132, found, wanted, last=_META_END, is_explicit=True)
        syntax = found.get(TRANSFER_SYNTAX, b"").rstrip(b"\0 ")
        if syntax in _NOT_PLAIN:
            raise NotPlainError
        explicit = syntax != _IMPLICIT
        position = _walk(data, position, found, wanted, last=last, is_explicit=explicit)
    except struct.error as error:
        raise CutOffError from error
    return found, position, explicit


def _walk(
    data: bytes,
    position: int,
    found: Values,
    wanted: AbstractSet[int],
    *,
    last: int,
    is_explicit: bool,
) -> int:
    size, in_meta = len(data), last == _META_END
    while position < size:
        if in_meta and data[position : position + 2] != b"\x02\x00":
            return position  # what follows may have no value representations
        tag, start, length = _element(data, position, is_explicit=is_explicit)
        if tag > last:
            return position
        if length == UNDEFINED:
            position = _after_items(data, start, is_explicit=is_explicit, depth=0)
            if tag in wanted:
                found[tag] = data[start:position]
            continue
        position = start + length
        if position > size:
            raise CutOffError
        if tag in wanted or tag >> 16 == 2:
            found[tag] = data[start:position]
    return position


def _element(data: bytes, position: int, *, is_explicit: bool) -> tuple[int, int, int]:
    """Tag, place of the value, and its length."""
    if not is_explicit:
        group, element, length = _implicit(data, position)
        return group << 16 | element, position + 8, length
    group, element, vr, length = _explicit(data, position)
    if vr in _SHORT:
        return group << 16 | element, position + 8, length
    if vr in _LONG:
        return group << 16 | element, position + 12, _long(data, position + 8)[0]
    raise NotPlainError


def _after_items(data: bytes, position: int, *, is_explicit: bool, depth: int) -> int:
    """Skip the items of a sequence of undefined length (PS3.5 section 7.5)."""
    if depth > _MAX_DEPTH:
        raise NotPlainError
    while True:
        group, element, length = _implicit(data, position)
        tag = group << 16 | element
        position += 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise NotPlainError
        if length != UNDEFINED:
            position += length
        else:
            position = _after_item(data, position, is_explicit=is_explicit, depth=depth)


def _after_item(data: bytes, position: int, *, is_explicit: bool, depth: int) -> int:
    while True:
        group, element, _ = _implicit(data, position)
        if group << 16 | element == _ITEM_END:
            return position + 8
        _, start, length = _element(data, position, is_explicit=is_explicit)
        if length == UNDEFINED:
            start = _after_items(data, start, is_explicit=is_explicit, depth=depth + 1)
            length = 0
        position = start + length
