"""What is sent is kept, and each object has its answer."""

import pytest

from medloop.apps.site import Site, WebSettings
from medloop.core.errors import ServiceError
from tests.apps.web.dicomweb.conftest import ALL
from tests.dicom.web import objects
from tests.dicom.web.objects import CT_SERIES, STUDY

KIND = 'multipart/related; type="application/dicom"; boundary=between'


def body(*contents: bytes, kind="application/dicom", boundary=b"between") -> bytes:
    parts = [
        b"--%s\r\nContent-Type: %s\r\n\r\n%s\r\n" % (boundary, kind.encode(), content)
        for content in contents
    ]
    return b"".join(parts) + b"--" + boundary + b"--\r\n"


def send(node, content, *, path="studies", kind=KIND, **headers):
    sent = {"Content-Type": kind, **headers}
    return node.client().post(f"/dicom-web/{path}", content=content, headers=sent)


def failures(answer):
    return [
        each["00081197"]["Value"][0]
        for each in answer.json().get("00081198", {"Value": []})["Value"]
    ]


def stored(answer):
    found = answer.json().get("00081199", {"Value": []})["Value"]
    return [each["00081155"]["Value"][0] for each in found]


def held(node):
    return node.client().get("/dicom-web/instances").json()


def test_many_objects_are_stored_in_one_request(web, store):
    answer = send(web, body(*ALL.values()))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert len(stored(answer)) == len(held(web)) == 10
    assert failures(answer) == []
    (first, *_) = answer.json()["00081199"]["Value"]
    assert first["00081150"]["Value"] == ["1.2.840.10008.5.1.4.1.1.2"]
    url = (
        f"http://127.0.0.1/dicom-web/studies/{STUDY}/series/{CT_SERIES}/instances/{CT_SERIES}.1"
    )
    assert first["00081190"]["Value"] == [url]
    deeds = [(e.actor, e.subject) for e in store.audit.entries() if e.action == "stored"]
    assert deeds == [("local", STUDY), ("local", "2.25.20001")]


def test_what_was_stored_comes_back_byte_by_byte(web):
    send(web, body(ALL["CT 4, JPEG-LS"]))
    headers = {"Accept": "application/dicom; transfer-syntax=*"}
    path = f"/dicom-web/studies/{STUDY}/series/{CT_SERIES}/instances/{CT_SERIES}.4"
    assert web.client().get(path, headers=headers).content == ALL["CT 4, JPEG-LS"]


def test_sending_again_changes_nothing(web):
    for _ in range(2):
        answer = send(web, body(ALL["CT 1"]))
        assert (answer.status_code, failures(answer)) == (200, [])
    assert len(held(web)) == 1


def test_another_object_of_the_same_uid_is_refused_and_kept_apart(web, store):
    send(web, body(ALL["CT 1"]))
    other = objects.in_file(objects.ct(1, seed=99))
    answer = send(web, body(other, ALL["CT 2"]))
    assert (answer.status_code, failures(answer)) == (202, [0x0111])
    assert stored(answer) == [f"{CT_SERIES}.2"]
    assert len(store.catalog.conflicts()) == 1


def test_what_is_no_dicom_is_refused_beside_what_is(web):
    answer = send(web, body(b"no DICOM at all", ALL["CT 1"]))
    assert (answer.status_code, failures(answer)) == (202, [0xC000])
    alone = send(web, body(b"no DICOM at all"))
    assert (alone.status_code, failures(alone)) == (409, [0xC000])


def test_objects_of_another_study_are_refused_where_the_address_names_one(web):
    answer = send(web, body(ALL["CT 1"], ALL["other"]), path=f"studies/{STUDY}")
    assert (answer.status_code, failures(answer)) == (202, [0xC409])
    assert len(held(web)) == 1


def test_parts_of_another_media_type_are_refused(web):
    answer = send(web, body(ALL["CT 1"], kind="image/jpeg"))
    assert (answer.status_code, failures(answer)) == (409, [0xC122])


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (ALL["CT 1"], "application/dicom", 415),
        (body(b"{}"), KIND.replace("dicom", "dicom+json"), 415),
        (body(b"x"), "multipart/form-data; boundary=between", 415),
        (body(b"x"), 'multipart/related; type="application/dicom"', 400),
        (b"", KIND, 400),
        (b"--between--\r\n", KIND, 400),
        (b"no boundary anywhere", KIND, 400),
        (body(ALL["CT 1"])[:-40], KIND, 400),
        (b"--between\r\n" + b"x" * 9000, KIND, 400),
    ],
)
def test_a_body_that_is_none_is_refused_whole(web, content, kind, status):
    assert send(web, content, kind=kind).status_code == status
    assert held(web) == []


def test_an_answer_in_xml_cannot_be_had(web):
    assert send(web, body(ALL["CT 1"]), Accept="application/dicom+xml").status_code == 406
    assert held(web) == []


@pytest.mark.parametrize("is_announced", [True, False])
class TestLimits:
    @pytest.fixture
    def site(self) -> Site:
        return Site(web=WebSettings(max_upload_mb=1, max_body_mb=1))

    def test_a_body_over_the_limit_is_refused(self, web, is_announced):
        content = body(b"x" * (1 << 20), b"y" * (1 << 20))
        sent = content if is_announced else iter([content[:70_000], content[70_000:]])
        assert send(web, sent).status_code == 413
        assert held(web) == []


def test_nothing_lies_about_afterwards(web, store):
    send(web, body(*ALL.values()))
    send(web, body(ALL["CT 1"])[:-40])
    assert list((store.root / "uploads").iterdir()) == []


def test_a_full_disk_is_said_to_be_for_later(web, reception, monkeypatch):
    class Full:
        def store_now(self, objects, source):
            raise ServiceError("archive cannot be written: No space left on device")

    object.__setattr__(web.context, "reception", Full())
    answer = send(web, body(ALL["CT 1"]))
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
