"""A run ends as the class of its error says, and never raises."""

import errno
import logging
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from medloop.core.errors import GeometryError, InputError, ServiceError, UnsuitableError
from medloop.core.record import to_json, to_record
from medloop.core.study import Notice
from medloop.store import JobState
from medloop.store.jobs import LEASE, TRIES
from medloop.workflow.folders import fresh_folder
from medloop.workflow.routing import instances_of, route
from medloop.workflow.worker import Bench, Ending, Outcome, run, work
from tests.workflow.cases import NOON, Grade, Shelf, a_study

BLURRED = Notice("blurred", "focus 0.1 is under 0.3")
GUESSED = Notice("spacing_guessed", "no pixel spacing")


def run_one(
    analysis, *, archive=None, write=lambda _case, _result: Path("out"), **more
) -> Outcome:
    study = a_study()
    (selection,) = analysis.select(study)
    return run(analysis, archive or Shelf(), study, selection, write=write, **more)


def test_a_good_run_is_done_and_says_where_its_products_are():
    assert run_one(Grade()) == Outcome(Ending.DONE, "", Path("out"))


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (UnsuitableError("not a fundus photograph"), Ending.SKIPPED),
        (InputError("4 bytes, a header has 132"), Ending.FAILED),
        (GeometryError("slice gap 9.0 mm exceeds 5.0 mm"), Ending.FAILED),
        (ServiceError("disk is full"), Ending.RETRY),
    ],
)
@pytest.mark.parametrize("place", ["archive", "analysis", "write"])
def test_the_class_of_the_error_decides(error, ending, place, caplog):
    def write(_case, _result):
        if place == "write":
            raise error
        return Path("out")

    analysis = Grade(error=error if place == "analysis" else None)
    archive = Shelf(error=error if place == "archive" else None)
    assert run_one(analysis, archive=archive, write=write) == Outcome(ending, str(error))
    assert not caplog.records


def test_a_bug_is_logged_once_with_its_place_but_without_its_text(caplog):
    with caplog.at_level(logging.DEBUG):
        outcome = run_one(Grade(error=KeyError("DOE^JOHN")))
    assert outcome == Outcome(Ending.FAILED, "internal error: KeyError")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "in analyze" in caplog.text
    assert "KeyError" in caplog.text
    assert "DOE" not in caplog.text


def test_an_interruption_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        run_one(Grade(error=KeyboardInterrupt()))


def test_reading_time_and_warnings_reach_the_result_once():
    kept = []
    ticks = count()

    def write(_case, result):
        kept.append(result)
        return Path("out")

    archive = Shelf(warnings=(BLURRED, GUESSED, BLURRED))
    run_one(Grade(), archive=archive, write=write, clock=lambda: float(next(ticks)))
    (result,) = kept
    assert result.timings_s == {"prepare": 0.1, "infer": 0.2, "post": 0.3, "read": 1.0}
    assert result.warnings == (BLURRED, GUESSED)


def write_record(case, result, folder):
    folder.mkdir(parents=True, exist_ok=True)
    text = to_json(to_record(result, case.study, case.selection.source))
    (folder / "result.json").write_text(text, encoding="utf-8")


@dataclass
class Now:
    """A clock that somebody sets."""

    at: object = NOON

    def __call__(self):
        return self.at


@pytest.fixture
def bench(store):
    """A bench whose archive is a shelf, with two photographs waiting for `grade`."""
    study = a_study(photographs=2)
    store.catalog.add(study, now=NOON)
    for each in route([study], [Grade()]):
        store.jobs.add(study.uid, "grade", instances_of(each.selection), now=NOON)
    return Bench("w1", Shelf((study,)), write_record, now=Now())


def test_the_loop_ends_every_job_that_waits_and_keeps_its_result(store, bench):
    assert work(store, [Grade()], bench, once=True) == 2
    assert store.jobs.counts()[JobState.DONE] == 2
    kept = store.results.of_study("2.25.1")
    assert [each.folder for each in kept] == ["2.25.1/grade-1", "2.25.1/grade-2"]
    assert [each.products for each in kept] == [("result.json",)] * 2
    assert [each.record["study"]["uid"] for each in kept] == ["2.25.1"] * 2
    assert [job.folder for job in store.jobs.all()] == [each.folder for each in kept]
    store.audit.verify()
    assert [entry.action for entry in store.audit.entries()] == ["analyzed"] * 2
    assert work(store, [Grade()], bench, once=True) == 0


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (UnsuitableError("no photograph"), JobState.SKIPPED),
        (InputError("no pixels"), JobState.FAILED),
        (ServiceError("no pixels"), JobState.WAITING),
        (ZeroDivisionError(), JobState.FAILED),
    ],
)
def test_in_the_loop_the_error_decides_too(store, bench, error, state):
    work(store, [Grade(error=error)], bench, once=True)
    jobs = store.jobs.all(state=state)
    assert len(jobs) == 2
    assert {job.reason for job in jobs} == {str(error) or "internal error: ZeroDivisionError"}


def test_a_job_that_names_what_the_study_lacks_fails(store, bench):
    store.jobs.add("2.25.1", "grade", ("9.9",), now=NOON - timedelta(days=1))
    work(store, [Grade()], bench, once=True)
    (failed,) = store.jobs.all(state=JobState.FAILED)
    assert "holds 0 of the 1" in failed.reason


def test_what_is_kept_waits_for_its_destinations(store, bench):
    wanted = {"pacs": (), "registry": ("brain",), "share": ("brain", "grade")}
    work(store, [Grade()], replace(bench, destinations=wanted), once=True)
    assert store.jobs.counts()[JobState.SENDING] == 2
    waiting = [each.destination for job in (1, 2) for each in store.deliveries.of_job(job)]
    assert waiting == ["pacs", "share"] * 2
    assert len(store.results.of_study("2.25.1")) == 2


