"""What still has to reach whom: a row for each kept result and each of its destinations.

A row is claimed for a while, as jobs are, and tried again at growing intervals. Its job stays
`sending` until every row of it has ended: it is then done, or failed where one gave up.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    RowMapping,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from medloop.core.attestation import Meaning
from medloop.core.errors import InputError, ServiceError
from medloop.store.audit import Audit, Entry
from medloop.store.claiming import claiming
from medloop.store.job import TRIES, JobState, backoff
from medloop.store.offers import of_others
from medloop.store.sql import Database
from medloop.store.tables import deliveries as table
from medloop.store.tables import jobs, readings, versions

LEASE = timedelta(minutes=15)


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"


_OPEN = (DeliveryState.WAITING.value, DeliveryState.SENDING.value)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One result on its way to one destination; `reason` is of the last try that failed.

    `issue` is the signed report that is sent (`Issues`), 0 for what the analysis said.
    """

    id: int
    job: int
    destination: str
    state: DeliveryState
    reason: str
    attempts: int
    claims: int
    due: datetime
    issue: int = 0


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The table of deliveries, and what their ends mean for a job."""

    database: Database

    def expect_within(
        self,
        connection: Connection,
        job: int,
        destinations: Sequence[str],
        *,
        now: datetime,
        issue: int = 0,
    ) -> None:
        """Let the result of a job wait for its destinations, together with what keeps it.

        What an earlier run of the job had to deliver is forgotten: they get the new result.
        """
        mine = and_(table.c.job_id == job, table.c.issue == issue)
        connection.execute(delete(table).where(mine, table.c.destination.not_in(destinations)))
        again = _waiting("", now, now) | {"attempts": 0, "claims": table.c.claims + 1}
        connection.execute(update(table).where(mine).values(again))
        fresh = _waiting("", now, now) | {
            "job_id": job,
            "issue": issue,
            "attempts": 0,
            "claims": 0,
            "worker": "",
        }
        rows = [fresh | {"destination": name} for name in dict.fromkeys(destinations)]
        self.database.insert_new(connection, table, rows)

    def claim(
        self,
        worker: str,
        destination: str,
        *,
        now: datetime,
        lease: timedelta = LEASE,
        tries: int = TRIES,
    ) -> Delivery | None:
        """Take what is due first for a destination; None if nothing is.

        What workers were lost on is given up after so many `tries`.

        No two workers get the same while its lease lasts. What was signed of a result waits
        until whatever came before of the same result has arrived or was given up.
        """
        lapsed = and_(table.c.state == DeliveryState.SENDING.value, table.c.lease <= now)
        ready = and_(table.c.state == DeliveryState.WAITING.value, table.c.due <= now)
        is_due = and_(
            or_(ready, lapsed), table.c.destination == destination, ~_has_earlier_open()
        )
        with self.database.reading() as connection:  # writers are not disturbed in vain
            if connection.execute(select(table.c.id).where(is_due).limit(1)).first() is None:
                return None
        taken = claiming(
            table,
            is_due,
            now=now,
            lease=lease,
            state=DeliveryState.SENDING.value,
            worker=worker,
        ).returning(table)
        lost = and_(lapsed, table.c.attempts >= tries, table.c.destination == destination)
        reason = f"gave up after {tries} workers were lost"
        with self.database.writing() as connection:
            _give_up(connection, lost, reason, now)
            row = connection.execute(taken).mappings().one_or_none()
        return _delivery(row) if row else None

    def complete(self, delivery: Delivery, entry: Entry, *, reason: str = "") -> None:
        """End a claim well, and note it in the audit log; a reason says why nothing was sent.

        Raises
        ------
        ServiceError
            If somebody else has taken the delivery over.
        """
        self._end(delivery, DeliveryState.DONE, reason, entry)

    def fail(self, delivery: Delivery, reason: str, entry: Entry) -> None:
        """End a claim for good: this result will not be sent there. Raises as `complete`."""
        self._end(delivery, DeliveryState.FAILED, reason, entry)

    def retry(self, delivery: Delivery, reason: str, *, now: datetime) -> None:
        """Try again later, at growing intervals. Raises as `complete`."""
        due = now + backoff(delivery.attempts)
        with self.database.writing() as connection:
            self._change(connection, delivery, _waiting(reason, due, now))

    def release(self, worker: str, destination: str, *, now: datetime) -> int:
        """Let what a worker had claimed for a destination wait again at once; say how many.

        For a worker that was killed or lost the database, before it goes on.
        """
        held = and_(
            table.c.state == DeliveryState.SENDING.value,
            table.c.worker == worker,
            table.c.destination == destination,
        )
        with self.database.reading() as connection:
            if connection.execute(select(table.c.id).where(held).limit(1)).first() is None:
                return 0
        with self.database.writing() as connection:
            freed = update(table).where(held).values(_waiting("", now, now))
            return connection.execute(freed).rowcount

    def reopen(self, number: int, *, now: datetime) -> Delivery:
        """Let a delivery that failed wait again, with fresh attempts; its job sends again.

        Raises
        ------
        InputError
            If there is no such delivery, or it has not failed.
        """
        with self.database.writing() as connection:
            asked = select(table).where(table.c.id == number)
            row = connection.execute(asked).mappings().one_or_none()
            if row is None:
                raise InputError(f"there is no delivery {number}")
            if row["state"] != DeliveryState.FAILED:
                raise InputError(f"delivery {number} is {row['state']}, it has not failed")
            _lock(connection, row["job_id"])
            values = _waiting("", now, now) | {"attempts": 0}
            again = update(table).where(table.c.id == number).values(values).returning(table)
            opened = connection.execute(again).mappings().one()
            connection.execute(
                update(jobs)
                .where(jobs.c.id == row["job_id"], jobs.c.state == JobState.FAILED.value)
                .values(state=JobState.SENDING.value, reason="", changed=now)
            )
        return _delivery(opened)

    def abandon(self, known: Collection[str], *, now: datetime, node: str = "") -> int:
        """Fail what is to go to destinations that are not among the known; say how many.

        What other nodes than this one offer (`Offers`) is theirs to send.
        """
        strange = and_(
            table.c.state.in_(_OPEN),
            table.c.destination.not_in(known),
            table.c.destination.not_in(of_others(node, now)),
        )
        with self.database.reading() as connection:
            if connection.execute(select(table.c.id).where(strange).limit(1)).first() is None:
                return 0
        with self.database.writing() as connection:
            return _give_up(connection, strange, "no destination of this name is set up", now)

    def of_job(self, job: int) -> tuple[Delivery, ...]:
        """List the deliveries of a job, in the order of its destinations."""
        asked = select(table).where(table.c.job_id == job).order_by(table.c.id)
        with self.database.reading() as connection:
            return tuple(_delivery(row) for row in connection.execute(asked).mappings())

    def failed(self, destination: str, *, limit: int) -> tuple[Delivery, ...]:
        """List what gave up on its way to a destination, the newest first."""
        of = (table.c.destination == destination, table.c.state == DeliveryState.FAILED.value)
        asked = select(table).where(*of).order_by(table.c.id.desc()).limit(limit)
        with self.database.reading() as connection:
            return tuple(_delivery(row) for row in connection.execute(asked).mappings())

    def arrived(self) -> Mapping[str, datetime]:
        """Say of each destination when it last took a result."""
        asked = (
            select(table.c.destination, func.max(table.c.changed).label("at"))
            .where(table.c.state == DeliveryState.DONE.value)
            .group_by(table.c.destination)
        )
        with self.database.reading() as connection:
            return {row.destination: row.at for row in connection.execute(asked)}

    def counts(self) -> dict[tuple[str, DeliveryState], int]:
        """Count deliveries by destination and state."""
        key = (table.c.destination, table.c.state)
        asked = select(*key, func.count()).group_by(*key)
        with self.database.reading() as connection:
            found = connection.execute(asked)
            return {(name, DeliveryState(state)): number for name, state, number in found}

    def _end(self, delivery: Delivery, state: DeliveryState, reason: str, entry: Entry) -> None:
        now = entry.at
        values = {"state": state.value, "reason": reason, "lease": None, "changed": now}
        with self.database.writing() as connection:
            _lock(connection, delivery.job)
            self._change(connection, delivery, values)
            _settle(connection, delivery.job, now)
            Audit(self.database).append_within(connection, entry)

    def _change(
        self, connection: Connection, delivery: Delivery, values: Mapping[str, object]
    ) -> None:
        is_still = and_(
            table.c.id == delivery.id,
            table.c.state == delivery.state.value,
            table.c.claims == delivery.claims,
        )
        changed = connection.execute(update(table).where(is_still).values(values))
        if changed.rowcount != 1:
            raise ServiceError(f"delivery {delivery.id} was taken over while it was sending")


def late(database: Database, destination: str, *, limit: int) -> tuple[Delivery, ...]:
    """List what did not arrive so far and is tried again, the next try first."""
    of = (
        table.c.destination == destination,
        table.c.state == DeliveryState.WAITING.value,
        table.c.attempts > 0,
    )
    asked = select(table).where(*of).order_by(table.c.due, table.c.id).limit(limit)
    with database.reading() as connection:
        return tuple(_delivery(row) for row in connection.execute(asked).mappings())


def _waiting(reason: str, due: datetime, now: datetime) -> dict[str, object]:
    state = DeliveryState.WAITING.value
    return {"state": state, "reason": reason, "due": due, "lease": None, "changed": now}


def _give_up(
    connection: Connection, which: ColumnElement[bool], reason: str, now: datetime
) -> int:
    """Fail some rows; their jobs are locked first, as everybody does who ends a row."""
    named = select(table.c.job_id).where(which).distinct()
    touched = sorted(connection.execute(named).scalars())
    for job in touched:
        _lock(connection, job)
    ended = (
        update(table)
        .where(which, table.c.job_id.in_(touched))
        .values(state=DeliveryState.FAILED.value, reason=reason, lease=None, changed=now)
    )
    count = connection.execute(ended).rowcount if touched else 0
    for job in touched:
        _settle(connection, job, now)
    return count


def _has_earlier_open() -> Exists:
    earlier = table.alias()
    return exists().where(
        earlier.c.job_id == table.c.job_id,
        earlier.c.destination == table.c.destination,
        earlier.c.issue < table.c.issue,
        earlier.c.state.in_(_OPEN),
    )


def _lock(connection: Connection, job: int) -> None:
    """Let nobody else end a row of the job meanwhile: two last rows would see each other."""
    connection.execute(select(jobs.c.id).where(jobs.c.id == job).with_for_update())


def _settle(connection: Connection, job: int, now: datetime) -> None:
    """End a job that is sending once none of its deliveries is open.

    It is then reviewed if a final report was signed. A signed report that could not be
    delivered fails a job that was reviewed.
    """
    asked = select(table).where(table.c.job_id == job).order_by(table.c.id)
    rows = [_delivery(row) for row in connection.execute(asked).mappings()]
    if any(row.state in _OPEN for row in rows):
        return
    failed = [row for row in rows if row.state is DeliveryState.FAILED]
    state = JobState.REVIEWED if _is_signed(connection, job) else JobState.DONE
    ended = [JobState.SENDING.value]
    if any(row.issue for row in failed):
        ended.append(JobState.REVIEWED.value)
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job, jobs.c.state.in_(ended))
        .values(
            state=(JobState.FAILED if failed else state).value,
            reason="; ".join(f"{row.destination}: {row.reason}" for row in failed),
            lease=None,
            due=now,
            changed=now,
        )
    )


def _is_signed(connection: Connection, job: int) -> bool:
    """Whether a final report of the job was signed."""
    final = (
        select(versions.c.number)
        .join(readings, readings.c.id == versions.c.reading_id)
        .where(readings.c.job_id == job, versions.c.meaning == Meaning.FINAL.value)
    )
    return connection.execute(final.limit(1)).first() is not None


def _delivery(row: RowMapping) -> Delivery:
    return Delivery(
        id=row["id"],
        job=row["job_id"],
        destination=row["destination"],
        state=DeliveryState(row["state"]),
        reason=row["reason"],
        attempts=row["attempts"],
        claims=row["claims"],
        due=row["due"],
        issue=row["issue"],
    )
