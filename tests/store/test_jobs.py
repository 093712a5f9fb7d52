"""Jobs change state as they may, and no two workers ever hold the same one."""

import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, ServiceError
from medloop.core.study import SopUid, StudyUid
from medloop.store.jobs import (
    CRASHES,
    LEASE,
    LEGAL,
    TRIES,
    JobState,
    TakenOverError,
    backoff,
)
from tests.store.conftest import wait_for
from tests.store.studies import NOON, a_study

STUDY = StudyUid("1.2")
WORKERS = ("retina", "lung")


@pytest.fixture
def jobs(store, tmp_path):
    """The table of jobs, with one that waits."""
    store.receive(a_study(tmp_path), now=NOON)
    assert store.jobs.add(STUDY, "retina", (SopUid("1.2.1.0"), SopUid("1.2.1.1")), now=NOON)
    return store.jobs


def claim(jobs, *, at=NOON, worker="w1"):
    return jobs.claim(worker, WORKERS, now=at)


def test_a_waiting_job_is_claimed_once(jobs):
    job = claim(jobs)
    assert (job.study, job.analysis, job.state) == (STUDY, "retina", JobState.RUNNING)
    assert job.selection == ("1.2.1.0", "1.2.1.1")
    assert (job.attempts, job.claims) == (1, 1)
    assert claim(jobs) is None


def test_the_same_work_waits_once(jobs):
    selection = (SopUid("1.2.1.0"), SopUid("1.2.1.1"))
    assert not jobs.add(STUDY, "retina", selection, now=NOON)
    assert jobs.add(STUDY, "retina", selection[:1], now=NOON)
    assert jobs.add(STUDY, "lung", selection, now=NOON)
    assert jobs.counts()[JobState.WAITING] == 3


def test_a_worker_claims_only_what_it_can_do(jobs):
    assert jobs.claim("w1", ["lung"], now=NOON) is None
    assert jobs.claim("w1", [], now=NOON) is None


def test_jobs_are_claimed_in_the_order_of_arrival(jobs):
    jobs.add(STUDY, "lung", (), now=NOON - timedelta(seconds=1))
    assert [claim(jobs).analysis for _ in range(2)] == ["lung", "retina"]


@pytest.mark.parametrize("ending", [JobState.DONE, JobState.FAILED, None])
def test_of_a_patients_studies_the_earlier_is_analyzed_first(store, tmp_path, ending):
    late = a_study(tmp_path, "1.2")
    early = replace(a_study(tmp_path, "1.3"), date="20250228")
    other = replace(late.patient, identifier="P2")
    stranger = replace(a_study(tmp_path, "1.4"), date="20200101", patient=other)
    for study in (late, early, stranger):
        store.receive(study, now=NOON)
        store.jobs.add(study.uid, "lung", (SopUid(f"{study.uid}.1.0"),), now=NOON)
    first, second = claim(store.jobs), claim(store.jobs)
    assert [first.study, second.study] == ["1.3", "1.4"]
    assert claim(store.jobs) is None  # until that of 1.3 has ended, or waits for better times
    if ending is None:
        store.jobs.retry(first, "PACS is away", now=NOON)
    else:
        store.jobs.move(first, ending, now=NOON)
    assert claim(store.jobs).study == "1.2"


def test_a_refusal_is_kept_with_its_reason(jobs):
    assert jobs.refuse(STUDY, "lung", "no CT series", now=NOON)
    assert jobs.refuse(STUDY, "brain", "slice gap 9 mm", now=NOON, is_bad=True)
    assert not jobs.refuse(STUDY, "lung", "no CT series", now=NOON)
    (skipped,) = jobs.all(state=JobState.SKIPPED)
    (failed,) = jobs.all(state=JobState.FAILED)
    assert (skipped.reason, failed.reason) == ("no CT series", "slice gap 9 mm")


def test_what_was_refused_for_what_was_missing_says_why_it_is_refused_now(jobs):
    jobs.refuse(STUDY, "lung", "slice gap 9 mm", now=NOON, is_bad=True)
    assert not jobs.refuse(STUDY, "lung", "no chest", now=NOON)
    (refused,) = jobs.all(state=JobState.SKIPPED)
    assert refused.reason == "no chest"
    assert jobs.all(state=JobState.FAILED) == ()


@pytest.mark.parametrize("is_bad", [True, False])
def test_what_was_refused_no_longer_is_when_all_of_it_is_there(jobs, is_bad):
    jobs.refuse(STUDY, "lung", "slice gap 9 mm", now=NOON, is_bad=is_bad)
    jobs.refuse(STUDY, "brain", "no MR", now=NOON)
    assert jobs.add(STUDY, "lung", ["1.2.1"], now=NOON)
    assert "lung" in {each.analysis for each in jobs.all(state=JobState.WAITING)}
    assert jobs.all(state=JobState.FAILED) == ()
    assert [each.analysis for each in jobs.all(state=JobState.SKIPPED)] == ["brain"]


