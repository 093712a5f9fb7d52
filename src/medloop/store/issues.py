"""What of signed reports still has to be made and filed: a row for each signed version.

A row is claimed for a while and tried again at growing intervals, as jobs and deliveries are.
Once it is done its deliveries wait for their destinations.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, Exists, RowMapping, Select, and_, exists, or_, select, update

from medloop.core.errors import InputError, ServiceError
from medloop.store.audit import Audit, Entry
from medloop.store.claiming import claiming
from medloop.store.deliveries import Deliveries
from medloop.store.job import TRIES, backoff
from medloop.store.reading import Version
from medloop.store.readings import version_of
from medloop.store.sql import Database
from medloop.store.tables import issues as table
from medloop.store.tables import readings, versions

LEASE = timedelta(minutes=10)
_OWN = ("id", "state", "reason", "attempts", "claims")


class IssueState(StrEnum):
    """Where the making of a signed report stands."""

    WAITING = "waiting"
    ISSUING = "issuing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Issue:
    """A signed report to make: which of which reading; `reason` is of the last failure."""

    id: int
    reading: int
    job: int
    version: Version
    state: IssueState
    reason: str
    attempts: int
    claims: int

    @property
    def folder(self) -> str:
        """Where its documents are, below the store's results."""
        return self.version.folder


@dataclass(frozen=True, slots=True)
class Issues:
    """The queue of signed reports."""

    database: Database

    def enlist(self, *, now: datetime) -> int:
        """Let every signed version that is not in the queue wait in it; say how many."""
        mine = and_(
            table.c.reading_id == versions.c.reading_id, table.c.number == versions.c.number
        )
        asked = select(versions.c.reading_id, versions.c.number).where(~exists().where(mine))
        with self.database.reading() as connection:  # writers are not disturbed in vain
            if connection.execute(asked.limit(1)).first() is None:
                return 0
        fresh = _state(IssueState.WAITING, now) | {"attempts": 0, "claims": 0, "due": now}
        with self.database.writing() as connection:
            rows = [
                fresh | {"reading_id": reading, "number": number}
                for reading, number in connection.execute(
                    asked.order_by(versions.c.at, versions.c.reading_id)
                )
            ]
            self.database.insert_new(connection, table, rows)
        return len(rows)

    def claim(self, *, now: datetime, lease: timedelta = LEASE) -> Issue | None:
        """Take what is due first; None if nothing is.

        Of one reading the earlier version is made first: the later one refers to it.
        """
        lapsed = and_(table.c.state == IssueState.ISSUING.value, table.c.lease <= now)
        ready = and_(table.c.state == IssueState.WAITING.value, table.c.due <= now)
        is_due = and_(or_(ready, lapsed), ~_has_earlier_open())
        with self.database.reading() as connection:
            if connection.execute(select(table.c.id).where(is_due).limit(1)).first() is None:
                return None
        taken = claiming(table, is_due, now=now, lease=lease, state=IssueState.ISSUING.value)
        with self.database.writing() as connection:
            number = connection.execute(taken.returning(table.c.id)).scalar_one_or_none()
            return None if number is None else _found(connection, number)

    def finish(
        self,
        issue: Issue,
        products: Sequence[str],
        destinations: Sequence[str],
        entry: Entry,
    ) -> None:
        """Say that the report is made and filed, and let it wait for its destinations.

        `products` are the names of the files in its folder.

        Raises
        ------
        ServiceError
            If somebody else has taken it over.
        """
        with self.database.writing() as connection:
            _change(connection, issue, _state(IssueState.DONE, entry.at))
            made = and_(
                versions.c.reading_id == issue.reading,
                versions.c.number == issue.version.number,
            )
            named = json.dumps(sorted(products))
            connection.execute(update(versions).where(made).values(products=named))
            Deliveries(self.database).expect_within(
                connection, issue.job, destinations, now=entry.at, issue=issue.id
            )
            Audit(self.database).append_within(connection, entry)

    def fail(self, issue: Issue, reason: str, entry: Entry) -> None:
        """Give up: the report stays signed, but is not sent. Raises as `finish`."""
        with self.database.writing() as connection:
            _change(connection, issue, _state(IssueState.FAILED, entry.at, reason))
            Audit(self.database).append_within(connection, entry)

    def retry(self, issue: Issue, reason: str, *, now: datetime) -> bool:
        """Try again later, False if that was the last time. Raises as `finish`."""
        if issue.attempts >= TRIES:
            return False
        again = _state(IssueState.WAITING, now, reason) | {"due": now + backoff(issue.attempts)}
        with self.database.writing() as connection:
            _change(connection, issue, again)
        return True

    def reopen(self, reading: int, number: int, *, now: datetime) -> None:
        """Let a report that could not be made wait again, with fresh attempts.

        Raises
        ------
        InputError
            If it has not failed.
        """
        again = _state(IssueState.WAITING, now) | {"attempts": 0, "due": now}
        failed = and_(
            table.c.reading_id == reading,
            table.c.number == number,
            table.c.state == IssueState.FAILED.value,
        )
        with self.database.writing() as connection:
            if connection.execute(update(table).where(failed).values(again)).rowcount != 1:
                raise InputError(f"version {number} of reading {reading} has not failed")

    def get(self, number: int) -> Issue:
        """Look one up, or raise `InputError`."""
        with self.database.reading() as connection:
            return _found(connection, number)

    def of_reading(self, reading: int) -> tuple[Issue, ...]:
        """List those of a reading, in the order of its versions."""
        asked = _asked().where(table.c.reading_id == reading).order_by(table.c.number)
        with self.database.reading() as connection:
            return tuple(_issue(row) for row in connection.execute(asked).mappings())


def _asked() -> Select[tuple[object, ...]]:
    own = [table.c[name].label(f"own_{name}") for name in _OWN]
    return (
        select(versions, readings.c.job_id, *own)
        .select_from(table)
        .join(
            versions,
            and_(
                versions.c.reading_id == table.c.reading_id,
                versions.c.number == table.c.number,
            ),
        )
        .join(readings, readings.c.id == table.c.reading_id)
    )


def _has_earlier_open() -> Exists:
    earlier = table.alias()
    return exists().where(
        earlier.c.reading_id == table.c.reading_id,
        earlier.c.number < table.c.number,
        earlier.c.state.in_((IssueState.WAITING.value, IssueState.ISSUING.value)),
    )


def _found(connection: Connection, number: int) -> Issue:
    row = connection.execute(_asked().where(table.c.id == number)).mappings().one_or_none()
    if row is None:
        raise InputError(f"there is no issue {number}")
    return _issue(row)


def _issue(row: RowMapping) -> Issue:
    return Issue(
        id=row["own_id"],
        reading=row["reading_id"],
        job=row["job_id"],
        version=version_of(row),
        state=IssueState(row["own_state"]),
        reason=row["own_reason"],
        attempts=row["own_attempts"],
        claims=row["own_claims"],
    )


def _state(state: IssueState, now: datetime, reason: str = "") -> dict[str, object]:
    return {"state": state.value, "reason": reason, "lease": None, "changed": now}


def _change(connection: Connection, issue: Issue, values: Mapping[str, object]) -> None:
    is_still = and_(
        table.c.id == issue.id,
        table.c.state == IssueState.ISSUING.value,
        table.c.claims == issue.claims,
    )
    if connection.execute(update(table).where(is_still).values(**values)).rowcount != 1:
        raise ServiceError(f"issue {issue.id} was taken over while it was made")
