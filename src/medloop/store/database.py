"""Opening a store: a folder and a database, brought up to date."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from medloop.core.errors import InputError, MedloopError, ServiceError
from medloop.core.study import Study
from medloop.store.archive import Archive
from medloop.store.arrivals import Arrivals
from medloop.store.audit import Audit
from medloop.store.catalog import Catalog, Receipt
from medloop.store.deliveries import Deliveries
from medloop.store.issues import Issues
from medloop.store.jobs import Jobs
from medloop.store.readings import Readings
from medloop.store.results import Results
from medloop.store.sql import Database, connect

# The newest migration, so that a store which is up to date opens without loading Alembic.
HEAD: Final = "0016"
_PATIENTS: Final = ("archive", "results", "spool", "uploads")  # folders with their data
_UPGRADES = 20_260_101  # any number that only upgrades lock


@dataclass(frozen=True, slots=True)
class Store:
    """Everything kept, under one folder; the database may be elsewhere."""

    root: Path
    database: Database
    archive: Archive
    catalog: Catalog
    jobs: Jobs
    results: Results
    deliveries: Deliveries
    audit: Audit

    @property
    def arrivals(self) -> Arrivals:
        """Each instance as it came."""
        return Arrivals(self.database)

    @property
    def issues(self) -> Issues:
        """Signed reports on their way."""
        return Issues(self.database)

    @property
    def readings(self) -> Readings:
        """What readers make of results."""
        return Readings(self.database)

    @property
    def results_folder(self) -> Path:
        """Where products are written."""
        return self.root / "results"

    def receive(self, study: Study, *, now: datetime) -> Receipt:
        """Keep a study that arrived: its files in the archive, then the rest in the catalog.

        Receiving anything twice changes nothing; a killed receiver leaves at most files that no
        study names, and receiving again completes it.

        Raises
        ------
        InputError
            If a file cannot be read.
        ServiceError
            If the archive or the database cannot be written now.
        """
        kept = tuple(
            replace(
                series,
                instances=tuple(
                    replace(instance, sha256=self.archive.put(instance.path))
                    for instance in series.instances
                ),
            )
            for series in study.series
        )
        return self.catalog.add(replace(study, series=kept), now=now)

    def close(self) -> None:
        """Let go of all connections."""
        self.database.engine.dispose()


def open_store(root: Path, url: str | None = None) -> Store:
    """Open the store in a folder, made if need be; its database is SQLite there unless `url`.

    What is made is for this user of the machine alone: there are patients in it. A
    database of an earlier version is upgraded first.

    Raises
    ------
    InputError
        If the URL cannot be meant, or a newer medloop has upgraded the database.
    ServiceError
        If folder or database cannot be reached.
    """
    try:
        make_private(root, has_file=not url)
    except OSError as error:
        raise ServiceError(f"store {root} cannot be made: {error.strerror}") from error
    database = connect(url or f"sqlite:///{root / 'medloop.db'}")
    try:
        upgrade(database)
    except MedloopError:
        database.engine.dispose()
        raise
    archive = Archive(root / "archive")
    archive.sweep()
    return Store(
        root=root,
        database=database,
        archive=archive,
        catalog=Catalog(database, archive),
        jobs=Jobs(database),
        results=Results(database),
        deliveries=Deliveries(database),
        audit=Audit(database),
    )


def make_private(root: Path, *, has_file: bool) -> None:
    """Make the folders of a store that are not there yet, for this user of the machine alone.

    The folder itself may be there and shared, with models in it.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (root / "archive").exists():
        return
    for name in _PATIENTS:
        (root / name).mkdir(mode=0o700, exist_ok=True)
    if has_file:  # SQLite gives its other files the same mode
        (root / "medloop.db").touch(mode=0o600)


def upgrade(database: Database, *, to: str = HEAD) -> None:
    """Run the migrations that are missing, all or none; others who open the store wait."""
    with database.reading() as connection:
        if revision(connection) == to:
            return
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADES})"))
        _migrate(connection, to)


def revision(connection: Connection) -> str | None:
    """Say which migration a database has reached; None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version"))
    return found.scalar_one_or_none()


def _migrate(connection: Connection, to: str) -> None:
    # Loading Alembic takes a while, and a store that is up to date has no use for it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "medloop.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    now = revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if now is not None and now not in known:
        raise InputError(f"database is at version {now}, this medloop knows {HEAD}: upgrade it")
    command.upgrade(config, to)
