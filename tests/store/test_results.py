"""Results are kept with their job."""

import pytest

from medloop.core.errors import InputError
from medloop.core.record import SCHEMA
from medloop.core.study import SopUid, StudyUid
from tests.store.studies import NOON, a_study

RECORD = {"schema": SCHEMA, "assessments": {"ICDR": 2, "said": "渗出"}}


@pytest.fixture
def job(store, tmp_path) -> int:
    store.receive(a_study(tmp_path), now=NOON)
    store.jobs.add(StudyUid("1.2"), "retina", (SopUid("1.2.1.0"),), now=NOON)
    return store.jobs.all()[0].id


def test_a_result_comes_back(store, job):
    store.results.keep(job, RECORD, "1.2/retina", ["sr.dcm", "result.json"], now=NOON)
    kept = store.results.get(job)
    assert kept.record == RECORD
    assert kept.products == ("result.json", "sr.dcm")
    assert (kept.folder, kept.kept) == ("1.2/retina", NOON)
    assert store.results.of_study(StudyUid("1.2")) == (kept,)


def test_a_second_result_replaces_the_first(store, job):
    store.results.keep(job, RECORD, "1.2/retina", [], now=NOON)
    store.results.keep(job, RECORD | {"assessments": {"ICDR": 3}}, "1.2/retina", [], now=NOON)
    (kept,) = store.results.of_study(StudyUid("1.2"))
    assert kept.record["assessments"] == {"ICDR": 3}


def test_a_job_without_a_result_is_bad_input(store, job):
    with pytest.raises(InputError, match="no result"):
        store.results.get(job)
    assert store.results.of_study(StudyUid("1.2")) == ()


def test_the_results_of_a_patient_are_found_by_identifier_and_analysis(store, job, tmp_path):
    store.results.keep(job, RECORD, "1.2/retina", [], now=NOON)
    (found,) = store.results.of_patient("P1", "retina")
    assert (found.kept.record, found.study, found.date) == (RECORD, "1.2", "20260228")
    assert found.patient == a_study(tmp_path / "again").patient
    assert store.results.of_patient("P1", "lung") == ()
    assert store.results.of_patient("P2", "retina") == ()
