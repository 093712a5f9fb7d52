"""What was kept is sent: who is away is tried again, and holds up nobody else."""

import logging
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from medloop.core.errors import InputError, ServiceError, UnsuitableError
from medloop.core.record import to_record
from medloop.store import Entry, JobState, Kept
from medloop.store.ending import end_job
from medloop.store.job import TRIES, tries_within
from medloop.workflow.delivery import deliver
from medloop.workflow.dispatch import FolderDestination
from medloop.workflow.routing import instances_of, route
from tests.workflow.cases import NOON, Grade, a_case, a_result, a_study


@dataclass
class Now:
    """A clock that somebody sets."""

    at: object = NOON

    def __call__(self):
        return self.at


@dataclass
class Fickle:
    """A destination that raises the first few times."""

    failures: int = 0
    error: BaseException = field(default_factory=lambda: ServiceError("does not answer"))
    got: list[str] = field(default_factory=list)
    tries: int = 0

    def send(self, study, products):
        self.tries += 1
        if self.tries <= self.failures:
            raise self.error
        assert study.uid == "2.25.1"
        self.got.append(products.name)


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def kept(store):
    """A store with two results that wait for `pacs` and `share`."""
    study = a_study(photographs=2)
    store.catalog.add(study, now=NOON)
    for each in route([study], [Grade()]):
        store.jobs.add(study.uid, "grade", instances_of(each.selection), now=NOON)
    case = a_case()
    record = to_record(a_result(case), case.study, "eye")
    while job := store.jobs.claim("w1", ["grade"], now=NOON):
        folder = f"2.25.1/grade-{job.id}"
        (store.results_folder / folder).mkdir(parents=True)
        (store.results_folder / folder / "result.json").write_text("{}")
        entry = Entry(NOON, "w1", "analyzed", study.uid, {})
        result = Kept(job.id, folder, ("result.json",), record, NOON)
        names = ("pacs", "share")
        end_job(store, job, JobState.SENDING, entry, kept=result, destinations=names)
    return store


def test_every_result_reaches_every_destination_once(kept, now, tmp_path):
    pacs, share = Fickle(), FolderDestination(tmp_path / "share")
    assert deliver(kept, {"pacs": pacs, "share": share}, now) == 4
    assert pacs.got == ["grade-1", "grade-2"]
    found = sorted(path.parent.name for path in tmp_path.glob("share/*/*/result.json"))
    assert found == ["grade-1", "grade-2"]
    assert kept.jobs.counts()[JobState.DONE] == 2
    assert deliver(kept, {"pacs": pacs, "share": share}, now) == 0
    entries = [entry for entry in kept.audit.entries() if entry.action == "delivered"]
    assert [entry.details["outcome"] for entry in entries] == ["done"] * 4
    kept.audit.verify()


def test_who_is_away_holds_up_nobody_else_and_is_tried_again(kept, now, caplog):
    pacs, share = Fickle(failures=3), Fickle()
    destinations = {"pacs": pacs, "share": share}
    with caplog.at_level(logging.WARNING):
        assert deliver(kept, destinations, now) == 2  # one failure is enough for a while
    assert caplog.messages == [
        "job 1, grade, pacs: not delivered: attempt 1 of 8: does not answer"
    ]
    assert (pacs.tries, share.got) == (1, ["grade-1", "grade-2"])
    for _ in range(6):
        now.at += timedelta(minutes=1)
        deliver(kept, destinations, now)
    assert sorted(pacs.got) == ["grade-1", "grade-2"]
    assert kept.jobs.counts()[JobState.DONE] == 2


def test_who_never_comes_back_is_given_up_and_the_job_says_so(kept, now):
    destinations = {"pacs": Fickle(failures=1000), "share": Fickle()}
    for _ in range(2 * TRIES + 2):
        deliver(kept, destinations, now)
        now.at += timedelta(hours=1)
    failed = kept.jobs.all(state=JobState.FAILED)
    assert [job.reason for job in failed] == [
        "pacs: gave up after 8 attempts: does not answer"
    ] * 2
    assert destinations["pacs"].tries == 2 * TRIES
    assert len(kept.results.of_study("2.25.1")) == 2


