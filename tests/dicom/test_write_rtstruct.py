"""Structure sets on the slices they were drawn on, read by ourselves and by plastimatch."""

import shutil
import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom import Dataset

from medloop.core.code import Code
from medloop.core.errors import InputError
from medloop.core.structure import Contour, RoiKind, Structure
from medloop.dicom.read_rtstruct import read_structures
from medloop.dicom.write import dicom_objects, save
from medloop.dicom.write.rtstruct import structure_set
from tests.dicom.contoured import (
    FRAME,
    a_result,
    a_structure,
    an_axial_grid,
    slices_of,
    write_slices,
    written,
)
from tests.dicom.phantoms_written import ct_case
from tests.dicom.test_write_objects import errors_of

GRID = an_axial_grid((8, 50, 60), (2.5, 1.0, 1.0))


def an_egg(grid=GRID, center=(3.4, 24.3, 30.2), radii_mm=(8.0, 15.0, 18.0)) -> np.ndarray:
    """Probabilities of an ellipsoid, radii along (k, j, i), soft over a millimeter or so."""
    index = np.stack(np.indices(grid.shape), axis=-1) - np.array(center)
    rho = np.linalg.norm(index * np.array(grid.spacing_mm) / np.array(radii_mm), axis=-1)
    return np.clip(0.5 - (rho - 1) * min(radii_mm), 0, 1).astype(np.float32)


def a_tube(grid=GRID, center=(24.0, 30.0), inner=7.0, outer=14.0) -> np.ndarray:
    row, column = np.indices(grid.shape[1:])
    away = np.hypot(row - center[0], column - center[1])
    layer = np.clip(np.minimum(outer - away, away - inner) + 0.5, 0, 1)
    field = np.zeros(grid.shape, np.float32)
    field[2:6] = layer
    return field


def read_image(path: Path) -> np.ndarray:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path)) > 0


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_each_contour_refers_to_the_slice_it_lies_on(tmp_path):
    data = written([a_structure(an_egg(), GRID)], GRID, tmp_path / "rs.dcm")
    heights = {s.SOPInstanceUID: s.ImagePositionPatient[2] for s in slices_of(GRID)}
    contours = data.ROIContourSequence[0].ContourSequence
    assert len(contours) == 6
    for contour in contours:
        points = np.array(contour.ContourData, float).reshape(-1, 3)
        assert contour.NumberOfContourPoints == len(points) >= 3
        image = contour.ContourImageSequence[0]
        assert (points[:, 2] == heights[image.ReferencedSOPInstanceUID]).all()


def test_the_frame_of_reference_study_series_and_slices_are_referred_to(tmp_path):
    data = written([a_structure(an_egg(), GRID)], GRID, tmp_path / "rs.dcm")
    (frame,) = data.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    assert (frame.FrameOfReferenceUID, data.FrameOfReferenceUID) == (FRAME, FRAME)
    assert data.StructureSetROISequence[0].ReferencedFrameOfReferenceUID == FRAME
    assert study.ReferencedSOPInstanceUID == data.StudyInstanceUID == "2.25.6"
    assert series.SeriesInstanceUID == "2.25.5"
    named = {item.ReferencedSOPInstanceUID for item in series.ContourImageSequence}
    assert named == {s.SOPInstanceUID for s in slices_of(GRID)}


def test_names_kinds_codes_and_colors_are_written(tmp_path):
    data = written([a_structure(an_egg(), GRID, number=4)], GRID, tmp_path / "rs.dcm")
    (roi,), (drawn,), (seen,) = (
        data.StructureSetROISequence,
        data.ROIContourSequence,
        data.RTROIObservationsSequence,
    )
    assert (roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm) == (
        4,
        "Parotid_L",
        "AUTOMATIC",
    )
    assert roi.ROIGenerationDescription == "medloop head_neck 0.1.0; head_neck_oars 1"
    assert drawn.ReferencedROINumber == seen.ReferencedROINumber == 4
    assert list(drawn.ROIDisplayColor) == [255, 160, 0]
    assert (seen.RTROIInterpretedType, seen.ROIInterpreter) == ("ORGAN", "")
    (concept,) = seen.RTROIIdentificationCodeSequence
    assert (concept.CodingSchemeDesignator, concept.CodeValue) == ("SCT", "45289007")
    assert concept.SegmentedPropertyTypeModifierCodeSequence[0].CodeValue == "7771000"
    assert data.ApprovalStatus == "UNAPPROVED"


