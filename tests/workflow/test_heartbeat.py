"""While a run lasts its worker says so; a run that lasts too long or is canceled ends."""

import logging
import threading
import time
from datetime import timedelta

import pytest

from medloop.core.errors import ServiceError
from medloop.store import JobState
from medloop.store.jobs import CRASHES, LEASE, backoff
from medloop.store.steering import cancel
from medloop.workflow.heartbeat import Pulse, beating
from medloop.workflow.routing import instances_of, route
from medloop.workflow.watchdog import look_after
from tests.workflow.cases import NOON, Grade, a_study

LATER = NOON + LEASE / 2


@pytest.fixture
def job(store):
    """A claimed job."""
    study = a_study()
    store.catalog.add(study, now=NOON)
    (answer,) = route([study], [Grade()])
    store.jobs.add(study.uid, "grade", instances_of(answer.selection), now=NOON)
    return store.jobs.claim("w1", ["grade"], now=NOON)


def wait_for(condition, *, timeout_s=10.0):
    ends = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends, "nothing happened"
        time.sleep(0.005)


def test_a_run_that_lasts_keeps_its_lease(store, job):
    with beating(store, job, Pulse(beat_s=0.01), lambda: LATER):
        wait_for(lambda: store.jobs.get(job.id).changed == LATER)
        assert store.jobs.claim("w2", ["grade"], now=NOON + LEASE) is None
    assert "medloop-pulse" not in {thread.name for thread in threading.enumerate()}


def test_a_run_that_takes_too_long_is_given_up_and_counted(store, job):
    ended = threading.Event()
    reasons = []
    pulse = Pulse(limits_s={"grade": 0.02}, end=lambda why: (reasons.append(why), ended.set()))
    with beating(store, job, pulse, lambda: NOON):
        assert ended.wait(10)
    back = store.jobs.get(job.id)
    assert (back.state, back.crashes) == (JobState.WAITING, 1)
    assert back.reason == "worker lost: took longer than 0.02 s"
    assert reasons == ["took longer than 0.02 s"]


def test_what_was_analyzed_in_time_may_take_long_to_end(store, job):
    pulse = Pulse(beat_s=0.01, limit_s=0.05, end=pytest.fail)
    with beating(store, job, pulse, lambda: LATER) as settle:
        settle()
        time.sleep(0.1)
        assert store.jobs.get(job.id).changed == LATER
    assert store.jobs.get(job.id).state is JobState.RUNNING


def test_a_run_that_a_person_cancels_ends_at_the_next_beat(store, job):
    reasons = []
    with beating(store, job, Pulse(beat_s=0.01, end=reasons.append), lambda: NOON):
        cancel(store, job.id, "canceled by reader", now=NOON)
        wait_for(lambda: reasons)
    assert reasons == ["canceled or taken over"]
    assert store.jobs.get(job.id).crashes == 0


def test_a_database_that_is_away_does_not_end_a_run(store, job, caplog):
    def away():
        raise ServiceError("database: connection refused")

    with (
        caplog.at_level(logging.WARNING),
        beating(store, job, Pulse(beat_s=0.01, end=pytest.fail), away),
    ):
        wait_for(lambda: "cannot be renewed" in caplog.text)
    assert store.jobs.get(job.id).state is JobState.RUNNING


def test_the_watchdog_quarantines_and_tells_the_audit_log(store, job):
    at = NOON
    for _ in range(CRASHES):
        assert look_after(store, now=at) == 0
        assert look_after(store, now=at, worker="w1", reason="killed by signal 9") == 1
        at += timedelta(hours=1)
        store.jobs.claim("w1", ["grade"], now=at)
    quarantined = store.jobs.get(job.id)
    assert quarantined.state is JobState.FAILED
    assert quarantined.reason.startswith("quarantined: 3 workers were lost on it")
    (entry,) = store.audit.entries()
    assert (entry.actor, entry.action) == ("watchdog", "quarantined")
    assert entry.details == {"job": "1", "analysis": "grade", "crashes": "3"}


def test_the_watchdog_finds_lapsed_leases(store, job):
    assert look_after(store, now=NOON + LEASE) == 1
    assert store.jobs.get(job.id).due == NOON + LEASE + backoff(1)
