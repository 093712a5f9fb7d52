"""Searches find what matches, and nothing else."""

import pytest

from tests.dicom.web.objects import CT_SERIES, STUDY

OTHER = "2.25.20001"


def found(node, path, **asked):
    answer = node.client().get(f"/dicom-web/{path}", params=asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    return answer.json()


def uids(answer, tag="0020000D"):
    return [each[tag]["Value"][0] for each in answer]


BOTH = [STUDY, OTHER]  # newest first


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("PatientID", "P1", [STUDY]),
        ("PatientID", "p1", []),
        ("PatientID", "P*", BOTH),
        ("PatientID", "P?", [STUDY]),
        ("PatientID", "P_*", [OTHER]),
        ("00100020", "P1", [STUDY]),
        ("PatientID", "", BOTH),
        ("PatientID", "*", BOTH),
        ("PatientName", "wang^xiaodong", [STUDY]),
        ("PatientName", "WANG*", [STUDY]),
        ("PatientName", "王^小東", [STUDY]),
        ("PatientName", "王*", [STUDY]),
        ("PatientName", "*小*", [STUDY]),
        ("PatientName", "小*", []),
        ("PatientName", "Wang", []),
        ("PatientName", "meier^ÄNNE", [OTHER]),
        ("PatientName", "*änne", [OTHER]),
        ("PatientName", "*^*", BOTH),
        ("PatientName", "%", []),
        ("ReferringPhysicianName", "MÜLLER*", BOTH),
        ("StudyDate", "20260201", [STUDY]),
        ("StudyDate", "20260101-20260228", [STUDY]),
        ("StudyDate", "-20251231", [OTHER]),
        ("StudyDate", "20251231-", BOTH),
        ("StudyTime", "1000-1015", [STUDY]),
        ("StudyTime", "1016-", [OTHER]),
        ("AccessionNumber", "A100", [STUDY]),
        ("AccessionNumber", "a*", [OTHER]),
        ("StudyDescription", "*[contrast]", [OTHER]),
        ("StudyInstanceUID", f"{STUDY},{OTHER}", BOTH),
        ("StudyInstanceUID", f"{STUDY}\\{OTHER}", BOTH),
        ("StudyInstanceUID", OTHER, [OTHER]),
        ("ModalitiesInStudy", "SEG", [STUDY]),
        ("ModalitiesInStudy", "CT", BOTH),
        ("ModalitiesInStudy", "SEG,MR", [STUDY]),
        ("ModalitiesInStudy", "S*", [STUDY]),
        ("ModalitiesInStudy", "C", []),
        ("StudyID", "S1", BOTH),
    ],
)
def test_studies_match(filled, key, value, expected):
    assert uids(found(filled, "studies", **{key: value})) == expected


def test_a_study_is_described_and_counted(filled):
    (study,) = found(filled, "studies", PatientID="P1")
    assert study["00201206"] == {"vr": "IS", "Value": [5]}
    assert study["00201208"] == {"vr": "IS", "Value": [9]}
    assert study["00080061"]["Value"] == ["CT", "DOC", "OT", "SEG", "XC"]
    name = {"Alphabetic": "Wang^XiaoDong", "Ideographic": "王^小東"}
    assert study["00100010"] == {"vr": "PN", "Value": [name]}
    assert study["00200010"] == {"vr": "SH", "Value": ["S1"]}
    url = f"http://127.0.0.1/dicom-web/studies/{STUDY}"
    assert study["00081190"] == {"vr": "UR", "Value": [url]}
    assert study["00080056"]["Value"] == ["ONLINE"]


def test_pages_do_not_overlap_and_say_that_there_is_more(filled):
    first = filled.client().get("/dicom-web/studies", params={"limit": 1})
    assert uids(first.json()) == [STUDY]
    assert "offset" in first.headers["warning"]
    last = filled.client().get("/dicom-web/studies", params={"limit": 1, "offset": 1})
    assert uids(last.json()) == [OTHER]
    assert "warning" not in last.headers
    assert found(filled, "studies", offset=2) == []


