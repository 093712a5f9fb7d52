"""A lesion is called in every study what it was called in the first."""

from dataclasses import replace

from medloop.core.finding import Tracking
from medloop.core.image import LabelMap
from medloop.dicom.annotations import segment_value
from medloop.dicom.read_results import read_segmentation, read_sr_values
from medloop.dicom.write import dicom_objects
from medloop.dicom.write.tracking import label_trackings, named, trackings
from tests.dicom.phantoms_written import ct_case, fundus_result, jpeg_case, reread


def groups_of(report) -> dict[str, str]:
    groups = report.ContentSequence[-1].ContentSequence
    return {g.ContentSequence[0].TextValue: g.ContentSequence[1].UID for g in groups}


def followed(result):
    """Label 1 was called label 4 before; another nodule, label 2, is new."""
    (old,) = result.findings
    array = result.labels.array.copy()
    array[0, :2, :2] = 2
    segment = result.labels.segments[1]
    labels = LabelMap(array, {1: segment, 2: segment}, result.labels.grid)
    seen = replace(old, tracking=Tracking("label 2", "2.25.77"))
    return replace(result, findings=(seen, replace(old, segment=2)), labels=labels)


def test_report_and_segmentation_call_it_what_the_earlier_study_did(tmp_path):
    case, result = ct_case(tmp_path / "ct")
    then = named(result)
    again = replace(result, findings=then.findings)
    later = replace(
        again, provenance=replace(again.provenance, input_sha256="ef" * 32, inputs=("2.25.5",))
    )
    first, second = (dicom_objects(case, each) for each in (result, later))
    uid = groups_of(first["sr.dcm"])["label 1"]
    assert groups_of(second["sr.dcm"])["label 1"] == uid
    tracked = [o["seg.dcm"].SegmentSequence[0].TrackingUID for o in (first, second)]
    assert tracked == [uid, uid]
    assert first["sr.dcm"].SOPInstanceUID != second["sr.dcm"].SOPInstanceUID


def test_labels_come_back_though_lesions_have_other_names(tmp_path):
    case, result = ct_case(tmp_path / "ct")
    objects = dicom_objects(case, followed(result))
    names = groups_of(objects["sr.dcm"])
    assert set(names) == {"assessments", "label 2", "label 2 (2)"}
    assert names["label 2"] == "2.25.77"
    findings, _ = read_sr_values(reread(objects["sr.dcm"], tmp_path))
    assert [finding.segment for finding in findings] == [1, 2]
    seg = objects["seg.dcm"]
    told = [(s.TrackingID, s.TrackingUID, segment_value(s)) for s in seg.SegmentSequence]
    assert told == [("label 2", "2.25.77", 1), ("label 2 (2)", names["label 2 (2)"], 2)]
    read = read_segmentation(reread(seg, tmp_path))
    assert set(read.segments) == {1, 2}


def test_without_an_earlier_study_names_are_as_ever(tmp_path):
    result = fundus_result(jpeg_case(tmp_path))
    names = [each.name for each in trackings(result, {2})]
    assert names == ["label 2", "finding 2", "finding 3"]
    assert [each.name for each in label_trackings(result, [2, 3]).values()] == [
        "label 2",
        "label 3",
    ]
    assert [each.tracking.uid for each in named(result).findings] == [
        each.uid for each in trackings(result, {2})
    ]


def test_names_are_carried_through_any_number_of_studies(tmp_path):
    _, result = ct_case(tmp_path / "ct")
    (first,) = named(result).findings
    provenance = replace(result.provenance, input_sha256="ef" * 32)
    later = replace(result, findings=(first,), provenance=provenance)
    assert named(later).findings[0].tracking == first.tracking
