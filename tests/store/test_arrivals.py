"""Instances are entered once, and a study that grows is looked at again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from medloop.core.arrival import Arrival
from medloop.core.study import Patient, SeriesUid, SopUid, StudyUid
from medloop.store.arrivals import Kept, Outcome
from tests.store.studies import NOON

STUDY = StudyUid("1.2")


def an_arrival(uid: str, *, study: str = STUDY, digest: str = "", **facts) -> Kept:
    made = Arrival(
        uid=SopUid(uid),
        study=StudyUid(study),
        study_name=study,
        series=SeriesUid(f"{study}.1"),
        sop_class="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax="1.2.840.10008.1.2.1",
        modality="CT",
        number=1,
        patient=Patient("Wang^Fang=王^芳", "P1", "19600101", "F"),
        date="20260228",
        time="101112",
        description="Thorax",
        accession="A1",
        referring="Doe^John",
        header="{}",
    )
    return Kept(replace(made, **facts), digest or uid.ljust(64, "0"), 100, "CT1")


def test_what_arrives_is_held_and_its_study_open(store):
    assert store.arrivals.add([an_arrival("1"), an_arrival("2")], now=NOON) == (
        Outcome.STORED,
        Outcome.STORED,
    )
    assert set(store.arrivals.held(["1", "2", "3"])) == {"1", "2"}
    assert store.arrivals.open(quiet_since=NOON) == (STUDY,)
    assert store.arrivals.open(quiet_since=NOON - timedelta(seconds=1)) == ()
    assert store.catalog.study(STUDY).patient.name == "Wang^Fang=王^芳"


def test_arriving_twice_changes_nothing(store):
    store.arrivals.add([an_arrival("1")], now=NOON)
    store.arrivals.close(STUDY, count=1, now=NOON)
    later = NOON + timedelta(hours=1)
    again = [an_arrival("1"), an_arrival("1")]
    assert store.arrivals.add(again, now=later) == (Outcome.KNOWN, Outcome.KNOWN)
    assert store.arrivals.open(quiet_since=later) == ()


def test_the_same_object_twice_in_one_batch_is_stored_once(store):
    assert store.arrivals.add([an_arrival("1"), an_arrival("1")], now=NOON) == (
        Outcome.STORED,
        Outcome.KNOWN,
    )


def test_other_bytes_of_the_same_name_are_a_conflict(store):
    first, other = an_arrival("1"), an_arrival("1", digest="f" * 64)
    assert store.arrivals.add([first, other], now=NOON) == (Outcome.STORED, Outcome.CONFLICT)
    assert store.arrivals.add([other], now=NOON) == (Outcome.CONFLICT,)
    (conflict,) = store.catalog.conflicts()
    assert (conflict.kept_sha256, conflict.other_sha256) == (first.sha256, "f" * 64)


def test_late_images_open_a_study_again(store):
    store.arrivals.add([an_arrival("1")], now=NOON)
    assert store.arrivals.close(STUDY, count=1, now=NOON)
    assert store.arrivals.open(quiet_since=NOON) == ()
    later = NOON + timedelta(hours=1)
    store.arrivals.add([an_arrival("2")], now=later)
    assert store.arrivals.open(quiet_since=later) == (STUDY,)


def test_a_study_that_grew_meanwhile_is_not_closed(store):
    store.arrivals.add([an_arrival("1"), an_arrival("2")], now=NOON)
    assert not store.arrivals.close(STUDY, count=1, now=NOON)
    assert store.arrivals.open(quiet_since=NOON) == (STUDY,)


def test_a_study_is_due_at_once_when_its_expected_count_is_there(store):
    assert not store.arrivals.expect(STUDY, 2)
    store.arrivals.add([an_arrival("1")], now=NOON)
    assert store.arrivals.expect(STUDY, 2)
    long_ago = NOON - timedelta(hours=1)
    assert store.arrivals.open(quiet_since=long_ago) == ()
    store.arrivals.add([an_arrival("2")], now=NOON)
    assert store.arrivals.open(quiet_since=long_ago) == (STUDY,)


def test_modalities_of_a_study_are_gathered(store):
    for n, modality in enumerate(("PT", "CT", "PT", "")):
        store.arrivals.add([an_arrival(str(n), modality=modality)], now=NOON)
    with store.database.reading() as connection:
        found = connection.exec_driver_sql("SELECT modalities FROM studies").scalar_one()
    assert found == "CT\\PT"


def test_more_than_one_statement_holds_are_entered_at_once(store):
    many = [an_arrival(str(n)) for n in range(1_234)]
    assert set(store.arrivals.add(many, now=NOON)) == {Outcome.STORED}
    assert store.arrivals.of(STUDY).count == 1_234


@pytest.mark.parametrize("count", [1, 3])
def test_studies_are_kept_apart(store, count):
    batch = [an_arrival(f"{study}.{n}", study=study) for study in "987" for n in range(count)]
    store.arrivals.add(batch, now=NOON)
    assert sorted(store.arrivals.open(quiet_since=NOON)) == ["7", "8", "9"]
    assert [store.arrivals.of(StudyUid(study)).count for study in "789"] == [count] * 3
