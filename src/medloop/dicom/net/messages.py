"""C-STORE on the wire: its command sets (PS3.7 9.3.1), and the file meta group (PS3.10 7.1)."""

import struct
from dataclasses import dataclass
from typing import Final

from medloop.core.errors import InputError
from medloop.dicom.write.uids import IMPLEMENTATION_UID

STORE_REQUEST: Final = 0x0001
_STORE_RESPONSE: Final = 0x8001
_NO_DATA_SET: Final = 0x0101
_VERSION: Final = "MEDLOOP"
_element = struct.Struct("<HHI")
_LONGEST_UID: Final = 64


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE-RQ; UIDs are as they came."""

    sop_class: str
    uid: str
    message_id: int


def field_of(command: bytes) -> int:
    """Say which message a command set is of; 0 if it does not say.

    Raises
    ------
    InputError
        If it is no command set.
    """
    return _short(_elements(command), 0x0100)


def read_store_request(command: bytes) -> StoreRequest | None:
    """Read a C-STORE-RQ that a data set follows; None for any other message.

    Raises
    ------
    InputError
        If it is no command set.
    """
    elements = _elements(command)
    if _short(elements, 0x0100) != STORE_REQUEST or _short(elements, 0x0800) == _NO_DATA_SET:
        return None
    return StoreRequest(
        _uid(elements, 0x0002), _uid(elements, 0x1000), _short(elements, 0x0110)
    )


def store_response(request: StoreRequest, status: int) -> bytes:
    """Encode a C-STORE-RSP, ready to be a fragment: all of the command set."""
    body = b"".join(
        (
            _text(0x0002, request.sop_class),
            _number(0x0100, _STORE_RESPONSE),
            _number(0x0120, request.message_id),
            _number(0x0800, _NO_DATA_SET),
            _number(0x0900, status),
            _text(0x1000, request.uid),
        )
    )
    return b"\x03" + _element.pack(0, 0, 4) + struct.pack("<I", len(body)) + body


def file_meta(sop_class: str, uid: str, syntax: str) -> bytes:
    """Make what stands before the data set in a file; the same object gets the same bytes."""
    group = b"".join(
        (
            b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01",
            _meta(0x0002, b"UI", sop_class),
            _meta(0x0003, b"UI", uid),
            _meta(0x0010, b"UI", syntax),
            _meta(0x0012, b"UI", IMPLEMENTATION_UID),
            _meta(0x0013, b"SH", _VERSION),
        )
    )
    length = b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(group))
    return bytes(128) + b"DICM" + length + group


def is_uid(text: str) -> bool:
    """Whether this may stand for a UID: some digits and dots (PS3.5 9.1), zeros forgiven."""
    plain = text.replace(".", "")
    return 0 < len(text) <= _LONGEST_UID and plain.isascii() and plain.isdigit()


def _elements(command: bytes) -> dict[int, bytes]:
    """Split implicit little-endian elements of group 0000 (PS3.7 6.3.1)."""
    found: dict[int, bytes] = {}
    position = 0
    while position < len(command):
        if position + 8 > len(command):
            raise InputError("command set is cut short")
        group, element, length = _element.unpack_from(command, position)
        position += 8
        if group or position + length > len(command):
            raise InputError("command set is damaged")
        found[element] = command[position : position + length]
        position += length
    return found


def _short(elements: dict[int, bytes], tag: int) -> int:
    return int.from_bytes(elements.get(tag, b"")[:2], "little")


def _uid(elements: dict[int, bytes], tag: int) -> str:
    return elements.get(tag, b"").rstrip(b"\0 ").decode("latin-1")


def _text(tag: int, text: str) -> bytes:
    raw = text.encode("latin-1")
    raw += b"\0" * (len(raw) % 2)
    return _element.pack(0, tag, len(raw)) + raw


def _number(tag: int, value: int) -> bytes:
    return _element.pack(0, tag, 2) + struct.pack("<H", value)


def _meta(tag: int, kind: bytes, text: str) -> bytes:
    raw = text.encode("ascii")
    raw += (b"\0" if kind == b"UI" else b" ") * (len(raw) % 2)
    return struct.pack("<HH2sH", 2, tag, kind, len(raw)) + raw
