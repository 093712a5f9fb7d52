"""A real PACS gets what was signed, after the model's own, and nothing that was not signed."""

from datetime import timedelta

import pytest
from pydicom import dcmread

pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")
pytest.importorskip("httpx", reason="httpx is not installed")
from medloop.core.attestation import Meaning
from medloop.dicom.net.sender import DicomNode
from medloop.store import JobState
from medloop.workflow.delivery import deliver
from tests.peers import LOOPBACK, forget_sockets, orthanc
from tests.workflow.cases import NOON
from tests.workflow.read_cases import READER, a_read_ct, read
from tests.workflow.signing import issued, signed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed .*socket:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def no_socket_for_the_next_test():
    yield
    forget_sockets()


def test_a_pacs_has_each_signed_report_and_no_draft(store, tmp_path):
    job = a_read_ct(store, tmp_path / "ct", now=NOON, destinations=("pacs",))
    with orthanc(tmp_path / "pacs") as pacs:
        node = DicomNode("pacs", pacs.aet, LOOPBACK, pacs.dicom_port, timeout_s=10)

        def sent(at) -> set[str]:
            issued(store, "pacs", now=at)
            deliver(store, {"pacs": node}, lambda: at)
            return set(pacs.instances())

        own = sent(NOON)
        reading = read(store, job, ("reject", "2", None), now=NOON)
        assert sent(NOON) == own, "a draft left the node"
        later = NOON
        for meaning in (Meaning.PRELIMINARY, Meaning.FINAL):
            later += timedelta(minutes=5)
            version = signed(store, reading, meaning, now=later)
            held = sent(later)
            report = dcmread(store.results_folder / version.folder / "sr.dcm")
            assert str(report.SOPInstanceUID) in held
        found = pacs.ask("POST", "/tools/lookup", content=report.SOPInstanceUID).json()
        tags = pacs.get(f"/instances/{found[0]['ID']}/simplified-tags")
        assert tags["VerificationFlag"] == "VERIFIED"
        verifier = tags["VerifyingObserverSequence"][0]
        assert verifier["VerifyingObserverName"] == READER
    assert store.jobs.get(job.id).state is JobState.REVIEWED
