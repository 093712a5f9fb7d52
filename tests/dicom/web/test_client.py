"""Results reach a DICOMweb server by STOW-RS; what it refuses is told."""

import json
import logging
import ssl
import time

import pytest

pytest.importorskip("httpx", reason="httpx is not installed")
pytest.importorskip("dicomweb_client", reason="dicomweb-client is not installed")
from pydicom.dataset import Dataset

from medloop.core.errors import InputError, ServiceError, UnsuitableError
from medloop.core.study import Study, StudyUid
from medloop.dicom.web.client import StowServer
from medloop.dicom.web.source import Access
from tests.answering import answering
from tests.certificates import an_authority
from tests.dicom.written import a_result_folder, uids
from tests.peers import free_port, orthanc

STUDY = Study(StudyUid("2.25.6"), "ct", ())
JSON = "application/dicom+json"


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    return a_result_folder(tmp_path_factory.mktemp("products"))


@pytest.fixture(scope="module")
def pacs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pacs")
    with orthanc(folder, credentials=("medloop", "secret")) as server:
        yield server


def stow(url, **more) -> StowServer:
    return StowServer("pacs", url, **({"timeout_s": 20.0} | more))


def said(*, stored=(), failed=(), warned=()) -> bytes:
    """What a server answers (PS3.18 table I.2-1)."""
    answer = Dataset()
    answer.ReferencedSOPSequence = [item(uid) for uid in stored]
    answer.ReferencedSOPSequence += [item(uid, WarningReason=0xB000) for uid in warned]
    answer.FailedSOPSequence = [item(uid, FailureReason=why) for uid, why in failed]
    return json.dumps(answer.to_json_dict()).encode()


def item(uid, **more):
    made = Dataset()
    made.ReferencedSOPInstanceUID = uid
    for keyword, value in more.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.slow
def test_everything_arrives_in_a_pacs_and_sending_again_does_no_harm(products, pacs):
    pacs.clear()
    to = stow(pacs.dicomweb, access=Access("medloop", "secret"))
    to.send(STUDY, products)
    to.send(STUDY, products)
    found = pacs.ask("GET", "/dicom-web/studies/2.25.6/instances").json()
    held = sorted(each["00080018"]["Value"][0] for each in found)
    assert held == sorted(uids(products).values())


@pytest.mark.slow
def test_a_pacs_that_was_away_has_everything_once_it_is_back(products, pacs):
    pacs.clear()
    to = stow(pacs.dicomweb, access=Access("medloop", "secret"))
    pacs.kill()
    with pytest.raises(ServiceError, match=r"^pacs cannot be reached: connection refused$"):
        to.send(STUDY, products)
    pacs.start()
    to.send(STUDY, products)
    assert sorted(pacs.instances()) == sorted(uids(products).values())


@pytest.mark.slow
def test_a_wrong_password_is_told_and_appears_nowhere(products, pacs):
    to = stow(pacs.dicomweb, access=Access("medloop", "wrong-one"))
    with pytest.raises(ServiceError, match=r"^pacs refuses us \(HTTP 401\)$"):
        to.send(STUDY, products)
    assert "wrong-one" not in repr(to)


def test_the_whole_body_is_announced_and_framed(products):
    with answering((200, JSON, said())) as server:
        stow(server.url + "/dicom-web/").send(STUDY, products)
    (request,) = server.requests
    assert request.path == "/dicom-web/studies"
    assert request.headers["content-type"].startswith("multipart/related; type=")
    assert "transfer-encoding" not in request.headers
    for path in products.glob("*.dcm"):
        assert path.read_bytes() in request.body
    assert request.body.count(b"Content-Type: application/dicom\r\n\r\n") == 4


def test_a_token_is_shown(products):
    with answering((200, JSON, said())) as server:
        stow(server.url, access=Access("", "t0ken")).send(STUDY, products)
    assert server.requests[0].headers["authorization"] == "Bearer t0ken"


def test_only_the_objects_a_server_wants_are_sent(products):
    with answering((200, JSON, said())) as server:
        stow(server.url, objects=("sr",)).send(STUDY, products)
    assert (products / "sr.dcm").read_bytes() in server.requests[0].body
    assert (products / "seg.dcm").read_bytes() not in server.requests[0].body


@pytest.mark.parametrize("status", [200, 202, 409])
def test_an_object_that_is_refused_is_told_by_its_reason(products, status):
    names = uids(products)
    body = said(stored=[names["sr.dcm"]], failed=[(names["seg.dcm"], 0x0122), ("1.9", 0xA700)])
    with (
        answering((status, JSON, body)) as server,
        pytest.raises(ServiceError, match=r"^pacs refuses seg.dcm: 0x0122; an object: 0xA700$"),
    ):
        stow(server.url).send(STUDY, products)


def test_a_warning_is_logged_and_is_no_failure(products, caplog):
    body = said(warned=[uids(products)["sr.dcm"]])
    with answering((202, JSON, body)) as server, caplog.at_level(logging.WARNING, "medloop"):
        stow(server.url).send(STUDY, products)
    assert caplog.messages == ["sr.dcm was stored with warning 0xB000"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"00081198": {"vr": "SQ", "Value": [7]}}']
)
def test_an_answer_without_sense_to_a_success_is_a_success(products, body):
    with answering((200, JSON, body)) as server:
        stow(server.url).send(STUDY, products)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (400, "fails (HTTP 400)"),
        (403, "refuses us (HTTP 403)"),
        (302, "fails (HTTP 302)"),
        (409, "stored nothing (HTTP 409)"),
        (413, "fails (HTTP 413)"),
        (503, "fails (HTTP 503)"),
    ],
)
def test_a_server_that_fails_is_told_by_its_status_alone(products, status, told):
    with (
        answering((status, "text/html", b"DOE^JOHN")) as server,
        pytest.raises(ServiceError) as caught,
    ):
        stow(server.url).send(STUDY, products)
    assert str(caught.value) == f"pacs {told}"


@pytest.mark.slow
def test_a_server_that_never_answers_is_not_waited_for_longer_than_the_timeout(products):
    def hang(_request):
        time.sleep(3)
        return 200, JSON, b""

    started = time.monotonic()
    with answering(hang) as server:
        with pytest.raises(ServiceError, match=r"^pacs did not answer in time$"):
            stow(server.url, timeout_s=0.5).send(STUDY, products)
        assert time.monotonic() - started < 2.5


def test_a_server_is_trusted_by_its_authority_and_by_nothing_else(products, tmp_path):
    authority, them = an_authority(tmp_path, "pacs", "medloop")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(them["pacs"].certificate, them["pacs"].key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority)
    mine = them["medloop"].certificate, them["medloop"].key
    with answering((200, JSON, said()), tls=context) as server:
        stow(server.url, access=Access(authority=authority, certificate=mine)).send(
            STUDY, products
        )
        assert len(server.requests) == 1
        with pytest.raises(ServiceError, match="TLS failed, CERTIFICATE_VERIFY_FAILED"):
            stow(server.url).send(STUDY, products)


def test_nothing_is_sent_where_there_is_nothing(tmp_path):
    to = stow(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UnsuitableError):
        to.send(STUDY, tmp_path)
    (tmp_path / "sr.dcm").write_bytes(b"no DICOM")
    with pytest.raises(InputError, match=r"^sr.dcm is no DICOM file"):
        to.send(STUDY, tmp_path)


def test_an_address_that_means_nothing_is_told(products):
    for url in ("http://", "ftp://pacs.example", "http://pacs.invalid"):
        with pytest.raises(ServiceError, match=r"^pacs cannot be reached"):
            stow(url).send(STUDY, products)
