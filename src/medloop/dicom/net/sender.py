"""Sending results to a PACS: C-STORE (PS3.4 annex B), then storage commitment (annex J)."""

import logging
import socket
import ssl
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Final

from pydicom import Dataset, dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import EventHandlerType
from pynetdicom.presentation import PresentationContext, build_context

from medloop.core.errors import InputError, ServiceError
from medloop.core.study import Study
from medloop.dicom.damage import damage
from medloop.dicom.foreign import DICOM_ERRORS, quiet
from medloop.dicom.net.answer import Answer
from medloop.dicom.net.commitment import (
    PUSH_MODEL,
    WELL_KNOWN,
    Ledger,
    Report,
    action_information,
    read_report,
    subject_of,
)
from medloop.dicom.objects import Product, products_in

log = logging.getLogger(__name__)

_NATIVE: Final = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
_VERIFICATION: Final = "1.2.840.10008.1.1"
_REQUEST: Final = 1  # the one action type of storage commitment (PS3.4 table J.3-1)
_POLL_S: Final = 0.05
_PROBE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class DicomNode:
    """A PACS that takes C-STORE; implements `workflow.ports.Destination`.

    `calling` is our own AE title, `objects` the products it gets (``"sr"``, ``"seg"``, ...; all
    if empty). With `commitment` it must also promise to keep them, within `commitment_s`;
    `ledger` is where the node's receiver leaves promises that come on an association of the
    PACS' own. `timeout_s` bounds each wait for the network.
    """

    name: str
    ae_title: str
    host: str
    port: int
    calling: str = "MEDLOOP"
    tls: ssl.SSLContext | None = None
    commitment: bool = False
    ledger: Path | None = None
    objects: tuple[str, ...] = ()
    timeout_s: float = 30.0
    commitment_s: float = 60.0

    def send(self, study: Study, products: Path) -> None:  # noqa: ARG002 - files name the study
        """Store the DICOM objects of a result folder; those it has already do no harm.

        Raises
        ------
        UnsuitableError
            If there is nothing to send.
        InputError
            If a product cannot be read.
        ServiceError
            If the PACS is away, refuses an object, or does not promise to keep it.
        """
        found = products_in(products, self.objects)
        ledger = Ledger(self.ledger) if self.ledger else None
        subject = subject_of(self.name, [product.uid for product in found])
        if self.commitment and ledger and _is_promised(found, ledger.reports(subject)):
            ledger.close(subject)
            return
        told: Queue[tuple[str, Report]] = Queue()
        with self._association(_contexts(found, self.commitment), told) as association:
            _store(association, self.name, found)
            if self.commitment:
                self._commit(association, found, told, ledger)
        if ledger:
            ledger.close(subject)

    def echo(self) -> None:
        """Ask for a sign of life (C-ECHO); raises `ServiceError` without one."""
        with self._association([build_context(_VERIFICATION)], Queue()) as association:
            status = association.send_c_echo()
            if status.get("Status") != 0x0000:
                raise ServiceError(f"{self.name} answers C-ECHO with {_hex(status)}")

    @contextmanager
    def _association(
        self, contexts: Sequence[PresentationContext], told: "Queue[tuple[str, Report]]"
    ) -> Iterator[Association]:
        opened: list[socket.socket] = []
        heard: deque[tuple[str, Report]] = deque()
        answer = Answer()
        handlers: list[EventHandlerType] = [
            answer.handler,
            (evt.EVT_N_EVENT_REPORT, _take, [heard]),
            (evt.EVT_PDU_SENT, _tell, [heard, told]),
            (evt.EVT_CONN_OPEN, _hurry, [opened]),
        ]
        ae = AE(ae_title=self.calling)
        ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = self.timeout_s
        ae.network_timeout = max(self.timeout_s, self.commitment_s) + self.timeout_s
        with _closing(opened):
            try:
                association = ae.associate(
                    self.host,
                    self.port,
                    contexts=list(contexts),
                    ae_title=self.ae_title,
                    tls_args=(self.tls, self.host) if self.tls else None,
                    evt_handlers=handlers,
                )
            except OSError as error:  # a name that nobody knows
                raise ServiceError(f"{self.name} cannot be found: {error.strerror}") from error
            if not association.is_established:
                raise ServiceError(f"{self.name} {self._refusal(answer)}")
            try:
                yield association
            except BaseException:
                association.abort()
                raise
            else:
                association.release()

    def _refusal(self, answer: Answer) -> str:
        """Say why there is no association, as far as it can be found out."""
        if answer.refusal is not None:
            return answer.refusal
        if answer.is_accepted:
            return "accepts none of the objects"
        try:
            with socket.create_connection((self.host, self.port), _PROBE_S) as plain:
                if self.tls:
                    self.tls.wrap_socket(plain, server_hostname=self.host).close()
        except ssl.SSLError as error:
            return (
                f"cannot be trusted at {self.host}:{self.port}: {error.reason or 'TLS failed'}"
            )
        except OSError as error:
            reason = (error.strerror or "no answer").lower()
            return f"does not answer at {self.host}:{self.port}: {reason}"
        return f"does not answer the request for an association at {self.host}:{self.port}"

    def _commit(
        self,
        association: Association,
        found: Sequence[Product],
        told: "Queue[tuple[str, Report]]",
        ledger: Ledger | None,
    ) -> None:
        if PUSH_MODEL not in _accepted(association):
            raise ServiceError(f"{self.name} does not offer storage commitment")
        transaction = f"2.25.{uuid.uuid4().int}"
        if ledger:
            ledger.ask(transaction, subject_of(self.name, [product.uid for product in found]))
        asked = action_information(transaction, {each.uid: each.sop_class for each in found})
        status, _ = association.send_n_action(asked, _REQUEST, PUSH_MODEL, WELL_KNOWN)
        if status.get("Status") != 0x0000:
            raise ServiceError(f"{self.name} refuses storage commitment: {_hex(status)}")
        report = self._wait(transaction, told, ledger)
        failed = dict(report.failed)
        lost = [p.name for p in found if p.uid in failed or p.uid not in report.stored]
        if lost:
            reasons = sorted({f"0x{reason:04X}" for reason in failed.values()}) or ["no reason"]
            raise ServiceError(
                f"{self.name} does not commit to {', '.join(lost)}: {', '.join(reasons)}"
            )

    def _wait(
        self, transaction: str, told: "Queue[tuple[str, Report]]", ledger: Ledger | None
    ) -> Report:
        ends = time.monotonic() + self.commitment_s
        while time.monotonic() < ends:
            try:
                name, report = told.get(timeout=_POLL_S)
                if name == transaction:
                    return report
            except Empty:
                kept = ledger.report(transaction) if ledger else None
                if kept is not None:
                    return kept
        raise ServiceError(
            f"{self.name} reported no storage commitment within {self.commitment_s:g} s"
        )


