"""A copy of a whole database at one moment, while others go on writing."""

import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import URL, inspect, text

from medloop.core.errors import InputError, ServiceError
from medloop.store.named import Named, named_by
from medloop.store.sql import Database, connect

SQLITE_FILE: Final = "medloop.db"
POSTGRES_FILE: Final = "database.dump"


def copy_database(database: Database, folder: Path) -> tuple[Path, Named]:
    """Copy a database into a folder; returns the copy, and which files it names.

    Raises
    ------
    ServiceError
        If the database or the disk fails, or ``pg_dump`` is not installed.
    """
    if database.is_sqlite:
        copy = folder / SQLITE_FILE
        _copy_sqlite(database, copy)
        return copy, _named_in(copy)
    return _dump(database, folder / POSTGRES_FILE)


def restore_database(copy: Path, database: Database) -> None:
    """Fill an empty database from a copy of the same engine.

    Raises
    ------
    InputError
        If the copy is of another engine, or damaged.
    ServiceError
        If the database or the disk fails, or ``pg_restore`` is not installed.
    """
    if database.is_sqlite is not (copy.name == SQLITE_FILE):
        other = "SQLite" if copy.name == SQLITE_FILE else "PostgreSQL"
        raise InputError(f"the backup holds a database of {other}; this one is of another kind")
    if database.is_sqlite:
        try:
            with (
                closing(sqlite3.connect(f"{copy.resolve().as_uri()}?mode=ro", uri=True)) as old,
                closing(database.engine.raw_connection()) as new,
            ):
                old.backup(_driver(new.driver_connection))
        except sqlite3.DatabaseError as error:
            raise ServiceError(f"database: {error}") from error
        return
    with _reachable(database.engine.url) as url:
        options = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
        _call("pg_restore", *options, "--dbname", url, str(copy))


def is_empty(database: Database) -> bool:
    """Whether a database holds no tables yet."""
    with database.reading() as connection:
        return not inspect(connection).get_table_names()


def _copy_sqlite(database: Database, copy: Path) -> None:
    try:
        with (
            closing(database.engine.raw_connection()) as live,
            closing(sqlite3.connect(copy)) as target,
        ):
            _driver(live.driver_connection).backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.DatabaseError as error:
        raise ServiceError(f"database: {error}") from error


def _driver(connection: object) -> sqlite3.Connection:
    if not isinstance(connection, sqlite3.Connection):
        raise TypeError(f"not a connection to SQLite: {type(connection).__name__}")
    return connection


def _named_in(copy: Path) -> Named:
    """Read what a copy names, without leaving anything beside it."""
    with tempfile.TemporaryDirectory(dir=copy.parent) as scratch:
        shutil.copyfile(copy, Path(scratch) / copy.name)
        database = connect(f"sqlite:///{Path(scratch) / copy.name}")
        try:
            with database.reading() as connection:
                return named_by(connection)
        finally:
            database.engine.dispose()


def _dump(database: Database, copy: Path) -> tuple[Path, Named]:
    """Let pg_dump see exactly what this transaction sees."""
    engine = database.engine.execution_options(isolation_level="REPEATABLE READ")
    with Database(engine).reading() as connection, _reachable(engine.url) as url:
        shared = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        named = named_by(connection)
        options = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={shared}")
        _call("pg_dump", *options, "--file", str(copy), "--dbname", url)
    return copy, named


@contextmanager
def _reachable(url: URL) -> Iterator[str]:
    """Yield a URL for PostgreSQL's programs; a password stands in a file, not in a command."""
    plain = url.set(drivername="postgresql", password=None)
    password = url.password
    if password is None:
        yield plain.render_as_string(hide_password=False)
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:  # mode 0600
        escaped = str(password).replace("\\", "\\\\").replace(":", "\\:")
        file.write(f"*:*:*:*:{escaped}\n")
        file.flush()
        yield plain.update_query_dict({"passfile": file.name}).render_as_string(
            hide_password=False
        )


def _call(program: str, *options: str) -> None:
    if shutil.which(program) is None:
        raise ServiceError(f"{program} is not installed: it comes with PostgreSQL's client")
    done = subprocess.run(  # noqa: S603 (a program of PostgreSQL, no shell)
        [program, *options], check=False, capture_output=True, text=True
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ServiceError(f"{program}: {said[0]}")
