"""What Prometheus is told: counts of the store, and how long requests took. No patients.

There are several processes, so whatever the database knows is counted there when it is asked.
"""

import logging
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medloop.apps.web.context import Context
from medloop.apps.web.security import Permission, Principal, require
from medloop.store.gauges import BUCKETS_S, Durations, Gauges, count
from medloop.store.job import JobState

log = logging.getLogger(__name__)
KEPT_S: Final = 10.0  # counts are made afresh at most so often
_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_LABELS: Final = ("method", "route", "status")


@dataclass(frozen=True, slots=True, eq=False)  # a registry keeps it by identity
class Meters:
    """What one process measures, and what it looks up."""

    context: Context
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    _last: list[tuple[float, Gauges]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def gauges(self) -> Gauges:
        """Return counts that are at most `KEPT_S` old."""
        with self._lock:
            if not self._last or time.monotonic() - self._last[0][0] > KEPT_S:
                found = count(self.context.store.database, now=self.context.now())
                self._last[:] = [(time.monotonic(), found)]
            return self._last[0][1]

    def collect(self) -> Iterator[Metric]:
        """Give what was counted to prometheus_client."""
        found, now = self.gauges(), self.context.now()
        disk = shutil.disk_usage(self.context.store.root)
        yield _gauge("studies", "Studies in the catalog.", found.studies)
        yield _gauge("studies_unsettled", "Studies still arriving.", found.unsettled)
        yield _gauge("instances", "Instances in the archive.", found.instances)
        yield _gauge(
            "conflicts", "Objects kept apart: a known UID, other bytes.", found.conflicts
        )
        yield _gauge("disk_free_bytes", "Room where the archive is.", disk.free)
        yield _gauge("disk_total_bytes", "Size of the disk of the archive.", disk.total)
        age = _age(found.queue.waiting_since, now)
        yield _gauge("queue_age_seconds", "For how long the oldest due job waits.", age)
        age = _age(found.queue.sending_since, now)
        yield _gauge("delivery_age_seconds", "For how long the oldest delivery waits.", age)
        states = GaugeMetricFamily("medloop_jobs", "Jobs.", labels=("analysis", "state"))
        for analysis in {name for name, _ in found.jobs}:
            for state in JobState:
                states.add_metric((analysis, state), found.jobs.get((analysis, state), 0))
        yield states
        sent = GaugeMetricFamily("medloop_deliveries", "Results.", labels=("to", "state"))
        for (destination, stage), number in found.deliveries.items():
            sent.add_metric((destination, stage), number)
        yield sent
        yield _histogram(found.durations)

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: that would need the database."""
        return iter(())


@dataclass(frozen=True, slots=True)
class Watched:
    """Measures requests and logs each by its route's pattern: addresses hold identifiers."""

    app: ASGIApp
    took: Histogram

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), [500]

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            spent = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self.took.labels(method, route, str(status[0])).observe(spent)
            who = scope.get("state", {}).get("who", "")
            facts = {"method": method, "route": route, "status": status[0]}
            facts |= {"ms": round(spent * 1000), "who": who}
            is_routine = route in _ROUTINE and status[0] < 400
            log.log(logging.DEBUG if is_routine else logging.INFO, "request", extra=facts)


_ROUTINE: Final = frozenset({"/healthz", "/readyz", "/metrics"})  # asked every few seconds
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def meters_of(context: Context) -> tuple[Meters, Histogram]:
    """Make the meters of one application."""
    meters = Meters(context)
    meters.registry.register(meters)  # a collector by its methods
    took = Histogram("medloop_request_seconds", "Requests.", _LABELS, registry=meters.registry)
    return meters, took


def router(meters: Meters) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter()

    @routes.get("/metrics", response_class=Response)
    def metrics(_who: Annotated[Principal, Depends(require(Permission.WATCH))]) -> Response:
        """Tell Prometheus."""
        return Response(generate_latest(meters.registry), media_type=_TYPE)

    return routes


def _gauge(name: str, said: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"medloop_{name}", said, value=value)


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0


def _histogram(durations: Mapping[str, Durations]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(
        "medloop_job_seconds", "Jobs that are done, from start to end.", labels=("analysis",)
    )
    for analysis, each in durations.items():
        limits = [*map(str, BUCKETS_S), "+Inf"]
        within = [*each.within, each.count]
        family.add_metric((analysis,), list(zip(limits, within, strict=True)), each.sum_s)
    return family
