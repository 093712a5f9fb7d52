"""Studies leave when their time is over and everybody has their results, and no sooner."""

import os
import time
from datetime import timedelta

import pytest
from sqlalchemy import insert

from medloop.core.errors import InputError
from medloop.core.study import SopUid
from medloop.store import JobState
from medloop.store.retention import YOUNGEST, Due, Rules, due, remove
from medloop.store.tables import conflicts, deliveries
from medloop.store.verify import verify
from tests.store.kept import LATER, corrected, signed, with_result
from tests.store.studies import NOON, a_study

MONTH = Rules(keep_days=30)
AFTER = NOON + timedelta(days=31)


@pytest.fixture
def held(store, tmp_path):
    """A store with two studies and their results, a day apart."""
    with_result(store, tmp_path / "a", "1.2")
    with_result(store, tmp_path / "b", "1.3", at=LATER)
    age(store)
    return store


def age(store):
    """Let the archive's files be as old as they say."""
    for sha256 in store.archive.objects():
        os.utime(store.archive.path(sha256), (0, 0))


def names(store, rules=MONTH, *, now=AFTER):
    return [each.study for each in due(store, rules, now=now)]


def test_a_study_leaves_when_its_time_is_over(held):
    assert names(held, now=NOON + timedelta(days=30)) == []
    assert names(held) == ["1.2"]
    assert names(held, now=AFTER + timedelta(days=1)) == ["1.2", "1.3"]
    assert due(held, MONTH, now=AFTER)[0].rule == "31 days old, kept for 30"


def test_the_oldest_leave_while_there_is_too_much(held):
    size = sum(held.archive.path(each).stat().st_size for each in held.archive.objects())
    assert names(held, Rules(max_bytes=size)) == []
    assert names(held, Rules(max_bytes=size - 1)) == ["1.2"]
    assert names(held, Rules(max_bytes=1)) == ["1.2", "1.3"]


def test_nothing_leaves_without_a_rule(held):
    assert names(held, Rules()) == []


@pytest.mark.parametrize("state", ["waiting", "running", "failed", "reviewed"])
def test_a_study_with_work_to_do_or_a_signature_stays(held, state):
    held.jobs.add("1.2", "lung", (SopUid("1.2.1.1"),), now=NOON)
    if state != "waiting":
        job = held.jobs.claim("w1", ["lung"], now=NOON)
        if state == "failed":
            held.jobs.move(job, JobState.FAILED, now=NOON)
        if state == "reviewed":
            job = held.jobs.move(job, JobState.DONE, now=NOON)
            held.jobs.move(job, JobState.REVIEWED, now=NOON)
    assert names(held) == []


@pytest.mark.parametrize(
    ("state", "stays"), [("waiting", True), ("failed", True), ("done", False)]
)
def test_a_study_stays_until_its_results_have_arrived(held, state, stays):
    row = {"job_id": 1, "destination": "pacs", "state": state, "reason": "", "attempts": 0}
    row |= {"claims": 0, "due": NOON, "worker": "", "changed": NOON}
    with held.database.writing() as connection:
        connection.execute(insert(deliveries).values(row))
    assert (names(held) == []) is stays


def test_a_study_with_an_unresolved_conflict_stays(held):
    row = {"uid": "1.2.1.0", "sha256": "a" * 64, "study_uid": "1.2", "kept_sha256": "b" * 64}
    with held.database.writing() as connection:
        connection.execute(insert(conflicts).values(row | {"arrived": NOON}))
    assert names(held) == []


def test_a_study_that_was_never_analyzed_stays(store, tmp_path):
    store.receive(a_study(tmp_path), now=NOON)
    assert names(store) == []


def test_a_study_that_just_grew_stays_whatever_the_size(held):
    assert names(held, Rules(max_bytes=1), now=NOON + YOUNGEST / 2) == []


def test_what_is_removed_is_gone_and_the_rest_is_whole(held):
    (one,) = due(held, MONTH, now=AFTER)
    assert remove(held, one, actor="li", now=AFTER)
    with pytest.raises(InputError):
        held.catalog.study("1.2")
    assert not (held.results_folder / "1.2").exists()
    assert len(list(held.archive.objects())) == 4
    assert list(verify(held)) == []
    entry = held.audit.entries()[-1]
    assert (entry.actor, entry.action, entry.subject) == ("li", "study removed", "1.2")
    assert entry.details["rule"] == "31 days old, kept for 30"


def test_what_another_study_names_too_stays_in_the_archive(held, tmp_path):
    shared = held.catalog.study("1.2").series[0].instances[0].sha256
    with held.database.writing() as connection:
        row = {"uid": "9.9", "sha256": shared, "study_uid": "1.3", "kept_sha256": shared}
        connection.execute(insert(conflicts).values(row | {"arrived": NOON}))
    (one,) = due(held, MONTH, now=AFTER)
    remove(held, one, actor="li", now=AFTER)
    assert list(verify(held)) == []
    assert held.archive.path(shared).exists()


def test_what_has_to_stay_by_now_is_not_removed(held):
    (one,) = due(held, MONTH, now=AFTER)
    held.jobs.add("1.2", "lung", (SopUid("1.2.1.1"),), now=NOON)
    assert not remove(held, one, actor="li", now=AFTER)
    assert held.catalog.study("1.2")
    assert not remove(held, Due("7.7", NOON, 0, ""), actor="li", now=AFTER)


def test_an_object_that_arrives_again_while_it_is_removed_is_kept(held, tmp_path):
    (one,) = due(held, MONTH, now=AFTER)
    again = a_study(tmp_path / "a", "1.2").series[0].instances[0]
    held.archive.put(again.path)
    assert time.time() - held.archive.path(again.sha256).stat().st_mtime < 60
    remove(held, one, actor="li", now=AFTER)
    assert held.archive.path(again.sha256).exists()


def test_a_removed_study_may_come_back(held, tmp_path):
    (one,) = due(held, MONTH, now=AFTER)
    remove(held, one, actor="li", now=AFTER)
    assert held.receive(a_study(tmp_path / "again", "1.2"), now=AFTER).new == 4
    assert list(verify(held)) == []


def test_a_study_stays_while_somebody_corrects_a_result_of_it(held):
    reading = held.readings.open(1, "wang", now=NOON)
    assert names(held) == ["1.2"]  # opened, and nothing done
    reading, _ = corrected(held, held.jobs.get(1))
    assert names(held) == []
    held.readings.hand_in(reading, now=NOON)
    assert names(held) == ["1.2"]


def test_a_study_with_a_signed_report_stays(held):
    reading, _ = corrected(held, held.jobs.get(1))
    signed(held, reading)
    held.readings.hand_in(reading, now=NOON)
    assert names(held) == []


def test_what_readers_handed_in_leaves_with_its_study(held):
    reading, mask = corrected(held, held.jobs.get(1))
    _, other = corrected(held, held.jobs.get(2))
    held.readings.hand_in(reading, now=NOON)
    age(held)
    (one,) = due(held, MONTH, now=AFTER)
    assert remove(held, one, actor="li", now=AFTER)
    assert held.readings.all() == held.readings.of_job(2)
    assert not held.archive.path(mask).exists()
    assert held.archive.path(other).exists()
    assert list(verify(held)) == []