def test_a_job_of_a_dead_worker_is_claimed_again_when_its_lease_ends(jobs):
    first = claim(jobs)
    assert claim(jobs, at=NOON + LEASE - timedelta(seconds=1)) is None
    second = claim(jobs, at=NOON + LEASE, worker="w2")
    assert (second.id, second.attempts, second.claims) == (first.id, 2, 2)


def test_a_worker_back_from_the_dead_cannot_end_the_job_of_another(jobs):
    dead = claim(jobs)
    claim(jobs, at=NOON + LEASE, worker="w2")
    for act in (
        lambda: jobs.move(dead, JobState.DONE, now=NOON),
        lambda: jobs.release(dead, now=NOON),
        lambda: jobs.retry(dead, "", now=NOON),
        lambda: jobs.renew(dead, now=NOON),
    ):
        with pytest.raises(ServiceError, match="taken over"):
            act()
    assert jobs.get(dead.id).state is JobState.RUNNING


def test_a_renewed_lease_keeps_the_job(jobs):
    job = claim(jobs)
    jobs.renew(job, now=NOON + LEASE / 2)
    assert claim(jobs, at=NOON + LEASE) is None
    assert jobs.move(job, JobState.DONE, now=NOON + LEASE).state is JobState.DONE


def test_whether_anything_is_due_is_known_without_claiming(jobs):
    assert not jobs.has_due(now=NOON - timedelta(seconds=1))
    assert jobs.has_due(now=NOON)
    claim(jobs)
    assert not jobs.has_due(now=NOON + LEASE / 2)
    assert jobs.has_due(now=NOON + LEASE)


def test_what_three_workers_were_lost_on_is_quarantined_and_the_others_go_on(jobs):
    jobs.add(STUDY, "lung", (SopUid("1.2.1.0"),), now=NOON + 2 * LEASE)
    at = NOON
    for _ in range(CRASHES):
        assert claim(jobs, at=at).analysis == "retina"
        at += LEASE
    assert claim(jobs, at=at).analysis == "lung"
    assert claim(jobs, at=at) is None
    (taken,) = jobs.take_back("lease ran out", now=at)
    (job,) = jobs.all(state=JobState.FAILED)
    assert taken == job
    assert job.reason == "quarantined: 3 workers were lost on it, the last: lease ran out"
    again = jobs.move(job, JobState.WAITING, now=at)
    assert (again.crashes, claim(jobs, at=at).id) == (0, job.id)


def test_the_job_of_a_worker_known_to_be_dead_is_tried_again_soon(jobs):
    job = claim(jobs, worker="w1")
    jobs.add(STUDY, "lung", (SopUid("1.2.1.0"),), now=NOON)
    claim(jobs, worker="w2")
    (back,) = jobs.take_back("killed by signal 9", now=NOON, worker="w1")
    assert (back.id, back.state, back.crashes) == (job.id, JobState.WAITING, 1)
    assert back.due == NOON + backoff(1)
    assert back.reason == "worker lost: killed by signal 9"
    assert jobs.take_back("", now=NOON) == ()
    with pytest.raises(TakenOverError):
        jobs.renew(job, now=NOON)


def test_one_run_that_takes_too_long_is_counted_like_a_crash(jobs):
    job = claim(jobs)
    (back,) = jobs.take_back("took longer than 900 s", now=NOON, job=job)
    assert back.crashes == 1
    assert jobs.take_back("", now=NOON, job=job) == ()


def test_an_urgent_job_goes_first(jobs):
    jobs.add(STUDY, "lung", (), now=NOON + timedelta(seconds=1), priority=5)
    assert claim(jobs).analysis == "retina"  # the urgent one is not due yet
    jobs.add(STUDY, "retina", (), now=NOON)
    assert claim(jobs, at=NOON + timedelta(seconds=1)).analysis == "lung"


def test_what_an_urgent_study_waits_for_is_as_urgent(store, tmp_path):
    late, early = a_study(tmp_path, "1.2"), replace(a_study(tmp_path, "1.3"), date="20250228")
    other = replace(a_study(tmp_path, "1.4"), patient=replace(late.patient, identifier="P2"))
    for study in (other, early, late):
        store.receive(study, now=NOON)
        urgent = 9 if study is late else 0
        store.jobs.add(
            study.uid, "lung", (SopUid(f"{study.uid}.1.0"),), now=NOON, priority=urgent
        )
    first = claim(store.jobs)
    assert (first.study, first.priority) == ("1.3", 9)
    store.jobs.move(first, JobState.DONE, now=NOON)
    assert [claim(store.jobs).study for _ in range(2)] == ["1.2", "1.4"]


def test_a_job_that_waits_for_room_has_not_been_tried(jobs):
    back = jobs.postpone(claim(jobs), "disk is full", now=NOON, wait=timedelta(minutes=1))
    assert (back.state, back.reason, back.attempts) == (JobState.WAITING, "disk is full", 0)
    assert claim(jobs) is None
    assert claim(jobs, at=NOON + timedelta(minutes=1)).attempts == 1


