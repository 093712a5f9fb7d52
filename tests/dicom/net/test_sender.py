"""Results reach a PACS by C-STORE, and it promises to keep them; what it refuses is told."""

import logging
import ssl
import threading
import time

import pytest

pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")
from pydicom import dcmread
from pynetdicom import AE, AllStoragePresentationContexts, evt

from medloop.core.errors import InputError, ServiceError, UnsuitableError
from medloop.dicom.net.commitment import Ledger, listen, take_report
from tests.certificates import an_authority
from tests.dicom.net.node import SEGMENTATION, STUDY, a_node, looks_late, node, stores
from tests.dicom.written import uids
from tests.peers import LOOPBACK, free_port, orthanc, storescp, wait_until

pytestmark = pytest.mark.filterwarnings("ignore:unclosed .*socket:ResourceWarning")

NAMES = ["heatmap.dcm", "report.dcm", "seg.dcm", "sr.dcm"]


@pytest.fixture(scope="module")
def back():
    """A port on which a PACS may call us."""
    return free_port()


@pytest.fixture(scope="module")
def pacs(tmp_path_factory, back):
    with orthanc(tmp_path_factory.mktemp("pacs"), modalities={"MEDLOOP": back}) as server:
        yield server


@pytest.mark.slow
def test_everything_arrives_in_a_pacs_and_sending_again_does_no_harm(products, pacs):
    pacs.clear()
    to = node(pacs.dicom_port)
    to.send(STUDY, products)
    to.send(STUDY, products)
    assert sorted(pacs.instances()) == sorted(uids(products).values())
    (study,) = pacs.get("/studies?expand")
    assert study["MainDicomTags"]["StudyInstanceUID"] == "2.25.6"


@pytest.mark.slow
def test_a_pacs_that_was_away_has_everything_once_it_is_back(products, pacs):
    pacs.clear()
    to = node(pacs.dicom_port)
    pacs.kill()
    with pytest.raises(
        ServiceError, match=f"^pacs does not answer at {LOOPBACK}:.*: connection refused$"
    ):
        to.send(STUDY, products)
    pacs.start()
    to.send(STUDY, products)
    pacs.kill()
    pacs.start()
    assert len(pacs.instances()) == 4
    to.send(STUDY, products)
    assert sorted(pacs.instances()) == sorted(uids(products).values())


@pytest.mark.slow
def test_a_pacs_commits_to_what_it_stored_on_an_association_of_its_own(
    products, pacs, back, tmp_path
):
    pacs.clear()
    ae = AE("MEDLOOP")
    listen(ae)
    ledger = Ledger(tmp_path / "commitments")
    handlers = [(evt.EVT_N_EVENT_REPORT, take_report, [ledger])]
    server = ae.start_server((LOOPBACK, back), block=False, evt_handlers=handlers)
    try:
        to = node(pacs.dicom_port, commitment=True, ledger=ledger.folder, commitment_s=20)
        to.send(STUDY, products)
    finally:
        server.shutdown()
    assert len(pacs.instances()) == 4
    assert list(ledger.folder.iterdir()) == []  # nothing is left to wait for


@pytest.mark.slow
def test_objects_travel_by_tls_where_both_sides_show_who_they_are(products, tmp_path):
    authority, them = an_authority(tmp_path, "pacs", "medloop")
    tls = ssl.create_default_context(cafile=authority)
    tls.load_cert_chain(them["medloop"].certificate, them["medloop"].key)
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(them["pacs"].certificate),
        "DicomTlsPrivateKey": str(them["pacs"].key),
        "DicomTlsTrustedCertificates": str(authority),
    }
    with orthanc(tmp_path, **settings) as server:
        node(server.dicom_port, tls=tls).send(STUDY, products)
        assert len(server.instances()) == 4
        with pytest.raises(ServiceError, match="does not answer"):
            node(server.dicom_port, timeout_s=2).send(STUDY, products)
        stranger = ssl.create_default_context()  # trusts nobody we know
        with pytest.raises(
            ServiceError, match=r"cannot be trusted .*CERTIFICATE_VERIFY_FAILED"
        ):
            node(server.dicom_port, tls=stranger, timeout_s=2).send(STUDY, products)


@pytest.mark.slow
def test_what_is_only_accepted_uncompressed_is_decompressed_under_its_own_uid(
    products, tmp_path
):
    with storescp(tmp_path) as peer:
        node(peer.port).send(STUDY, products)
        wait_until(lambda: len(peer.received()) == 4)
        got = [dcmread(path) for path in peer.received()]
    assert sorted(each.SOPInstanceUID for each in got) == sorted(uids(products).values())
    assert not any(each.file_meta.TransferSyntaxUID.is_compressed for each in got)
    (capture,) = (each for each in got if each.Modality == "OT" and "PixelData" in each)
    assert capture.LossyImageCompression == "01"
    assert capture.pixel_array.shape == (40, 48, 3)


