"""A PACS of a few lines, and what sends to it."""

import threading
from contextlib import contextmanager

from pynetdicom import AE, AllStoragePresentationContexts, evt

from medloop.core.study import Study, StudyUid
from medloop.dicom.net.commitment import PUSH_MODEL
from medloop.dicom.net.sender import DicomNode
from tests.peers import LOOPBACK

STUDY = Study(StudyUid("2.25.6"), "ct", ())
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


def node(port, **more) -> DicomNode:
    more = {"ae_title": "PACS", "host": LOOPBACK, "port": port, "timeout_s": 10.0} | more
    return DicomNode("pacs", **more)


@contextmanager
def a_node(*, contexts=AllStoragePresentationContexts, handlers=(), commits=False, **more):
    """A PACS of a few lines, to be as difficult as a test wants."""
    ae = AE("PACS")
    ae.supported_contexts = list(contexts)
    if commits:
        ae.add_supported_context(PUSH_MODEL)
    server = ae.start_server((LOOPBACK, 0), block=False, evt_handlers=list(handlers), **more)
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def stores(status=0x0000, *, of=None, kept=None):
    """Answer C-STORE with a status, for one class or all; note what came."""

    def take(event):
        if kept is not None:
            kept.append(event.request.AffectedSOPInstanceUID)
        is_meant = of in (None, event.request.AffectedSOPClassUID)
        return status if is_meant else 0x0000

    return evt.EVT_C_STORE, take


def looks_late(monkeypatch):
    """Have our side look for the answer only once the peer has closed the connection.

    A busy machine does the same: pynetdicom's two threads then wake in this order.
    """
    associate = AE.associate

    def late(self, *arguments, evt_handlers=(), **more):
        closed = threading.Event()
        order = [
            (evt.EVT_CONN_CLOSE, lambda _: closed.set()),
            (evt.EVT_REQUESTED, lambda _: closed.wait(10)),
        ]
        return associate(self, *arguments, evt_handlers=[*evt_handlers, *order], **more)

    monkeypatch.setattr(AE, "associate", late)
