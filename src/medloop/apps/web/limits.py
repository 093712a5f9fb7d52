"""How much may come in: requests in a minute, bytes in a body."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MEGABYTE = 1 << 20
_MOST_KEYS = 10_000
_LIMIT = "body_limit"  # in the state of a request


@dataclass(frozen=True, slots=True)
class Rates:
    """Token buckets: each key may do so much in a minute, and all of it at once."""

    per_minute: int
    now: Callable[[], datetime]
    _left: dict[str, tuple[float, datetime]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, *, cost: float = 1.0) -> float:
        """Use some of a key's minute; return 0, or for how many s to wait."""
        now = self.now()
        with self._lock:
            left, at = self._left.pop(key, (float(self.per_minute), now))
            gained = max((now - at).total_seconds(), 0.0) * self.per_minute / 60
            left = min(left + gained, float(self.per_minute))
            is_enough = left >= cost
            self._left[key] = (left - cost if is_enough else left, now)
            while len(self._left) > _MOST_KEYS:  # the key that was quiet longest
                del self._left[next(iter(self._left))]
        return 0.0 if is_enough else (cost - left) * 60 / self.per_minute


def require_rate(rates: Rates, key: str, *, cost: float = 1.0) -> None:
    """Let a request pass, or raise 429 with the time to wait."""
    wait_s = rates.take(key, cost=cost)
    if wait_s:
        said = {"Retry-After": str(int(wait_s) + 1)}
        raise HTTPException(429, "too many requests: wait and try again", headers=said)


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """Ends a request whose body is too large (413), announced or not, before it is kept."""

    app: ASGIApp
    default_bytes: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state[_LIMIT] = self.default_bytes
        announced = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        had = 0

        async def limited() -> Message:
            nonlocal had
            message = await receive()
            had += len(message.get("body", b""))
            length = int(announced) if announced.isdigit() else 0
            if max(had, length) > state[_LIMIT]:
                limit = state[_LIMIT] / _MEGABYTE
                raise HTTPException(413, f"body is larger than {limit:g} MB: send less at once")
            return message

        await self.app(scope, limited, send)


def allow_large_body(limit_mb: int) -> Callable[[Request], None]:
    """Make a dependency for routes that read `request.stream()` themselves, after `require`."""

    def allow(request: Request) -> None:
        setattr(request.state, _LIMIT, limit_mb * _MEGABYTE)

    return allow
