"""What a catalog keeps of an object says what the object says."""

import json

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from medloop.core.errors import InputError
from medloop.dicom.arrival import is_same_object, read_arrival
from tests.dicom.slices import a_slice, save

FACTS = {
    "InstanceNumber": 7,
    "SeriesNumber": 3,
    "StudyTime": "101112.5",
    "StudyDate": "20260301",
    "PatientID": "P1",
    "PatientName": "Doe^Jane",
    "ReferringPhysicianName": "Roe^Richard",
    "Manufacturer": "ACME",
    "BodyPartExamined": "CHEST",
    "PerformedProcedureStepStartDate": "20260301",
    "PerformedProcedureStepStartTime": "101000",
    "AccessionNumber": "A1",
    "StudyID": "S1",
}


def header(path) -> dict:
    return json.loads(read_arrival(path).header)


def theirs(dataset: Dataset, keys) -> dict:
    """What pydicom's DICOM JSON says of the same attributes."""
    return {key: value for key, value in dataset.to_json_dict().items() if key in keys}


def test_the_header_is_the_dicom_json_of_pydicom(tmp_path):
    dataset = a_slice(**FACTS)
    found = header(save(dataset, tmp_path / "a.dcm"))
    assert found.pop("00080005") == {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert found == theirs(dataset, found)
    for keyword in ("00080020", "00080030", "00080050", "00080060", "00100010", "00200011"):
        assert found[keyword]["Value"], keyword
    assert {"00280010", "00280011", "00280100", "00200013", "00400244", "00400245"} <= set(
        found
    )


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_every_encoding_says_the_same(tmp_path, syntax):
    plain = read_arrival(save(a_slice(**FACTS), tmp_path / "a.dcm"))
    dataset = a_slice(**FACTS)
    is_big = syntax == ExplicitVRBigEndian
    if is_big:
        dataset["PixelData"].VR = "OW"
    other = read_arrival(save(dataset, tmp_path / "b.dcm", syntax=syntax))
    assert other.transfer_syntax == syntax
    assert json.loads(other.header) == json.loads(plain.header)


def test_a_chinese_name_in_gb18030_is_decoded(tmp_path):
    dataset = a_slice(SpecificCharacterSet="GB18030", PatientName="Wang^Fang=王^芳")
    found = read_arrival(save(dataset, tmp_path / "a.dcm"))
    assert found.patient.name == "Wang^Fang=王^芳"
    name = json.loads(found.header)["00100010"]["Value"][0]
    assert name == {"Alphabetic": "Wang^Fang", "Ideographic": "王^芳"}


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("is_undefined", [True, False])
def test_what_was_requested_is_told(tmp_path, syntax, is_undefined):
    request = Dataset()
    request.ScheduledProcedureStepID, request.RequestedProcedureID = "步1", "R1"
    request.ScheduledProcedureStepDescription = "not asked for"
    request.CodeValue = "1"
    dataset = a_slice(SpecificCharacterSet="GB18030")
    dataset.RequestAttributesSequence = [request, request]
    dataset["RequestAttributesSequence"].is_undefined_length = is_undefined
    request.is_undefined_length_sequence_item = is_undefined
    told = header(save(dataset, tmp_path / "a.dcm", syntax=syntax))["00400275"]
    one = {
        "00400009": {"vr": "SH", "Value": ["步1"]},
        "00401001": {"vr": "SH", "Value": ["R1"]},
    }
    assert told == {"vr": "SQ", "Value": [one, one]}


def test_several_values_stay_apart_and_a_damaged_number_is_left_out(tmp_path):
    dataset = a_slice(ImageType=["ORIGINAL", "PRIMARY"], SeriesNumber=3)
    path = save(dataset, tmp_path / "a.dcm")
    path.write_bytes(
        path.read_bytes().replace(
            b"\x20\x00\x11\x00IS\x02\x003 ", b"\x20\x00\x11\x00IS\x02\x00xy"
        )
    )
    found = header(path)
    assert found["00080008"]["Value"] == ["ORIGINAL", "PRIMARY"]
    assert found["00200011"] == {"vr": "IS"}


def test_what_is_no_dicom_is_refused(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"no DICOM at all" * 100)
    with pytest.raises(InputError):
        read_arrival(path)


def test_one_data_set_under_two_file_meta_groups_is_one_object(tmp_path):
    first = save(a_slice(), tmp_path / "a.dcm")
    dataset = a_slice()
    save(dataset, tmp_path / "b.dcm")
    dataset.file_meta.SourceApplicationEntityTitle = "ELSEWHERE"
    dataset.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    assert first.read_bytes() != (tmp_path / "b.dcm").read_bytes()
    assert is_same_object(first, tmp_path / "b.dcm")


def test_other_pixels_or_another_encoding_are_another_object(tmp_path):
    first = save(a_slice(), tmp_path / "a.dcm")
    other = a_slice()
    other.PixelData = bytes(len(other.PixelData))
    assert not is_same_object(first, save(other, tmp_path / "b.dcm"))
    implicit = save(a_slice(), tmp_path / "c.dcm", syntax=ImplicitVRLittleEndian)
    assert not is_same_object(first, implicit)
