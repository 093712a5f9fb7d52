"""A backup holds everything as of one moment, copies nothing twice, and can be restored."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest

from medloop.core.errors import InputError, ServiceError
from medloop.core.study import SopUid
from medloop.store import Entry, JobState, open_store
from medloop.store.backup import back_up, read_manifest, snapshots
from medloop.store.restore import restore
from medloop.store.spool import Spool
from medloop.store.verify import verify
from tests.store.conftest import _new_database
from tests.store.kept import LATER, corrected, signed, with_result
from tests.store.studies import NOON


def silent(_done, _total):
    pass


@pytest.fixture
def held(store, tmp_path):
    """A store with a study and its result."""
    with_result(store, tmp_path / "files")
    return store


@pytest.fixture
def empty(request, engine, tmp_path):
    """Where a restored store goes: a folder, and its database's URL."""
    if engine == "sqlite":
        return tmp_path / "restored", None
    server = request.getfixturevalue("postgres")
    return tmp_path / "restored", _new_database(server, f"empty_{uuid4().hex}")


def test_what_was_backed_up_is_restored_whole(held, tmp_path, empty):
    made = back_up(held, tmp_path / "backup", now=NOON, report=silent)
    assert made.problems == ()
    assert (made.files, made.copied) == (6, 6)
    restore(tmp_path / "backup", *empty, report=silent)
    again = open_store(*empty)
    try:
        assert list(verify(again)) == []
        assert again.catalog.study("1.2").patient == held.catalog.study("1.2").patient
        assert again.jobs.all() == held.jobs.all()
        assert again.results.get(1) == held.results.get(1)
        report = again.results_folder / "1.2/retina-1/report.html"
        assert report.read_text() == "<p>report</p>"
        assert again.audit.entries() == held.audit.entries()[:1]
        assert held.audit.entries()[1].action == "backed up"
    finally:
        again.close()


def test_readers_masks_and_signed_reports_are_backed_up_and_restored(held, tmp_path, empty):
    reading, mask = corrected(held, held.jobs.get(1))
    version = signed(held, reading)
    made = back_up(held, tmp_path / "backup", now=NOON, report=silent)
    assert (made.files, made.problems) == (9, ())
    restore(tmp_path / "backup", *empty, report=silent)
    again = open_store(*empty)
    try:
        assert list(verify(again)) == []
        assert again.archive.read(mask) == held.archive.read(mask)
        assert again.readings.edits(reading) == held.readings.edits(reading)
        assert again.readings.versions(reading) == (version,)
        report = again.results_folder / version.folder / "signed.json"
        assert report.read_bytes() == b"{}"
    finally:
        again.close()


def test_nobody_else_of_the_machine_reads_a_backup_or_what_it_restores(embedded, tmp_path):
    backup, again = tmp_path / "backup", tmp_path / "again"
    backup.mkdir(mode=0o755)
    again.mkdir(mode=0o755)
    with_result(embedded, tmp_path / "files")
    back_up(embedded, backup, now=NOON, report=silent)
    restore(backup, again, None, report=silent)
    made = [*backup.iterdir(), again / "medloop.db", again / "archive", again / "results"]
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


def test_the_second_backup_copies_only_what_is_new(held, tmp_path):
    back_up(held, tmp_path / "backup", now=NOON, report=silent)
    with_result(held, tmp_path / "more", "1.3", at=LATER)
    made = back_up(held, tmp_path / "backup", now=LATER, report=silent)
    assert (made.files, made.copied) == (12, 4)  # its reports are those of the first
    assert snapshots(tmp_path / "backup") == ("20260301T120000Z", "20260302T120000Z")


def test_an_older_snapshot_is_restored_by_name(embedded, tmp_path):
    with_result(embedded, tmp_path / "files")
    back_up(embedded, tmp_path / "backup", now=NOON, report=silent)
    with_result(embedded, tmp_path / "more", "1.3", at=LATER)
    back_up(embedded, tmp_path / "backup", now=LATER, report=silent)
    restore(tmp_path / "backup", tmp_path / "old", None, name="20260301T120000Z", report=silent)
    again = open_store(tmp_path / "old")
    assert again.catalog.studies() == ("1.2",)
    again.close()