@pytest.mark.slow
@pytest.mark.parametrize("is_late", [False, True])
def test_a_refused_association_says_why(products, tmp_path, monkeypatch, is_late):
    if is_late:
        looks_late(monkeypatch)
    with (
        storescp(tmp_path, "--refuse") as peer,
        pytest.raises(ServiceError, match=r"^pacs refuses the association: no reason given$"),
    ):
        node(peer.port).send(STUDY, products)


@pytest.mark.slow
def test_an_association_that_ends_half_way_is_a_failure(products, tmp_path):
    with (
        storescp(tmp_path, "--abort-after") as peer,
        pytest.raises(ServiceError, match=r"^pacs gives no answer to seg.dcm$"),
    ):
        node(peer.port).send(STUDY, products)


def test_a_refused_object_is_told_by_its_status_and_the_others_are_sent(products):
    kept = []
    with (
        a_node(handlers=[stores(0xA700, of=SEGMENTATION, kept=kept)]) as port,
        pytest.raises(ServiceError, match=r"^pacs refuses seg.dcm: 0xA700$"),
    ):
        node(port).send(STUDY, products)
    assert sorted(kept) == sorted(uids(products).values())


def test_a_warning_is_logged_and_is_no_failure(products, caplog):
    with a_node(handlers=[stores(0xB000)]) as port, caplog.at_level(logging.WARNING, "medloop"):
        node(port).send(STUDY, products)
    assert "sr.dcm was stored with warning 0xB000" in caplog.messages
    assert "Wang" not in caplog.text


def test_an_object_whose_class_is_refused_is_told_and_the_others_are_sent(products):
    kept = []
    contexts = [
        each for each in AllStoragePresentationContexts if each.abstract_syntax != SEGMENTATION
    ]
    with (
        a_node(contexts=contexts, handlers=[stores(kept=kept)]) as port,
        pytest.raises(
            ServiceError, match=r"seg.dcm: no presentation context for Segmentation Storage"
        ),
    ):
        node(port).send(STUDY, products)
    assert len(kept) == 3


def test_a_pacs_that_wants_none_of_the_classes_says_so(products):
    contexts = [
        each
        for each in AllStoragePresentationContexts
        if "CT Image" in each.abstract_syntax.name
    ]
    with (
        a_node(contexts=contexts, handlers=[stores()]) as port,
        pytest.raises(ServiceError, match="pacs accepts none of the objects"),
    ):
        node(port).send(STUDY, products)


def test_a_pacs_gets_the_objects_it_wants_and_no_others(products):
    kept = []
    with a_node(handlers=[stores(kept=kept)]) as port:
        node(port, objects=("sr", "report")).send(STUDY, products)
    assert sorted(kept) == sorted(uids(products)[name] for name in ("sr.dcm", "report.dcm"))


def test_what_refers_to_others_is_sent_after_them(products):
    kept = []
    with a_node(handlers=[stores(kept=kept)]) as port:
        node(port).send(STUDY, products)
    order = ["seg.dcm", "heatmap.dcm", "sr.dcm", "report.dcm"]
    assert kept == [uids(products)[name] for name in order]


@pytest.mark.slow
def test_a_pacs_that_never_answers_is_not_waited_for_longer_than_the_timeout(products):
    release = threading.Event()

    def hang(_event):
        release.wait(20)
        return 0x0000

    with a_node(handlers=[(evt.EVT_C_STORE, hang)]) as port:
        started = time.monotonic()
        with pytest.raises(ServiceError, match=r"^pacs gives no answer to seg.dcm$"):
            node(port, timeout_s=1.0).send(STUDY, products)
        assert time.monotonic() - started < 10
        release.set()


def test_without_an_object_there_is_nothing_to_send(tmp_path):
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(UnsuitableError, match="no DICOM object"):
        node(1).send(STUDY, tmp_path)


def test_a_product_that_is_no_dicom_is_bad_and_not_tried_again(tmp_path):
    (tmp_path / "sr.dcm").write_bytes(b"DOE^JOHN" * 40)
    with pytest.raises(InputError, match=r"^sr.dcm is no DICOM file$"):
        node(1).send(STUDY, tmp_path)
    with pytest.raises(InputError, match="folder of the result is gone"):
        node(1).send(STUDY, tmp_path / "gone")


@pytest.mark.slow
def test_a_sign_of_life_is_asked_for():
    with a_node(handlers=[]) as port, pytest.raises(ServiceError, match="accepts none"):
        node(port).echo()
    ae = AE("PACS")
    ae.add_supported_context("1.2.840.10008.1.1")
    server = ae.start_server((LOOPBACK, 0), block=False)
    try:
        node(server.server_address[1]).echo()
    finally:
        server.shutdown()
