"""Each destination of a result is a step of its own; the job ends when the last of them has."""

import subprocess
import sys
import textwrap
from datetime import timedelta
from itertools import pairwise

import pytest

from medloop.core.errors import InputError, ServiceError
from medloop.core.record import to_record
from medloop.core.study import SopUid, StudyUid
from medloop.store import Entry, JobState, Kept
from medloop.store.deliveries import LEASE, DeliveryState, late
from medloop.store.ending import end_job
from medloop.store.job import TRIES, TakenOverError, backoff, tries_within
from medloop.store.offers import LASTS, Offers
from tests.store.studies import NOON, a_study
from tests.workflow.cases import a_case, a_result

STUDY = StudyUid("1.2")


def deed(at=NOON) -> Entry:
    return Entry(at, "keeper", "delivered", STUDY, {})


def finish(store, job, *destinations):
    case = a_case()
    kept = Kept(job.id, "1.2/retina-1", (), to_record(a_result(case), case.study, "eye"), NOON)
    to = JobState.SENDING if destinations else JobState.DONE
    return end_job(store, job, to, deed(), kept=kept, destinations=destinations)


@pytest.fixture
def held(store, tmp_path):
    """A store with a job that runs."""
    store.receive(a_study(tmp_path), now=NOON)
    store.jobs.add(STUDY, "retina", (SopUid("1.2.1.0"),), now=NOON)
    store.jobs.claim("w1", ["retina"], now=NOON)
    return store


@pytest.fixture
def sent(held):
    """A store whose one job is to be sent to `pacs` and `share`."""
    finish(held, held.jobs.get(1), "pacs", "share")
    return held


def claim(store, name="pacs", *, at=NOON, worker="keeper"):
    return store.deliveries.claim(worker, name, now=at)


def states(store):
    return {each.destination: each.state.value for each in store.deliveries.of_job(1)}


def job(store):
    return store.jobs.get(1)


def test_a_kept_result_waits_for_each_of_its_destinations(sent):
    assert job(sent).state is JobState.SENDING
    assert states(sent) == {"pacs": "waiting", "share": "waiting"}
    assert sent.deliveries.counts() == {
        ("pacs", DeliveryState.WAITING): 1,
        ("share", DeliveryState.WAITING): 1,
    }


def test_without_a_destination_a_job_is_done_at_once(held):
    assert finish(held, job(held)).state is JobState.DONE
    assert held.deliveries.of_job(1) == ()


def test_a_worker_that_lost_its_job_leaves_nothing_to_send(held):
    stale = job(held)
    held.jobs.move(stale, JobState.WAITING, now=NOON)
    with pytest.raises(TakenOverError):
        finish(held, stale, "pacs")
    assert held.deliveries.of_job(1) == ()
    assert held.results.of_study(STUDY) == ()


def test_a_job_is_done_when_its_last_delivery_is(sent):
    sent.deliveries.complete(claim(sent), deed())
    assert (job(sent).state, states(sent)["pacs"]) == (JobState.SENDING, "done")
    sent.deliveries.complete(claim(sent, "share"), deed())
    assert (job(sent).state, job(sent).reason) == (JobState.DONE, "")
    assert [entry.action for entry in sent.audit.entries()] == ["delivered"] * 3
    assert claim(sent) is None


def test_a_job_fails_with_the_name_and_reason_of_the_destination_that_gave_up(sent):
    sent.deliveries.fail(claim(sent), "refuses sr.dcm: 0xA700", deed())
    assert job(sent).state is JobState.SENDING  # the other is still on its way
    sent.deliveries.complete(claim(sent, "share"), deed())
    assert (job(sent).state, job(sent).reason) == (
        JobState.FAILED,
        "pacs: refuses sr.dcm: 0xA700",
    )


def test_what_fails_is_tried_later_and_later(sent):
    at, waits = NOON, []
    for attempt in range(1, TRIES):
        delivery = claim(sent, at=at)
        assert delivery.attempts == attempt
        sent.deliveries.retry(delivery, "away", now=at)
        (pacs, _) = sent.deliveries.of_job(1)
        assert (pacs.state, pacs.reason) == (DeliveryState.WAITING, "away")
        assert claim(sent, at=pacs.due - timedelta(seconds=1)) is None
        waits.append(pacs.due - at)
        at = pacs.due
    assert waits[0] == timedelta(seconds=10)
    assert all(b == min(4 * a, timedelta(hours=1)) for a, b in pairwise(waits))


