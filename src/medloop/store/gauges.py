"""How much there is and how long it takes, counted in the database whenever somebody asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, case, func, select

from medloop.store.sql import Database
from medloop.store.tables import arrivals, conflicts, deliveries, instances, jobs, studies

BUCKETS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Durations:
    """How long jobs took: how many at most each of `BUCKETS_S`, how many in all, the sum."""

    within: tuple[int, ...]
    count: int
    sum_s: float


@dataclass(frozen=True, slots=True)
class Queue:
    """When the oldest job and delivery that wait became due, and how many jobs are running."""

    waiting_since: datetime | None
    sending_since: datetime | None
    running: int


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is counted."""

    studies: int
    unsettled: int
    instances: int
    conflicts: int
    jobs: Mapping[tuple[str, str], int]  # analysis, state
    deliveries: Mapping[tuple[str, str], int]  # destination, state
    queue: Queue
    durations: Mapping[str, Durations]  # by analysis


def count(database: Database, *, now: datetime) -> Gauges:
    """Count everything, in one look at the database."""
    with database.reading() as connection:
        return Gauges(
            studies=_number(connection, studies),
            unsettled=_number(connection, studies, studies.c.settled.is_(None)),
            instances=_number(connection, arrivals)
            + _number(connection, instances, _came_by_import()),
            conflicts=_number(connection, conflicts),
            jobs=_pairs(connection, jobs, jobs.c.analysis),
            deliveries=_pairs(connection, deliveries, deliveries.c.destination),
            queue=_queue(connection, now),
            durations=_durations(connection, is_sqlite=database.is_sqlite),
        )


def queue_of(database: Database, *, now: datetime) -> Queue:
    """Look at what waits."""
    with database.reading() as connection:
        return _queue(connection, now)


def _queue(connection: Connection, now: datetime) -> Queue:
    return Queue(
        _oldest(connection, jobs, now),
        _oldest(connection, deliveries, now),
        _number(connection, jobs, jobs.c.state == "running"),
    )


def _came_by_import() -> ColumnElement[bool]:
    known = select(arrivals.c.uid).where(arrivals.c.uid == instances.c.uid)
    return ~known.exists()


def _number(
    connection: Connection, table: Table, condition: ColumnElement[bool] | None = None
) -> int:
    asked = select(func.count()).select_from(table)
    if condition is not None:
        asked = asked.where(condition)
    return connection.execute(asked).scalar_one()


def _pairs(
    connection: Connection, table: Table, key: ColumnElement[str]
) -> dict[tuple[str, str], int]:
    asked = select(key, table.c.state, func.count()).group_by(key, table.c.state)
    return {(name, state): number for name, state, number in connection.execute(asked)}


def _oldest(connection: Connection, table: Table, now: datetime) -> datetime | None:
    is_due = and_(table.c.state == "waiting", table.c.due <= now)
    return connection.execute(select(func.min(table.c.due)).where(is_due)).scalar_one()


def _durations(connection: Connection, *, is_sqlite: bool) -> dict[str, Durations]:
    took: ColumnElement[Any]
    if is_sqlite:
        took = (func.julianday(jobs.c.changed) - func.julianday(jobs.c.started)) * 86400.0
    else:
        took = func.extract("epoch", jobs.c.changed - jobs.c.started)
    asked = (
        select(
            jobs.c.analysis,
            func.count(),
            func.sum(took),
            *(func.sum(case((took <= limit, 1), else_=0)) for limit in BUCKETS_S),
        )
        .where(jobs.c.state.in_(("done", "reviewed")), jobs.c.started.is_not(None))
        .group_by(jobs.c.analysis)
    )
    return {
        name: Durations(tuple(int(n) for n in within), number, float(total))
        for name, number, total, *within in connection.execute(asked)
    }
