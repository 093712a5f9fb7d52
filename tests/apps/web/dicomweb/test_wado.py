"""What is retrieved is what was stored."""

import io
import json
from email import message_from_bytes

import numpy as np
import pydicom
import pytest

from tests.apps.web.dicomweb.conftest import ALL
from tests.apps.web.nodes import AWAY
from tests.dicom.slices import pixels
from tests.dicom.web import objects
from tests.dicom.web.objects import CT_SERIES, PDF, STUDY

INSTANCE = f"studies/{STUDY}/series/{CT_SERIES}/instances/{CT_SERIES}."
JPEG_LS, RLE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.5"
EXPLICIT = "1.2.840.10008.1.2.1"


def place(series: str) -> str:
    return f"studies/{STUDY}/series/{STUDY}.{series}/instances/{STUDY}.{series}.1"


def dicom(syntax=None):
    more = f"; transfer-syntax={syntax}" if syntax else ""
    return f'multipart/related; type="application/dicom"{more}'


def octets(syntax=None):
    return dicom(syntax).replace("dicom", "octet-stream")


def got(node, path, accept=None):
    headers = {"Accept": accept} if accept else {"Accept": ""}
    return node.client().get(f"/dicom-web/{path}", headers=headers)


def parts(answer):
    """Type and content of each part."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("multipart/related; ")
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    boundary = answer.headers["content-type"].rpartition("boundary=")[2].encode()
    assert answer.content.endswith(b"\r\n--" + boundary + b"--\r\n")
    found = answer.content.split(b"--" + boundary)[1:-1]
    split = (part.partition(b"\r\n\r\n") for part in found)
    assert message_from_bytes(head).get_content_maintype() == "multipart"
    kinds = []
    for headers, _, content in split:
        message = message_from_bytes(headers.lstrip() + b"\r\n\r\n")
        kinds.append((message["Content-Type"], content[:-2]))
    return kinds


def test_a_series_comes_byte_by_byte_as_it_was_stored(filled):
    answer = got(filled, f"studies/{STUDY}/series/{CT_SERIES}", dicom("*"))
    found = parts(answer)
    assert [content for _, content in found] == list(ALL.values())[:5]
    assert found[3][0] == f"application/dicom; transfer-syntax={JPEG_LS}"


def test_a_study_comes_whole(filled):
    assert len(parts(got(filled, f"studies/{STUDY}", dicom("*")))) == 9


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_objects_come_uncompressed_unless_asked_otherwise(filled, number):
    ((kind, content),) = parts(got(filled, INSTANCE + str(number), dicom()))
    assert kind == f"application/dicom; transfer-syntax={EXPLICIT}"
    dataset = pydicom.dcmread(io.BytesIO(content))
    assert dataset.file_meta.TransferSyntaxUID == EXPLICIT
    assert np.array_equal(dataset.pixel_array, pixels(number, rows=24, columns=32))
    assert str(dataset.PatientName) == "Wang^XiaoDong=王^小東"


def test_a_color_picture_comes_uncompressed_in_rgb(filled):
    ((_, content),) = parts(got(filled, place("2"), dicom()))
    dataset = pydicom.dcmread(io.BytesIO(content))
    assert dataset.PhotometricInterpretation == "RGB"
    left, right = dataset.pixel_array[20, 5].tolist(), dataset.pixel_array[20, 55].tolist()
    assert np.allclose([left, right], [[200, 0, 0], [0, 0, 200]], atol=6)


def test_one_object_comes_without_parts_if_asked(filled):
    answer = got(filled, INSTANCE + "4", "application/dicom; transfer-syntax=*")
    assert answer.content == ALL["CT 4, JPEG-LS"]
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={JPEG_LS}"


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        (INSTANCE + "1", "text/html", 406),
        (INSTANCE + "1", dicom(JPEG_LS), 406),
        (INSTANCE + "4", dicom(JPEG_LS), 200),
        (INSTANCE + "4", f"{dicom(RLE)}, {dicom(JPEG_LS)};q=0.5", 200),
        (INSTANCE + "1", f"{dicom()};q=0", 406),
        (f"studies/{STUDY}", "application/dicom", 406),
        ("studies/1.2.3", None, 404),
        (INSTANCE + "99", None, 404),
        (f"studies/1.2.3/series/{CT_SERIES}/instances/{CT_SERIES}.1", None, 404),
        (INSTANCE + "1/metadata", "text/plain", 406),
        (INSTANCE + "99/metadata", None, 404),
        ("studies/1.2.3/metadata", None, 404),
        (INSTANCE + "1/frames/2", None, 404),
        (INSTANCE + "1/frames/0", None, 400),
        (INSTANCE + "1/frames/one", None, 400),
        (INSTANCE + "1/frames/1", "image/jpeg", 406),
        (place("5") + "/frames/1", None, 404),
        (INSTANCE + "1/bulkdata/00420011", None, 404),
        (INSTANCE + "1/bulkdata/..%2f..%2fmedloop.db", None, 400),
        (INSTANCE + "1/bulkdata/PixelData", None, 400),
        (INSTANCE + "1/bulkdata/00081115/0/00420011", None, 404),
        ("studies/..%2f..", None, 404),
        ("studies/1%00", None, 404),
        ("studies/1%00/series", None, 404),
        (f"studies/{'1' * 65}/metadata", None, 404),
    ],
)
def test_each_trouble_has_its_status(filled, path, accept, status):
    assert got(filled, path, accept).status_code == status


@pytest.mark.parametrize("number", [1, 3, 4, 5])
def test_a_frame_is_its_values_in_little_endian(filled, number):
    ((kind, content),) = parts(got(filled, f"{INSTANCE}{number}/frames/1", octets()))
    assert kind == f"application/octet-stream; transfer-syntax={EXPLICIT}"
    assert content == pixels(number, rows=24, columns=32).tobytes()


def test_a_compressed_frame_comes_as_it_is_if_asked(filled):
    ((kind, content),) = parts(got(filled, INSTANCE + "4/frames/1", octets("*")))
    assert kind == f"application/octet-stream; transfer-syntax={JPEG_LS}"
    assert content.startswith(b"\xff\xd8\xff")
    accept = 'multipart/related; type="image/jls"'
    ((kind, same),) = parts(got(filled, INSTANCE + "4/frames/1", accept))
    assert (kind, same) == (f"image/jls; transfer-syntax={JPEG_LS}", content)
    ((kind, same),) = parts(got(filled, INSTANCE + "4/frames/1"))
    assert (kind, same) == (f"image/jls; transfer-syntax={JPEG_LS}", content)
    single = got(filled, place("2") + "/frames/1", "image/jpeg")
    assert single.content.startswith(b"\xff\xd8")
    assert single.headers["content-type"].startswith("image/jpeg")


def test_frames_come_in_the_order_asked_for(filled):
    found = parts(got(filled, place("3") + "/frames/3,1", octets()))
    values = [np.frombuffer(content, "<u2") for _, content in found]
    assert [set(each.tolist()) for each in values] == [{3}, {1}]
    assert [each.size for each in values] == [35, 35]


def test_frames_of_single_bits_are_cut_between_bytes(filled):
    found = parts(got(filled, place("4") + "/frames/1,2", octets()))
    bits = [n % 3 == 0 for n in range(30)]
    for (_, content), expected in zip(found, (bits[:15], bits[15:]), strict=True):
        unpacked = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
        assert unpacked[:15].tolist() == expected


def test_metadata_hold_everything_but_large_values(filled):
    (instance,) = got(filled, INSTANCE + "1/metadata").json()
    dataset = pydicom.dcmread(io.BytesIO(ALL["CT 1"]))
    url = f"http://127.0.0.1/dicom-web/{INSTANCE}1/bulkdata/7FE00010"
    assert instance.pop("7FE00010") == {"vr": "OW", "BulkDataURI": url}
    del dataset.PixelData
    assert pydicom.Dataset.from_json(instance) == dataset
    assert "王^小東" in json.dumps(instance, ensure_ascii=False)


def test_metadata_of_a_study_are_those_of_its_objects_in_order(filled):
    whole = got(filled, f"studies/{STUDY}/metadata").json()
    assert len(whole) == 9
    series = got(filled, f"studies/{STUDY}/series/{CT_SERIES}/metadata").json()
    assert [each["00200013"]["Value"] for each in series] == [[1], [2], [3], [4], [5]]
    assert [each for each in whole if each["0020000E"]["Value"] == [CT_SERIES]] == series


def test_metadata_are_read_from_files_once(filled, store):
    first = got(filled, f"studies/{STUDY}/series/{CT_SERIES}/metadata")
    for path in store.archive.root.glob("??/*"):
        path.unlink()
    again = got(filled, f"studies/{STUDY}/series/{CT_SERIES}/metadata")
    assert again.json() == first.json()


def test_metadata_of_a_series_that_grew_are_complete(filled, reception):
    got(filled, f"studies/{STUDY}/series/{CT_SERIES}/metadata")
    reception.store_now((objects.in_file(objects.ct(6)),), "test")
    grown = got(filled, f"studies/{STUDY}/series/{CT_SERIES}/metadata").json()
    assert [each["00200013"]["Value"] for each in grown] == [[n] for n in range(1, 7)]


def test_bulk_data_come_where_metadata_say(filled):
    (instance,) = got(filled, INSTANCE + "1/metadata").json()
    path = instance["7FE00010"]["BulkDataURI"].partition("/dicom-web/")[2]
    ((kind, content),) = parts(got(filled, path, octets()))
    assert (kind, content) == (
        "application/octet-stream",
        pixels(1, rows=24, columns=32).tobytes(),
    )
    (instance,) = got(filled, place("5") + "/metadata").json()
    path = instance["00420011"]["BulkDataURI"].partition("/dicom-web/")[2]
    answer = got(filled, path + "?accept=application/pdf")
    assert (answer.headers["content-type"], answer.content) == ("application/pdf", PDF)


def test_who_has_it_already_is_told_so(filled):
    for path, accept in (
        (INSTANCE + "1", dicom("*")),
        (INSTANCE + "1/metadata", None),
        (INSTANCE + "1/frames/1", octets()),
    ):
        first = got(filled, path, accept)
        assert first.headers["cache-control"] == "private, no-store"
        headers = {"Accept": accept or "", "If-None-Match": first.headers["etag"]}
        again = filled.client().get(f"/dicom-web/{path}", headers=headers)
        assert (again.status_code, again.content) == (304, b"")


def test_an_object_damaged_in_the_archive_is_never_sent(filled, store):
    for path in store.archive.root.glob("??/*"):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"\x99")
    for path in (INSTANCE + "1", INSTANCE + "1/frames/1", INSTANCE + "1/metadata"):
        answer = got(filled, path)
        assert answer.status_code == 500
        assert "damaged" in answer.text


def test_a_study_that_was_looked_at_stands_in_the_audit_log_once(filled, store):
    got(filled, f"studies/{STUDY}/metadata")
    for number in range(1, 6):
        got(filled, f"{INSTANCE}{number}/frames/1")
    entries = [each for each in store.audit.entries() if each.action == "retrieved"]
    assert [(each.actor, each.subject) for each in entries] == [("local", STUDY)]


def test_nobody_without_a_name_gets_anything_from_elsewhere(filled):
    for path in ("studies", f"studies/{STUDY}", INSTANCE + "1/rendered", "instances"):
        answer = filled.client(at=AWAY).get(f"/dicom-web/{path}")
        assert answer.status_code == 401
        assert b"Wang" not in answer.content