def test_what_waits_in_the_spool_is_backed_up_too(embedded, tmp_path):
    spool = Spool(embedded.root / "spool", reserve_bytes=0, segment_bytes=1 << 20)
    for data in (b"acknowledged", b"arriving"):
        incoming = spool.open("C-STORE PACS")
        incoming.write(data)
        if data == b"acknowledged":
            incoming.keep()
    back_up(embedded, tmp_path / "backup", now=NOON, report=silent)
    spool.close()
    restore(tmp_path / "backup", tmp_path / "new", None, report=silent)
    again = Spool(tmp_path / "new/spool", reserve_bytes=0)
    with again.reading():
        (waiting,) = again.waiting(10)
        assert b"".join(waiting.chunks()) == b"acknowledged"
    assert waiting.head.source == "C-STORE PACS"


def test_a_backup_while_others_write_is_of_one_moment(held, tmp_path, empty):
    stop = threading.Event()

    def write():
        n = 0
        while not stop.is_set():
            n += 1
            held.jobs.add("1.2", "lung", (SopUid(f"9.{n}"),), now=NOON)
            held.audit.append(Entry(NOON, "w", "wrote", str(n), {}))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        back_up(held, tmp_path / "backup", now=NOON, report=silent)
    finally:
        stop.set()
        writer.join()
    restore(tmp_path / "backup", *empty, report=silent)
    again = open_store(*empty)
    try:
        assert list(verify(again)) == []
        added = len(again.jobs.all(state=JobState.WAITING))
        written = sum(entry.action == "wrote" for entry in again.audit.entries())
        assert added - written in (0, 1)
    finally:
        again.close()


def test_what_is_damaged_is_named_and_the_rest_is_copied(embedded, tmp_path):
    with_result(embedded, tmp_path / "files")
    first, second, *_ = embedded.archive.objects()
    embedded.archive.path(first).unlink()
    path = embedded.archive.path(second)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[::-1])
    (embedded.results_folder / "1.2/retina-1/report.html").unlink()
    made = back_up(embedded, tmp_path / "backup", now=NOON, report=silent)
    assert [problem[:13] for problem in made.problems] == [
        "archive lacks",
        "archived obje",
        "job 1: report",
    ]
    assert made.files == 3


def test_a_store_that_is_not_empty_is_left_alone(held, tmp_path, url):
    back_up(held, tmp_path / "backup", now=NOON, report=silent)
    with pytest.raises(InputError, match="not empty"):
        restore(tmp_path / "backup", held.root, url, report=silent)


def test_a_damaged_backup_is_refused(embedded, tmp_path):
    with_result(embedded, tmp_path / "files")
    back_up(embedded, tmp_path / "backup", now=NOON, report=silent)
    sha256 = read_manifest(tmp_path / "backup", "20260301T120000Z").objects[0]
    kept = tmp_path / "backup/objects" / sha256[:2] / sha256[2:]
    kept.chmod(0o644)
    kept.write_bytes(b"damaged")
    with pytest.raises(InputError, match="is damaged"):
        restore(tmp_path / "backup", tmp_path / "new", None, report=silent)
    kept.unlink()
    with pytest.raises(InputError, match="lacks object"):
        restore(tmp_path / "backup", tmp_path / "new", None, report=silent)


@pytest.mark.parametrize("name", ["", "20200101T000000Z"])
def test_a_snapshot_that_is_not_there_is_said(tmp_path, name):
    with pytest.raises(InputError, match=f"{tmp_path} holds no snapshot"):
        restore(tmp_path, tmp_path / "new", None, name=name, report=silent)


def test_a_manifest_leads_nowhere_else(embedded, tmp_path):
    with_result(embedded, tmp_path / "files")
    back_up(embedded, tmp_path / "backup", now=NOON, report=silent)
    file = tmp_path / "backup/snapshots/20260301T120000Z/manifest.json"
    file.write_text(file.read_text().replace("1.2/retina-1/report.html", "../../evil"))
    with pytest.raises(InputError, match="outside the store"):
        restore(tmp_path / "backup", tmp_path / "new", None, report=silent)


def test_a_full_disk_leaves_no_snapshot(embedded, tmp_path, request):
    with_result(embedded, tmp_path / "files")
    request.getfixturevalue("small_files")
    with pytest.raises(ServiceError):  # the copy of the database is larger than that
        back_up(embedded, tmp_path / "backup", now=NOON + timedelta(1), report=silent)
    assert list((tmp_path / "backup/snapshots").iterdir()) == []