def test_a_site_that_is_no_side_is_an_anatomic_region(tmp_path):
    larynx = Code("SCT", "4596009", "Larynx")
    tumor = replace(a_structure(an_egg(), GRID, "GTVp"), kind=RoiKind.GTV, site=larynx)
    (seen,) = written([tumor], GRID, tmp_path / "rs.dcm").RTROIObservationsSequence
    assert seen.AnatomicRegionSequence[0].CodeValue == "4596009"
    assert (
        "SegmentedPropertyTypeModifierCodeSequence"
        not in (seen.RTROIIdentificationCodeSequence[0])
    )


def test_dciodvfy_finds_no_error(tmp_path):
    private = Code("99MEDLOOP", "MARGIN", "Margin")
    structures = [
        a_structure(an_egg(), GRID),
        replace(a_structure(a_tube(), GRID, "Ring", 2), kind=RoiKind.PTV, concept=private),
        Structure(3, "Esophagus", (), (0, 255, 0)),
    ]
    written(structures, GRID, tmp_path / "rs.dcm")
    assert errors_of(tmp_path / "rs.dcm") == []


def test_the_same_structures_make_the_same_bytes():
    def made() -> bytes:
        file = BytesIO()
        data = structure_set(a_result(a_structure(an_egg(), GRID)), slices_of(GRID))
        data.save_as(file, enforce_file_format=True)
        return file.getvalue()

    assert made() == made()


def test_slices_in_any_order_give_the_same_contours():
    result = a_result(a_structure(an_egg(), GRID))
    ordered = structure_set(result, slices_of(GRID))
    shuffled = structure_set(result, slices_of(GRID)[::-1])
    assert ordered.ROIContourSequence == shuffled.ROIContourSequence


def test_a_contour_a_little_off_its_slice_is_moved_onto_it():
    structure = a_structure(an_egg(), GRID)
    lifted = [Contour(c.points_mm + np.array([0, 0, 0.2]), c.k) for c in structure.contours]
    there = structure_set(a_result(structure), slices_of(GRID))
    here = structure_set(a_result(replace(structure, contours=tuple(lifted))), slices_of(GRID))
    assert here.ROIContourSequence == there.ROIContourSequence


def test_a_contour_between_slices_stays_and_refers_to_none():
    structure = a_structure(an_egg(), GRID)
    lifted = [Contour(structure.contours[0].points_mm + np.array([0, 0, 1.25]), None)]
    data = structure_set(a_result(replace(structure, contours=tuple(lifted))), slices_of(GRID))
    (contour,) = data.ROIContourSequence[0].ContourSequence
    assert "ContourImageSequence" not in contour
    assert contour.ContourData[2] == lifted[0].points_mm[0, 2]


def test_a_structure_without_contours_is_named_all_the_same(tmp_path):
    empty = Structure(2, "Larynx", (Contour(np.zeros((2, 3)), 0),), (1, 2, 3))
    data = written([empty], GRID, tmp_path / "rs.dcm")
    assert data.StructureSetROISequence[0].ROIName == "Larynx"
    assert "ContourSequence" not in data.ROIContourSequence[0]


def test_a_contour_of_more_than_64_kb_is_written(tmp_path):
    angle = np.linspace(0, 2 * np.pi, 6001)[:-1]
    points = np.stack([20 * np.cos(angle), 20 * np.sin(angle), 0 * angle + 15.0], axis=1)
    body = Structure(1, "BODY", (Contour(points, 1),), (0, 255, 0), RoiKind.EXTERNAL)
    data = written([body], GRID, tmp_path / "rs.dcm")
    (contour,) = data.ROIContourSequence[0].ContourSequence
    assert np.abs(np.array(contour.ContourData, float).reshape(-1, 3) - points).max() < 1e-4


