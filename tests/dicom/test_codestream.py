"""What a compressed frame says of itself, and what is refused before a decoder sees it."""

import pytest

from medloop.dicom.codestream import Size, size_of

SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
SIZ = b"".join(
    number.to_bytes(width)
    for number, width in [
        (41, 2), (0, 2), (40, 4), (30, 4), (0, 4), (0, 4),
        (40, 4), (30, 4), (0, 4), (0, 4), (1, 2), (7, 1), (1, 1), (1, 1),
    ]
)  # fmt: skip
CODESTREAM = b"\xff\x4f\xff\x51" + SIZ + b"\xff\xd9"


def box(kind: bytes, content: bytes, *, length: int | None = None) -> bytes:
    whole = 8 + len(content) if length is None else length
    return whole.to_bytes(4) + kind + content


def test_a_jp2_file_is_as_large_as_its_codestream_says():
    whole = SIGNATURE + box(b"ftyp", b"jp2 ") + box(b"jp2c", CODESTREAM)
    assert size_of(CODESTREAM) == size_of(whole) == Size(30, 40, 1, 8)


@pytest.mark.parametrize("length", [0, 1, 7, 1_000_000])
def test_a_jp2_file_whose_boxes_do_not_lead_to_the_codestream_is_damaged(length):
    whole = SIGNATURE + box(b"ftyp", b"jp2 ", length=length) + box(b"jp2c", CODESTREAM)
    assert size_of(whole) is None
