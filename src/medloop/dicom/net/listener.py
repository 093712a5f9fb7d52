"""The listening socket and its associations: pynetdicom's server, bounded, hardly polling."""

import errno
import logging
import select
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from pynetdicom.association import Association
from pynetdicom.transport import (
    AssociationSocket,
    RequestHandler,
    ThreadedAssociationServer,
)

from medloop.dicom.net.inlet import Incoming, Inlet
from medloop.dicom.net.limits import MAX_ANY_PDU, Caller, Listening, may_connect
from medloop.dicom.net.storing import StoringProvider

if TYPE_CHECKING:
    from socketserver import BaseServer

log = logging.getLogger(__name__)

_WAIT_S = 0.005  # for data, before what is to be sent is looked at again
_WAITING_CALLERS = 16  # connections beyond the limit, which get a polite refusal
_HANDSHAKE_S = 10.0


class Socket(AssociationSocket):
    """A connection that wakes when data comes, reads it in one piece, and gives up in time."""

    @property
    def ready(self) -> bool:
        """Whether data can be read, now or in a moment."""
        if self.socket is None or not self._is_connected:
            return False
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        wait_s = 0.0 if self.assoc.dul.to_provider_queue.qsize() else _WAIT_S
        try:
            return bool(select.select([self.socket], [], [], wait_s)[0])
        except (OSError, ValueError):
            self.event_queue.put("Evt17")  # the connection is closed
            return False

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, or fewer at the end of the connection."""
        if nr_bytes > MAX_ANY_PDU:
            raise OSError(errno.EMSGSIZE, "PDU is too long")
        data = bytearray(nr_bytes)
        view, count = memoryview(data), 0
        connection = cast("socket.socket", self.socket)
        while count < nr_bytes:
            found = connection.recv_into(view[count:])
            if not found:
                view.release()
                return data[:count]
            count += found
        return data


class Server(ThreadedAssociationServer):
    """Accepts connections; handshakes happen in their own threads."""

    daemon_threads = True
    request_queue_size = 64
    listening: Listening
    inlet: Inlet
    callers: tuple[Caller, ...]
    ended: Callable[[Association], object]  # told once of each association, when it has ended

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self._entered: list[Association] = []

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection, without a word from the other side yet."""
        connection, address = cast("socket.socket", self.socket).accept()
        connection.settimeout(self.listening.idle_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.ssl_context:
            connection = self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def enter(self, association: Association) -> None:
        """Watch over an association until it has ended, however that happens."""
        self._entered.append(association)

    def service_actions(self) -> None:
        """See which associations have ended; called now and then."""
        super().service_actions()
        self.look()

    def look(self) -> None:
        """See which associations have ended."""
        for each in list(self._entered):
            is_cut = each.dul.ident is not None and not each.dul.is_alive()
            if is_cut and each.is_alive() and each.requestor.primitive is None:
                # It waits for a request that cannot come; to pynetdicom, None is a timeout.
                each.dul.to_user_queue.put(None)
            if not each.is_alive() and not each.dul.is_alive():
                self._entered.remove(each)
                self.ended(each)

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002
        """Let nobody in whose address is on no line of the list, nor a flood."""
        host = str(cast("tuple[str, int]", client_address)[0])
        if not may_connect(self.callers, host):
            log.warning("connection refused: %s is not on the list", host)
            return False
        limit = self.listening.max_associations + _WAITING_CALLERS
        if len(self.active_associations) >= limit:
            log.warning("connection refused: %d are open", limit)
            return False
        return True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Say in one line that a connection came to nothing."""
        log.warning("connection ended before an association")


class Handler(RequestHandler):
    """Begins an association on a connection."""

    def __init__(self, request: socket.socket, address: object, server: "BaseServer") -> None:
        super().__init__(request, address, server)

    def handle(self) -> None:
        """Shake hands if there is TLS, then begin."""
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(_HANDSHAKE_S)
            self.request.do_handshake()
            self.request.settimeout(cast("Server", self.server).listening.idle_s)
        association = self._create_association()
        association.start()
        cast("Server", self.server).enter(association)

    def _create_association(self) -> Association:
        server = cast("Server", self.server)
        assoc = super()._create_association()
        assoc.dul.socket = Socket(assoc, client_socket=self.request)
        # The first socket said that the connection is there; once is enough.
        assoc.dul.event_queue.get_nowait()

        def open_object() -> Incoming:
            return server.inlet.open(assoc.requestor.ae_title)

        assoc.dimse = StoringProvider(assoc, open_object, server.listening.max_object_bytes)
        return assoc
