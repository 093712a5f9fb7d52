"""A store opens from any version, and says in one line why it cannot."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, MetaData, Table, text

from medloop.core.errors import InputError, ServiceError
from medloop.core.search import Level, Match, Search, Term
from medloop.store import open_store
from medloop.store.database import HEAD, revision, upgrade
from medloop.store.query import Finder
from medloop.store.sql import connect
from medloop.store.tables import metadata
from tests.store.studies import NOON, a_study


def test_migrations_lead_to_the_tables_that_the_code_expects(store):
    with store.database.reading() as connection:
        assert revision(connection) == HEAD
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize("version", ["0001", "0002", "0003", "0006"])
def test_a_store_of_an_earlier_version_keeps_its_studies(tmp_path, empty_url, version):
    old = connect(empty_url)
    Path(tmp_path / "store").mkdir()
    upgrade(old, to=version)
    with old.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO studies VALUES "
                "('1.2', 'scan', '', '', '', '', '', '', '', '2026-03-01 12:00:00.000000')"
            )
        )
    old.engine.dispose()
    store = open_store(tmp_path / "store", empty_url)
    assert store.catalog.studies() == ("1.2",)
    assert store.jobs.add("1.2", "retina", ("1.2.3",), now=NOON)
    store.close()


def test_what_arrived_before_is_found_by_what_its_header_says(tmp_path, empty_url):
    old = connect(empty_url)
    Path(tmp_path / "store").mkdir()
    upgrade(old, to="0013")
    said = {
        "00080060": {"vr": "CS", "Value": ["CT"]},
        "00200010": {"vr": "SH", "Value": ["S1"]},
        "00400275": {"vr": "SQ", "Value": [{"00401001": {"vr": "SH", "Value": ["P1"]}}]},
    }
    head = {"uid": "1.2", "name": "scan", "arrived": NOON}
    kept = {"uid": "1.2.3.4", "series_uid": "1.2.3", "header": json.dumps(said)}
    texts = ("patient_name", "patient_identifier", "patient_birth_date", "patient_sex")
    head |= dict.fromkeys((*texts, "date", "description", "accession"), "")
    kept |= {"study_uid": "1.2", "number": 1, "size": 1, "arrived": NOON}
    kept |= dict.fromkeys(("sha256", "sop_class", "transfer_syntax", "source"), "")
    with old.writing() as connection:
        for name, row in (("studies", head), ("arrivals", kept)):
            columns = [Column(key, metadata.tables[name].c[key].type) for key in row]
            connection.execute(Table(name, MetaData(), *columns).insert(), row)
    old.engine.dispose()
    store = open_store(tmp_path / "store", empty_url)
    finder = Finder(store.database)
    for path, value in (
        (("00200010",), "S1"),
        (("00080060",), "CT"),
        (("00400275", "00401001"), "P1"),
    ):
        wanted = Search(Level.SERIES, (Term(path, Match.ANY_OF, (value,)),))
        (found,), _ = finder.find(wanted)
        assert found.series_uid == "1.2.3"
    store.close()


def test_opening_again_keeps_everything(tmp_path, empty_url):
    for expected in ((), ("1.2",), ("1.2",)):
        store = open_store(tmp_path / "store", empty_url)
        assert store.catalog.studies() == expected
        store.receive(a_study(tmp_path / "scans"), now=NOON)
        store.close()


@pytest.mark.parametrize("is_shared", [False, True])
def test_nobody_else_of_the_machine_reads_a_store(tmp_path, is_shared):
    home = tmp_path / "home"
    if is_shared:
        home.mkdir(mode=0o755)
    open_store(home).close()
    made = [home / "medloop.db", home / "archive", home / "spool", home / "results"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in made)
    assert (home.stat().st_mode & 0o077 == 0) is not is_shared


def test_a_database_from_the_future_is_left_alone(tmp_path, url):
    store = open_store(tmp_path / "store", url)
    with store.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(InputError, match="version 9999"):
        open_store(tmp_path / "store", url)


def test_a_migration_that_fails_changes_nothing(tmp_path, empty_url):
    (tmp_path / "store").mkdir()
    database = connect(empty_url)
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE audit (id INTEGER)"))
    with pytest.raises(ServiceError if database.is_sqlite else Exception, match="audit"):
        upgrade(database)
    with database.reading() as connection:
        assert revision(connection) is None
    database.engine.dispose()


def test_sqlite_is_safe_by_default(embedded):
    with embedded.database.reading() as connection:
        pragma = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert pragma == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "synchronous": 2,
        "busy_timeout": 30_000,
    }


@pytest.mark.slow
def test_processes_may_open_a_new_store_at_the_same_time(tmp_path):
    script = """
        import sys
        from pathlib import Path
        from medloop.store import open_store
        open_store(Path(sys.argv[1])).close()
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "store")]
    openers = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
    errors = [opener.communicate()[1].decode() for opener in openers]
    assert errors == [""] * 4


def test_a_file_that_is_no_database_is_named_so(tmp_path):
    (tmp_path / "medloop.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(ServiceError, match="not a database"):
        open_store(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_service_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ServiceError, match="cannot be made"):
        open_store(tmp_path / "file" / "store")


def test_a_server_that_is_away_is_a_service_error(tmp_path):
    pytest.importorskip("psycopg")
    with pytest.raises(ServiceError, match="database"):
        open_store(tmp_path, f"postgresql://medloop@/none?host={tmp_path}")


@pytest.mark.parametrize("odd", ["no url", "mysql://host/db", "sqlite+what:///x"])
def test_a_url_that_cannot_be_meant_is_bad_input(tmp_path, odd):
    with pytest.raises(InputError, match="database"):
        open_store(tmp_path, odd)


def test_a_message_never_holds_values(embedded):
    with (
        pytest.raises(ServiceError) as caught,
        embedded.database.writing() as connection,
    ):
        connection.execute(text("INSERT INTO nowhere VALUES (:name)"), {"name": "DOE^JOHN"})
    assert "DOE" not in str(caught.value)
