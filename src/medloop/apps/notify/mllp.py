"""Sending HL7 v2 messages by MLLP (HL7 transport specification, release 1), TLS where asked.

The framing is three bytes; the client of the library `hl7` knows neither timeouts nor TLS, so
that only its reading of messages is used.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from medloop.apps.notify.oru import Envelope, control_id, message_of, require_accepted
from medloop.core.errors import InputError, ServiceError
from medloop.core.study import Study

_START: Final = b"\x0b"
_END: Final = b"\x1c\r"
_LONGEST: Final = 1 << 20  # bytes of an answer
_CHUNK: Final = 1 << 16


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class MllpReceiver:
    """An HL7 v2 receiver; implements `workflow.ports.Destination`.

    `timeout_s` bounds the connection, and then the whole exchange.
    """

    name: str
    host: str
    port: int
    envelope: Envelope = field(default_factory=Envelope)
    tls: ssl.SSLContext | None = None
    timeout_s: float = 30.0
    now: Callable[[], datetime] = _now

    def send(self, study: Study, products: Path) -> None:
        """Send one result as ORU^R01, and wait until it is accepted.

        Raises
        ------
        InputError
            If the record cannot be read, or the encoding lacks one of its characters.
        ServiceError
            If the receiver is away, does not answer, or does not accept the message.
        """
        message = message_of(study, products, self.envelope, now=self.now())
        try:
            body = message.encode(self.envelope.encoding)
        except UnicodeEncodeError as error:
            encoding = self.envelope.encoding
            raise InputError(f"the message cannot be written in {encoding}") from error
        answer = self._exchange(_START + body + _END)
        said = answer.decode(self.envelope.encoding, errors="replace")
        require_accepted(said, control_id(study, products), self.name)

    def knock(self) -> None:
        """Connect and hang up, nothing sent; raises `ServiceError` if nobody answers."""
        with self._told(), self._connected():
            pass

    def _exchange(self, message: bytes) -> bytes:
        ends = time.monotonic() + self.timeout_s
        with self._told(), self._connected() as connection:
            connection.sendall(message)
            return _block(connection, ends)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in one line what is in the way."""
        try:
            yield
        except TimeoutError as error:
            raise ServiceError(f"{self.name} did not answer in time") from error
        except ssl.SSLError as error:
            reason = error.reason or "no reason given"
            raise ServiceError(f"{self.name} cannot be trusted: {reason}") from error
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise ServiceError(f"{self.name} cannot be reached: {reason}") from error
        except ValueError as error:
            raise ServiceError(f"{self.name} {error}") from error

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        with socket.create_connection((self.host, self.port), self.timeout_s) as plain:
            if self.tls is None:
                yield plain
                return
            with self.tls.wrap_socket(plain, server_hostname=self.host) as secured:
                yield secured


def _block(connection: socket.socket, ends: float) -> bytes:
    """Read one block; raises `ValueError` if none comes whole."""
    got = b""
    while not got.endswith(_END):
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        chunk = connection.recv(_CHUNK)
        if not chunk:
            raise ValueError("ended without an acknowledgment")
        got += chunk
        if len(got) > _LONGEST:
            raise ValueError(f"answers with more than {_LONGEST >> 20} MiB")
    if not got.startswith(_START):
        raise ValueError("answers with something else than a block")
    return got[len(_START) : -len(_END)]
