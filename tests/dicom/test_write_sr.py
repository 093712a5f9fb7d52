"""Structured reports, read back by highdicom, dsrdump and ourselves."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import pytest
from pydicom import Dataset, dcmread

from medloop.core.code import Code
from medloop.core.errors import InputError
from medloop.dicom.codes import CONCEPTS, SCALES, concept_of
from medloop.dicom.read_results import read_sr_values
from medloop.dicom.write import dicom_objects, save
from tests.dicom.phantoms_written import ct_case, fundus_result, jpeg_case, reread


def fundus_report(folder):
    case = jpeg_case(folder)
    result = fundus_result(case)
    objects = dicom_objects(case, result)
    return result, objects, reread(objects["sr.dcm"], folder)


def dumped(path) -> str:
    tool = shutil.which("dsrdump")
    if tool is None:
        pytest.skip("dsrdump (dcmtk) is not installed")
    done = subprocess.run(
        [tool, "+Pc", "+U8", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr.lower()
    return done.stdout


def test_assessments_come_back_equal(tmp_path):
    result, _, report = fundus_report(tmp_path)
    _, assessments = read_sr_values(report)
    assert assessments == {k: v for k, v in result.assessments.items() if v is not None}
    assert type(assessments["ICDR"]) is int
    assert type(assessments["referable"]) is bool


def test_findings_of_a_picture_come_back_equal(tmp_path):
    result, _, report = fundus_report(tmp_path)
    findings, _ = read_sr_values(report)
    assert findings == result.findings


def test_findings_of_a_volume_come_back_equal(tmp_path):
    case, result = ct_case(tmp_path / "ct")
    report = reread(dicom_objects(case, result)["sr.dcm"], tmp_path)
    (finding,), assessments = read_sr_values(report)
    (wanted,) = result.findings
    assert finding.center_lps_mm == pytest.approx(wanted.center_lps_mm, abs=1e-4)
    assert finding.box.high == pytest.approx(wanted.box.high, abs=1e-4)
    assert (finding.measurements, finding.probability) == (wanted.measurements, 0.7)
    assert (finding.concept, finding.site, finding.segment) == (wanted.concept, wanted.site, 1)
    assert assessments == {"Lung-RADS": "3"}


@pytest.mark.parametrize("value", [["a"], ("a", "b"), Code("DCM", "1", "one"), b"x"])
def test_an_assessment_that_no_report_holds_is_refused_by_its_key(tmp_path, value):
    case = jpeg_case(tmp_path)
    result = fundus_result(case)
    strange = replace(result, assessments={**result.assessments, "strange": value})
    with pytest.raises(ValueError, match="assessment strange is a"):
        dicom_objects(case, strange)


def test_the_four_class_grade_comes_back_with_its_map(tmp_path):
    case = jpeg_case(tmp_path)
    result = fundus_result(case)
    four = {
        "four_class": 3,
        "four_class_probabilities": (0.1, 0.2, 0.3, 0.4),
        "four_class_map": "four classes from ICDR: 3 = 3 or 4",
    }
    told = replace(result, assessments={**result.assessments, **four})
    _, assessments = read_sr_values(reread(dicom_objects(case, told)["sr.dcm"], tmp_path))
    assert {key: assessments[key] for key in four} == four
    assert "Severe or proliferative" in dumped(tmp_path / "reread.dcm")


def test_dsrdump_prints_the_values(tmp_path):
    fundus_report(tmp_path)
    text = dumped(tmp_path / "reread.dcm")
    for part in (
        "Moderate nonproliferative diabetic retinopathy",
        "ETDRS:35-43",
        "0.6",
        "0.8125",
        "Hard exudate",
        "retina_grading",
        "\u89c6\u7f51\u819c OK",
        "focus 0.1 is below 0.2",
    ):
        assert part in text, part


def test_highdicom_reads_the_groups_with_the_same_values(tmp_path):
    result, objects, report = fundus_report(tmp_path)
    content = hd.sr.Comprehensive3DSR.from_dataset(report).content
    (group,) = content.get_volumetric_roi_measurement_groups()
    hemorrhage = result.findings[0]
    assert group.finding_type == hd.sr.CodedConcept("50960005", "SCT", "Hemorrhage")
    assert group.finding_sites[0].value.value == "5665001"
    values = {m.name.value: (m.value, m.unit.value) for m in group.get_measurements()}
    assert values["122157"] == (hemorrhage.probability, "1")
    for measurement in hemorrhage.measurements:
        assert values[measurement.concept.value] == (measurement.value, measurement.unit)
    segment = group.referenced_segment
    assert segment.referenced_sop_instance_uid == objects["seg.dcm"].SOPInstanceUID
    assert segment[0].ReferencedSOPSequence[0].ReferencedSegmentNumber == 1
    planar = content.get_planar_roi_measurement_groups()
    assert [g.roi.GraphicType for g in planar] == ["POINT", "POLYLINE"]


def test_highdicom_reads_the_assessments(tmp_path):
    _, _, report = fundus_report(tmp_path)
    content = hd.sr.Comprehensive3DSR.from_dataset(report).content
    (group,) = content.get_image_measurement_groups()
    grades = {e.name.value: e.value.value for e in group.get_qualitative_evaluations()}
    assert grades["ICDR"] == "312904009"
    assert grades["REFERABLE"] == "373066001"


def test_report_and_segmentation_track_the_same_thing(tmp_path):
    _, objects, report = fundus_report(tmp_path)
    tracked = {i.TrackingID: i.TrackingUID for i in objects["seg.dcm"].SegmentSequence}
    groups = report.ContentSequence[-1].ContentSequence
    pairs = {g.ContentSequence[0].TextValue: g.ContentSequence[1].UID for g in groups}
    assert pairs["label 2"] == tracked["label 2"]
    assert set(pairs) == {"assessments", "label 2", "finding 2", "finding 3"}


def test_everything_the_report_refers_to_is_evidence(tmp_path):
    _, objects, report = fundus_report(tmp_path)
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    uids = {
        i.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for i in series.ReferencedSOPSequence
    }
    assert uids == {
        objects["photograph.dcm"].SOPInstanceUID,
        objects["seg.dcm"].SOPInstanceUID,
    }


def test_private_codes_fit_a_code_value_and_differ():
    codes = [concept_of(key) for key in (*CONCEPTS, "a_key_of_more_than_sixteen", "x" * 40)]
    codes += [concept_of(key, 12) for key in CONCEPTS]
    codes += [code for scale in SCALES.values() for code in scale.values()]
    assert all(len(code.value) <= 16 and len(code.meaning) <= 64 for code in codes)
    assert len({code.value for code in codes}) == len(codes)


def test_every_grade_has_a_code_of_its_own():
    for scale in SCALES.values():
        assert len({code.value for code in scale.values()}) == len(scale)
    assert SCALES["ICDR"][4] == Code("SCT", "59276001", "Proliferative diabetic retinopathy")


def test_what_is_no_report_is_refused():
    with pytest.raises(InputError, match="no measurement groups"):
        read_sr_values(Dataset())


def test_saving_and_reading_a_report_keeps_its_uids(tmp_path):
    _, objects, _ = fundus_report(tmp_path)
    save(objects["sr.dcm"], tmp_path / "sr.dcm")
    read = dcmread(tmp_path / "sr.dcm")
    assert read.file_meta.MediaStorageSOPInstanceUID == objects["sr.dcm"].SOPInstanceUID


def test_every_private_code_is_in_the_conformance_statement():
    text = Path("docs/reference/dicom-conformance.md").read_text()
    codes = [*CONCEPTS.values(), *(c for scale in SCALES.values() for c in scale.values())]
    for code in codes:
        name = f"`{code.value}" if code.scheme == "99MEDLOOP" else code.value
        assert name in text, code.value
