"""The page of the system: is it well, what does it do by the hour, what is it allowed to do."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from markupsafe import Markup
from starlette.responses import Response

import medloop
from medloop.apps.web.administration import Manager, Watcher, show
from medloop.apps.web.context import Context
from medloop.apps.web.health import Readiness
from medloop.apps.web.jobs import hour_labels
from medloop.apps.web.pages import language_of
from medloop.apps.web.plots import Heights, columns, filled, line
from medloop.apps.web.remembered import Remembered
from medloop.apps.web.texts import text
from medloop.clinical.report.language import Language
from medloop.core.errors import ServiceError
from medloop.store.audit import Entry, Wanted
from medloop.store.database import HEAD
from medloop.store.gauges import Gauges, count
from medloop.store.job import JobState
from medloop.store.joblist import JobRow, WantedJobs, job_rows
from medloop.store.throughput import Hour, hours

_KEPT_S: Final = 10.0
_EXAMINED_S: Final = 600.0  # the doctor loads every engine
_PATIENCE_S: Final = 120.0
_STALE: Final = timedelta(days=2)
_NEARLY_FULL: Final = 0.9
_GIGABYTE: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Disk:
    """Room where the store is, in GB; `reserve` is what receiving leaves free."""

    total: float
    free: float
    reserve: float
    drawn: Markup
    is_short: bool


@dataclass(frozen=True, slots=True)
class Now:
    """What is found out together, and kept for some seconds."""

    gauges: Gauges
    hours: tuple[Hour, ...]
    running: tuple[JobRow, ...]
    backup: Entry | None


def router(context: Context) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter(include_in_schema=False)
    readiness = Readiness(context)
    known = Remembered(lambda: now_of(context), _KEPT_S)
    examined = Remembered(lambda: examine(context), _EXAMINED_S)

    @routes.get("/system")
    def system(request: Request, _who: Watcher) -> Response:
        """Show whether the node is well, and what it does."""
        found, language, now = known(), language_of(request), context.now()
        return show(
            request,
            "system",
            faults=readiness.faults(),
            found=found,
            disk=_disk(context, language),
            queue_age=_age(found.gauges.queue.waiting_since, now),
            delivery_age=_age(found.gauges.queue.sending_since, now),
            backup_is_old=found.backup is None or now - found.backup.at > _STALE,
            plots=_plots(found.hours, language),
            versions=versions_of(context),
            limits=limits_of(context, language),
            now=now,
        )

    @routes.get("/system/doctor")
    def doctor(
        request: Request, _who: Manager, anew: Annotated[int, Query(ge=0, le=1)] = 0
    ) -> Response:
        """Show what `medloop doctor` says of this machine."""
        if anew:
            examined.forget()
        return show(request, "doctor", about="system", **examined())

    return routes


def now_of(context: Context) -> Now:
    """Look at the store."""
    database, now = context.store.database, context.now()
    wanted = Wanted(action="backed up", subject="store")
    backups = context.store.audit.page(wanted, limit=1, newest=True)
    return Now(
        gauges=count(database, now=now),
        hours=hours(database, now=now, count=24),
        running=job_rows(database, WantedJobs(state=JobState.RUNNING), limit=50),
        backup=backups[0].entry if backups else None,
    )


def examine(context: Context) -> Mapping[str, Any]:
    """Let a process of its own examine the machine: what it loads is gone when it ends.

    Raises
    ------
    ServiceError
        If it does not end, or says nothing that can be read.
    """
    settings = context.settings
    command = (sys.executable, "-m", "medloop", "doctor", "--json")
    environment = {**os.environ, **settings.environment}
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
            env=environment,
        )
        said = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ServiceError("medloop doctor gave no answer") from error
    groups: dict[str, list[Mapping[str, str]]] = {}
    for check in said["checks"]:
        groups.setdefault(check["group"], []).append(check)
    return {"is_sound": bool(said["healthy"]), "groups": groups, "at": context.now()}


def versions_of(context: Context) -> tuple[tuple[str, str], ...]:
    """Say what runs here."""
    engine = context.store.database.engine.dialect
    version = ".".join(str(n) for n in getattr(engine, "server_version_info", None) or ())
    return (
        ("medloop", medloop.__version__),
        ("Python", platform.python_version()),
        (engine.name, version),
        ("database", HEAD),
        ("cores", str(os.cpu_count())),
        ("machine", f"{platform.system()} {platform.release()}"),
        ("license", "Apache-2.0"),
    )


def limits_of(context: Context, language: Language) -> tuple[tuple[str, str], ...]:
    """Say what the settings allow, in words."""
    site = context.site
    keep = site.archive

    def say(key: str, value: float, *, zero: str = "system.no_limit") -> tuple[str, str]:
        told = f"{value:g}" if value else text(zero, language)
        return text(f"system.limit.{key}", language), told

    return (
        say("upload_mb", site.web.max_upload_mb),
        say("object_mb", site.receive.max_object_mb),
        say("requests", site.web.requests_per_minute),
        say("session_min", site.users.session_idle_min),
        say("quiet_s", site.receive.quiet_s),
        say("timeout_min", site.jobs.timeout_min),
        say("workers", site.jobs.workers, zero="system.none"),
        say("keep_days", keep.keep_days, zero="system.for_ever"),
        say("max_gb", keep.max_gb),
        say("reserve_gb", site.receive.reserve_gb, zero="system.none"),
    )


def _disk(context: Context, language: Language) -> Disk:
    usage = shutil.disk_usage(context.store.root)
    reserve = context.site.receive.reserve_gb
    used = 1 - usage.free / usage.total if usage.total else 1.0
    is_short = used > _NEARLY_FULL or usage.free < 2 * reserve * _GIGABYTE
    title = text("system.disk_used", language, n=round(used * 100))
    drawn = filled(title, used, "warn" if is_short else "info")
    return Disk(usage.total / _GIGABYTE, usage.free / _GIGABYTE, reserve, drawn, is_short)


def _plots(found: Sequence[Hour], language: Language) -> tuple[tuple[str, Markup], ...]:
    labels = hour_labels(found)

    def drawn(key: str, kind: str) -> tuple[str, Markup]:
        values = tuple(float(getattr(each, key)) for each in found)
        title = text(f"system.plot.{key}", language, n=int(sum(values)))
        name = text(f"system.name.{key}", language)
        return title, columns(title, labels, (Heights(name, kind, values),))

    waits = text("system.plot.median_s", language)
    return (
        drawn("arrived", "info"),
        drawn("analyzed", "ok"),
        drawn("delivered", "info"),
        drawn("failed", "bad"),
        (waits, line(waits, labels, [each.median_s for each in found])),
    )


def _age(since: datetime | None, now: datetime) -> timedelta | None:
    return max(now - since, timedelta(0)) if since else None
