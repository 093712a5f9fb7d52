"""A PACS promises to keep what it was sent, at once, later or not at all."""

import os
import threading
import time
from queue import Queue

import pytest

pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import N_EVENT_REPORT

from medloop.core.errors import ServiceError
from medloop.dicom.net.commitment import (
    PUSH_MODEL,
    WELL_KNOWN,
    Ledger,
    Report,
    listen,
    take_report,
)
from tests.dicom.net.node import SEGMENTATION, STUDY, a_node, node, stores
from tests.dicom.written import uids
from tests.peers import LOOPBACK

pytestmark = pytest.mark.filterwarnings("ignore:unclosed .*socket:ResourceWarning")


def committing(*, lost=(), on=None, status=0x0000, events=None, answers=None):
    """Answer N-ACTION, then report on the same association, or not at all."""

    def act(event):
        asked = event.action_information
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        report.ReferencedSOPSequence, report.FailedSOPSequence = [], []
        for item in asked.ReferencedSOPSequence:
            if item.ReferencedSOPClassUID in lost:
                item.FailureReason = 0x0112  # no such object instance
                report.FailedSOPSequence.append(item)
            else:
                report.ReferencedSOPSequence.append(item)
        if not report.FailedSOPSequence:
            del report.FailedSOPSequence
        if events is not None:
            events.append(asked.TransactionUID)
        kind = 2 if lost else 1

        def tell():
            answer, _ = event.assoc.send_n_event_report(report, kind, PUSH_MODEL, WELL_KNOWN)
            if answers is not None:
                answers.put(answer.get("Status"))

        if on == "association" and status == 0x0000:
            threading.Timer(0.1, tell).start()
        return status, None

    return evt.EVT_N_ACTION, act


def test_a_promise_on_the_same_association_is_heard(products):
    handlers = [stores(), committing(on="association")]
    with a_node(handlers=handlers, commits=True) as port:
        node(port, commitment=True).send(STUDY, products)


def test_a_report_is_answered_before_the_association_is_released(products, monkeypatch):
    answers = Queue()
    send = DIMSEServiceProvider.send_msg

    def send_slowly(provider, primitive, context_id):
        if isinstance(primitive, N_EVENT_REPORT) and primitive.MessageIDBeingRespondedTo:
            time.sleep(0.3)
        send(provider, primitive, context_id)

    monkeypatch.setattr(DIMSEServiceProvider, "send_msg", send_slowly)
    handlers = [stores(), committing(on="association", answers=answers)]
    with a_node(handlers=handlers, commits=True) as port:
        node(port, commitment=True).send(STUDY, products)
        assert answers.get(timeout=30) == 0x0000


def test_a_promise_that_leaves_an_object_out_is_a_failure_with_its_reason(products):
    handlers = [stores(), committing(on="association", lost=(SEGMENTATION,))]
    with (
        a_node(handlers=handlers, commits=True) as port,
        pytest.raises(ServiceError, match=r"^pacs does not commit to seg.dcm: 0x0112$"),
    ):
        node(port, commitment=True).send(STUDY, products)


def test_a_refused_request_for_commitment_is_a_failure(products):
    handlers = [stores(), committing(status=0x0213)]
    with (
        a_node(handlers=handlers, commits=True) as port,
        pytest.raises(ServiceError, match=r"^pacs refuses storage commitment: 0x0213$"),
    ):
        node(port, commitment=True).send(STUDY, products)


def test_a_pacs_that_does_not_know_commitment_is_a_failure(products):
    with (
        a_node(handlers=[stores()]) as port,
        pytest.raises(ServiceError, match=r"^pacs does not offer storage commitment$"),
    ):
        node(port, commitment=True).send(STUDY, products)


@pytest.mark.slow
def test_a_promise_that_comes_late_spares_the_next_try_everything(products, tmp_path):
    kept, asked = [], []
    ledger = Ledger(tmp_path)
    handlers = [stores(kept=kept), committing(events=asked)]
    with a_node(handlers=handlers, commits=True) as port:
        to = node(port, commitment=True, ledger=tmp_path, commitment_s=0.2)
        with pytest.raises(ServiceError, match=r"no storage commitment within 0.2 s$"):
            to.send(STUDY, products)
    (transaction,) = asked
    report = Dataset()
    report.TransactionUID = transaction
    report.ReferencedSOPSequence = []
    for uid in uids(products).values():
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = SEGMENTATION, uid
        report.ReferencedSOPSequence.append(item)
    assert tell(ledger, report) == 0x0000
    to.send(STUDY, products)  # nobody listens at that port any more
    assert len(kept) == 4
    assert list(tmp_path.iterdir()) == []


def tell(ledger, report, kind=1):
    """Report to a receiver of ours, as a PACS does."""
    ae = AE("MEDLOOP")
    listen(ae)
    handlers = [(evt.EVT_N_EVENT_REPORT, take_report, [ledger])]
    server = ae.start_server((LOOPBACK, 0), block=False, evt_handlers=handlers)
    caller = AE("PACS")
    caller.add_requested_context(PUSH_MODEL)
    try:
        association = caller.associate(LOOPBACK, server.server_address[1])
        assert association.is_established
        status, _ = association.send_n_event_report(report, kind, PUSH_MODEL, WELL_KNOWN)
        association.release()
        return status.Status
    finally:
        server.shutdown()


@pytest.mark.slow
def test_reports_that_nobody_asked_for_are_not_kept(tmp_path):
    ledger = Ledger(tmp_path / "commitments")
    report = Dataset()
    report.TransactionUID = "1.2.3"
    report.ReferencedSOPSequence = []
    assert tell(ledger, report) == 0x0000
    assert not ledger.take("../../1.2.3", Report(frozenset()))
    assert tell(ledger, report, kind=7) == 0x0113
    assert list(tmp_path.rglob("*")) == []


def test_a_request_is_forgotten_after_two_weeks(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.ask("1.2.3", "subject")
    os.utime(tmp_path / "1.2.3.asked", (0, 0))
    assert ledger.reports("other") == ()
    assert list(tmp_path.iterdir()) == []
