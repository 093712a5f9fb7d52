"""From MR files to result folders: what is in them, and what other programs read there."""

import json

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread

from medloop.clinical.brain.analysis import build
from medloop.core.record import from_json, from_record
from medloop.dicom.read_results import read_segmentation, read_sr_values
from medloop.files.patches import read_patches
from medloop.imaging.likely import likely_in
from medloop.models.bundle import load_bundle
from medloop.models.predict import open_predictor
from medloop.workflow.intake import FolderArchive, gather
from medloop.workflow.patches import LIKELY
from medloop.workflow.products import write_products
from medloop.workflow.routing import route
from medloop.workflow.worker import Ending, run
from tests.clinical.brains import NOW, a_bundle, a_hippocampus, write_brain, write_mr
from tests.dicom.test_write_objects import errors_of
from tests.dicom.test_write_sr import dumped

PHANTOM = a_hippocampus()
FRONT, BACK = (int(part.sum()) for part in (PHANTOM.anterior, PHANTOM.posterior))


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    bundle = load_bundle(a_bundle(tmp_path_factory.mktemp("bundles") / "hippocampus"))
    predictor = open_predictor(bundle, engine="onnxruntime")
    return build(predictor, bundle.segmentation_plan, bundle.identity, now=lambda: NOW)


def answer(analysis, source, folder, *, language="en"):
    """Analyze what lies at `source` as the command line does; returns how it ended."""
    intake = gather([source], scratch=folder)
    (each,) = route(intake.studies, [analysis])

    def write(case, result):
        write_products(case, result, folder / "out", language=language)
        return folder / "out"

    return run(analysis, FolderArchive(intake), each.study, each.selection, write=write)