def test_who_comes_back_after_a_night_gets_everything_then(kept, now):
    destinations = {"pacs": Fickle(failures=24), "share": Fickle()}
    tries = tries_within(timedelta(days=1))
    for _ in range(30):
        deliver(kept, destinations, now, tries=tries)
        now.at += timedelta(hours=1)
    assert sorted(destinations["pacs"].got) == ["grade-1", "grade-2"]
    assert kept.jobs.counts()[JobState.DONE] == 2


def test_bad_products_are_not_tried_again_and_do_not_stop_the_next(kept, now):
    pacs = Fickle(failures=1, error=InputError("sr.dcm is no DICOM file"))
    deliver(kept, {"pacs": pacs, "share": Fickle()}, now)
    (failed,) = kept.jobs.all(state=JobState.FAILED)
    assert failed.reason == "pacs: sr.dcm is no DICOM file"
    assert pacs.got == ["grade-2"]


def test_a_result_without_anything_for_a_destination_is_delivered(kept, now):
    pacs = Fickle(failures=2, error=UnsuitableError("the result has no DICOM object for it"))
    deliver(kept, {"pacs": pacs, "share": Fickle()}, now)
    assert kept.jobs.counts()[JobState.DONE] == 2
    assert kept.deliveries.of_job(1)[0].reason == "the result has no DICOM object for it"


def test_a_bug_is_logged_with_its_place_but_without_its_text(kept, now, caplog):
    pacs = Fickle(failures=1, error=KeyError("DOE^JOHN"))
    deliver(kept, {"pacs": pacs, "share": Fickle()}, now)
    (failed,) = kept.jobs.all(state=JobState.FAILED)
    assert failed.reason == "pacs: internal error: KeyError"
    assert "in send" in caplog.text
    assert "DOE" not in caplog.text


def test_what_waits_for_an_unknown_destination_fails(kept, now):
    deliver(kept, {"pacs": Fickle()}, now)
    reasons = {job.reason for job in kept.jobs.all(state=JobState.FAILED)}
    assert reasons == {"share: no destination of this name is set up"}


def test_each_destination_may_have_a_loop_of_its_own(kept, now):
    both = ("pacs", "share")
    assert deliver(kept, {"pacs": Fickle()}, now, known=both) == 2
    assert kept.jobs.counts()[JobState.SENDING] == 2
    assert deliver(kept, {"share": Fickle()}, now, known=both) == 2
    assert kept.jobs.counts()[JobState.DONE] == 2


def test_an_interrupted_delivery_is_taken_up_again_by_the_same_keeper(kept, now):
    stopped = Fickle(failures=1, error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        deliver(kept, {"pacs": stopped}, now, known=("pacs", "share"))
    deliver(kept, {"pacs": stopped, "share": Fickle()}, now)
    assert sorted(stopped.got) == ["grade-1", "grade-2"]


def test_the_time_of_a_retry_counts_from_the_failure(kept, now):
    @dataclass
    class Slow:
        def send(self, study, products):
            now.at += timedelta(minutes=1)
            raise ServiceError("no answer")

    deliver(kept, {"pacs": Slow()}, now, known=("pacs", "share"))
    assert kept.deliveries.of_job(1)[0].due == NOON + timedelta(minutes=1, seconds=10)


def test_a_database_that_goes_away_after_sending_makes_it_be_sent_again(kept, now, monkeypatch):
    pacs, both = Fickle(), ("pacs", "share")

    def away(*_args, **_more):
        raise ServiceError("database: is away")

    with monkeypatch.context() as patch:
        patch.setattr(type(kept.deliveries), "complete", away)
        with pytest.raises(ServiceError, match="is away"):
            deliver(kept, {"pacs": pacs}, now, known=both)
    assert deliver(kept, {"pacs": pacs}, now, known=both) == 2
    assert pacs.got == ["grade-1", "grade-1", "grade-2"]
