"""Telling systemd, if it started us, that we are ready and alive (sd_notify(3))."""

import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_EVERY_S: Final = 10.0


@dataclass(slots=True)
class Beat:
    """A sign of life every ten seconds; without systemd, nothing. Call `alive` often."""

    _last: float | None = None

    def alive(self) -> None:
        """Say so, if it is time; the first sign also says that we are ready."""
        place = os.environ.get("NOTIFY_SOCKET", "")
        now = time.monotonic()
        if not place or (self._last is not None and now - self._last < _EVERY_S):
            return
        said = b"WATCHDOG=1" if self._last is not None else b"READY=1\nWATCHDOG=1"
        self._last = now
        address = "\0" + place[1:] if place.startswith("@") else place
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(said, address)
