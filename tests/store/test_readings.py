"""Readings are begun once, their edits only added, their reports signed one after the other."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from medloop.core.edit import Action, Edit
from medloop.core.errors import InputError
from medloop.core.study import SopUid
from medloop.store import Entry, JobState
from medloop.store.reading import Meaning, Purpose, ReadingState, StaleError, Version
from tests.store.kept import with_result
from tests.store.studies import NOON, a_study

LATER = NOON + timedelta(minutes=5)


def an_edit(action=Action.ACCEPT, target="1", after=None) -> Edit:
    return Edit(0, action, target, "proposed", after, 1.5, 2, NOON)


def a_version(meaning=Meaning.FINAL, edits=None) -> Version:
    folder = f"1.2/signed-{meaning}"
    return Version(0, meaning, "li", LATER, "zh", "无异常", folder, "a" * 64, (), edits)


@pytest.fixture
def job(store, tmp_path) -> int:
    return with_result(store, tmp_path / "scans").id


@pytest.fixture
def reading(store, job):
    return store.readings.open(job, "li", now=NOON)


def test_a_reading_is_begun_once_by_each_reader_and_for_each_purpose(store, job):
    begun = store.readings.open(job, "li", now=NOON)
    assert store.readings.open(job, "li", now=LATER) == begun
    others = [
        store.readings.open(job, "wang", now=NOON),
        store.readings.open(job, "li", Purpose.ADJUDICATE, now=NOON),
    ]
    assert store.readings.of_job(job) == (begun, *others)
    assert store.readings.get(begun.id) == begun
    assert (begun.state, begun.number, begun.analysis) == (ReadingState.OPEN, 0, "retina")


def test_a_reading_that_two_pages_begin_at_once_is_one(store, job):
    entry = Entry(NOON, "li", "began reading", "1.2", {})
    with ThreadPoolExecutor(4) as pages:
        begun = set(
            pages.map(
                lambda _: store.readings.open(job, "li", now=NOON, entry=entry).id, range(8)
            )
        )
    assert len(begun) == 1
    assert store.audit.entries().count(entry) == 1


def test_what_has_no_result_is_not_read(store, tmp_path):
    store.receive(a_study(tmp_path), now=NOON)
    store.jobs.add("1.2", "retina", (SopUid("1.2.1.0"),), now=NOON)
    with pytest.raises(InputError, match="job 1 has no result"):
        store.readings.open(1, "li", now=NOON)
    with pytest.raises(InputError, match="job 99 has no result"):
        store.readings.open(99, "li", now=NOON)


def test_edits_are_numbered_in_their_order_and_kept_as_they_were(store, reading):
    wide = {"site": {"scheme": "SCT", "value": "1", "meaning": "黄斑"}, "n": [1, 2.5, None]}
    first = store.readings.append(reading.id, an_edit(after=wide), expected=0, now=LATER)
    second = store.readings.append(reading.id, an_edit(Action.REJECT), expected=1, now=LATER)
    assert (first.number, second.number, first.at) == (1, 2, LATER)
    assert store.readings.edits(reading.id) == (first, second)
    assert store.readings.get(reading.id).number == 2
    assert store.readings.get(reading.id).changed == LATER


def test_a_page_that_missed_an_edit_is_told_so_and_nothing_is_kept(store, reading):
    store.readings.append(reading.id, an_edit(), expected=0, now=NOON)
    entry = Entry(NOON, "li", "edited", "1.2", {})
    for stale in (0, 2):
        with pytest.raises(StaleError, match="is at edit 1"):
            store.readings.append(reading.id, an_edit(), expected=stale, now=NOON, entry=entry)
    assert len(store.readings.edits(reading.id)) == 1
    assert entry not in store.audit.entries()


def test_of_many_pages_at_once_each_edit_is_kept_once_and_none_over_another(store, reading):
    def press(number: int) -> int:
        kept = 0
        for _ in range(5):
            expected = store.readings.get(reading.id).number
            try:
                store.readings.append(
                    reading.id, an_edit(target=str(number)), expected=expected, now=NOON
                )
            except StaleError:
                continue
            kept += 1
        return kept

    with ThreadPoolExecutor(2) as pages:
        kept = sum(pages.map(press, (1, 2)))
    numbers = [edit.number for edit in store.readings.edits(reading.id)]
    assert kept >= 5
    assert numbers == list(range(1, kept + 1))


def test_two_pages_that_know_the_same_edit_cannot_both_go_on(store, reading):
    def press(_: int) -> bool:
        try:
            store.readings.append(reading.id, an_edit(), expected=0, now=NOON)
        except StaleError:
            return False
        return True

    with ThreadPoolExecutor(2) as pages:
        assert sorted(pages.map(press, range(2))) == [False, True]


def test_what_was_handed_in_stays_as_it_is(store, reading):
    store.readings.append(reading.id, an_edit(), expected=0, now=NOON)
    done = store.readings.hand_in(reading.id, now=LATER)
    assert (done.state, done.number) == (ReadingState.DONE, 1)
    assert store.readings.hand_in(reading.id, now=LATER + timedelta(1)) == done
    with pytest.raises(InputError, match="was handed in"):
        store.readings.append(reading.id, an_edit(), expected=1, now=LATER)


def test_a_final_report_hands_in_and_lets_the_job_be_reviewed(store, reading, job):
    first = store.readings.sign(reading.id, a_version(Meaning.PRELIMINARY))
    assert store.jobs.get(job).state is JobState.DONE
    store.readings.append(reading.id, an_edit(), expected=0, now=NOON)
    entry = Entry(LATER, "li", "signed", "1.2", {})
    second = store.readings.sign(reading.id, a_version(), entry=entry)
    assert (first.number, first.edits, second.number, second.edits) == (1, 0, 2, 1)
    assert store.readings.versions(reading.id) == (first, second)
    assert store.readings.get(reading.id).state is ReadingState.DONE
    assert store.jobs.get(job).state is JobState.REVIEWED
    assert store.audit.entries()[-1] == entry


def test_after_a_final_report_come_addenda_alone(store, reading):
    with pytest.raises(InputError, match="an addendum needs one"):
        store.readings.sign(reading.id, a_version(Meaning.ADDENDUM))
    store.readings.sign(reading.id, a_version())
    for meaning in (Meaning.FINAL, Meaning.PRELIMINARY):
        with pytest.raises(InputError, match="only an addendum follows"):
            store.readings.sign(reading.id, a_version(meaning))
    store.readings.append(reading.id, an_edit(), expected=0, now=LATER)
    assert store.readings.sign(reading.id, a_version(Meaning.ADDENDUM)).edits == 1


def test_nobody_signs_edits_that_the_report_does_not_hold(store, reading):
    store.readings.append(reading.id, an_edit(), expected=0, now=NOON)
    with pytest.raises(StaleError, match="is at edit 1"):
        store.readings.sign(reading.id, a_version(edits=0))
    assert store.readings.versions(reading.id) == ()


def test_of_two_pages_that_sign_at_once_one_is_told_so(store, reading):
    store.readings.sign(reading.id, a_version(Meaning.PRELIMINARY))
    with pytest.raises(
        StaleError, match="a moment ago"
    ):  # else one report overwrites the other
        store.readings.sign(reading.id, a_version(Meaning.PRELIMINARY))
    assert len(store.readings.versions(reading.id)) == 1


def test_readings_are_found_by_analysis_reader_and_state(store, reading):
    assert store.readings.all(analysis="retina", reader="li") == (reading,)
    assert store.readings.all(analysis="lung") == ()
    assert store.readings.all(reader="wang") == ()
    assert store.readings.all(state=ReadingState.DONE) == ()


def test_a_reading_that_is_not_there_is_named(store):
    for ask in (store.readings.get, lambda n: store.readings.hand_in(n, now=NOON)):
        with pytest.raises(InputError, match="there is no reading 7"):
            ask(7)
