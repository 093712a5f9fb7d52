"""What is read first, and what of it somebody asked to see."""

from dataclasses import replace
from datetime import timedelta

import pytest

from medloop.core.study import Patient, StudyUid
from medloop.store import Entry, Kept
from medloop.store.ending import end_job
from medloop.store.job import JobState
from medloop.store.steering import prioritize
from medloop.store.studylist import OPEN, StudyList, StudyState, Wanted, state_of
from tests.store.studies import NOON, a_study

RECORD = {"schema": "medloop.result/1"}


@pytest.fixture
def listed(store):
    return StudyList(store.database)


def arrive(store, tmp_path, uid, *, minutes=0, **facts):
    study = replace(a_study(tmp_path / uid, uid), **facts)
    store.receive(study, now=NOON + timedelta(minutes=minutes))
    return study


def end(store, uid, to=JobState.DONE, *, urgency=0, because="", analysis="retina"):
    """Let an analysis of a study end."""
    store.jobs.add(StudyUid(uid), analysis, [f"{uid}.1.0"], now=NOON)
    job = store.jobs.claim("w1", [analysis], now=NOON)
    kept = None
    if to is JobState.DONE:
        kept = Kept(job.id, uid, (), RECORD, NOON, urgency=urgency, because=because)
    return end_job(store, job, to, Entry(NOON, "w1", "analyzed", uid, {}), kept=kept)


def uids(listing):
    return [each.line.uid for each in listing.studies]


def test_the_most_urgent_comes_first_then_the_latest_arrival(store, listed, tmp_path):
    for n, urgency in enumerate((0, 3, 1, 0)):
        arrive(store, tmp_path, f"1.{n}", minutes=n)
        end(store, f"1.{n}", urgency=urgency, because=f"ICDR {urgency}")
    found = listed.find(Wanted(), limit=10)
    assert uids(found) == ["1.1", "1.2", "1.3", "1.0"]
    assert [each.urgency for each in found.studies] == [3, 1, 0, 0]
    assert found.studies[0].jobs[0].because == "ICDR 3"
    assert (found.total, found.counts) == (4, {StudyState.DONE: 4})
    assert uids(listed.find(Wanted(), limit=2, offset=1)) == ["1.2", "1.3"]


def test_a_study_is_as_urgent_as_its_most_urgent_result_now(store, listed, tmp_path):
    arrive(store, tmp_path, "1.0")
    end(store, "1.0", urgency=1)
    job = end(store, "1.0", urgency=3, analysis="lung")
    assert listed.find(Wanted(), limit=1).studies[0].urgency == 3
    store.results.keep(job.id, RECORD, "1.0", (), now=NOON)  # in its place, and routine
    assert listed.find(Wanted(), limit=1).studies[0].urgency == 1


def test_a_hurried_job_takes_its_study_to_the_front_until_it_is_done(store, listed, tmp_path):
    arrive(store, tmp_path, "1.0")
    arrive(store, tmp_path, "1.1", minutes=5)
    end(store, "1.1", urgency=1)
    store.jobs.add(StudyUid("1.0"), "retina", ["1.0.1.0"], now=NOON)
    assert uids(listed.find(Wanted(), limit=5)) == ["1.1", "1.0"]
    (waiting,) = store.jobs.all(state=JobState.WAITING)
    prioritize(store, waiting.id, 10, now=NOON)
    first = listed.find(Wanted(), limit=5).studies[0]
    assert (first.line.uid, first.is_hurried) == ("1.0", True)
    store.jobs.move(store.jobs.claim("w1", ["retina"], now=NOON), JobState.SKIPPED, now=NOON)
    assert uids(listed.find(Wanted(), limit=5)) == ["1.1", "1.0"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("wang", ["1.0"]),
        ("王", ["1.0"]),
        ("fang wang", ["1.0"]),
        ("p2", ["1.1"]),
        ("acc-9", ["1.1"]),
        ("nobody", []),
        ("%", []),
        ("", ["1.1", "1.0"]),
    ],
)
def test_words_are_looked_for_in_name_identifier_and_accession(
    store, listed, tmp_path, words, found
):
    arrive(store, tmp_path, "1.0")
    other = Patient("Li^Na", "P2", "19700101", "F")
    arrive(store, tmp_path, "1.1", minutes=1, patient=other, accession="ACC-9", date="20260301")
    assert uids(listed.find(Wanted(words=words), limit=5)) == found


