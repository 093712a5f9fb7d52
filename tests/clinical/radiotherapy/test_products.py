"""From CT files to result folders: what is in them, and whether it says the same."""

import json

import numpy as np
import pytest
from pydicom import dcmread

from medloop.clinical.radiotherapy.codes import ORGANS
from medloop.dicom.read_results import read_segmentation
from medloop.dicom.read_rtstruct import read_structures
from medloop.workflow.intake import FolderArchive, gather
from medloop.workflow.products import write_products
from medloop.workflow.routing import route
from medloop.workflow.worker import run
from tests.dicom.test_write_objects import errors_of
from tests.necks import a_grid, a_neck, an_analysis, write_ct

GRID = a_grid((3.0, 2.0, 2.0), low_mm=(-120.0, -110.0, -195.0), high_mm=(120.0, 110.0, 140.0))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Analyze a drawn CT as the command line does."""
    folder = tmp_path_factory.mktemp("neck")
    analysis = an_analysis(GRID)
    intake = gather([write_ct(a_neck(GRID).volume, folder / "ct")], scratch=folder)
    (each,) = route(intake.studies, [analysis])

    def write(case, result):
        write_products(case, result, folder / "out", language="en")
        return folder / "out"

    outcome = run(analysis, FolderArchive(intake), each.study, each.selection, write=write)
    assert outcome.reason == ""
    return outcome.path


def test_contours_labels_record_and_report_are_written(products):
    names = {path.name for path in products.iterdir()} - {"report.pdf", "report.dcm"}
    files = {"result.json", "report.html", "overlay.png", "labels.nii.gz", "probabilities.npz"}
    assert names == files | {"rtstruct.dcm", "seg.dcm", "sr.dcm", "overlay.dcm"}


def test_dciodvfy_finds_no_error_in_any_object(products):
    for path in sorted(products.glob("*.dcm")):
        assert errors_of(path) == [], path.name


def test_contours_and_labels_are_the_same_organs(products):
    labels = read_segmentation(dcmread(products / "seg.dcm"), grid=GRID)
    drawn = read_structures(dcmread(products / "rtstruct.dcm"), GRID)
    assert set(drawn) == {organ.tg263 for organ in ORGANS.values()}
    for n, organ in enumerate(ORGANS.values(), start=1):
        one, two = labels.array == n, drawn[organ.tg263]
        assert 2 * (one & two).sum() / (one.sum() + two.sum()) > 0.995, organ.name


def test_sides_are_coded_beside_the_organ(products):
    rois = dcmread(products / "rtstruct.dcm").RTROIObservationsSequence
    codes = [roi.RTROIIdentificationCodeSequence[0] for roi in rois]
    assert [code.CodeValue for code in codes[2:4]] == ["45289007", "45289007"]
    sides = [
        code.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning for code in codes[2:4]
    ]
    assert sides == ["Right", "Left"]


def test_the_record_gives_volumes_and_the_place_in_the_patient(products):
    record = json.loads((products / "result.json").read_text(encoding="utf-8"))
    assert record["analysis"]["name"] == "head_neck"
    right, left = record["findings"][2:4]
    assert right["site"]["meaning"] == "Right parotid gland"
    assert right["center_lps_mm"][0] == pytest.approx(-57, abs=1.5)
    assert left["center_lps_mm"][0] == pytest.approx(57, abs=1.5)
    volume = right["measurements"][0]
    assert (volume["name"], volume["unit"]) == ("Volume", "cm3")
    assert volume["value"] == pytest.approx(4 / 3 * np.pi * 13 * 18 * 25 / 1000, rel=0.06)
    assert record["assessments"]["target_volumes"] == "not drawn"
