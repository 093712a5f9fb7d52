"""Whether the node is alive and ready, and its OpenAPI description."""

import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from medloop.apps.web.context import Context
from medloop.apps.web.security import Permission, Principal, require
from medloop.core.errors import MedloopError
from medloop.store.gauges import queue_of
from medloop.workflow.room import obstacle

KEPT_S: Final = 3.0  # anybody may ask, so nothing is looked at more often than this
PATIENCE: Final = timedelta(minutes=5)
_GIGABYTE: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Readiness:
    """Looks at what the node needs to take in studies and answer them."""

    context: Context
    _last: list[tuple[float, Mapping[str, str]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def faults(self) -> Mapping[str, str]:
        """Say by part what is wrong with it; empty text for a part that is well."""
        with self._lock:
            if not self._last or time.monotonic() - self._last[0][0] > KEPT_S:
                checks: Mapping[str, Callable[[], str]] = {
                    "database": self._database,
                    "archive": self._archive,
                    "disk": self._disk,
                    "workers": self._workers,
                }
                self._last[:] = [
                    (time.monotonic(), {k: check() for k, check in checks.items()})
                ]
            return self._last[0][1]

    def _database(self) -> str:
        try:
            self.context.users.has_any()
        except MedloopError:
            return "cannot be reached"
        return ""

    def _workers(self) -> str:
        """Whether jobs are due for long and nobody is at work."""
        now = self.context.now()
        try:
            queue = queue_of(self.context.store.database, now=now)
        except MedloopError:
            return "nobody knows"
        if queue.running or queue.waiting_since is None:
            return ""
        minutes = int((now - queue.waiting_since).total_seconds() / 60)
        is_late = now - queue.waiting_since > PATIENCE
        return f"jobs wait for {minutes} minutes and no worker takes them" if is_late else ""

    def _archive(self) -> str:
        folder = self.context.store.archive.root / "incoming"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"1")
        except OSError as error:
            return f"cannot be written: {error.strerror}"
        return ""

    def _disk(self) -> str:
        reserve = int(self.context.site.receive.reserve_gb * _GIGABYTE)
        return obstacle(self.context.store.root, reserve_bytes=reserve)


def router(context: Context) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter()
    readiness = Readiness(context)

    @routes.get("/healthz")
    def alive() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "alive"}

    @routes.get("/readyz", responses={503: {"description": "Something is missing."}})
    def ready() -> Response:
        """Say whether studies can be taken in and answered, or what is in the way."""
        faults = readiness.faults()
        is_ready = not any(faults.values())
        told = {part: fault or "ok" for part, fault in faults.items()}
        status = "ready" if is_ready else "not ready"
        return JSONResponse({"status": status, **told}, 200 if is_ready else 503)

    @routes.get("/api/openapi.json", include_in_schema=False)
    def description(
        request: Request, _who: Annotated[Principal, Depends(require(Permission.READ))]
    ) -> dict[str, Any]:
        """Describe all routes."""
        return dict(request.app.openapi())

    return routes