def test_a_failing_service_is_tried_later_and_later_and_then_given_up(jobs):
    at, waits = NOON, []
    for _ in range(TRIES):
        job = jobs.retry(claim(jobs, at=at), "PACS is away", now=at)
        if job.state is JobState.WAITING:
            assert claim(jobs, at=job.due - timedelta(seconds=1)) is None
            waits.append(job.due - at)
            at = job.due
    assert waits == sorted(waits)
    assert waits[0] == timedelta(seconds=10)
    assert job.state is JobState.FAILED
    assert job.reason == f"gave up after {TRIES} attempts: PACS is away"


def test_what_is_being_sent_is_nobodys_to_run(jobs):
    job = jobs.move(claim(jobs), JobState.SENDING, now=NOON, folder="1.2/retina")
    assert (job.state, job.attempts, job.folder) == (JobState.SENDING, 0, "1.2/retina")
    assert claim(jobs) is None
    assert claim(jobs, at=NOON + LEASE) is None
    done = jobs.move(job, JobState.DONE, now=NOON)
    assert (done.state, done.folder) == (JobState.DONE, "1.2/retina")
    assert jobs.move(done, JobState.REVIEWED, now=NOON).state is JobState.REVIEWED


def test_a_failed_job_may_wait_again_with_fresh_attempts(jobs):
    failed = jobs.move(claim(jobs), JobState.FAILED, now=NOON, reason="slice gap 9 mm")
    waiting = jobs.move(failed, JobState.WAITING, now=NOON)
    assert (waiting.reason, waiting.attempts) == ("", 0)
    assert claim(jobs).claims == 2


def test_only_legal_ways_are_open(jobs):
    job = jobs.all()[0]
    for start, end in product(JobState, JobState):
        if end not in LEGAL[start]:
            with pytest.raises(ValueError, match=f"{start} cannot become {end}"):
                jobs.move(replace(job, state=start), end, now=NOON)
    assert jobs.all() == (job,)


def test_an_ending_is_claimed_by_nobody(jobs):
    for end in (JobState.DONE, JobState.SKIPPED, JobState.FAILED):
        jobs.add(STUDY, "lung", (SopUid(end),), now=NOON - timedelta(days=1))
        jobs.move(claim(jobs), end, now=NOON)
    claim(jobs)
    assert claim(jobs, at=NOON + LEASE / 2) is None


def test_a_released_job_may_be_claimed_at_once_and_was_not_tried(jobs):
    jobs.release(claim(jobs), now=NOON)
    job = claim(jobs)
    assert (job.state, job.attempts, job.claims) == (JobState.RUNNING, 1, 2)


def test_an_unknown_job_is_bad_input(jobs):
    with pytest.raises(InputError, match="no job 99"):
        jobs.get(99)


def test_a_job_needs_a_study_that_arrived(store):
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        store.jobs.add(STUDY, "retina", (), now=NOON)


@given(st.integers(1, 1000))
def test_waits_grow_but_never_over_an_hour(attempts):
    assert backoff(attempts) <= backoff(attempts + 1) <= timedelta(hours=1)


CLAIM = """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from medloop.store import JobState, open_store
    store = open_store(Path(sys.argv[1]), sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    while job := store.jobs.claim(sys.argv[3], ["retina"], now=datetime.now(UTC)):
        print(job.id, flush=True)
"""


def workers(tmp_path, url, count):
    command = [sys.executable, "-c", textwrap.dedent(CLAIM), str(tmp_path / "store"), url]
    started = [
        subprocess.Popen(
            [*command, f"w{n}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for n in range(count)
    ]
    for worker in started:
        assert worker.stdout.readline() == "ready\n"
    return started


@pytest.mark.slow
def test_two_processes_claim_two_hundred_jobs_and_never_one_twice(store, tmp_path, url):
    store.receive(a_study(tmp_path), now=NOON)
    for n in range(200):
        store.jobs.add(STUDY, "retina", (SopUid(f"1.2.1.{n}"),), now=NOON)
    started = workers(tmp_path, url, 2)
    for worker in started:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    claimed = [[int(line) for line in worker.communicate()[0].split()] for worker in started]
    assert sorted(claimed[0] + claimed[1]) == [job.id for job in store.jobs.all()]
    assert all(claimed), "one worker took everything"
    assert store.jobs.counts()[JobState.RUNNING] == 200


KILLED = """
    import os, signal, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from sqlalchemy import event
    from medloop.store import open_store
    store = open_store(Path(sys.argv[1]), sys.argv[2])

    @event.listens_for(store.database.engine, sys.argv[3])
    def die(connection, *_):
        os.kill(os.getpid(), signal.SIGKILL)

    store.jobs.claim("dead", ["retina"], now=datetime(2026, 3, 1, 12, tzinfo=UTC))
"""


@pytest.mark.slow
def test_a_worker_killed_while_it_claims_leaves_the_job_to_others(jobs, tmp_path, url):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path / "store"), url]
    killed = subprocess.run([*command, "commit"], check=False)
    assert killed.returncode == -signal.SIGKILL
    taken = []
    wait_for(lambda: taken.append(claim(jobs)) or taken[-1])  # the server notices after a while
    assert (taken[-1].attempts, taken[-1].claims) == (1, 1)
