"""A person cancels jobs, lets them wait again and hurries them; and sees them without names."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from medloop.core.errors import InputError
from medloop.core.record import to_record
from medloop.core.study import SopUid, StudyUid
from medloop.store import Entry, JobState, Kept
from medloop.store.ending import end_job
from medloop.store.jobs import CRASHES, TakenOverError
from medloop.store.steering import (
    again,
    cancel,
    find_jobs,
    prioritize,
    quarantined,
)
from medloop.store.tables import deliveries, jobs
from tests.store.kept import corrected, with_result
from tests.store.studies import NOON, a_study
from tests.workflow.cases import a_case, a_result

STUDY = StudyUid("1.2")
SOON = NOON + timedelta(minutes=5)
DEED = Entry(NOON, "w1", "analyzed", "1.2", {})


@pytest.fixture
def held(store, tmp_path):
    """A store with three jobs that wait."""
    store.receive(a_study(tmp_path), now=NOON)
    for n in range(3):
        store.jobs.add(STUDY, "retina", (SopUid(f"1.2.1.{n}"),), now=NOON)
    return store


def claim(store):
    return store.jobs.claim("w1", ["retina"], now=NOON)


def test_a_waiting_job_that_is_canceled_is_skipped_with_the_reason(held):
    job = cancel(held, 2, "canceled by reader", now=NOON)
    assert (job.state, job.reason) == (JobState.SKIPPED, "canceled by reader")
    assert [claim(held).id, claim(held).id, claim(held)] == [1, 3, None]


def test_a_running_job_that_is_canceled_is_no_longer_its_workers(held):
    job = claim(held)
    cancel(held, job.id, "canceled by reader", now=NOON)
    with pytest.raises(TakenOverError):
        held.jobs.renew(job, now=NOON)
    case = a_case()
    kept = Kept(job.id, "x", (), to_record(a_result(case), case.study, "eye"), NOON)
    with pytest.raises(TakenOverError):
        end_job(held, job, JobState.DONE, DEED, kept=kept)
    assert held.results.of_study(STUDY) == ()
    assert held.audit.entries() == ()


def test_what_has_ended_is_not_canceled(held):
    held.jobs.move(claim(held), JobState.DONE, now=NOON)
    with pytest.raises(InputError, match="job 1 is done; only what waits or runs"):
        cancel(held, 1, "", now=NOON)


def test_a_quarantined_job_waits_again_when_a_person_says_so(held):
    for n in range(CRASHES):
        held.jobs.claim("w1", ["retina"], now=NOON + timedelta(hours=n))
        cancel_others(held)
        held.jobs.take_back("killed", now=NOON, worker="w1")
    (job,) = quarantined(held)
    assert again(held, job.id, now=SOON).state is JobState.WAITING
    assert quarantined(held) == ()
    assert held.jobs.get(job.id).crashes == 0


def cancel_others(held):
    for listed in find_jobs(held, state=JobState.WAITING):
        cancel(held, listed.job.id, "", now=NOON)


def test_a_job_whose_delivery_failed_is_only_delivered_again(held):
    job = held.jobs.move(claim(held), JobState.SENDING, now=NOON, folder="1.2/retina-1")
    row = {"job_id": job.id, "state": "failed", "reason": "away", "attempts": 8, "claims": 8}
    row |= {"due": NOON, "worker": "", "changed": NOON}
    with held.database.writing() as connection:
        connection.execute(insert(deliveries).values(row | {"destination": "pacs"}))
        connection.execute(
            insert(deliveries).values(row | {"destination": "share", "state": "done"})
        )
    held.jobs.move(job, JobState.FAILED, now=NOON)
    assert again(held, job.id, now=SOON).state is JobState.SENDING
    with held.database.reading() as connection:
        states = connection.execute(select(deliveries.c.destination, deliveries.c.state))
        assert dict(states.all()) == {"pacs": "waiting", "share": "done"}


def test_a_job_that_a_reader_corrected_is_not_run_again(store, tmp_path):
    job = with_result(store, tmp_path / "files")
    with store.database.writing() as connection:
        connection.execute(update(jobs).values(state="failed"))
    corrected(store, job)
    with pytest.raises(InputError, match="corrected by a reader; its result stays"):
        again(store, job.id, now=SOON)


def test_what_suits_nothing_is_not_tried_again(held):
    held.jobs.refuse(STUDY, "lung", "no CT series", now=NOON)
    with pytest.raises(InputError, match="nothing to read: no CT series"):
        again(held, 4, now=NOON)
    with pytest.raises(InputError, match="job 1 is waiting"):
        again(held, 1, now=NOON)


def test_a_job_that_is_hurried_goes_first(held):
    assert prioritize(held, 3, 10, now=NOON).priority == 10
    assert claim(held).id == 3
    with pytest.raises(InputError, match="job 3 is running"):
        prioritize(held, 3, 1, now=NOON)


def test_jobs_are_found_by_state_and_study(held):
    claim(held)
    assert [each.job.id for each in find_jobs(held, state=JobState.WAITING)] == [2, 3]
    assert [each.job.id for each in find_jobs(held, study=STUDY, limit=2)] == [2, 3]
    assert find_jobs(held, study=StudyUid("9")) == ()
    assert find_jobs(held)[0].patient_identifier == "P1"