@pytest.mark.parametrize(("days", "tries"), [(0, 8), (1, 30), (3, 78)])
def test_after_hours_it_is_tried_every_hour_for_days(days, tries):
    span = timedelta(days=days)
    waits = [backoff(attempt) for attempt in range(1, tries_within(span))]
    assert tries_within(span) == tries
    assert sum(waits, timedelta()) >= span
    assert days == 0 or sum(waits[:-1], timedelta()) < span


def test_what_is_late_is_listed_with_its_reason_and_its_next_try(sent):
    assert late(sent.database, "pacs", limit=9) == ()
    sent.deliveries.retry(claim(sent), "away", now=NOON)
    (one,) = late(sent.database, "pacs", limit=9)
    assert (one.reason, one.attempts, one.due) == ("away", 1, NOON + timedelta(seconds=10))
    assert late(sent.database, "share", limit=9) == ()


def test_a_claim_is_one_workers_until_its_lease_ends(sent):
    first = claim(sent)
    assert claim(sent, worker="other") is None
    assert claim(sent, at=NOON + LEASE - timedelta(seconds=1)) is None
    second = claim(sent, at=NOON + LEASE, worker="other")
    assert (second.id, second.attempts) == (first.id, 2)
    for act in (
        lambda: sent.deliveries.complete(first, deed()),
        lambda: sent.deliveries.fail(first, "", deed()),
        lambda: sent.deliveries.retry(first, "", now=NOON),
    ):
        with pytest.raises(ServiceError, match="taken over"):
            act()
    assert states(sent)["pacs"] == "sending"
    assert len(sent.audit.entries()) == 1  # of the job


def test_what_every_worker_was_lost_on_is_given_up(sent):
    at = NOON
    for _ in range(TRIES):
        assert claim(sent, at=at)
        at += LEASE
    assert claim(sent, at=at) is None
    sent.deliveries.complete(claim(sent, "share"), deed())
    assert job(sent).reason == f"pacs: gave up after {TRIES} workers were lost"


def test_a_worker_that_starts_again_takes_up_at_once_what_it_was_sending(sent):
    claim(sent)
    claim(sent, "share")
    assert sent.deliveries.release("other", "pacs", now=NOON) == 0
    assert sent.deliveries.release("keeper", "pacs", now=NOON) == 1
    assert states(sent) == {"pacs": "waiting", "share": "sending"}
    assert claim(sent)


def test_a_delivery_that_failed_is_sent_again_when_a_person_says_so(sent):
    delivery = claim(sent)
    sent.deliveries.fail(delivery, "away", deed())
    sent.deliveries.complete(claim(sent, "share"), deed())
    opened = sent.deliveries.reopen(delivery.id, now=NOON)
    assert (opened.state, opened.attempts) == (DeliveryState.WAITING, 0)
    assert (job(sent).state, job(sent).reason) == (JobState.SENDING, "")
    sent.deliveries.complete(claim(sent), deed())
    assert job(sent).state is JobState.DONE


def test_only_what_failed_is_sent_again(sent):
    with pytest.raises(InputError, match="delivery 1 is waiting"):
        sent.deliveries.reopen(1, now=NOON)
    with pytest.raises(InputError, match="no delivery 99"):
        sent.deliveries.reopen(99, now=NOON)


def test_what_goes_to_nobody_that_is_known_fails(sent):
    assert sent.deliveries.abandon(["pacs"], now=NOON) == 1
    assert sent.deliveries.abandon(["pacs"], now=NOON) == 0
    assert job(sent).state is JobState.SENDING
    sent.deliveries.complete(claim(sent), deed())
    assert job(sent).reason == "share: no destination of this name is set up"


