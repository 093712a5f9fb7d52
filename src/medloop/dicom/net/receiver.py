"""The DICOM receiver: C-ECHO, C-STORE and storage commitment, many associations at once."""

import logging
import signal
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydicom import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from medloop.core.errors import ServiceError
from medloop.dicom.net.commitment import listen, take_report
from medloop.dicom.net.inlet import Inlet, Visit
from medloop.dicom.net.limits import MAX_PDU, Caller, Listening, may_call, read_callers
from medloop.dicom.net.listener import Handler, Server
from medloop.dicom.net.promises import promise
from medloop.dicom.net.storing import StoringProvider
from medloop.dicom.net.tls import server_context

__all__ = ["Inlet", "Listening", "Receiver", "Visit", "receiving", "serve"]

log = logging.getLogger(__name__)

_ACSE_S = 10.0
_LOOK_S = 0.2  # between looks at which associations have ended
_END_S = 5.0  # for associations to end when the receiver does
_NO_SUCH_EVENT = 0x0113


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver that runs; `port` is the one it got if any would do."""

    port: int
    server: Server = field(repr=False)


def serve(
    listening: Listening,
    inlet: Inlet,
    *,
    stop: threading.Event | None = None,
    ready: Callable[[int], None] = lambda _port: None,
) -> None:
    """Receive until told to stop, by SIGTERM, SIGINT or the event; for a process of its own.

    Objects that are under way when it stops were not acknowledged; their senders try again.

    Raises
    ------
    InputError
        If a TLS file or the list of callers cannot be used.
    ServiceError
        If the port cannot be listened on.
    """
    ended = stop or threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
    with receiving(listening, inlet) as receiver:
        ready(receiver.port)
        while not ended.wait(1.0):
            pass


@contextmanager
def receiving(listening: Listening, inlet: Inlet) -> Iterator[Receiver]:
    """Receive while the block runs, in threads; raises as `serve` does.

    Sets pynetdicom's configuration for the whole process.
    """
    callers = read_callers(listening.accept)
    context = None
    if listening.tls_certificate and listening.tls_key:
        context = server_context(
            listening.tls_certificate, listening.tls_key, listening.tls_authority
        )
    with _configured(), _listening(listening, inlet, callers, context) as server:
        yield Receiver(server.server_address[1], server)


@contextmanager
def _listening(
    listening: Listening,
    inlet: Inlet,
    callers: tuple[Caller, ...],
    context: ssl.SSLContext | None,
) -> Iterator[Server]:
    ae = _entity(listening)
    try:
        made = ae.make_server(
            (listening.host, listening.port),
            ssl_context=context,
            evt_handlers=[
                (evt.EVT_REQUESTED, _screen, [callers]),
                (evt.EVT_C_ECHO, lambda _event: 0x0000),
                (evt.EVT_N_ACTION, promise, [listening, inlet]),
                (evt.EVT_N_EVENT_REPORT, _take_report, [inlet]),
            ],
            server_class=Server,
            request_handler=Handler,
        )
    except OSError as error:
        reason = f"{listening.host}:{listening.port}: {error.strerror}"
        raise ServiceError(f"cannot listen on {reason}") from error
    server = cast("Server", made)  # it is of the class that was asked for
    server.listening, server.inlet, server.callers = listening, inlet, callers
    # Notes wait for the database in a thread of their own: callers do not wait for it.
    notes = ThreadPoolExecutor(1)
    server.ended = lambda association: notes.submit(_note, association, inlet)
    ae._servers.append(server)  # noqa: SLF001 (as AE.start_server does; shutdown removes it)
    thread = threading.Thread(target=server.serve_forever, args=(_LOOK_S,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        _end(server)
        notes.shutdown()


@contextmanager
def _configured() -> Iterator[None]:
    """Accept every storage class and transfer syntax; log nothing that may name a patient."""
    loud = logging.getLogger("pynetdicom")
    before = (loud.level, loud.propagate, threading.excepthook)
    unrestricted, level = _config.UNRESTRICTED_STORAGE_SERVICE, _config.LOG_HANDLER_LEVEL
    _config.UNRESTRICTED_STORAGE_SERVICE, _config.LOG_HANDLER_LEVEL = True, "none"
    loud.setLevel(logging.CRITICAL + 1)
    loud.propagate = False
    threading.excepthook = _say_where
    try:
        yield
    finally:
        loud.setLevel(before[0])
        loud.propagate, threading.excepthook = before[1:]
        _config.UNRESTRICTED_STORAGE_SERVICE = unrestricted
        _config.LOG_HANDLER_LEVEL = level


def _say_where(ended: threading.ExceptHookArgs) -> None:
    """Say which thread ended and where, but not what it was given: that may name a patient."""
    frames = traceback.extract_tb(ended.exc_traceback)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"
    log.warning("a thread ended with %s at %s", ended.exc_type.__name__, where)


def _entity(listening: Listening) -> AE:
    ae = AE(ae_title=listening.ae_title)
    ae.add_supported_context(Verification)
    listen(ae)
    ae.maximum_pdu_size = MAX_PDU
    ae.maximum_associations = listening.max_associations
    ae.require_called_aet = True
    ae.acse_timeout = _ACSE_S
    ae.network_timeout = listening.idle_s
    ae.dimse_timeout = listening.idle_s
    return ae


def _screen(event: evt.Event, callers: tuple[Caller, ...]) -> None:
    """Reject who is not on the list: permanently, calling AE title not recognized.

    The log says why, as it does of whoever pynetdicom rejects since they mean another node.
    """
    association = event.assoc
    primitive = association.requestor.primitive
    title = primitive.calling_ae_title if primitive else ""
    if may_call(callers, title or "", association.requestor.address):
        called = primitive.called_ae_title if primitive else ""
        if called != association.acceptor.ae_title.strip():  # pynetdicom rejects it next
            log.warning("association rejected: %r calls us %r", title, called)
        return
    association.requestor.ae_title = title
    log.warning(
        "association rejected: %r at %s is not on the list",
        title,
        association.requestor.address,
    )
    association.acse.send_reject(0x01, 0x01, 0x03)
    association.kill()


def _take_report(event: evt.Event, inlet: Inlet) -> tuple[int, Dataset | None]:
    if inlet.ledger is None:
        return _NO_SUCH_EVENT, None
    return take_report(event, inlet.ledger)


def _end(server: Server) -> None:
    """Abort what is still open, and wait for it a little."""
    open_still = server.active_associations
    for association in open_still:
        association.abort(block=False)
    until = time.monotonic() + _END_S
    for association in open_still:
        association.join(max(0.0, until - time.monotonic()))
        association.dul.join(max(0.0, until - time.monotonic()))
    server.look()


def _note(association: Association, inlet: Inlet) -> None:
    """Note an association that has ended."""
    provider = association.dimse
    if not isinstance(provider, StoringProvider):
        return
    provider.end()
    if not association.requestor.ae_title:  # nobody introduced themselves
        return
    counts = provider.counts
    visit = Visit(
        caller=association.requestor.ae_title,
        address=association.requestor.address,
        stored=counts.stored,
        refused=counts.refused,
        ended=_ending(association),
        bytes=counts.bytes,
    )
    try:
        inlet.visited(visit)
    except ServiceError as trouble:
        log.error("an association was not noted: %s", trouble)  # noqa: TRY400 (in one line)


def _ending(association: Association) -> str:
    if association.is_released:
        return "released"
    return "rejected" if association.is_rejected else "aborted"
