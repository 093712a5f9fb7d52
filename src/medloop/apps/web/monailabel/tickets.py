"""Tickets for one image: 3D Slicer downloads images without saying who asks.

The next sample is given to somebody known; its id carries a ticket that opens this image alone,
for an hour. A ticket is random and kept in memory: after a restart the next sample has another.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

_SIGN: Final = "~"
_LASTS: Final = timedelta(hours=1)
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Ticket:
    secret: str
    job: int
    user: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class Tickets:
    """What was given out and still opens something."""

    now: Callable[[], datetime]
    _given: dict[str, _Ticket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def issue(self, job: int, user: str) -> str:
        """Return the id of an image with a ticket; the same for a user while it lasts."""
        now = self.now()
        with self._lock:
            alive = {key: each for key, each in self._given.items() if each.ends > now}
            kept = [each for each in alive.values() if (each.job, each.user) == (job, user)]
            ticket = kept[0] if kept else _Ticket(_new(), job, user, now + _LASTS)
            alive[ticket.secret] = ticket
            self._given.clear()
            self._given.update(list(alive.items())[-_MOST:])
        return f"{job}{_SIGN}{ticket.secret}"

    def holder(self, image: str) -> str | None:
        """Say whom the ticket in an id was given to, if it opens this image now."""
        job, _, secret = image.partition(_SIGN)
        with self._lock:
            ticket = self._given.get(secret)
        if ticket is None or ticket.ends <= self.now() or str(ticket.job) != job:
            return None
        return ticket.user


def plain_id(image: str) -> str:
    """Return the id of an image without its ticket."""
    return image.partition(_SIGN)[0]


def _new() -> str:
    return secrets.token_hex(16)
