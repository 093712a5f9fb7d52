"""Workers are killed, crash and hang, databases restart; every job ends, and once."""

import sqlite3
import threading
import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from medloop.store import JobState, open_store
from medloop.store.steering import cancel
from tests.soak.kills import Figures, alive, fill, judge, kill_workers, wait_for, workers
from tests.soak.quick_worker import CRASHING, HANGING
from tests.store.conftest import _new_database, postgres_server

MANY = 80  # jobs, so that a restart comes between them

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()


def states(store):
    return {state: count for state, count in store.jobs.counts().items() if count}


def are_ended(store):
    return set(states(store)) <= {JobState.DONE, JobState.FAILED, JobState.SKIPPED}


def test_workers_killed_at_random_moments_lose_no_job_and_do_none_twice(tmp_path):
    figures = kill_workers(tmp_path / "store", kills=8, jobs=60, seed=1)
    assert figures.kills == 8
    assert figures.problems == []
    assert figures.states["done"] + figures.quarantined == sum(figures.states.values())


def test_a_study_that_crashes_every_worker_is_quarantined_and_others_are_done(store, tmp_path):
    (poison,) = fill(store, tmp_path / "poison", 1, brightness=CRASHING)
    fill(store, tmp_path / "usual", 10)
    with workers(store, "", 1):
        wait_for(lambda: are_ended(store), timeout_s=180)
    assert states(store) == {JobState.DONE: 10, JobState.FAILED: 1}
    (failed,) = store.jobs.all(state=JobState.FAILED)
    assert failed.study == poison
    assert failed.reason == (
        "quarantined: 3 workers were lost on it, the last: killed by signal 11"
    )
    actions = [entry.action for entry in store.audit.entries()]
    assert actions.count("quarantined") == 1


def test_a_run_that_hangs_is_ended_and_a_canceled_one_stops(store, tmp_path):
    fill(store, tmp_path / "hanging", 1, brightness=HANGING)
    with workers(store, "", 1):
        wait_for(lambda: store.jobs.get(1).crashes == 1, timeout_s=60)
        assert store.jobs.get(1).reason == "worker lost: took longer than 2 s"
        wait_for(lambda: store.jobs.get(1).state is JobState.RUNNING, timeout_s=60)
        (before,) = alive(store)
        cancel(store, 1, "canceled by li", now=datetime.now(UTC))
        wait_for(lambda: before not in alive(store), timeout_s=60)
        fill(store, tmp_path / "usual", 3)
        wait_for(lambda: store.jobs.counts()[JobState.DONE] == 3, timeout_s=60)
    job = store.jobs.get(1)
    assert (job.state, job.reason, job.crashes) == (JobState.SKIPPED, "canceled by li", 1)


def test_workers_outlive_a_restart_of_postgresql(tmp_path):
    server = postgres_server()
    try:
        url = _new_database(server.url, f"test_{uuid4().hex}")
        store = open_store(tmp_path / "store", url)
        fill(store, tmp_path / "usual", MANY)
        with workers(store, url, 2):
            wait_for(lambda: store.jobs.counts()[JobState.DONE] > 10, timeout_s=60)
            before = alive(store)
            server.stop(mode="fast")
            time.sleep(1.0)
            server.start()
            assert store.jobs.counts()[JobState.DONE] < MANY
            wait_for(lambda: are_ended(store), timeout_s=120)
            assert alive(store) == before
        figures = Figures()
        judge(store, figures)
        assert figures.problems == []
        assert states(store) == {JobState.DONE: MANY}
        names = {job.worker for job in store.jobs.all()}
        assert len(names) == 2, "one worker did everything"
        store.close()
    finally:
        server.remove()


def test_workers_wait_while_another_holds_sqlite(store, tmp_path):
    threads = threading.active_count()
    fill(store, tmp_path / "usual", 40)
    with workers(store, "", 2):
        wait_for(lambda: store.jobs.counts()[JobState.DONE] > 3, timeout_s=60)
        other = sqlite3.connect(store.root / "medloop.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        held = store.jobs.counts()[JobState.DONE]
        time.sleep(2.0)
        assert store.jobs.counts()[JobState.DONE] == held
        other.execute("COMMIT")
        other.close()
        wait_for(lambda: are_ended(store), timeout_s=60)
    figures = Figures()
    judge(store, figures)
    assert figures.problems == []
    assert threading.active_count() <= threads