@pytest.fixture(scope="module")
def from_dicom(analysis, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dicom")
    outcome = answer(analysis, write_mr(PHANTOM.volume, folder / "mr"), folder)
    assert outcome.reason == ""
    return outcome.path


@pytest.fixture(scope="module")
def from_nifti(analysis, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nifti")
    source = write_brain(PHANTOM.volume, folder / "brain.nii.gz")
    outcome = answer(analysis, source, folder, language="zh")
    assert outcome.reason == ""
    return outcome.path


def without_pdf(names: set[str]) -> set[str]:
    """Leave out what a machine without Pango lacks."""
    return names - {"report.pdf", "report.dcm"}


@pytest.mark.slow
def test_dicom_gives_record_report_labels_and_objects(from_dicom):
    names = without_pdf({path.name for path in from_dicom.iterdir()})
    report = {"result.json", "report.html", "overlay.png", "labels.nii.gz", LIKELY}
    assert names == report | {"seg.dcm", "sr.dcm", "overlay.dcm"}


@pytest.mark.slow
def test_nifti_gives_record_report_and_labels(from_nifti):
    names = without_pdf({path.name for path in from_nifti.iterdir()})
    assert names == {"result.json", "report.html", "overlay.png", "labels.nii.gz", LIKELY}
    assert "侧别未知" in (from_nifti / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_both_ways_give_the_same_volumes(from_dicom, from_nifti):
    one, two = (
        json.loads((folder / "result.json").read_text(encoding="utf-8"))["assessments"]
        for folder in (from_dicom, from_nifti)
    )
    assert one["hippocampus_mm3"] == two["hippocampus_mm3"] == FRONT + BACK
    assert (one["side"], two["side"]) == ("left", "unknown")


@pytest.mark.slow
def test_the_label_file_lies_on_the_voxels_of_the_input(from_nifti):
    labels = nib.load(from_nifti / "labels.nii.gz")
    source = nib.load(from_nifti.parent / "brain.nii.gz")
    assert labels.shape == source.shape
    np.testing.assert_allclose(labels.affine, source.affine, atol=1e-4)
    found = np.asarray(labels.dataobj).transpose(2, 1, 0)
    assert np.array_equal(found == 1, PHANTOM.anterior)
    assert np.array_equal(found == 2, PHANTOM.posterior)


@pytest.mark.slow
def test_dciodvfy_finds_no_error_in_any_object(from_dicom):
    for path in sorted(from_dicom.glob("*.dcm")):
        assert errors_of(path) == [], path.name


@pytest.mark.slow
def test_highdicom_reads_the_parts_on_their_source_slices(from_dicom):
    seg = hd.seg.Segmentation.from_dataset(dcmread(from_dicom / "seg.dcm"))
    segments = [seg.get_segment_description(n) for n in seg.segment_numbers]
    assert [s.segment_label for s in segments] == [
        "Anterior hippocampus",
        "Posterior hippocampus",
    ]
    assert {s.anatomic_regions[0].value for s in segments} == {"5366008"}
    sources = sorted(
        (dcmread(path) for path in (from_dicom.parent / "mr").iterdir()),
        key=lambda header: header.ImagePositionPatient[2],
    )
    pixels = seg.get_pixels_by_source_instance(
        [header.SOPInstanceUID for header in sources], assert_missing_frames_are_empty=True
    )
    assert np.array_equal(pixels[..., 0].astype(bool), PHANTOM.anterior)
    assert np.array_equal(pixels[..., 1].astype(bool), PHANTOM.posterior)
    assert seg.FrameOfReferenceUID == sources[0].FrameOfReferenceUID


@pytest.mark.slow
def test_the_segmentation_has_the_volume_that_the_report_states(from_dicom):
    labels = read_segmentation(dcmread(from_dicom / "seg.dcm"), grid=PHANTOM.volume.grid)
    findings, _ = read_sr_values(dcmread(from_dicom / "sr.dcm"))
    stated = {each.segment: each.measurements[0].value for each in findings if each.segment}
    counted = {n: np.count_nonzero(labels.array == n) for n in (1, 2)}
    assert stated == pytest.approx({n: c * labels.grid.voxel_mm3 for n, c in counted.items()})


@pytest.mark.slow
def test_the_structured_report_says_what_the_record_says(from_dicom):
    text = (from_dicom / "result.json").read_text(encoding="utf-8")
    recorded = from_record(from_json(text)).result
    findings, assessments = read_sr_values(dcmread(from_dicom / "sr.dcm"))
    assert set(assessments) == set(recorded.assessments)
    for key, value in recorded.assessments.items():
        is_word = isinstance(value, str)
        assert assessments[key] == (value if is_word else pytest.approx(value, rel=1e-5)), key
    for ours, theirs in zip(recorded.findings, findings, strict=True):
        assert ours.concept == theirs.concept
        assert [m.unit for m in theirs.measurements] == ["mm3"] * 4
        values = [m.value for m in ours.measurements]
        assert [m.value for m in theirs.measurements] == pytest.approx(values, rel=1e-5)
        assert theirs.center_lps_mm == pytest.approx(ours.center_lps_mm, abs=1e-3)


@pytest.mark.slow
def test_highdicom_reads_the_measurements(from_dicom):
    report = hd.sr.srread(from_dicom / "sr.dcm")
    groups = report.content.get_volumetric_roi_measurement_groups()
    found = {
        (group.finding_type.value, measured.name.value): measured
        for group in groups
        for measured in group.get_measurements()
    }
    front, back = (found[code, "118565006"] for code in ("BRN-HIP-A", "BRN-HIP-P"))
    assert (front.value, back.value) == (FRONT, BACK)
    assert (front.unit.value, back.unit.value) == ("mm3", "mm3")


@pytest.mark.slow
def test_dsrdump_prints_the_volumes(from_dicom):
    text = dumped(from_dicom / "sr.dcm")
    for code, value in (("HIP-VOL", FRONT + BACK), ("HIP-A-VOL", FRONT), ("HIP-P-VOL", BACK)):
        (line,) = [line for line in text.splitlines() if f"({code}," in line]
        assert f'"{value}"' in line
        assert "(mm3,UCUM" in line


@pytest.mark.slow
def test_a_whole_head_is_skipped_with_the_reason(analysis, tmp_path):
    volume = a_hippocampus(size=(120, 52, 34)).volume
    outcome = answer(analysis, write_brain(volume, tmp_path / "head.nii.gz"), tmp_path)
    assert outcome.state is Ending.SKIPPED
    assert outcome.reason == (
        "volume of 120 x 52 x 34 mm has a side over 100 mm;"
        " cut out the region around one hippocampus, about 35 x 50 x 35 mm"
    )
    assert not (tmp_path / "out").exists()


def test_probabilities_lie_where_the_labels_are(from_nifti):
    labels = np.asarray(nib.load(from_nifti / "labels.nii.gz").dataobj).T
    kept = read_patches(from_nifti / LIKELY)
    assert list(kept) == [1, 2]
    for label, patch in kept.items():
        whole = [slice(0, n) for n in labels.shape]
        likely = likely_in(patch, labels.shape, whole)
        assert likely[labels == label].min() > 0.3
        assert (labels[likely > 0.6] == label).mean() > 0.99
    assert (from_nifti / LIKELY).stat().st_size < 100_000
