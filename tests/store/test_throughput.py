"""What a node does by the hour and how long it takes, on each engine."""

from datetime import timedelta

import pytest

from medloop.core.names import SopUid
from medloop.core.record import to_record
from medloop.store.job import JobState
from medloop.store.throughput import durations, hours, quantile
from tests.store.studies import NOON, a_study
from tests.workflow.cases import a_case, a_result

DAY = timedelta(days=1)


@pytest.fixture
def study(store, tmp_path):
    study = a_study(tmp_path / "files")
    store.receive(study, now=NOON)
    return study


def run(store, study, seconds, *, at=NOON):
    """Run one more lung analysis to its end, started at a time."""
    number = len(store.jobs.all())
    store.jobs.add(study.uid, "lung", [SopUid(f"1.{number}")], now=at)
    job = store.jobs.claim("w", ["lung"], now=at)
    ends = at + timedelta(seconds=seconds)
    case = a_case()
    record = to_record(a_result(case), case.study, "eye")
    store.results.keep(job.id, record, "f", ["result.json"], now=ends)
    return store.jobs.move(job, JobState.DONE, now=ends)


def test_durations_are_from_claim_to_result_whatever_happens_later(store, study):
    for seconds in (2.0, 4.0, 30.0):
        job = run(store, study, seconds)
    store.jobs.move(job, JobState.REVIEWED, now=NOON + DAY)
    (took,) = durations(store.database, since=NOON - DAY)
    assert (took.analysis, took.count) == ("lung", 3)
    assert (took.median_s, took.p95_s, took.longest_s) == (4.0, 30.0, 30.0)
    assert durations(store.database, since=NOON + DAY) == ()


def test_each_hour_counts_what_happened_in_it(store, study):
    run(store, study, 6.0)
    run(store, study, 8.0)
    run(store, study, 5.0, at=NOON + timedelta(hours=2))
    store.jobs.refuse(study.uid, "retina", "bad", now=NOON + timedelta(hours=1), is_bad=True)
    found = hours(store.database, now=NOON + timedelta(hours=2, minutes=5), count=4)
    assert [each.at for each in found] == [NOON + timedelta(hours=n) for n in (-1, 0, 1, 2)]
    assert [each.arrived for each in found] == [0, 1, 0, 0]
    assert [each.analyzed for each in found] == [0, 2, 0, 1]
    assert [each.failed for each in found] == [0, 0, 1, 0]
    assert [each.median_s for each in found] == [0.0, 7.0, 0.0, 5.0]


def test_a_quantile_is_the_value_that_a_share_lies_below():
    values = [float(n) for n in range(1, 101)]
    assert quantile(values, 0.95) == 96.0
    assert quantile([3.0], 0.95) == 3.0
