"""Which earlier result a study is compared with, and which it must never be."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from medloop.core.code import Code
from medloop.core.errors import InputError
from medloop.core.finding import Finding, Provenance, Result
from medloop.core.record import to_json, to_record
from medloop.core.study import Patient, SopUid, Study, StudyUid
from medloop.workflow.prior import Earlier, Shelf, in_order_of_date, latest, named_prior
from medloop.workflow.routing import Refusal, Route
from tests.workflow.cases import Grade, a_case

ANN = Patient("Doe^Ann", "P1", "19600101", "F")
NODULE = Code("SCT", "27925004", "Nodule")


def a_study(uid="1.9", date="20250301", patient=ANN) -> Study:
    return Study(StudyUid(uid), f"study {uid}", (), patient, date)


def a_record(study: Study, analysis="lung"):
    made = Provenance(
        analysis, "1", (), (SopUid(f"{study.uid}.1"),), "ab", datetime(2025, 1, 1, tzinfo=UTC)
    )
    return to_record(Result(made, (Finding(NODULE, segment=1),), {}), study, "ct")


def earlier(uid: str, date: str, patient=ANN, analysis="lung") -> Earlier:
    record = a_record(a_study(uid, date), analysis)
    return Earlier(patient, StudyUid(uid), date, lambda: record)


def test_the_latest_of_the_earlier_studies_is_the_prior():
    shelf = [
        earlier("1.1", "20220301"),
        earlier("1.3", "20240301"),
        earlier("1.2", "20230301"),
        earlier("1.4", "20260301"),  # later
        earlier("1.9", "20240901"),  # itself, under another date
    ]
    past = latest(a_study(), "lung", shelf)
    assert (past.prior.study, past.prior.date, past.prior.days) == ("1.3", "20240301", 365)
    assert past.notices == ()
    (finding,) = past.prior.result.findings
    assert finding.tracking.name == "label 1"


@pytest.mark.parametrize(
    "patient",
    [
        Patient("Doe^Ann", "P2", "19600101", "F"),
        Patient("Doe^Ann", "", "19600101", "F"),
        Patient("Doe^Ann", "P1", "19700101", "F"),
        Patient("Doe^Ann", "P1", "19600101", "M"),
    ],
)
def test_another_patient_is_never_compared_with(patient):
    past = latest(a_study(), "lung", [earlier("1.1", "20240301", patient)])
    assert (past.prior, past.notices) == (None, ())


def test_a_patient_without_an_identifier_has_no_past():
    nobody = Patient("Doe^Ann", "", "19600101", "F")
    shelf = [earlier("1.1", "20240301", nobody)]
    assert latest(a_study(patient=nobody), "lung", shelf).prior is None


@pytest.mark.parametrize(
    ("then", "now", "code"),
    [
        ("", "20250301", "prior-undated"),
        ("20240301", "", "prior-undated"),
        ("20250301", "20250301", "prior-same-day"),
    ],
)
def test_without_an_order_of_dates_nothing_is_compared_and_it_is_said(then, now, code):
    past = latest(a_study(date=now), "lung", [earlier("1.1", then)])
    assert past.prior is None
    assert [notice.code for notice in past.notices] == [code]


def test_a_damaged_record_is_passed_over_and_that_is_said():
    def broken():
        raise InputError("result is not JSON")

    bad = replace(earlier("1.3", "20240301"), read=broken)
    other = earlier("1.2", "20230901", analysis="retina")
    past = latest(a_study(), "lung", [bad, earlier("1.1", "20230301"), other])
    assert past.prior.study == "1.1"
    assert [notice.code for notice in past.notices] == ["prior-unreadable"]


def test_of_two_on_one_day_the_choice_is_always_the_same():
    pair = [earlier("1.1", "20240301"), earlier("1.2", "20240301")]
    for shelf in (pair, pair[::-1]):
        assert latest(a_study(), "lung", shelf).prior.study == "1.2"


def test_studies_of_a_patient_run_by_date_and_others_keep_their_place():
    lung, bob = Grade("lung"), Patient("", "P7")
    studies = [
        a_study("1", "20250101"),
        a_study("2", "20200101", bob),
        a_study("3", "20240101"),
        a_study("4", "20230101", Patient("Doe^Ann")),
        a_study("5", "20230101"),
    ]
    routes = [
        Refusal(each, lung, "no") if each.uid == "2" else Route(each, lung, None, "lung")
        for each in studies
    ]
    assert in_order_of_date(routes) == [4, 1, 2, 3, 0]
    graded = [replace(each, analysis=Grade()) for each in routes]
    assert in_order_of_date(graded) == [0, 1, 2, 3, 4]


@pytest.fixture
def result_folder(tmp_path) -> Path:
    """A result folder whose SR says that it is of P1, 2024-03-01."""
    study = a_study("1.1", "20240301")
    folder = tmp_path / "out/old/lung"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(to_json(a_record(study)), encoding="utf-8")
    write_sr(folder / "sr.dcm", study)
    return folder


def write_sr(path: Path, study: Study) -> None:
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.34", "2.25.3"
    data.StudyInstanceUID, data.SeriesInstanceUID = str(study.uid), "2.25.4"
    data.Modality, data.StudyDate = "SR", study.date
    data.PatientID, data.PatientName = study.patient.identifier, study.patient.name
    data.PatientBirthDate, data.PatientSex = study.patient.birth_date, study.patient.sex
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.save_as(path, enforce_file_format=True)


def test_results_of_earlier_runs_and_of_this_one_are_found(result_folder, tmp_path):
    shelf = Shelf(tmp_path / "out")
    assert shelf.find(a_study(), "lung").prior.study == "1.1"
    newer = a_study("1.2", "20240901")
    folder = tmp_path / "out/new/lung"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(to_json(a_record(newer)), encoding="utf-8")
    shelf.add(newer, "lung", folder)
    assert shelf.find(a_study(), "lung").prior.study == "1.2"
    assert shelf.find(newer, "lung").prior.study == "1.1"
    assert shelf.find(a_study(patient=Patient()), "lung").prior is None
    (result_folder / "sr.dcm").unlink()
    assert Shelf(tmp_path / "out").find(newer, "lung").prior is None  # it says not whose it is


@pytest.mark.parametrize(
    ("study", "reason"),
    [
        (a_study(patient=Patient("Doe^Ann", "P2")), "is of another patient"),
        (a_study(patient=Patient("Doe^Ann")), "is of another patient, or one states no ID"),
        (a_study(date="20240101"), "is 60 days later, not earlier"),
        (a_study(date=""), "has no date"),
    ],
)
def test_a_result_that_somebody_names_must_fit(result_folder, study, reason):
    analysis, find = named_prior(result_folder, ["lung", "retina"])
    assert analysis == "lung"
    assert find(a_study()).prior.days == 365
    with pytest.raises(InputError, match=reason):
        find(study)


def test_what_is_no_result_to_compare_with_is_refused(result_folder):
    with pytest.raises(InputError, match="a result of lung, which is not compared here"):
        named_prior(result_folder, ["retina"])
    record = result_folder / "result.json"
    assert named_prior(record, ["lung"])[0] == "lung"
    (result_folder / "sr.dcm").unlink()
    with pytest.raises(InputError, match=r"no sr\.dcm beside it"):
        named_prior(record, ["lung"])
    record.write_text("{}")
    with pytest.raises(InputError, match="schema"):
        named_prior(record, ["lung"])


def test_cases_of_other_analyses_know_nothing_of_the_past():
    case = a_case()
    assert (case.prior, case.prior_notices) == (None, ())
