"""Whatever is missing or was changed gets a line; a store as it should be gets none."""

import re

import pytest
from sqlalchemy import text

from medloop.core.study import SopUid
from medloop.store.verify import verify
from tests.store.kept import corrected, signed, with_result
from tests.store.studies import NOON


@pytest.fixture
def held(embedded, tmp_path):
    """A store with a study and its result."""
    with_result(embedded, tmp_path / "files")
    return embedded


def an_object(store):
    return store.archive.path(store.catalog.study("1.2").series[0].instances[0].sha256)


def damage(path):
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def lines(store, **how):
    return [re.sub(r"[0-9a-f]{12}", "#", line) for line in verify(store, **how)]


def test_a_store_as_it_should_be_has_no_difference(held):
    assert lines(held) == []
    assert lines(held, head=held.audit.verify()) == []


def test_a_damaged_object_is_named(held):
    damage(an_object(held))
    assert lines(held) == ["archived object # is damaged, now #"]


def test_a_missing_object_is_named(held):
    an_object(held).unlink()
    assert lines(held) == ["archive lacks object #"]


def test_an_object_that_nothing_names_is_named(held):
    held.archive.put(b"stray")
    assert lines(held) == ["archived object # is named by nothing"]


def test_a_missing_product_is_named(held):
    (held.results_folder / "1.2/retina-1/report.html").unlink()
    assert lines(held) == ["job 1: report.html of its result is missing"]


def test_a_record_that_was_changed_is_named(held):
    file = held.results_folder / "1.2/retina-1/result.json"
    file.write_text(file.read_text().replace('"ICDR": 2', '"ICDR": 0'))
    assert lines(held) == ["job 1: result.json differs from the record in the database"]


def test_a_mask_that_a_reader_drew_is_looked_at_like_any_object(held):
    _, mask = corrected(held, held.jobs.get(1))
    assert lines(held) == []
    damage(held.archive.path(mask))
    assert lines(held) == ["archived object # is damaged, now #"]


def test_a_signed_report_that_was_changed_or_lost_is_named(held):
    reading, _ = corrected(held, held.jobs.get(1))
    version = signed(held, reading)
    file = held.results_folder / version.folder / "signed.json"
    file.write_bytes(b"{ }")
    name = "reading 1: version 1"
    assert lines(held) == [f"{name}: signed.json is not what was signed"]
    file.unlink()
    assert lines(held) == [f"{name} lacks signed.json"]


def test_a_broken_audit_log_is_named(held):
    with held.database.writing() as connection:
        for (name,) in connection.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ).all():
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text("UPDATE audit SET actor = 'nobody' WHERE id = 1"))
    (line,) = lines(held)
    assert "audit row 1" in line


def test_rows_cut_off_the_audit_log_are_found_by_a_head_from_before(held):
    (line,) = lines(held, head="ab" * 32)
    assert line.startswith("audit log was cut")


def test_every_difference_has_its_line(held):
    damage(an_object(held))
    (held.results_folder / "1.2/retina-1/report.html").unlink()
    held.archive.put(b"stray")
    held.jobs.add("1.2", "lung", (SopUid("1.2.1.1"),), now=NOON)
    assert len(lines(held)) == 3
