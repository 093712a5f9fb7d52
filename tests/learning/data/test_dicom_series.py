"""DICOM volumes meet the segmentations and structure sets that were drawn on them."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from medloop.core.errors import InputError
from medloop.dicom.write import dicom_objects
from medloop.dicom.write import save as save_object
from medloop.learning.data import open_dataset, read_image, read_mask
from medloop.learning.data.dicom_series import read_dicom
from tests.dicom.phantoms_written import a_ball, ct_case, write_ct
from tests.dicom.slices import save
from tests.dicom.test_read_rtstruct import a_circle, a_contour, a_disk, a_grid, a_structure_set


def a_folder_with_structures(root, names=("Cord", "Brain")):
    """A CT of 7 slices, with circles of 8 and 4 mm on slice 2."""
    write_ct(root / "ct")
    grid = a_grid((7, 40, 48))
    circles = (a_circle(grid, 2), a_circle(grid, 2, radius_mm=4.1))
    structures = {n: [a_contour(c)] for n, c in zip(names, circles, strict=True)}
    data = a_structure_set(structures)
    frame, study, series = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = "2.25.5"
    study.RTReferencedSeriesSequence = [series]
    frame.RTReferencedStudySequence = [study]
    data.ReferencedFrameOfReferenceSequence = [frame]
    data.PatientID = ""
    save(data, root / "rs.dcm")
    return grid


def test_a_segmentation_comes_back_on_its_series(tmp_path):
    case, result = ct_case(tmp_path / "ct")
    save_object(dicom_objects(case, result)["seg.dcm"], tmp_path / "seg.dcm")
    found = open_dataset(tmp_path)
    assert found.layout == "DICOM series with SEG"
    assert found.classes == {"nodule": (1,)}
    assert [c.name for c in found.cases] == ["ct"]
    mask = read_mask(found.cases[0], read_image(found.cases[0]))
    assert np.array_equal(mask, a_ball())


def test_structures_come_back_on_their_series(tmp_path):
    grid = a_folder_with_structures(tmp_path)
    found = open_dataset(tmp_path)
    assert found.layout == "DICOM series with RTSTRUCT"
    assert found.classes == {"Brain": (1,), "Cord": (2,)}
    mask = read_mask(found.cases[0], read_image(found.cases[0]))
    assert ((mask[2] == 2) != a_disk(grid, 2)).sum() <= 2  # Cord covers Brain: it comes later


def test_the_structure_named_last_wins_where_they_overlap(tmp_path):
    grid = a_folder_with_structures(tmp_path)
    found = read_dicom(tmp_path, structures=("Cord", "Brain"))
    mask = read_mask(found.cases[0], read_image(found.cases[0]))[2]
    small = a_disk(grid, 2, radius_mm=4.1)
    assert ((mask == 2) != small).sum() <= 2
    assert ((mask == 1) != (a_disk(grid, 2) & ~small)).sum() <= 4


def test_series_without_labels_are_refused(tmp_path):
    write_ct(tmp_path / "ct")
    with pytest.raises(InputError, match="1 DICOM volumes and 0 segmentations"):
        open_dataset(tmp_path)


def test_a_patient_is_known_by_a_hash_only(tmp_path):
    a_folder_with_structures(tmp_path)
    case = open_dataset(tmp_path).cases[0]
    assert len(case.patient) == 16
    assert "Wang" not in case.patient + case.name
