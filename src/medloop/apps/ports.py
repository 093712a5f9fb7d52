"""Whether a node may listen where it should, asked before its processes are started."""

import errno
import socket
import time
from collections.abc import Callable
from typing import Final

from medloop.apps.console import UsageError, say

PATIENCE_S: Final = 15.0  # a node that was killed holds its ports until its processes ended


def require_free(
    name: str,
    host: str,
    port: int,
    *,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait a while until nobody else listens at an address; `name` is its section of settings.

    Raises
    ------
    UsageError
        If somebody goes on listening there, or this machine has no such address.
    """
    ends = clock() + patience_s
    is_told = False
    while (reason := _obstacle(host, port)) is not None:
        if reason != errno.EADDRINUSE or clock() >= ends:
            why = "in use" if reason == errno.EADDRINUSE else _words(reason)
            raise UsageError(
                f"cannot listen at {host}:{port}: {why}; stop who listens there,"
                f" or give another [{name}] port in the settings"
            )
        if not is_told:
            say(f"{host}:{port} is in use: waiting {patience_s:.0f} s for it")
            is_told = True
        sleep(0.25)


def _obstacle(host: str, port: int) -> int | None:
    """Bind for a moment, as the server will; return what is in the way as an errno."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
            tried.listen(1)
    except socket.gaierror:
        return errno.EADDRNOTAVAIL
    except OSError as error:
        return error.errno or errno.EINVAL
    return None


def _words(reason: int) -> str:
    if reason == errno.EACCES:
        return "this user may not (ports below 1024 need a capability)"
    if reason == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    return errno.errorcode.get(reason, "not possible")
