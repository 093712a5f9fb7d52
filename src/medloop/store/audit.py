"""Who did what, when: a log that only grows, each row sealed by the hash of all before it.

The database refuses to change or delete rows (21 CFR 11.10(e)); `Audit.verify` finds out if
somebody went around it. Rows cut off the end are found by comparing with a head kept elsewhere.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping, desc, insert, select, text

from medloop.core.errors import InputError
from medloop.store.sql import Database
from medloop.store.tables import audit as table

START = "0" * 64
PAGE = 1000  # rows held in memory at once


@dataclass(frozen=True, slots=True)
class Entry:
    """One deed: `actor` did `action` to `subject` (a UID, a bundle, ...)."""

    at: datetime
    actor: str
    action: str
    subject: str
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as it stands in the log: its number, and the hashes before it and of it."""

    number: int
    entry: Entry
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of an actor, an action, a subject, from `since` on and before `until`."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """The log and its chain."""

    database: Database

    def append(self, entry: Entry) -> str:
        """Add a row and return its hash, the new head of the chain."""
        return self.append_all([entry])

    def append_all(self, entries: Sequence[Entry]) -> str:
        """Add rows, all or none, and return the new head; cheaper than one by one."""
        with self.database.writing() as connection:
            return self.append_within(connection, *entries)

    def append_within(self, connection: Connection, *entries: Entry) -> str:
        """Add rows together with what they tell of, in a transaction that has begun."""
        if not self.database.is_sqlite:  # there, a writing transaction is alone anyway
            connection.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))
        last, head = _head(connection)
        for number, entry in enumerate(entries, start=last + 1):
            row = _sealed(number, entry, head)
            connection.execute(insert(table).values(row))
            head = str(row["hash"])
        return head

    def entries(self) -> tuple[Entry, ...]:
        """List everything, oldest first."""
        with self.database.reading() as connection:
            rows = connection.execute(select(table).order_by(table.c.id)).mappings()
            return tuple(_entry(row) for row in rows)

    def page(
        self,
        wanted: Wanted,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = PAGE,
        newest: bool = False,
    ) -> tuple[Row, ...]:
        """List rows in their order, of those behind `after` and before `before`.

        The first ones, or the newest.
        """
        asked = select(table).where(table.c.id > after).limit(limit)
        if before is not None:
            asked = asked.where(table.c.id < before)
        asked = asked.order_by(desc(table.c.id) if newest else table.c.id)
        for name in ("actor", "action", "subject"):
            value = getattr(wanted, name)
            if value is not None:
                asked = asked.where(table.c[name] == value)
        if wanted.since is not None:
            asked = asked.where(table.c.at >= wanted.since)
        if wanted.until is not None:
            asked = asked.where(table.c.at < wanted.until)
        with self.database.reading() as connection:
            rows = [_row(row) for row in connection.execute(asked).mappings()]
        return tuple(reversed(rows) if newest else rows)

    def rows(self, wanted: Wanted, *, after: int = 0) -> Iterator[Row]:
        """Walk through rows in their order, a page in memory at a time."""
        while found := self.page(wanted, after=after):
            yield from found
            after = found[-1].number

    def verify(self, *, head: str | None = None) -> str:
        """Check every seal and return the head; `head` is one known from before.

        Raises
        ------
        InputError
            If a row was changed, removed or put between, or if the known head is gone.
        """
        previous, seen = START, head in (None, START)
        with self.database.reading() as connection:
            for number, row in enumerate(_walk(connection), start=1):
                if row["id"] != number or row["previous"] != previous:
                    raise InputError(f"audit chain is broken before row {row['id']}")
                if _seal(row) != row["hash"]:
                    raise InputError(f"audit row {number} was changed")
                previous = row["hash"]
                seen = seen or previous == head
        if not seen:
            raise InputError(f"audit log was cut: head {str(head)[:12]} is not in it")
        return previous


def _walk(connection: Connection) -> Iterator[RowMapping]:
    """Give all rows as they stand in the database, a page in memory at a time."""
    after = -1
    while True:
        asked = select(table).where(table.c.id > after).order_by(table.c.id).limit(PAGE)
        rows = connection.execute(asked).mappings().all()
        if not rows:
            return
        yield from rows
        after = rows[-1]["id"]


def _head(connection: Connection) -> tuple[int, str]:
    newest = select(table.c.id, table.c.hash).order_by(desc(table.c.id)).limit(1)
    last = connection.execute(newest).one_or_none()
    return (last.id, last.hash) if last else (0, START)


def _sealed(number: int, entry: Entry, previous: str) -> dict[str, object]:
    row: dict[str, object] = {
        "id": number,
        "at": entry.at.astimezone(UTC),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": json.dumps(dict(entry.details), sort_keys=True, ensure_ascii=False),
        "previous": previous,
    }
    return {**row, "hash": _seal(row)}


def _seal(row: Mapping[str, object] | RowMapping) -> str:
    at = row["at"]
    if not isinstance(at, datetime):
        raise InputError(f"audit row {row['id']} has no time")
    facts = [row["id"], at.isoformat(timespec="microseconds")]
    facts += [row[key] for key in ("actor", "action", "subject", "details", "previous")]
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()


def _entry(row: RowMapping) -> Entry:
    return Entry(
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        details=json.loads(row["details"]),
    )


def _row(row: RowMapping) -> Row:
    return Row(row["id"], _entry(row), row["previous"], row["hash"])
