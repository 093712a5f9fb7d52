"""A SEG that another program made is read onto the voxels it was drawn on, or refused."""

from io import BytesIO

import highdicom as hd
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.dicom import deflate, read_results
from medloop.dicom.seg_file import decode_seg
from tests.dicom.contoured import an_axial_grid, slices_of

SHAPE = (6, 12, 10)


@pytest.fixture
def grid() -> Grid:
    return an_axial_grid(SHAPE, (3.0, 0.8, 0.7))


def drawn() -> np.ndarray:
    """Two structures on some of the slices, as (k, j, i) labels 1 and 2."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:4, 3:7, 2:5] = 1
    labels[2:5, 8:10, 6:9] = 2
    return labels


def by_another_program(
    grid: Grid, labels: np.ndarray, *, keeps=slice(None), **changes
) -> bytes:
    """Let highdicom write the labels, slices from the head down, as some programs do."""
    sources = [_whole(each) for each in slices_of(grid)][keeps][::-1]
    planes = np.ascontiguousarray(labels[keeps][::-1])
    algorithm = {"algorithm_type": hd.seg.SegmentAlgorithmTypeValues.MANUAL}
    described = [
        hd.seg.SegmentDescription(n, name, codes.SCT.Organ, concept, **algorithm)
        for n, name, concept in (
            (1, "Cord", codes.SCT.SpinalCord),
            (2, "Gland", codes.SCT.Liver),
        )
    ]
    seg = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=planes,
        segmentation_type=changes.get("kind", hd.seg.SegmentationTypeValues.BINARY),
        segment_descriptions=described,
        series_instance_uid="2.25.301",
        series_number=7,
        sop_instance_uid="2.25.302",
        instance_number=1,
        manufacturer="Another",
        manufacturer_model_name="Another",
        software_versions="1",
        device_serial_number="1",
    )
    file = BytesIO()
    seg.save_as(file)
    return file.getvalue()


def _whole(header: Dataset) -> Dataset:
    for keyword in ("PatientSex", "PatientBirthDate", "StudyTime", "StudyDate", "StudyID"):
        if keyword not in header:
            setattr(header, keyword, "")
    header.AccessionNumber = ""
    header.BitsAllocated = header.BitsStored = 16
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return header


def test_another_programs_seg_lies_on_our_voxels(grid):
    labels = decode_seg(by_another_program(grid, drawn()), grid, (0, 0))
    assert_array_equal(labels.array, drawn())
    assert {n: each.name for n, each in labels.segments.items()} == {1: "Cord", 2: "Gland"}


def test_slices_may_be_left_out(grid):
    labels = decode_seg(by_another_program(grid, drawn(), keeps=slice(1, 5)), grid, (0, 0))
    assert_array_equal(labels.array, drawn())


def test_a_seg_of_probabilities_is_refused(grid):
    kind = hd.seg.SegmentationTypeValues.FRACTIONAL
    data = by_another_program(grid, (drawn() > 0).astype(np.float32), kind=kind)
    with pytest.raises(InputError, match="not a binary segmentation"):
        decode_seg(data, grid, (0, 0))


def test_a_seg_of_a_picture_is_none_of_a_volume(grid):
    data = by_another_program(grid, drawn())
    with pytest.raises(InputError, match="does not lie on this image"):
        decode_seg(data, None, SHAPE[1:])


def test_a_seg_of_finer_slices_is_refused(grid):
    fine = an_axial_grid((12, 12, 10), (1.5, 0.8, 0.7))
    data = by_another_program(fine, np.repeat(drawn(), 2, axis=0))
    with pytest.raises(InputError, match="does not lie on the voxels"):
        decode_seg(data, grid, (0, 0))


def test_planes_far_apart_are_refused_before_the_space_between_is_filled(grid, monkeypatch):
    dataset = dcmread(BytesIO(by_another_program(grid, drawn())))
    last = dataset.PerFrameFunctionalGroupsSequence[-1].PlanePositionSequence[0]
    last.ImagePositionPatient = [0, 0, 3e7]
    file = BytesIO()
    dataset.save_as(file)
    made = []
    monkeypatch.setattr(read_results.np, "zeros", lambda *args: made.append(args))
    with pytest.raises(InputError, match="does not lie on the voxels"):
        decode_seg(file.getvalue(), grid, (0, 0))
    assert made == []


def test_a_deflated_seg_is_read_and_one_that_is_a_bomb_is_not(grid, monkeypatch):
    dataset = dcmread(BytesIO(by_another_program(grid, drawn())))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    assert_array_equal(decode_seg(file.getvalue(), grid, (0, 0)).array, drawn())
    monkeypatch.setattr(deflate, "MAX_INFLATED_BYTES", 1000)
    with pytest.raises(InputError):
        decode_seg(file.getvalue(), grid, (0, 0))
