"""The audit log only grows, and shows when somebody went around it."""

import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from medloop.core.errors import InputError, MedloopError
from medloop.store.audit import START, Entry, Wanted
from tests.store.studies import NOON

SIGNED = Entry(NOON, "Dr. 李", "signed", "1.2.3", {"grade": "2", "eye": "R"})


@pytest.fixture
def audit(store):
    for minute in range(4):
        store.audit.append(replace(SIGNED, at=NOON + timedelta(minutes=minute, microseconds=7)))
    return store.audit


def tamper(audit, statement: str) -> None:
    """Change the log as somebody with the database's password would."""
    with audit.database.writing() as connection:
        if audit.database.is_sqlite:
            connection.execute(text("DROP TRIGGER audit_no_UPDATE"))
            connection.execute(text("DROP TRIGGER audit_no_DELETE"))
        else:
            connection.execute(text("DROP TRIGGER audit_only_grows ON audit"))
        connection.execute(text(statement))


def test_an_empty_log_is_whole(store):
    assert store.audit.verify() == START


def test_entries_come_back_in_order(audit):
    entries = audit.entries()
    assert [entry.at.minute for entry in entries] == [0, 1, 2, 3]
    assert entries[0] == replace(SIGNED, at=NOON + timedelta(microseconds=7))


def test_the_head_is_the_hash_of_the_last_entry(audit):
    newest = audit.append(SIGNED)
    assert audit.verify() == newest
    assert audit.verify(head=newest) == newest


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE id = 4",
    ],
)
def test_the_database_itself_refuses_changes(audit, statement):
    with (
        pytest.raises((DBAPIError, MedloopError), match="only grows"),
        audit.database.writing() as connection,
    ):
        connection.execute(text(statement))
    audit.verify()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE id = 2", "row 2 was changed"),
        ("UPDATE audit SET details = '{}' WHERE id = 4", "row 4 was changed"),
        (
            "UPDATE audit SET at = '2026-03-01 11:00:00.000000' WHERE id = 1",
            "row 1 was changed",
        ),
        ("DELETE FROM audit WHERE id = 3", "broken before row 4"),
        ("DELETE FROM audit WHERE id = 1", "broken before row 2"),
        ("UPDATE audit SET previous = hash WHERE id = 2", "broken before row 2"),
    ],
)
def test_going_around_it_is_found(audit, statement, said):
    tamper(audit, statement)
    with pytest.raises(InputError, match=said):
        audit.verify()


def test_a_log_cut_short_is_found_with_a_head_from_before(audit):
    head = audit.verify()
    tamper(audit, "DELETE FROM audit WHERE id = 4")
    audit.verify()
    with pytest.raises(InputError, match="was cut"):
        audit.verify(head=head)


@pytest.mark.slow
def test_processes_append_to_one_chain(store, url, tmp_path):
    script = """
        import sys
        from datetime import UTC, datetime
        from pathlib import Path
        from medloop.store import Entry, open_store
        store = open_store(Path(sys.argv[1]), sys.argv[2])
        for n in range(20):
            store.audit.append(Entry(datetime.now(UTC), sys.argv[3], "did", str(n), {}))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "store"), url]
    writers = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    store.audit.verify()
    assert len(store.audit.entries()) == 40


def test_pages_follow_each_other(audit):
    wanted = Wanted()
    first = audit.page(wanted, limit=3)
    rest = audit.page(wanted, after=first[-1].number, limit=3)
    assert [row.number for row in (*first, *rest)] == [1, 2, 3, 4]
    assert [row.number for row in audit.page(wanted, limit=2, newest=True)] == [3, 4]
    assert [row.number for row in audit.page(wanted, before=4, limit=2, newest=True)] == [2, 3]
    assert [row.previous for row in rest] == [first[-1].hash]


def test_rows_are_chosen_by_who_what_and_when(audit):
    audit.append(replace(SIGNED, actor="chen", at=NOON + timedelta(minutes=9)))
    since = NOON + timedelta(minutes=3)
    assert [row.number for row in audit.rows(Wanted(since=since))] == [4, 5]
    assert [row.number for row in audit.rows(Wanted(actor="chen"))] == [5]
    assert [row.number for row in audit.rows(Wanted(action="none"))] == []
    assert [row.number for row in audit.rows(Wanted(until=since))] == [1, 2, 3]


def test_entries_added_together_are_one_chain(audit):
    head = audit.append_all([replace(SIGNED, subject=str(n)) for n in range(3)])
    assert audit.verify() == head
    assert [entry.subject for entry in audit.entries()[-3:]] == ["0", "1", "2"]
