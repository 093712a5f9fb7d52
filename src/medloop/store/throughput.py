"""How much a node does by the hour, and how long each analysis takes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import ColumnElement, Connection, Table, select

from medloop.store.sql import Database
from medloop.store.tables import deliveries, jobs, results, studies

MOST = 20_000  # results that durations are made of, the latest


@dataclass(frozen=True, slots=True)
class Took:
    """How long runs of an analysis took, from claim to kept result, in seconds."""

    analysis: str
    count: int
    median_s: float
    p95_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class Hour:
    """What happened in the hour that begins `at`; `median_s` is of what was analyzed."""

    at: datetime
    arrived: int = 0
    analyzed: int = 0
    failed: int = 0
    delivered: int = 0
    median_s: float = 0.0


def durations(database: Database, *, since: datetime) -> tuple[Took, ...]:
    """Say how long analyses took whose results were kept since then, by name."""
    with database.reading() as connection:
        by_name: dict[str, list[float]] = {}
        for analysis, started, kept in _runs(connection, since):
            by_name.setdefault(analysis, []).append((kept - started).total_seconds())
    return tuple(_took(name, spans) for name, spans in sorted(by_name.items()))


def hours(database: Database, *, now: datetime, count: int = 24) -> tuple[Hour, ...]:
    """Count what happened in each of the last hours, the present one last."""
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last - timedelta(hours=count - 1)
    with database.reading() as connection:
        arrived = _by_hour(_times(connection, studies, studies.c.arrived, first))
        is_failed = jobs.c.state == "failed"
        failed = _by_hour(_times(connection, jobs, jobs.c.changed, first, is_failed))
        is_done = deliveries.c.state == "done"
        sent = _by_hour(_times(connection, deliveries, deliveries.c.changed, first, is_done))
        spans: dict[datetime, list[float]] = {}
        for _, started, kept in _runs(connection, first):
            spans.setdefault(_hour(kept), []).append((kept - started).total_seconds())
    each = [first + timedelta(hours=n) for n in range(count)]
    return tuple(
        Hour(
            at=at,
            arrived=arrived[at],
            analyzed=len(spans.get(at, ())),
            failed=failed[at],
            delivered=sent[at],
            median_s=median(spans[at]) if at in spans else 0.0,
        )
        for at in each
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of ordered values lies (nearest rank)."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _took(name: str, spans: list[float]) -> Took:
    spans.sort()
    return Took(name, len(spans), median(spans), quantile(spans, 0.95), spans[-1])


def _runs(connection: Connection, since: datetime) -> Iterable[tuple[str, datetime, datetime]]:
    asked = (
        select(jobs.c.analysis, jobs.c.started, results.c.kept)
        .join(jobs, jobs.c.id == results.c.job_id)
        .where(results.c.kept >= since, jobs.c.started <= results.c.kept)
        .order_by(results.c.kept.desc())
        .limit(MOST)
    )
    return [(name, started, kept) for name, started, kept in connection.execute(asked)]


def _times(
    connection: Connection,
    table: Table,
    column: ColumnElement[datetime],
    since: datetime,
    *conditions: ColumnElement[bool],
) -> list[datetime]:
    asked = select(column).select_from(table).where(column >= since, *conditions)
    return list(connection.execute(asked).scalars())


def _by_hour(times: Iterable[datetime]) -> Counter[datetime]:
    return Counter(_hour(at) for at in times)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
