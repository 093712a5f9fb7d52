"""The queue of signed reports: each made once, in order, and sent apart from the result."""

from datetime import timedelta

import pytest

from medloop.core.errors import InputError, ServiceError
from medloop.store import Entry, JobState
from medloop.store.deliveries import DeliveryState
from medloop.store.issues import IssueState
from medloop.store.job import TRIES
from medloop.store.reading import Meaning, Version
from tests.store.kept import with_result
from tests.store.studies import NOON


def entry(at=NOON):
    return Entry(at, "keeper", "report issued", "1.2", {})


@pytest.fixture
def job(store, tmp_path):
    return with_result(store, tmp_path / "files")


@pytest.fixture
def reading(store, job):
    return store.readings.open(job.id, "li", now=NOON).id


def sign(store, reading, meaning=Meaning.PRELIMINARY, at=NOON):
    record = store.archive.put(f"{meaning} {at}".encode())
    version = Version(0, meaning, "li", at, "en", "", f"1.2/v-{at:%H%M}", record)
    return store.readings.sign(reading, version)


def test_what_was_signed_waits_once(store, reading):
    assert store.issues.enlist(now=NOON) == 0
    sign(store, reading)
    assert (store.issues.enlist(now=NOON), store.issues.enlist(now=NOON)) == (1, 0)
    assert store.issues.claim(now=NOON).version.number == 1
    assert store.issues.claim(now=NOON) is None


def test_the_later_version_waits_for_the_earlier(store, reading):
    for n in range(2):
        sign(store, reading, at=NOON + timedelta(minutes=n))
    later = NOON + timedelta(hours=1)
    store.issues.enlist(now=later)
    first = store.issues.claim(now=later)
    assert (first.version.number, store.issues.claim(now=later)) == (1, None)
    store.issues.finish(first, (), (), entry(later))
    assert store.issues.claim(now=later).version.number == 2


def test_a_claim_that_lapsed_is_somebody_elses(store, reading):
    sign(store, reading)
    store.issues.enlist(now=NOON)
    lost = store.issues.claim(now=NOON)
    later = NOON + timedelta(hours=1)
    store.issues.finish(store.issues.claim(now=later), ("sr.dcm",), (), entry(later))
    with pytest.raises(ServiceError, match="taken over"):
        store.issues.finish(lost, (), (), entry(later))
    (version,) = store.readings.versions(reading)
    assert version.products == ("sr.dcm",)


def test_what_fails_too_often_is_given_up_and_can_be_asked_for_again(store, reading):
    sign(store, reading)
    now = NOON
    store.issues.enlist(now=now)
    for _ in range(TRIES - 1):
        assert store.issues.retry(store.issues.claim(now=now), "full", now=now)
        now += timedelta(hours=2)
    last = store.issues.claim(now=now)
    assert not store.issues.retry(last, "full", now=now)
    store.issues.fail(last, "gave up", entry(now))
    assert store.issues.claim(now=now) is None
    store.issues.reopen(reading, 1, now=now)
    assert store.issues.claim(now=now).attempts == 1
    with pytest.raises(InputError, match="has not failed"):
        store.issues.reopen(reading, 1, now=now)


def test_deliveries_of_a_version_stand_beside_those_of_the_result(store, job, reading):
    with store.database.writing() as connection:
        store.deliveries.expect_within(connection, job.id, ("pacs",), now=NOON)
    sign(store, reading, Meaning.FINAL)
    store.issues.enlist(now=NOON)
    issue = store.issues.claim(now=NOON)
    store.issues.finish(issue, (), ("pacs", "ris"), entry())
    rows = [(each.destination, each.issue) for each in store.deliveries.of_job(job.id)]
    assert rows == [("pacs", 0), ("pacs", issue.id), ("ris", issue.id)]
    assert store.deliveries.claim("w", "pacs", now=NOON).issue == 0
    assert store.deliveries.claim("w", "pacs", now=NOON) is None, "the result goes first"


def test_a_signed_report_that_does_not_arrive_fails_the_job(store, job, reading):
    sign(store, reading, Meaning.FINAL)
    assert store.jobs.get(job.id).state is JobState.REVIEWED
    store.issues.enlist(now=NOON)
    store.issues.finish(store.issues.claim(now=NOON), (), ("pacs",), entry())
    claimed = store.deliveries.claim("w", "pacs", now=NOON)
    store.deliveries.fail(claimed, "refused", entry())
    assert store.jobs.get(job.id).state is JobState.FAILED
    store.deliveries.reopen(claimed.id, now=NOON)
    again = store.deliveries.claim("w", "pacs", now=NOON)
    store.deliveries.complete(again, entry())
    assert store.jobs.get(job.id).state is JobState.REVIEWED
    states = {each.state for each in store.deliveries.of_job(job.id)}
    assert states == {DeliveryState.DONE}


def test_an_issue_that_failed_is_told(store, reading):
    sign(store, reading)
    store.issues.enlist(now=NOON)
    store.issues.fail(store.issues.claim(now=NOON), "made anew", entry())
    (told,) = store.issues.of_reading(reading)
    assert (told.state, told.reason) == (IssueState.FAILED, "made anew")
