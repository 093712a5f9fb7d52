"""C-STORE without detours: fragments go to the spool as they come, in the thread that reads.

pynetdicom collects a message, hands it to a second thread, and polls for the answer in the
first: at half a megabyte an object that allows about half the rate. Here its provider of DIMSE
is told about every message but C-STORE-RQ; those are written while they arrive, checked, made
durable, and answered at once. Negotiation, the state machine and all other services are its
own.
"""

import logging
import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import P_DATA

from medloop.core.errors import InputError, ServiceError
from medloop.dicom.damage import damage
from medloop.dicom.net.check import refusal
from medloop.dicom.net.inlet import Incoming
from medloop.dicom.net.messages import (
    StoreRequest,
    file_meta,
    is_uid,
    read_store_request,
    store_response,
)

log = logging.getLogger(__name__)

_LONGEST_COMMAND: Final = 64 * 1024
_CALM_S: Final = 0.005
_NO_RESOURCES, _UNREADABLE, _NOT_SUPPORTED = 0xA700, 0xC000, 0x0122


@dataclass(slots=True)
class Counts:
    """What an association has brought so far."""

    stored: int = 0
    refused: int = 0
    bytes: int = 0


@dataclass(slots=True)
class _Object:
    """A C-STORE that is under way; `status` tells why its data is not kept."""

    request: StoreRequest
    context_id: int
    syntax: str
    incoming: Incoming | None
    size: int = 0
    status: int = 0

    def refuse(self, status: int, reason: str) -> None:
        """Keep nothing of it; what still comes is read and forgotten."""
        log.warning("object refused with 0x%04X: %s", status, reason)
        self.status = status
        if self.incoming:
            self.incoming.drop()
            self.incoming = None


class StoringProvider(DIMSEServiceProvider):
    """pynetdicom's provider of DIMSE for one association, with C-STORE-RQ taken out."""

    def __init__(
        self, assoc: Association, open_object: Callable[[], Incoming], max_bytes: int
    ) -> None:
        super().__init__(assoc)
        self.counts = Counts()
        self._open = open_object
        self._max_bytes = max_bytes
        self._command = bytearray()
        self._object: _Object | None = None
        self._contexts: dict[int, tuple[str, str]] = {}  # SOP class and transfer syntax by ID

    def get_msg(self, block: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 (pynetdicom's)
        """Return the next message, or nothing in a moment.

        The association's thread asks a thousand times a second, which holds up this one.
        """
        if block:
            return super().get_msg(block=True)
        try:
            return self.msg_queue.get(timeout=_CALM_S)
        except queue.Empty:
            return None, None

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments of a P-DATA (PS3.8 E.2)."""
        for context_id, data in primitive.presentation_data_value_list:
            try:
                self._take(context_id, data)
            except InputError as bad:
                log.warning("association aborted: %s", bad)
                self.end()
                self.dul.event_queue.put("Evt19")  # invalid PDU: the state machine aborts
                return

    def end(self) -> None:
        """Forget what is under way: the association has ended."""
        if self._object and self._object.incoming:
            self._object.incoming.drop()
        self._object = None
        self._command.clear()

    def _take(self, context_id: int, data: bytes) -> None:
        if not data:
            raise InputError("a fragment is empty")
        if self.message is not None:  # of another service
            self._pass_on(context_id, data)
        elif data[0] & 1:
            self._take_command(context_id, data)
        elif self._object is None or self._object.context_id != context_id:
            raise InputError("data came without a command")
        else:
            self._take_data(self._object, data)

    def _take_command(self, context_id: int, data: bytes) -> None:
        if self._object is not None:
            raise InputError("a command came before the data of the last one ended")
        if len(self._command) + len(data) > _LONGEST_COMMAND:
            raise InputError("a command set is too long")
        self._command += memoryview(data)[1:]
        if not data[0] & 2:
            return
        command = bytes(self._command)
        self._command.clear()
        request = read_store_request(command)
        if request is None:
            self._pass_on(context_id, b"\x03" + command)
        else:
            self._object = self._begin(request, context_id)

    def _pass_on(self, context_id: int, data: bytes) -> None:
        primitive = P_DATA()
        primitive.presentation_data_value_list = _fragments(context_id, data)
        try:
            super().receive_primitive(primitive)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"a message is damaged: {damage(error)}") from error

    def _begin(self, request: StoreRequest, context_id: int) -> _Object:
        if not self._contexts:  # they were agreed on before the first object
            self._contexts = {
                cast("int", each.context_id): (
                    str(each.abstract_syntax),
                    str(each.transfer_syntax[0]),
                )
                for each in self.assoc.accepted_contexts
            }
        if context_id not in self._contexts:
            raise InputError("an object came in a presentation context that was not accepted")
        sop_class, syntax = self._contexts[context_id]
        arriving = _Object(request, context_id, syntax, None)
        if not is_uid(request.uid) or not is_uid(request.sop_class):
            arriving.refuse(_UNREADABLE, "the request names no object")
            return arriving
        if sop_class != request.sop_class:
            arriving.refuse(_NOT_SUPPORTED, "SOP class is not of the presentation context")
            return arriving
        try:
            arriving.incoming = self._open()
            arriving.incoming.write(file_meta(request.sop_class, request.uid, syntax))
        except ServiceError as full:
            arriving.refuse(_NO_RESOURCES, str(full))
        return arriving

    def _take_data(self, arriving: _Object, data: bytes) -> None:
        arriving.size += len(data) - 1
        if arriving.incoming:
            try:
                arriving.incoming.write(memoryview(data)[1:])
            except ServiceError as full:
                arriving.refuse(_NO_RESOURCES, str(full))
        if arriving.incoming and arriving.size > self._max_bytes:
            arriving.refuse(_NO_RESOURCES, f"object exceeds {self._max_bytes} bytes")
        if data[0] & 2:
            self._object = None
            self._finish(arriving)

    def _finish(self, arriving: _Object) -> None:
        if arriving.incoming:
            reason = refusal(arriving.request, arriving.syntax, arriving.incoming.start)
            if reason:
                arriving.refuse(*reason)
        if arriving.incoming:
            try:
                arriving.incoming.keep()
            except ServiceError as full:
                arriving.incoming = None
                arriving.refuse(_NO_RESOURCES, str(full))
        if arriving.status:
            self.counts.refused += 1
        else:
            self.counts.stored += 1
            self.counts.bytes += arriving.size
        answer = P_DATA()
        fragment = store_response(arriving.request, arriving.status)
        answer.presentation_data_value_list = _fragments(arriving.context_id, fragment)
        self.dul.send_pdu(answer)


def _fragments(context_id: int, data: bytes) -> list[tuple[int, bytes]]:
    # pynetdicom says tuples in its types, and takes only lists.
    return [[context_id, data]]  # type: ignore[list-item]
