"""One way to reach SQLite and PostgreSQL: transactions that read, others that write."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Engine,
    RowMapping,
    Table,
    TypeDecorator,
    create_engine,
    event,
)
from sqlalchemy import exc as sql_errors
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from medloop.core.errors import ServiceError, SettingError

BUSY_S = 30.0
ROWS = 500  # in one statement: engines limit the number of values
_READS = "medloop_reads"


class Instant(TypeDecorator[datetime]):
    """A moment: aware and UTC in Python, without a zone where SQLite keeps it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; a moment without a zone is misuse."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a stored moment needs a time zone: {value}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say that what was stored is UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Database:
    """A pool of connections. Errors of the engine become `ServiceError`, without the values."""

    engine: Engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database and changes nothing."""
        with _translated(), self.engine.connect() as connection:
            yield connection.execution_options(**{_READS: True})

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that is kept if the block succeeds; on SQLite the only one."""
        with _translated(), self.engine.begin() as connection:
            yield connection

    def insert_new(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]
    ) -> tuple[RowMapping, ...]:
        """Insert the rows whose keys are not there yet, and return those as inserted."""
        insert = sqlite.insert if self.is_sqlite else postgresql.insert
        added: list[RowMapping] = []
        for start in range(0, len(rows), ROWS):
            chunk = [dict(row) for row in rows[start : start + ROWS]]
            statement = insert(table).values(chunk).on_conflict_do_nothing().returning(table)
            added += connection.execute(statement).mappings()
        return tuple(added)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is one file, with one writer at a time."""
        return self.engine.dialect.name == "sqlite"


def connect(url: str) -> Database:
    """Prepare connections; nothing is opened until the first transaction.

    Raises
    ------
    SettingError
        If the URL is malformed or of an engine other than SQLite and PostgreSQL.
    ServiceError
        If the driver for PostgreSQL is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return Database(_sqlite(parsed))
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            return Database(create_engine(parsed, hide_parameters=True, pool_pre_ping=True))
    except (sql_errors.ArgumentError, ValueError) as error:
        raise SettingError("database URL is malformed") from error
    except ImportError as error:
        raise ServiceError(
            "PostgreSQL needs its driver: pip install medloop[postgres]"
        ) from error
    raise SettingError(f"database is {parsed.get_backend_name()}, known: sqlite, postgresql")


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we begin transactions ourselves
        for pragma in ("foreign_keys=ON", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        # Its own folds ASCII alone, and names of people have other letters.
        connection.create_function("lower", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get(_READS, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sql_errors.DBAPIError as error:
        plain = type(error) is sql_errors.DatabaseError  # SQLite: damaged, or no database
        if plain or isinstance(error, sql_errors.OperationalError | sql_errors.InternalError):
            said = str(error.orig).strip().splitlines() or [type(error).__name__]
            raise ServiceError(f"database: {said[0]}") from error
        raise
    except sqlite3.DatabaseError as error:  # while a connection is prepared
        raise ServiceError(f"database: {error}") from error
