"""How long the server waits for clients that say nothing, and how many it serves at once.

uvicorn waits for ever for the headers or the body of a request: a few connections that send a
byte now and then would hold a node.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

CONNECTIONS: Final = 512  # at once; a browser opens up to six. More are answered 503
HEADERS_S: Final = 15.0  # from the first byte of a request, or the connection, to its headers
BODY_S: Final = 60.0  # without a byte of a body that we wait for


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection on which nothing comes; uvicorn offers no other way."""

    headers_s = HEADERS_S
    body_s = BODY_S

    def __init__(
        self,
        config: "Config",
        server_state: "ServerState",
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Begin without a connection."""
        super().__init__(config, server_state, app_state, _loop)
        self._timer: asyncio.TimerHandle | None = None
        self._waits_for_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the headers of the first request."""
        super().connection_made(transport)
        self._wait(self.headers_s)

    def data_received(self, data: bytes) -> None:
        """Give headers so long in all; a body so long from its last byte."""
        super().data_received(data)
        if self._is_quiet():
            if self._timer is None or self._waits_for_body:
                self._waits_for_body = False
                self._wait(self.headers_s)
        elif self.cycle.more_body:
            self._waits_for_body = True
            self._wait(self.body_s)
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _is_quiet(self) -> bool:
        """Whether no request is being answered."""
        cycle = self.cycle  # None before the first, whatever its type says
        return cycle is None or cycle.response_complete  # type: ignore[redundant-expr]

    def _wait(self, span_s: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(span_s, self._end)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        if not self._is_quiet() and self.flow.read_paused:  # we are slow, not they
            self._wait(self.body_s)
        elif self._is_quiet() or self.cycle.more_body:
            self.transport.close()