@pytest.mark.parametrize(
    ("path", "asked", "count"),
    [
        ("series", {}, 6),
        ("series", {"Modality": "CT"}, 2),
        ("series", {"Modality": "CT", "PatientID": "P1"}, 1),
        ("series", {"SeriesNumber": "3"}, 2),
        ("series", {"SeriesInstanceUID": CT_SERIES}, 1),
        ("series", {"SeriesDescription": "肺*"}, 2),
        (f"studies/{STUDY}/series", {}, 5),
        (f"studies/{STUDY}/series", {"Modality": "SEG"}, 1),
        ("studies/1.2.3/series", {}, 0),
        ("instances", {}, 10),
        ("instances", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, 6),
        ("instances", {"InstanceNumber": "2"}, 1),
        ("instances", {"SOPInstanceUID": f"{CT_SERIES}.2,{CT_SERIES}.4"}, 2),
        (f"studies/{STUDY}/instances", {"Modality": "CT"}, 5),
        (f"studies/{STUDY}/series/{CT_SERIES}/instances", {}, 5),
        (f"studies/{OTHER}/series/{CT_SERIES}/instances", {}, 0),
        ("instances", {"Rows": "24"}, 6),
    ],
)
def test_series_and_instances_match(filled, path, asked, count):
    assert len(found(filled, path, **asked)) == count


def test_a_series_is_described_and_counted(filled):
    (series,) = found(filled, f"studies/{STUDY}/series", SeriesInstanceUID=CT_SERIES)
    assert series["00080060"]["Value"] == ["CT"]
    assert series["0008103E"]["Value"] == ["肺窗"]
    assert series["00200011"]["Value"] == [3]
    assert series["00201209"]["Value"] == [5]
    assert series["00081190"]["Value"][0].endswith(f"/studies/{STUDY}/series/{CT_SERIES}")
    assert "00100010" not in series
    (anywhere,) = found(filled, "series", SeriesInstanceUID=CT_SERIES)
    assert anywhere["00100020"]["Value"] == ["P1"]


def test_instances_come_in_the_order_of_their_numbers(filled):
    answer = found(filled, f"studies/{STUDY}/series/{CT_SERIES}/instances")
    assert [each["00200013"]["Value"][0] for each in answer] == [1, 2, 3, 4, 5]
    assert answer[0]["00280010"]["Value"] == [24]


def test_more_attributes_come_when_asked_for(filled):
    asked = f"studies/{STUDY}/series/{CT_SERIES}/instances"
    assert "0020000E" in found(filled, asked)[0]
    assert "00200052" not in found(filled, asked)[0]
    assert "00200052" in found(filled, asked, includefield="FrameOfReferenceUID")[0]
    assert "00200052" in found(filled, asked, includefield="00200013,00200052")[0]
    assert "00200052" in found(filled, asked, includefield="all")[0]
    assert "00200052" not in found(filled, "studies", includefield="all")[0]


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": "many"},
        {"limit": "-1"},
        {"offset": "1.5"},
        {"PatentName": "x"},
        {"StudyDate": "yesterday"},
        {"StudyDate": "2026"},
        {"StudyTime": "noon"},
        {"fuzzymatching": "perhaps"},
        {"includefield": "Nonsense"},
        {"Rows": "many"},
        {"InstanceNumber": "1"},
        {"PatientID": "x" * 5000},
        {"PatientID": "*a" * 7},
        {"PatientID": "a\0"},
        {".".join(["RequestAttributesSequence"] * 9): "x"},
    ],
)
def test_what_cannot_be_meant_is_a_bad_request(filled, asked):
    assert filled.client().get("/dicom-web/studies", params=asked).status_code == 400


def test_who_asks_for_something_else_than_json_is_told(filled):
    xml = {"Accept": 'multipart/related; type="application/dicom+xml"'}
    assert filled.client().get("/dicom-web/studies", headers=xml).status_code == 406
    either = {"Accept": "application/dicom+xml, application/dicom+json;q=0.5"}
    assert filled.client().get("/dicom-web/studies", headers=either).status_code == 200


def test_fuzzy_matching_is_refused_politely(filled):
    answer = filled.client().get("/dicom-web/studies", params={"fuzzymatching": "true"})
    assert answer.status_code == 200
    assert "literal" in answer.headers["warning"]


def test_a_search_stands_in_the_audit_log_once_and_is_not_cached(filled, store):
    for _ in range(3):
        answer = filled.client().get("/dicom-web/studies", params={"PatientID": "P1"})
    assert answer.headers["cache-control"] == "private, no-store"
    entries = [each for each in store.audit.entries() if each.action == "searched"]
    assert [(each.actor, each.subject) for each in entries] == [("local", "studies")]
    assert "P1" not in str(entries)


@pytest.mark.parametrize(
    "key", ["PatientID", "PatientName", "StudyDate", "ReferringPhysicianName"]
)
@pytest.mark.parametrize(("count", "status"), [(200, 200), (201, 400)])
def test_so_many_keys_and_no_more_are_searched_by(filled, key, count, status):
    value = "20260101-20260228" if key == "StudyDate" else "*"
    asked = [(key, value if n % 2 else "20260201") for n in range(count)]
    assert filled.client().get("/dicom-web/studies", params=asked).status_code == status
