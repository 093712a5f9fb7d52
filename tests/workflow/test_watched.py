"""A folder into which other programs put files is emptied into the store, and loses none."""

import shutil
import subprocess
import sys
import zipfile

import pytest

from medloop.core.errors import ServiceError
from medloop.store import open_store
from medloop.store.spool import Spool
from medloop.workflow.after import After
from medloop.workflow.reception import Reception
from medloop.workflow.watched import PATIENCE_S, Folder, Watch
from tests.dicom.slices import SERIES_UID, a_slice, save
from tests.workflow.cases import NOON


@pytest.fixture
def reception(store, tmp_path):
    spool = Spool(tmp_path / "spool", reserve_bytes=0)
    yield Reception(store, spool, now=lambda: NOON)
    spool.close()


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def watching(reception, inbox):
    def make(after=After.MOVE):
        return Watch(Folder(inbox, after, still_s=5.0), reception)

    return make


def put(inbox, name="a.dcm", depth=0.0):
    path = inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return save(a_slice((0, 0, depth)), path)


def held(reception):
    return len(reception.store.arrivals.of(SERIES_UID + ".1").objects)


def names(inbox):
    return sorted(str(p.relative_to(inbox)) for p in inbox.rglob("*") if p.is_file())


def settled(watch, start=0.0):
    """Look, and look again when files have been still for long enough."""
    watch.poll(start)
    return watch.poll(start + 5)


def test_a_file_is_taken_in_once_it_no_longer_grows(watching, reception, inbox):
    path = put(inbox)
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    watch = watching()
    assert watch.poll(0) == 0
    path.write_bytes(whole)
    assert watch.poll(4) == 0
    assert watch.poll(8) == 0
    assert held(reception) == 0
    assert watch.poll(9) == 1
    assert held(reception) == 1


@pytest.mark.parametrize(
    ("after", "left"),
    [(After.MOVE, ["done/ct/a.dcm"]), (After.DELETE, []), (After.LEAVE, ["ct/a.dcm"])],
)
def test_what_was_taken_in_is_moved_deleted_or_left(watching, inbox, reception, after, left):
    put(inbox, "ct/a.dcm")
    watch = watching(after)
    assert settled(watch) == 1
    assert (names(inbox), held(reception)) == (left, 1)
    assert settled(watch, 20) == 0


def test_what_is_left_is_not_read_again_by_the_next_process(watching, inbox):
    put(inbox)
    assert settled(watching(After.LEAVE)) == 1
    assert settled(watching(After.LEAVE)) == 0
    put(inbox, depth=3.0)
    assert settled(watching(After.LEAVE)) == 1


def test_what_is_of_no_use_is_put_aside_with_its_reason_when_patience_ends(watching, inbox):
    (inbox / "letter.dcm").write_text("Dear colleague")
    watch = watching()
    settled(watch)
    assert names(inbox) == ["letter.dcm"]
    assert watch.poll(PATIENCE_S - 1) == 0
    watch.poll(PATIENCE_S)
    assert names(inbox) == ["failed/letter.dcm", "failed/letter.dcm.txt"]
    reason = (inbox / "failed/letter.dcm.txt").read_text()
    assert reason == "is no DICOM, NIfTI, PNG, JPEG, TIFF or zip file\n"


def test_a_file_whose_copying_stalls_is_taken_when_it_is_whole(watching, inbox, reception):
    path = put(inbox)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    watch = watching()
    settled(watch)
    assert names(inbox) == ["a.dcm"]
    path.write_bytes(whole)
    assert settled(watch, 30) == 1
    assert (names(inbox), held(reception)) == (["done/a.dcm"], 1)


def test_a_zip_is_taken_in_with_all_it_holds(watching, inbox, reception):
    objects = [put(inbox, f"{n}", n).read_bytes() for n in range(3)]
    for n in range(3):
        (inbox / f"{n}").unlink()
    with zipfile.ZipFile(inbox / "study.zip", "w") as archive:
        for n, content in enumerate(objects):
            archive.writestr(f"a/{n}", content)
    assert settled(watching()) == 1
    assert (names(inbox), held(reception)) == (["done/study.zip"], 3)


def test_links_hidden_and_unfinished_files_are_left_alone(watching, inbox, tmp_path):
    outside = put(tmp_path, "outside.dcm")
    (inbox / "link.dcm").symlink_to(outside)
    (inbox / "linked").symlink_to(tmp_path)
    for name in (".hidden", "a.dcm.part", "b.tmp", "Thumbs.db"):
        shutil.copy(outside, inbox / name)
    assert settled(watching()) == 0
    assert outside.exists()


def test_two_files_of_one_name_both_stay(watching, inbox):
    watch = watching()
    for turn in range(3):
        put(inbox, depth=turn)
        settled(watch, 100.0 * turn)
    assert names(inbox) == ["done/2-a.dcm", "done/3-a.dcm", "done/a.dcm"]


def test_a_file_that_vanishes_is_forgotten(watching, inbox):
    path = put(inbox)
    watch = watching()
    watch.poll(0)
    path.unlink()
    assert watch.poll(5) == 0


def test_a_folder_that_is_away_is_trouble_outside(watching, inbox):
    inbox.rmdir()
    with pytest.raises(ServiceError, match="watched folder cannot be read"):
        watching().poll(0)


def test_while_the_store_cannot_be_written_files_stay(watching, inbox, reception):
    put(inbox)
    archive = reception.store.root / "archive"
    shutil.rmtree(archive, ignore_errors=True)
    archive.write_text("in the way")
    watch = watching(After.DELETE)
    with pytest.raises(ServiceError, match="archive cannot be written"):
        settled(watch)
    assert names(inbox) == ["a.dcm"]
    archive.unlink()
    assert (watch.poll(20), names(inbox), held(reception)) == (1, [], 1)


def test_a_thousand_files_are_not_read_again_at_each_look(watching, inbox):
    for n in range(300):
        (inbox / f"{n}").write_bytes(b"")
    watch = watching(After.LEAVE)
    settled(watch)
    watch.poll(PATIENCE_S)
    before = [path.stat().st_atime_ns for path in inbox.iterdir()]
    assert watch.poll(PATIENCE_S + 5) == 0
    assert [path.stat().st_atime_ns for path in inbox.iterdir()] == before


KILLED = """
import os, sys, time
from pathlib import Path
from medloop.store import open_store
from medloop.store.spool import Spool
from medloop.workflow.reception import Reception
from medloop.workflow.watched import Folder, Watch
home, inbox = map(Path, sys.argv[1:])
store = open_store(home)
watch = Watch(Folder(inbox, still_s=0.1), Reception(store, Spool(home / "spool")))
print("ready", flush=True)
while True:
    watch.poll(time.monotonic())
    time.sleep(0.01)
"""


@pytest.mark.slow
def test_a_node_that_is_killed_again_and_again_loses_no_file(tmp_path, model, inbox):
    home = tmp_path / "home"
    home.mkdir()
    shutil.copyfile(model, home / "medloop.db")
    count = 200
    for n in range(count):
        put(inbox, f"{n}.dcm", n)
    for life in range(4):
        command = [sys.executable, "-c", KILLED, str(home), str(inbox)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            try:
                process.wait(0.2 + 0.3 * life)
            except subprocess.TimeoutExpired:
                process.kill()
    store = open_store(home)
    reception = Reception(store, Spool(home / "spool"))
    settled(Watch(Folder(inbox, still_s=5.0), reception))
    assert held(reception) == count
    assert len(names(inbox)) == count
    assert all(name.startswith("done/") for name in names(inbox))
    store.close()
