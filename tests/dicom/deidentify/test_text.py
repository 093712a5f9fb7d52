"""Texts lose who they are about and keep what they are about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from medloop.dicom.deidentify.identity import Identity, identity_of
from medloop.dicom.deidentify.text import MARK, scrub


def wang() -> Identity:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = "Wang^XiaoDong=王^小东"
    dataset.PatientID, dataset.AccessionNumber = "00234567", "A77-1234"
    dataset.PatientBirthDate = "19610312"
    dataset.InstitutionName = "St. Mary Hospital"
    dataset.PatientTelephoneNumbers = "555-123-4567"
    dataset.ReferringPhysicianName = "Li^Bo"
    return identity_of(dataset)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("CT Thorax WANG, Xiaodong 00234567", "CT Thorax ***, *** ***"),
        ("xiaodongwang axial", "*** axial"),
        ("王小东 胸部CT", "*** 胸部CT"),
        ("St.Mary hospital head", "*** head"),
        ("tel 5551234567", "tel ***"),
        ("A771234 lung", "*** lung"),
        ("610312 T2", "*** T2"),
        ("seen by Bo Li", "seen by *** ***"),
    ],
)
def test_what_the_object_tells_of_itself_is_found_however_it_is_written(text, left):
    assert scrub(text, wang(), patterns=False)[0] == left


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31",
        "20240131",
        "31.01.2024",
        "01/31/2024",
        "Jan 31, 2024",
        "3 Feb 2024",
        "2024年1月31日",
        "someone@example.org",
        "https://example.org/x",
        "10.0.0.12",
        "+49 30 1234567",
        "(555) 123-4567",
        "13912345678",
        "010-12345678",
        "123-45-6789",
        "110101199003078515",
        "1HGCM82633A004352",
        "京A12345",
        "MRN: 99231",
        "Dr. Muster",
        "姓名：张三丰",
        "张三医生",
        "12 Elm Street",
        "Musterstraße 12",
        "北京市朝阳区建国路88号",
        "A4455667788",
        "93 years",
    ],
)
def test_what_looks_like_an_identifier_goes(text):
    cleaned, count = scrub(f"x {text} y", Identity())
    assert cleaned == f"x {MARK} y"
    assert count == 1


@pytest.mark.parametrize(
    "text",
    [
        "CT 1.25mm Lung 120kV B70f W1500 L-600",
        "Thorax^01_Routine (Adult)",
        "axial T2 TSE 3mm TE 90 TR 4000",
        "Follow-up 3 months, nodule 5 mm x 4 mm, Lung-RADS 4A",
        "L4/L5 disc 12/5",
        "syngo CT 2012B 5.4.1",
        "name of kernel: B30",
        "胸部平扫 5mm 肺窗",
    ],
)
def test_what_describes_an_image_stays(text):
    assert scrub(text, wang()) == (text, 0)


def test_chinese_that_claims_to_be_latin_is_read_all_the_same():
    text = "王小东 CT".encode("gb18030").decode("latin-1")
    cleaned, _ = scrub(text, wang())
    assert cleaned == "*** CT"


@given(st.text(max_size=80))
def test_cleaning_twice_is_cleaning_once(text):
    once, _ = scrub(text, wang())
    assert scrub(once, wang())[0] == once


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_number_of_the_patient_never_stays(before, after):
    assert "00234567" not in scrub(f"{before}00234567{after}", wang())[0]


def test_a_name_whose_parts_are_in_different_codes_is_found_in_both():
    dataset = Dataset()
    claimed = "^".join(part.encode("gb18030").decode("latin-1") for part in ("司马", "文静"))
    dataset.PatientName = f"Müller^Anna={claimed}"
    text = "Müller 司马文静 CT".encode("gb18030").decode("latin-1")
    assert scrub(text, identity_of(dataset))[0] == "*** *** CT"
    assert scrub("司马文静 CT", identity_of(dataset))[0] == "*** CT"


def test_who_somebody_is_is_gathered_at_any_depth():
    inner, outer = Dataset(), Dataset()
    inner.PersonName = "Deep^Inside"
    outer.ContentSequence = [inner]
    assert {"Deep", "Inside"} <= identity_of(outer).names