def test_every_coordinate_fits_a_decimal_string(tmp_path):
    grid = an_axial_grid((4, 20, 20), (1 / 3, 1 / 7, 1 / 7), (-1234.56789, -9876.54321, -0.1))
    data = written(
        [a_structure(an_egg(grid, (1, 9, 9), (1, 1, 1)), grid)], grid, tmp_path / "r"
    )
    texts = [str(v) for c in data.ROIContourSequence[0].ContourSequence for v in c.ContourData]
    assert max(map(len, texts)) <= 16
    assert not any("e" in text or text.startswith("-0.0") for text in texts[2::3])


def test_frames_of_a_multi_frame_object_are_referred_to_by_number():
    enhanced = slices_of(GRID)[0]
    enhanced.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    enhanced.NumberOfFrames = GRID.shape[0]
    enhanced.PerFrameFunctionalGroupsSequence = []
    for each in slices_of(GRID):
        groups, place = Dataset(), Dataset()
        place.ImagePositionPatient = each.ImagePositionPatient
        groups.PlanePositionSequence = [place]
        enhanced.PerFrameFunctionalGroupsSequence.append(groups)
    structure = a_structure(an_egg(), GRID)
    data = structure_set(a_result(structure), [enhanced])
    frames = [
        int(contour.ContourImageSequence[0].ReferencedFrameNumber)
        for contour in data.ROIContourSequence[0].ContourSequence
    ]
    assert frames == [contour.k + 1 for contour in structure.contours]
    (study,) = data.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence
    (image,) = study.RTReferencedSeriesSequence[0].ContourImageSequence
    assert "ReferencedFrameNumber" not in image  # the whole object


def test_slices_without_a_frame_of_reference_are_refused():
    result = a_result(a_structure(an_egg(), GRID))
    with pytest.raises(InputError, match="frame of reference"):
        structure_set(result, slices_of(GRID, frame=None))
    lost = slices_of(GRID)
    del lost[0].ImagePositionPatient
    with pytest.raises(InputError, match="positions"):
        structure_set(result, lost)


def test_one_number_for_two_structures_is_refused():
    structures = [a_structure(an_egg(), GRID), a_structure(a_tube(), GRID, "Ring")]
    with pytest.raises(ValueError, match="same number"):
        structure_set(a_result(*structures), slices_of(GRID))


def test_a_result_with_structures_gives_a_file_on_the_slices_of_its_case(tmp_path):
    case, result = ct_case(tmp_path / "ct")  # slices from the head down, the grid goes up
    mask = result.labels.array == 1
    drawn = replace(result, structures=(a_structure(mask, result.labels.grid, "Nodule"),))
    assert "rtstruct.dcm" not in dicom_objects(case, result)
    data = dicom_objects(case, drawn)["rtstruct.dcm"]
    save(data, tmp_path / "rtstruct.dcm")
    assert errors_of(tmp_path / "rtstruct.dcm") == []
    heights = {f"2.25.77{k}": 50 - 2.5 * k for k in range(7)}
    for contour in data.ROIContourSequence[0].ContourSequence:
        image = contour.ContourImageSequence[0]
        assert contour.ContourData[2] == heights[image.ReferencedSOPInstanceUID]
    assert (read_structures(data, result.labels.grid)["Nodule"] == mask).all()


@pytest.mark.slow
def test_plastimatch_fills_the_same_voxels(tmp_path):
    tool = shutil.which("plastimatch")
    if tool is None:
        pytest.skip("plastimatch is not installed")
    write_slices(GRID, tmp_path / "ct")
    fields = {"Egg": an_egg(), "Ring": a_tube(), "Staircase": (an_egg() > 0.5)}
    structures = [
        a_structure(field, GRID, name, number)
        for number, (name, field) in enumerate(fields.items(), start=3)
    ]
    written(structures, GRID, tmp_path / "rs.dcm")
    options = ["--input", tmp_path / "rs.dcm", "--referenced-ct", tmp_path / "ct"]
    output = ["--output-prefix", tmp_path / "masks", "--prefix-format", "nrrd"]
    subprocess.run([tool, "convert", *options, *output], check=True, capture_output=True)
    for name, field in fields.items():
        mask = read_image(tmp_path / f"masks/{name}.nrrd")
        assert dice(mask, field >= 0.5) >= 0.99, name
