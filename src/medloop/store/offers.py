"""Which node sends where: what waits for another node's destination is not ours to give up."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, delete, select

from medloop.store.sql import Database
from medloop.store.tables import offers as table

LASTS: Final = timedelta(days=30)  # since the node was last there


@dataclass(frozen=True, slots=True)
class Offers:
    """The destinations of every node that uses the database."""

    database: Database

    def note(self, node: str, destinations: Collection[str], *, now: datetime) -> None:
        """Say which destinations a node has; those it had before are no longer offered."""
        rows = [{"node": node, "destination": name, "seen": now} for name in destinations]
        with self.database.writing() as connection:
            connection.execute(delete(table).where(table.c.node == node))
            self.database.insert_new(connection, table, rows)


def of_others(node: str, now: datetime) -> Select[tuple[str]]:
    """Ask for the destinations that other nodes offer."""
    is_there = table.c.seen > now - LASTS
    return select(table.c.destination).where(table.c.node != node, is_there)
