"""A real PACS that dies again and again has every result once in the end."""

import threading
from datetime import datetime, timedelta

import pytest

pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")
pytest.importorskip("httpx", reason="httpx is not installed")
from medloop.core.record import to_record
from medloop.dicom.net.sender import DicomNode
from medloop.dicom.web.client import StowServer
from medloop.store import Entry, JobState, Kept, end_job
from medloop.workflow.delivery import deliver
from medloop.workflow.routing import instances_of, route
from tests.dicom.slices import a_slice, save
from tests.peers import LOOPBACK, forget_sockets, orthanc
from tests.workflow.cases import NOON, Grade, a_case, a_result, a_study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed .*socket:ResourceWarning"),
]
RESULTS = 8


@pytest.fixture(autouse=True)
def no_socket_for_the_next_test():
    yield
    forget_sockets()


@pytest.fixture
def kept(store):
    """A store with results that wait for the same PACS by C-STORE and by STOW-RS."""
    study = a_study(photographs=RESULTS)
    store.catalog.add(study, now=NOON)
    for each in route([study], [Grade()]):
        store.jobs.add(study.uid, "grade", instances_of(each.selection), now=NOON)
    case = a_case()
    record = to_record(a_result(case), case.study, "eye")
    while job := store.jobs.claim("w1", ["grade"], now=NOON):
        folder = f"2.25.1/grade-{job.id}"
        products = store.results_folder / folder
        products.mkdir(parents=True)
        for name in ("seg", "sr"):
            made = a_slice(SOPInstanceUID=f"2.25.9.{job.id}.{len(name)}", PatientID="p1")
            save(made, products / f"{name}.dcm")
        result = Kept(job.id, folder, ("seg.dcm", "sr.dcm"), record, NOON)
        entry = Entry(NOON, "w1", "analyzed", study.uid, {})
        names = ("dimse", "web")
        end_job(store, job, JobState.SENDING, entry, kept=result, destinations=names)
    return store


def test_a_pacs_that_is_killed_again_and_again_has_every_result_once(kept, tmp_path):
    clock = [NOON]

    def now() -> datetime:
        return clock[0]

    with orthanc(tmp_path) as pacs:
        destinations = {
            "dimse": DicomNode("dimse", pacs.aet, LOOPBACK, pacs.dicom_port, timeout_s=5),
            "web": StowServer("web", pacs.dicomweb, timeout_s=5),
        }
        for life in range(1, 5):
            end = threading.Timer(0.15 * life, pacs.kill)
            end.start()
            for _ in range(3):
                deliver(kept, destinations, now)
            end.join()
            pacs.start()
            clock[0] += timedelta(minutes=11)
        for _ in range(20):
            clock[0] += timedelta(hours=1)
            if not deliver(kept, destinations, now):
                break
        held = pacs.instances()
    assert kept.jobs.counts()[JobState.DONE] == RESULTS
    assert sorted(held) == sorted(
        f"2.25.9.{job.id}.{n}" for job in kept.jobs.all() for n in (2, 3)
    )
    outcomes = [
        entry.details["outcome"]
        for entry in kept.audit.entries()
        if entry.action == "delivered"
    ]
    assert outcomes == ["done"] * 2 * RESULTS
