"""What is counted, on each engine."""

from datetime import timedelta

import pytest

from medloop.core.names import SopUid
from medloop.store.gauges import BUCKETS_S, count, queue_of
from medloop.store.job import JobState
from tests.store.studies import NOON, a_study


@pytest.fixture
def study(store, tmp_path):
    study = a_study(tmp_path / "files")
    store.receive(study, now=NOON)
    return study


def test_an_empty_store_counts_nothing(store):
    found = count(store.database, now=NOON)
    assert (found.studies, found.instances, found.conflicts) == (0, 0, 0)
    assert (found.jobs, found.deliveries, found.durations) == ({}, {}, {})
    assert found.queue.waiting_since is None


def test_jobs_are_counted_by_analysis_and_state_and_timed(store, study):
    for n, analysis in enumerate(("lung", "lung", "retina")):
        store.jobs.add(study.uid, analysis, [SopUid(str(n))], now=NOON)
    job = store.jobs.claim("w", ["lung"], now=NOON)
    store.jobs.move(job, JobState.DONE, now=NOON + timedelta(seconds=6.5))
    found = count(store.database, now=NOON + timedelta(minutes=1))
    assert found.studies == 1
    assert found.instances == 4
    assert found.jobs == {("lung", "done"): 1, ("lung", "waiting"): 1, ("retina", "waiting"): 1}
    took = found.durations["lung"]
    assert (took.count, took.sum_s) == (1, pytest.approx(6.5, abs=0.01))
    assert took.within == tuple(int(limit >= 6.5) for limit in BUCKETS_S)
    assert found.queue.waiting_since == NOON


def test_a_job_that_is_not_due_does_not_wait(store, study):
    store.jobs.add(study.uid, "lung", [SopUid("1")], now=NOON + timedelta(hours=1))
    assert queue_of(store.database, now=NOON).waiting_since is None
    assert queue_of(store.database, now=NOON).running == 0