def test_a_worker_told_to_stop_gives_its_job_back(store, bench):
    with pytest.raises(KeyboardInterrupt):
        work(store, [Grade(error=KeyboardInterrupt())], bench, once=True)
    assert store.jobs.counts()[JobState.WAITING] == 2
    assert work(store, [Grade()], bench, once=True) == 2


def test_a_worker_waits_for_more_until_it_is_told_to_stop(store, bench):
    naps = []

    def sleep(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(store, [Grade()], replace(bench, sleep=sleep), once=False)
    assert store.jobs.counts()[JobState.DONE] == 2


def test_a_job_taken_over_meanwhile_is_left_to_its_new_worker(store, bench, caplog):
    def slow(case, result, folder):
        write_record(case, result, folder)
        bench.now.at += LEASE
        assert store.jobs.claim("w2", ["grade"], now=bench.now())

    with caplog.at_level(logging.WARNING):
        work(store, [Grade()], replace(bench, write=slow), once=True)
    assert "job 1 was taken over" in caplog.text
    assert store.jobs.get(1).state is JobState.RUNNING


KILLED = """
    import os, signal, sys
    from dataclasses import dataclass
    from pathlib import Path
    from medloop.store import open_store
    from medloop.workflow.worker import Bench, work
    from tests.workflow.cases import NOON, Grade, Shelf, a_study

    def die(case, result, folder):
        folder.mkdir(parents=True)
        os.kill(os.getpid(), signal.SIGKILL)

    bench = Bench("dead", Shelf((a_study(photographs=2),)), die, now=lambda: NOON)
    work(open_store(Path(sys.argv[1])), [Grade()], bench, once=True)
"""


@pytest.mark.slow
def test_a_job_of_a_killed_worker_is_done_by_another(store, bench):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(store.root)]
    killed = subprocess.run(command, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert work(store, [Grade()], bench, once=True) == 1
    bench.now.at += LEASE
    assert work(store, [Grade()], bench, once=True) == 1
    assert store.jobs.counts()[JobState.DONE] == 2


def test_a_full_disk_lets_jobs_wait_uncounted_and_go_on_when_there_is_room(store, bench):
    def full(_case, _result, folder):
        with fresh_folder(folder):
            raise OSError(errno.ENOSPC, "No space left on device")

    for _ in range(TRIES + 1):
        work(store, [Grade()], replace(bench, write=full), once=True)
        bench.now.at += timedelta(hours=1)
    waiting = store.jobs.all(state=JobState.WAITING)
    assert [job.attempts for job in waiting] == [0, 0]
    assert "No space left on device" in waiting[0].reason
    assert work(store, [Grade()], bench, once=True) == 2
    assert store.jobs.counts()[JobState.DONE] == 2


def test_no_job_is_begun_without_room(store, bench, caplog):
    naps = []

    def sleep(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    full = replace(bench, reserve_bytes=1 << 60, sleep=sleep)
    with pytest.raises(ServiceError, match="disk is full"):
        work(store, [Grade()], full, once=True)
    with caplog.at_level(logging.WARNING), pytest.raises(KeyboardInterrupt):
        work(store, [Grade()], full, once=False)
    assert caplog.text.count("disk is full") == 1
    assert store.jobs.counts()[JobState.WAITING] == 2


def test_what_was_analyzed_waits_for_a_database_that_is_away(store, bench):
    analyzed, naps = [], []

    def write(case, result, folder):
        analyzed.append(folder)
        write_record(case, result, folder)

    away = iter([False, True, True, True])  # from when the result is written

    def now():
        if analyzed and next(away, False):
            raise ServiceError("database: connection refused")
        return NOON

    patient = replace(bench, write=write, now=now, sleep=naps.append)
    assert work(store, [Grade()], patient, once=True) == 2
    assert naps == [1.0, 2.0, 5.0]
    assert len(analyzed) == 2
    assert store.jobs.counts()[JobState.DONE] == 2


def test_a_worker_back_from_the_dead_writes_beside_the_result_of_another(store, bench):
    folders = []

    def slow(case, result, folder):
        folders.append(folder.name)
        if len(folders) == 1:
            bench.now.at += LEASE
            other = replace(bench, name="w2", write=slow)
            work(store, [Grade()], other, once=True)
        write_record(case, result, folder)

    work(store, [Grade()], replace(bench, write=slow), once=True)
    assert folders[:2] == ["grade-1", "grade-1-2"]
    assert store.results.get(1).folder == "2.25.1/grade-1-2"
    assert store.jobs.counts()[JobState.DONE] == 2
    assert len(store.audit.entries()) == 2
    left = {path.name for path in (store.results_folder / "2.25.1").iterdir()}
    assert left == {"grade-1-2", "grade-2"}


def test_what_killed_workers_left_goes_when_the_job_is_done(store, bench):
    folder = store.results_folder / "2.25.1"
    for name in (".grade-1.0af3.part", "grade-1-7", ".grade-10.0af3.part", "grade-1-x"):
        (folder / name).mkdir(parents=True)
    work(store, [Grade()], bench, once=True)
    left = {path.name for path in folder.iterdir()}
    assert left == {"grade-1", "grade-2", ".grade-10.0af3.part", "grade-1-x"}


def test_a_result_that_cannot_be_read_back_fails_the_job(store, bench):
    def write(_case, _result, folder):
        folder.mkdir(parents=True)
        (folder / "result.json").write_text("{")

    work(store, [Grade()], replace(bench, write=write), once=True)
    assert store.jobs.counts()[JobState.FAILED] == 2