def _take(event: evt.Event, heard: "deque[tuple[str, Report]]") -> tuple[int, None]:
    read = read_report(event)
    if read is not None:
        heard.append(read)
    return 0x0000, None


def _tell(
    event: evt.Event,  # noqa: ARG001 - whatever was sent, our answer was
    heard: "deque[tuple[str, Report]]",
    told: "Queue[tuple[str, Report]]",
) -> None:
    """Pass a report on once its answer has left, which a release would otherwise overtake."""
    while heard:
        told.put(heard.popleft())


@contextmanager
def _closing(opened: list[socket.socket]) -> Iterator[None]:
    """Close in the end what pynetdicom leaves open: connections that the peer has reset."""
    try:
        yield
    finally:
        for connection in opened:
            connection.close()


def _hurry(event: evt.Event, opened: list[socket.socket]) -> None:
    """Let no command wait for the peer's delayed acknowledgment of the one before (40 ms)."""
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.append(connection.socket)


def _contexts(found: Sequence[Product], commitment: bool) -> list[PresentationContext]:  # noqa: FBT001
    """Offer each class in the syntax of its file, and natively in case it is compressed."""
    contexts = []
    for sop_class, syntax in dict.fromkeys((p.sop_class, p.syntax) for p in found):
        if syntax in _NATIVE:
            others = [each for each in _NATIVE if each != syntax]
            contexts.append(build_context(sop_class, [syntax, *others]))
        else:
            contexts.append(build_context(sop_class, [syntax]))
            contexts.append(build_context(sop_class, list(_NATIVE)))
    if commitment:
        contexts.append(build_context(PUSH_MODEL))
    return contexts


def _store(association: Association, name: str, found: Sequence[Product]) -> None:
    """Store everything that is accepted, then say in one line what was not."""
    refused: list[str] = []
    for product in found:
        trouble = _store_one(association, product)
        if trouble is None:  # the association has ended
            told = "; ".join([f"{name} gives no answer to {product.name}", *refused])
            raise ServiceError(told)
        if trouble:
            refused.append(f"{product.name}: {trouble}")
    if refused:
        raise ServiceError(f"{name} refuses {'; '.join(refused)}")


def _store_one(association: Association, product: Product) -> str | None:
    """Return what stands against an object: nothing if it is stored, None if no answer came."""
    syntaxes = _accepted(association).get(product.sop_class, [])
    if not syntaxes:
        return f"no presentation context for {UID(product.sop_class).name}"
    try:
        with quiet():
            dataset = _as_accepted(dcmread(product.path), syntaxes)
            status = association.send_c_store(dataset)
    except DICOM_ERRORS as error:
        if not association.is_established:
            return None
        raise InputError(f"{product.name} cannot be sent: {damage(error)}") from error
    code = status.get("Status")
    if code is None:
        return None
    if code in range(0xB000, 0xC000):  # stored, with a remark (PS3.7 C)
        log.warning("%s was stored with warning %s", product.name, _hex(status))
        return ""
    return "" if code == 0x0000 else _hex(status)


def _as_accepted(dataset: Dataset, syntaxes: Sequence[str]) -> Dataset:
    """Decompress what is only accepted uncompressed; the object keeps its UID."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed and syntax not in syntaxes:
        dataset.decompress(generate_instance_uid=False)
    return dataset


def _accepted(association: Association) -> Mapping[str, list[str]]:
    accepted: dict[str, list[str]] = {}
    for context in association.accepted_contexts:
        syntaxes = accepted.setdefault(str(context.abstract_syntax), [])
        syntaxes += [str(syntax) for syntax in context.transfer_syntax]
    return accepted


def _is_promised(found: Sequence[Product], reports: Sequence[Report]) -> bool:
    uids = {product.uid for product in found}
    return any(uids <= report.stored and not report.failed for report in reports)


def _hex(status: Dataset) -> str:
    code = status.get("Status")
    return "no status" if code is None else f"0x{code:04X}"
