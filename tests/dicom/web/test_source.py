"""Studies are found and fetched by DICOMweb, from a real Orthanc."""

import hashlib
import http.server
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

import pytest

pytest.importorskip("dicomweb_client", reason="dicomweb-client is not installed")

from medloop.core.errors import InputError, ServiceError
from medloop.core.names import StudyUid
from medloop.core.retrieve import Listed, Missing, Wanted, missing_of
from medloop.dicom.web.source import Access, WebPacs
from tests.dicom.net.test_query import OTHER, STUDY, objects
from tests.peers import free_port, orthanc

SECRET = ("reader", "open sesame")


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    return objects(tmp_path_factory.mktemp("objects"))


@pytest.fixture(scope="module")
def pacs(tmp_path_factory, sent):
    with orthanc(tmp_path_factory.mktemp("orthanc"), credentials=SECRET) as server:
        server.upload(*sent)
        yield WebPacs("orthanc", server.dicomweb, Access(*SECRET), timeout_s=20)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(study=STUDY), [STUDY]),
        (Wanted(first=date(2026, 1, 1), last=date(2026, 1, 31)), [STUDY]),
        (Wanted(first=date(2026, 1, 1)), [OTHER, STUDY]),
        (Wanted(patient="P2"), [OTHER]),
        (Wanted(accession="A1"), [STUDY]),
        (Wanted(modality="MR"), [OTHER]),
        (Wanted(modality="US"), []),
    ],
)
def test_studies_are_found_by_each_key_the_newest_first(pacs, wanted, found):
    assert [held.study for held in pacs.find(wanted)] == found


def test_a_study_says_how_many_objects_it_has(pacs):
    (held,) = pacs.find(Wanted(study=STUDY))
    assert (held.instances, held.modalities, held.date) == (5, ("CT",), "20260105")


def test_a_whole_study_comes_byte_for_byte(pacs, sent, tmp_path):
    missing = missing_of(pacs.listing(STUDY), frozenset())
    hashes = {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in pacs.fetch(STUDY, missing, tmp_path)
    }
    assert hashes == {hashlib.sha256(each).hexdigest() for each in sent[:5]}


def test_only_what_is_missing_of_a_series_is_fetched(pacs, sent, tmp_path):
    listing = pacs.listing(STUDY)
    one = listing[0]
    missing = missing_of(listing, frozenset(each.uid for each in listing) - {one.uid})
    (content,) = [path.read_bytes() for path in pacs.fetch(STUDY, missing, tmp_path)]
    assert content in sent
    assert one.uid.encode() in content


def test_metadata_describe_each_object_of_a_study(pacs):
    told = pacs.metadata(STUDY)
    assert {each["00080018"]["Value"][0] for each in told} == {
        each.uid for each in pacs.listing(STUDY)
    }


def test_what_a_pacs_no_longer_holds_is_bad_input(pacs, tmp_path):
    gone = Missing("1.2.3", (Listed("1.2.3.4", "1.2.3", ""),), is_whole=True)
    with pytest.raises(InputError, match="orthanc does not hold it"):
        list(pacs.fetch(StudyUid("1.2"), [gone], tmp_path))


def test_a_wrong_password_is_said_without_it(pacs):
    with pytest.raises(ServiceError, match=r"refuses us \(HTTP 401\)") as caught:
        replace(pacs, access=Access("reader", "wrong")).find(Wanted(study=STUDY))
    assert "wrong" not in str(caught.value) + repr(pacs)


def test_a_pacs_that_is_away_is_trouble_outside_and_no_key_is_told():
    away = WebPacs("away", f"http://127.0.0.1:{free_port()}/dicom-web", timeout_s=2)
    with pytest.raises(ServiceError, match="away cannot be reached") as caught:
        away.find(Wanted(patient="SECRET-ID"))
    assert "SECRET-ID" not in str(caught.value)


@contextmanager
def answering(body, kind):
    """A server that gives everybody the same."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield WebPacs("odd", f"http://127.0.0.1:{server.server_port}", timeout_s=5)
        server.shutdown()


WHOLE = [Missing("1.2", (Listed("1.2.3", "1.2", ""),), is_whole=True)]


def test_of_an_answer_that_is_cut_off_the_whole_parts_are_good(tmp_path):
    part = b"--b\r\nContent-Type: application/dicom\r\n\r\n"
    body = part + b"first\r\n" + part + b"secon"
    got = []
    with answering(body, "multipart/related; boundary=b") as pacs:
        fetching = pacs.fetch(StudyUid("1"), WHOLE, tmp_path)
        with pytest.raises(ServiceError, match="odd sent a damaged answer"):
            got.extend(path.read_bytes() for path in fetching)
    assert got == [b"first"]


def test_one_object_may_come_without_parts(tmp_path):
    with answering(b"all of it", "application/dicom") as pacs:
        got = [path.read_bytes() for path in pacs.fetch(StudyUid("1"), WHOLE, tmp_path)]
    assert got == [b"all of it"]


@pytest.mark.parametrize("body", [b"<html>", b"[[]]", b"7"])
def test_an_answer_that_is_no_dicom_json_is_trouble_outside(body):
    said = pytest.raises(ServiceError, match="something else than DICOM JSON")
    with answering(body, "application/dicom+json") as pacs, said:
        pacs.find(Wanted(study="1.2"))


@pytest.mark.parametrize("body", [b'{"a": 1}', b'[{"0020000D": 3}]', b"[]", b""])
def test_an_answer_that_names_no_study_finds_none(body):
    with answering(body, "application/dicom+json") as pacs:
        assert pacs.find(Wanted(study="1.2")) == ()
