"""What a client accepts is read as RFC 9110 and PS3.18 have it."""

import pytest

from medloop.dicom.web.accept import (
    Choice,
    accepted,
    choose_frames,
    choose_objects,
    media_of,
    takes_json,
)

EXPLICIT, JPEG_LS, UNKNOWN = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80", "1.2.3"
DICOM, OCTETS = "application/dicom", "application/octet-stream"


def test_the_best_comes_first_and_what_weighs_nothing_not_at_all():
    found = accepted('text/html;q=0.5, image/png, image/gif;q=0, multipart/related; type="a/b"')
    assert [(each.name, each.is_multipart) for each in found] == [
        ("image/png", False),
        ("a/b", True),
        ("text/html", False),
    ]


def test_a_comma_within_quotes_separates_nothing():
    (found,) = accepted('multipart/related; type="a/b"; note="x, y"; transfer-syntax=*')
    assert (found.name, found.syntax) == ("a/b", "*")


@pytest.mark.parametrize(
    ("header", "expected"),
    [("", True), ("*/*", True), ("application/json", True), ("text/html", False)],
)
def test_who_takes_json(header, expected):
    assert takes_json(header) is expected


@pytest.mark.parametrize(
    ("header", "stored", "expected"),
    [
        ("", [JPEG_LS], Choice(DICOM, True, "*")),
        ("multipart/related; type=application/dicom", [EXPLICIT], Choice(DICOM, True, "*")),
        ("multipart/related; type=application/dicom", [JPEG_LS], Choice(DICOM, True, EXPLICIT)),
        (
            "multipart/related; type=application/dicom",
            [JPEG_LS, "1.2.840.10008.1.2.4.100"],
            None,
        ),
        ("application/dicom; transfer-syntax=*", [JPEG_LS], Choice(DICOM, False, "*")),
        (f"application/dicom; transfer-syntax={JPEG_LS}", [EXPLICIT], None),
    ],
)
def test_how_objects_are_sent(header, stored, expected):
    assert choose_objects(header, stored, is_one=True) == expected


@pytest.mark.parametrize(
    ("header", "stored", "expected"),
    [
        ("", JPEG_LS, Choice("image/jls", True, "*")),
        ("", EXPLICIT, Choice(OCTETS, True, "*")),
        ("image/jls", JPEG_LS, Choice("image/jls", False, "*")),
        ("image/jpeg", JPEG_LS, None),
        (OCTETS, JPEG_LS, Choice(OCTETS, False, EXPLICIT)),
        (f"{OCTETS}; transfer-syntax=*", JPEG_LS, Choice(OCTETS, False, "*")),
        (OCTETS, "1.2.840.10008.1.2.4.100", None),
    ],
)
def test_how_frames_are_sent(header, stored, expected):
    assert choose_frames(header, stored, is_one=True) == expected


@pytest.mark.parametrize(
    ("syntax", "media"),
    [
        ("1.2.840.10008.1.2.4.50", "image/jpeg"),
        ("1.2.840.10008.1.2.4.70", "image/jpeg"),
        (JPEG_LS, "image/jls"),
        ("1.2.840.10008.1.2.4.90", "image/jp2"),
        ("1.2.840.10008.1.2.4.201", "image/jphc"),
        ("1.2.840.10008.1.2.4.110", "image/jxl"),
        ("1.2.840.10008.1.2.5", "image/dicom-rle"),
        (EXPLICIT, OCTETS),
        ("1.2.840.10008.1.2", OCTETS),
    ],
)
def test_frames_have_a_media_type(syntax, media):
    assert media_of(syntax) == media