def test_what_another_node_offers_is_left_to_it_while_it_is_there(sent):
    offers = Offers(sent.database)
    offers.note("here", ["pacs", "share"], now=NOON)
    offers.note("there", ["share"], now=NOON)
    later = NOON + LASTS
    assert sent.deliveries.abandon(["pacs"], now=NOON, node="here") == 0
    assert sent.deliveries.abandon(["share"], now=NOON, node="there") == 0
    offers.note("here", ["pacs"], now=later)
    assert sent.deliveries.abandon(["pacs"], now=later, node="here") == 1
    assert states(sent) == {"pacs": "waiting", "share": "failed"}


def test_what_no_node_offers_any_more_fails(sent):
    offers = Offers(sent.database)
    offers.note("there", ["share"], now=NOON)
    offers.note("there", ["other"], now=NOON)
    assert sent.deliveries.abandon(["pacs"], now=NOON, node="here") == 1


def test_a_result_that_replaces_another_is_sent_anew(sent):
    sent.deliveries.complete(claim(sent), deed())
    late = claim(sent, "share")
    with sent.database.writing() as connection:
        sent.deliveries.expect_within(connection, 1, ["pacs", "mirror"], now=NOON)
    assert states(sent) == {"pacs": "waiting", "mirror": "waiting"}
    with pytest.raises(ServiceError, match="taken over"):
        sent.deliveries.complete(late, deed())
    assert claim(sent).attempts == 1


CLAIM = """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from medloop.store import Entry, open_store
    store = open_store(Path(sys.argv[1]), sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    while delivery := store.deliveries.claim(sys.argv[3], "pacs", now=datetime.now(UTC)):
        print(delivery.id, flush=True)
        store.deliveries.complete(delivery, Entry(datetime.now(UTC), "k", "delivered", "", {}))
"""


@pytest.mark.slow
def test_two_processes_send_forty_results_and_never_one_twice(store, tmp_path, url):
    store.receive(a_study(tmp_path), now=NOON)
    for n in range(40):
        store.jobs.add(STUDY, "retina", (SopUid(f"1.2.1.{n}"),), now=NOON)
        finish(store, store.jobs.claim("w1", ["retina"], now=NOON), "pacs")
    command = [sys.executable, "-c", textwrap.dedent(CLAIM), str(tmp_path / "store"), url]
    started = [
        subprocess.Popen(
            [*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("k1", "k2")
    ]
    for each in started:
        assert each.stdout.readline() == "ready\n"
    for each in started:
        each.stdin.write("go\n")
        each.stdin.flush()
    claimed = [[int(line) for line in each.communicate()[0].split()] for each in started]
    assert sorted(claimed[0] + claimed[1]) == list(range(1, 41))
    assert store.jobs.counts()[JobState.DONE] == 40


@pytest.mark.slow
def test_two_keepers_that_end_the_last_deliveries_at_once_end_the_job(store, tmp_path, url):
    store.receive(a_study(tmp_path), now=NOON)
    for n in range(20):
        store.jobs.add(STUDY, "retina", (SopUid(f"1.2.1.{n}"),), now=NOON)
        finish(store, store.jobs.claim("w1", ["retina"], now=NOON), "pacs", "share")
    command = [sys.executable, "-c", textwrap.dedent(CLAIM), str(tmp_path / "store"), url]
    started = []
    for name in ("pacs", "share"):
        script = command[2].replace('"pacs"', f'"{name}"')
        started.append(
            subprocess.Popen(
                [*command[:2], script, *command[3:], name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for each in started:
        assert each.stdout.readline() == "ready\n"
    for each in started:
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in started:
        each.communicate()
    assert store.jobs.counts()[JobState.DONE] == 20


def test_a_destination_knows_what_it_did_not_get_and_when_it_got_the_last(sent):
    sent.deliveries.complete(claim(sent), deed(NOON + timedelta(minutes=1)))
    sent.deliveries.fail(claim(sent, "share"), "gone", deed())
    assert sent.deliveries.arrived() == {"pacs": NOON + timedelta(minutes=1)}
    assert [each.reason for each in sent.deliveries.failed("share", limit=9)] == ["gone"]
    assert sent.deliveries.failed("pacs", limit=9) == ()
