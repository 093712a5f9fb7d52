"""A disk that is full or read-only is noticed, whatever an error was wrapped in."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from medloop.core.errors import ServiceError
from medloop.core.record import to_json, to_record
from medloop.store import JobState, open_store
from medloop.workflow.folders import fresh_folder
from medloop.workflow.room import is_full, obstacle
from medloop.workflow.routing import instances_of, route
from medloop.workflow.worker import Bench, work
from tests.workflow.cases import NOON, Grade, Shelf, a_study


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 2 MB; skips where we may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],  # noqa: S607
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("mounting needs privileges")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


def test_a_disk_with_room_is_no_obstacle(tmp_path):
    assert obstacle(tmp_path / "not" / "made" / "yet", reserve_bytes=1) == ""


def test_a_disk_without_the_reserve_is_one(tmp_path):
    assert obstacle(tmp_path, reserve_bytes=1 << 60).startswith("disk is full: ")


def test_a_small_disk_fills_and_has_room_again(small_disk):
    assert obstacle(small_disk, reserve_bytes=1_000_000) == ""
    (small_disk / "big").write_bytes(bytes(1_500_000))
    assert obstacle(small_disk, reserve_bytes=1_000_000) == "disk is full: under 1 MB free"
    (small_disk / "big").unlink()
    assert obstacle(small_disk, reserve_bytes=1_000_000) == ""


def test_a_read_only_disk_is_one(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)  # noqa: S607
    assert obstacle(small_disk) == "disk is read-only"


@pytest.mark.parametrize(
    ("number", "says"), [(errno.ENOSPC, True), (errno.EROFS, True), (errno.EACCES, False)]
)
def test_a_full_disk_is_known_by_its_number(number, says):
    wrapped = ServiceError("cannot be written")
    wrapped.__cause__ = OSError(number, "")
    assert is_full(wrapped) is says


def test_a_worker_on_a_disk_that_fills_goes_on_when_there_is_room(small_disk):
    store = open_store(small_disk / "store")
    study = a_study()
    store.catalog.add(study, now=NOON)
    (answer,) = route([study], [Grade()])
    store.jobs.add(study.uid, "grade", instances_of(answer.selection), now=NOON)
    filler = small_disk / "filler"

    def write(case, result, folder):
        with fresh_folder(folder) as part:
            text = to_json(to_record(result, case.study, case.selection.source))
            (part / "result.json").write_text(text)
            (part / "labels").write_bytes(bytes(600_000))

    def free(_seconds):
        filler.unlink(missing_ok=True)

    clock = [NOON]
    bench = Bench(
        "w1",
        Shelf((study,)),
        write,
        reserve_bytes=0,
        idle_s=0.0,
        now=lambda: clock[0],
        sleep=free,
    )
    filler.write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - 200_000))
    work(store, [Grade()], bench, once=True)
    (waiting,) = store.jobs.all()
    assert (waiting.state, waiting.attempts) == (JobState.WAITING, 0)
    assert "No space left on device" in waiting.reason
    filler.unlink(missing_ok=True)
    clock[0] = waiting.due
    work(store, [Grade()], bench, once=True)
    assert store.jobs.counts()[JobState.DONE] == 1
    store.close()


def test_a_full_database_disk_lets_what_was_analyzed_wait(small_disk):
    store = open_store(small_disk / "store")
    study = a_study()
    store.catalog.add(study, now=NOON)
    (answer,) = route([study], [Grade()])
    store.jobs.add(study.uid, "grade", instances_of(answer.selection), now=NOON)
    filler = small_disk / "filler"
    naps = []

    def write(case, result, folder):
        with fresh_folder(folder) as part:
            text = to_json(to_record(result, case.study, case.selection.source))
            (part / "result.json").write_text(text)
        with suppress(OSError):
            filler.write_bytes(bytes(4_000_000))

    def free(seconds):
        naps.append(seconds)
        filler.unlink(missing_ok=True)

    bench = Bench("w1", Shelf((study,)), write, reserve_bytes=0, now=lambda: NOON, sleep=free)
    assert work(store, [Grade()], bench, once=True) == 1
    assert naps == [1.0]
    assert store.jobs.counts()[JobState.DONE] == 1
    store.close()
