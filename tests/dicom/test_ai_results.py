"""What IHE AIR wants of every result: whose it is, what it was seen on, who said it."""

import pytest
from pydicom import dcmread

from tests.dicom.written import a_result_folder


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    products = a_result_folder(folder)
    sources = [dcmread(path) for path in sorted((folder / "ct").glob("*.dcm"))]
    return sources, {path.stem: dcmread(path) for path in sorted(products.glob("*.dcm"))}


def items(dataset):
    for item in dataset.get("ContentSequence", ()):
        yield item
        yield from items(item)


def concepts(group):
    return {
        each.ConceptNameCodeSequence[0].CodeValue
        for each in group.ContentSequence
        if "ConceptNameCodeSequence" in each
    }


def test_every_object_stays_in_the_study_and_with_the_patient(objects):
    sources, results = objects
    first = sources[0]
    for each in results.values():
        assert each.StudyInstanceUID == first.StudyInstanceUID
        assert each.PatientID == first.PatientID
        assert each.SeriesInstanceUID != first.SeriesInstanceUID


def test_the_report_lists_every_image_and_the_segmentation(objects):
    sources, results = objects
    listed = {
        reference.ReferencedSOPInstanceUID
        for study in results["sr"].CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    }
    assert {each.SOPInstanceUID for each in sources} | {results["seg"].SOPInstanceUID} == listed


def test_every_group_says_what_it_follows_and_which_algorithm_said_it(objects):
    _, results = objects
    groups = [
        each
        for each in items(results["sr"])
        if each.ValueType == "CONTAINER"
        and each.ConceptNameCodeSequence[0].CodeValue == "125007"
    ]
    assert len(groups) == 2
    for group in groups:  # tracking identifier and UID, algorithm name and version
        assert {"112039", "112040", "111001", "111003"} <= concepts(group)


def test_the_observer_is_a_device_and_nobody_has_verified_the_report(objects):
    report = objects[1]["sr"]
    observer = next(
        each
        for each in report.ContentSequence
        if each.ConceptNameCodeSequence[0].CodeValue == "121005"
    )
    assert observer.ConceptCodeSequence[0].CodeValue == "121007"
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")


def test_a_segment_names_its_algorithm_and_the_images_it_was_drawn_on(objects):
    sources, results = objects
    segmentation = results["seg"]
    for segment in segmentation.SegmentSequence:
        (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
        assert algorithm.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"
        assert algorithm.AlgorithmName.startswith("medloop")
        assert algorithm.AlgorithmVersion
    uids = {each.SOPInstanceUID for each in sources}
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        derived = frame.DerivationImageSequence[0].SourceImageSequence[0]
        assert derived.ReferencedSOPInstanceUID in uids
