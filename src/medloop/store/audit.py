"""Who did what, when: a log that only grows, each row sealed by the hash of all before it.

The database refuses to change or delete rows (21 CFR 11.10(e)); `Audit.verify` finds out if
somebody went around it. Rows cut off the end are found by comparing with a head kept elsewhere.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import RowMapping, desc, insert, select, text

from medloop.core.errors import InputError
from medloop.store.sql import Database
from medloop.store.tables import audit as table

START = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One deed: `actor` did `action` to `subject` (a UID, a bundle, ...)."""

    at: datetime
    actor: str
    action: str
    subject: str
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Audit:
    """The log and its chain."""

    database: Database

    def append(self, entry: Entry) -> str:
        """Add a row and return its hash, the new head of the chain."""
        details = json.dumps(dict(entry.details), sort_keys=True, ensure_ascii=False)
        with self.database.writing() as connection:
            if not self.database.is_sqlite:  # there, a writing transaction is alone anyway
                connection.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))
            newest = select(table.c.id, table.c.hash).order_by(desc(table.c.id)).limit(1)
            last = connection.execute(newest).one_or_none()
            row: dict[str, object] = {
                "id": last.id + 1 if last else 1,
                "at": entry.at.astimezone(UTC),
                "actor": entry.actor,
                "action": entry.action,
                "subject": entry.subject,
                "details": details,
                "previous": last.hash if last else START,
            }
            row["hash"] = _seal(row)
            connection.execute(insert(table).values(row))
        return str(row["hash"])

    def entries(self) -> tuple[Entry, ...]:
        """List everything, oldest first."""
        with self.database.reading() as connection:
            rows = connection.execute(select(table).order_by(table.c.id)).mappings()
            return tuple(_entry(row) for row in rows)

    def verify(self, *, head: str | None = None) -> str:
        """Check every seal and return the head; `head` is one known from before.

        Raises
        ------
        InputError
            If a row was changed, removed or put between, or if the known head is gone.
        """
        previous, seen = START, head in (None, START)
        with self.database.reading() as connection:
            rows = connection.execute(select(table).order_by(table.c.id)).mappings()
            for number, row in enumerate(rows, start=1):
                if row["id"] != number or row["previous"] != previous:
                    raise InputError(f"audit chain is broken before row {row['id']}")
                if _seal(row) != row["hash"]:
                    raise InputError(f"audit row {number} was changed")
                previous = row["hash"]
                seen = seen or previous == head
        if not seen:
            raise InputError(f"audit log was cut: head {str(head)[:12]} is not in it")
        return previous


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