def test_days_and_modalities_are_filters(store, listed, tmp_path):
    arrive(store, tmp_path, "1.0", date="20260228")
    arrive(store, tmp_path, "1.1", date="20260301", minutes=1)
    assert uids(listed.find(Wanted(since="20260301"), limit=5)) == ["1.1"]
    assert uids(listed.find(Wanted(until="20260228"), limit=5)) == ["1.0"]
    assert uids(listed.find(Wanted(modality="OP"), limit=5)) == []
    assert uids(listed.find(Wanted(modality="CT"), limit=5)) == ["1.1", "1.0"]
    assert listed.modalities() == ("CT",)
    assert listed.find(Wanted(), limit=1).studies[0].line.modalities == ("CT",)


def test_the_state_of_a_study_is_what_has_to_happen_first(store, listed, tmp_path):
    for uid in ("1.0", "1.1", "1.2"):
        arrive(store, tmp_path, uid)
    end(store, "1.1", JobState.FAILED)
    end(store, "1.2")
    end(store, "1.2", JobState.FAILED, analysis="lung")
    found = {each.line.uid: each.state for each in listed.find(Wanted(), limit=5).studies}
    assert found == {
        "1.0": StudyState.ARRIVING,
        "1.1": StudyState.FAILED,
        "1.2": StudyState.DONE,
    }
    open_ones = listed.find(Wanted(states=OPEN), limit=5)
    assert (len(open_ones.studies), open_ones.total) == (3, 3)
    assert uids(listed.find(Wanted(states=frozenset({StudyState.FAILED})), limit=5)) == ["1.1"]


@pytest.mark.parametrize(
    "states", [[], ["failed"], ["done", "failed"], ["reviewed", "running"]]
)
def test_one_study_alone_has_the_state_that_it_has_in_the_list(store, listed, tmp_path, states):
    arrive(store, tmp_path, "1.0")
    order = {"failed": JobState.FAILED, "done": JobState.DONE, "reviewed": JobState.DONE}
    ended = []
    for n, name in enumerate(states):
        if name == "running":
            store.jobs.add(StudyUid("1.0"), f"a{n}", ["1.0.1.0"], now=NOON)
            store.jobs.claim("w1", [f"a{n}"], now=NOON)
            ended.append(JobState.RUNNING)
            continue
        job = end(store, "1.0", order[name], analysis=f"a{n}")
        if name == "reviewed":
            store.jobs.move(job, JobState.REVIEWED, now=NOON)
        ended.append(JobState(name))
    told = listed.find(Wanted(), limit=1).studies[0].state
    assert state_of(ended, is_settled=False) is told


def test_the_stamp_changes_with_whatever_the_list_shows(store, listed, tmp_path):
    stamps = [listed.stamp()]
    arrive(store, tmp_path, "1.0")
    stamps.append(listed.stamp())
    job = end(store, "1.0")
    stamps.append(listed.stamp())
    store.readings.open(job.id, "li", now=NOON)
    stamps.append(listed.stamp())
    assert len(set(stamps)) == len(stamps)
    assert listed.stamp() == stamps[-1]


def test_who_reads_is_told_and_whether_they_are_done(store, listed, tmp_path):
    arrive(store, tmp_path, "1.0")
    job = end(store, "1.0")
    store.readings.hand_in(store.readings.open(job.id, "li", now=NOON).id, now=NOON)
    store.readings.open(job.id, "zhou", now=NOON)
    read = listed.find(Wanted(), limit=1).studies[0].read
    assert [(each.reader, each.is_done, each.is_signed) for each in read] == [
        ("li", True, False),
        ("zhou", False, False),
    ]


def test_other_studies_of_a_patient_have_the_same_identifier_and_birth_date(
    store, listed, tmp_path
):
    patient = Patient("Wang^Fang", "P1", "19600101", "F")
    for n, whose in enumerate((patient, patient, replace(patient, birth_date="19991231"))):
        arrive(store, tmp_path, f"1.{n}", patient=whose)
    line = next(x.line for x in listed.find(Wanted(), limit=5).studies if x.line.uid == "1.0")
    assert [each.uid for each in listed.of_patient(line)] == ["1.1"]
    nobody = replace(line, patient=Patient())
    assert listed.of_patient(nobody) == ()
