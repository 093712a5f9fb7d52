"""Segmentations, read back by highdicom and by ourselves."""

from dataclasses import replace

import highdicom as hd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap
from medloop.core.study import Content
from medloop.dicom.cielab import to_cielab, to_srgb
from medloop.dicom.read_results import read_segmentation
from medloop.dicom.write import dicom_objects, save
from medloop.dicom.write.seg import segmentation
from medloop.dicom.write.sources import source_headers
from tests.dicom.phantoms_written import (
    a_ball,
    ct_case,
    dicom_case,
    fundus_result,
    jpeg_case,
    lesion_labels,
    provenance,
    reread,
)
from tests.dicom.test_write_objects import errors_of


def fundus_seg(folder):
    case = jpeg_case(folder)
    objects = dicom_objects(case, fundus_result(case))
    return objects["photograph.dcm"], reread(objects["seg.dcm"], folder)


def ct_seg(folder):
    case, result = ct_case(folder / "ct")
    return case, result, reread(dicom_objects(case, result)["seg.dcm"], folder)


def test_flat_labels_come_back_on_the_same_pixels(tmp_path):
    _, seg = fundus_seg(tmp_path)
    labels = read_segmentation(seg)
    wanted = lesion_labels()
    assert labels.grid is None
    assert np.array_equal(labels.array, wanted.array)
    assert labels.segments == {k: s for k, s in wanted.segments.items() if k != 1}


def test_highdicom_reads_the_flat_labels(tmp_path):
    photograph, seg = fundus_seg(tmp_path)
    read = hd.seg.Segmentation.from_dataset(seg)
    assert [read.get_segment_description(n).segment_label for n in read.segment_numbers] == [
        "hemorrhages",
        "hard exudates",
        "optic disc",
    ]
    algorithms = {read.get_segment_description(n).algorithm_type for n in (1, 2, 3)}
    assert algorithms == {hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC}
    pixels = read.get_pixels_by_source_instance([photograph.SOPInstanceUID])[0]
    for plane, label in enumerate((2, 3, 5)):
        assert np.array_equal(pixels[..., plane], lesion_labels().array == label)


def test_empty_segments_are_left_out(tmp_path):
    _, seg = fundus_seg(tmp_path)
    assert seg.NumberOfFrames == 3
    assert [item.TrackingID for item in seg.SegmentSequence] == [
        "label 2",
        "label 3",
        "label 5",
    ]


def test_each_frame_refers_to_the_photograph(tmp_path):
    photograph, seg = fundus_seg(tmp_path)
    for group in seg.PerFrameFunctionalGroupsSequence:
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert source.ReferencedSOPInstanceUID == photograph.SOPInstanceUID


def test_labels_of_another_size_are_refused(tmp_path):
    case = jpeg_case(tmp_path)
    result = fundus_result(case)
    small = replace(result, labels=lesion_labels(200, 300))
    with pytest.raises(InputError, match=r"\(200, 300\).*\(301, 403\)"):
        dicom_objects(case, small)


def test_frames_of_a_volume_match_the_slices_at_their_position(tmp_path):
    case, _, seg = ct_seg(tmp_path)
    positions = {}
    for instance in case.selection.series[0].instances:
        header = dcmread(instance.path)
        positions[header.SOPInstanceUID] = list(header.ImagePositionPatient)
    occupied = int(a_ball().any(axis=(1, 2)).sum())
    assert seg.NumberOfFrames == occupied
    for group in seg.PerFrameFunctionalGroupsSequence:
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        position = list(group.PlanePositionSequence[0].ImagePositionPatient)
        assert positions[source.ReferencedSOPInstanceUID] == position
    assert seg.FrameOfReferenceUID == "2.25.9"


def test_highdicom_finds_the_ball_on_the_source_slices(tmp_path):
    case, _, seg = ct_seg(tmp_path)
    instances = case.selection.series[0].instances  # from the head down; the grid goes up
    pixels = hd.seg.Segmentation.from_dataset(seg).get_pixels_by_source_instance(
        [i.uid for i in instances],
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )
    assert np.array_equal(pixels[..., 0].astype(bool), a_ball()[::-1])


def test_a_volume_comes_back_on_its_own_grid(tmp_path):
    _, result, seg = ct_seg(tmp_path)
    labels = read_segmentation(seg, grid=result.labels.grid)
    assert np.array_equal(labels.array, result.labels.array)
    assert labels.segments == result.labels.segments


def test_without_a_grid_the_ball_keeps_its_place_and_volume(tmp_path):
    _, result, seg = ct_seg(tmp_path)
    labels = read_segmentation(seg)
    there = labels.grid.to_world(np.argwhere(labels.array).astype(float))
    wanted = result.labels.grid.to_world(np.argwhere(a_ball()).astype(float))
    assert np.allclose(np.sort(there, axis=0), np.sort(wanted, axis=0), atol=1e-6)
    assert labels.grid.voxel_mm3 == pytest.approx(result.labels.grid.voxel_mm3)


def test_a_resampled_grid_is_written_with_its_own_planes(tmp_path):
    case, result = ct_case(tmp_path / "ct")
    coarse = result.labels.grid.affine.copy()
    coarse[:3, 0] *= 1.3
    array = np.ascontiguousarray(result.labels.array[:5])
    grid = Grid((5, 40, 48), coarse, "2.25.9")
    labels = LabelMap(array, result.labels.segments, grid)
    seg = reread(dicom_objects(case, replace(result, labels=labels))["seg.dcm"], tmp_path)
    assert errors_of(tmp_path / "reread.dcm") == []
    assert np.array_equal(read_segmentation(seg, grid=grid).array, array)
    for group in seg.PerFrameFunctionalGroupsSequence:
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert source.SpatialLocationsPreserved == "NO"


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_any_turned_grid_is_matched_to_the_source(tmp_path, order, flips):
    case, result = ct_case(tmp_path / "ct")
    upright = result.labels
    array = np.flip(upright.array.transpose(order), flips)
    affine = np.eye(4)
    affine[:3, :3] = upright.grid.affine[:3, list(order)]
    origin = np.zeros(3)
    for axis in flips:
        origin[order[axis]] = upright.array.shape[order[axis]] - 1
        affine[:3, axis] *= -1
    affine[:3, 3] = upright.grid.to_world(origin)
    grid = Grid(array.shape, affine, "2.25.9")
    turned = replace(
        result, labels=LabelMap(np.ascontiguousarray(array), upright.segments, grid)
    )
    seg = segmentation(turned, source_headers(case))
    assert (seg.Rows, seg.Columns) == (40, 48)
    source = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
    assert source.SourceImageSequence[0].SpatialLocationsPreserved == "YES"
    back = read_segmentation(seg, grid=upright.grid)
    assert np.array_equal(back.array, upright.array)


def test_a_frame_of_odd_size_is_packed_without_gaps(tmp_path):
    case = jpeg_case(tmp_path)
    result = fundus_result(case)
    seg = dicom_objects(case, result)["seg.dcm"]
    pixels = 3 * 301 * 403
    assert len(seg.PixelData) in (-(-pixels // 8), -(-pixels // 8) + 1)


def test_an_enhanced_source_is_referred_to_by_frame(tmp_path):
    case, result = ct_case(tmp_path / "ct")
    slices = [dcmread(i.path) for i in case.selection.series[0].instances]
    image = np.zeros((7, 40, 48), np.uint16)
    enhanced = slices[0]
    enhanced.SOPInstanceUID = "2.25.778"
    enhanced.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    enhanced.NumberOfFrames = 7
    shared, groups = Dataset(), []
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing = enhanced.PixelSpacing
    orientation.ImageOrientationPatient = enhanced.ImageOrientationPatient
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    for k in range(7):
        group, position = Dataset(), Dataset()
        position.ImagePositionPatient = [-20, -30, 50 - 2.5 * k]
        group.PlanePositionSequence = [position]
        groups.append(group)
    del enhanced.ImagePositionPatient, enhanced.ImageOrientationPatient, enhanced.PixelSpacing
    enhanced.SharedFunctionalGroupsSequence = [shared]
    enhanced.PerFrameFunctionalGroupsSequence = groups
    enhanced.PixelData = image.tobytes()
    save(enhanced, tmp_path / "enhanced.dcm")
    case = dicom_case(tmp_path / "enhanced.dcm", case.images, content=Content.VOLUME)
    seg = dicom_objects(case, replace(result, provenance=provenance(case)))["seg.dcm"]
    for group in seg.PerFrameFunctionalGroupsSequence:
        frame = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        z = group.PlanePositionSequence[0].ImagePositionPatient[2]
        assert z == 50 - 2.5 * (frame - 1)


@given(st.tuples(*[st.integers(0, 255)] * 3))
@settings(max_examples=50, deadline=None)
def test_a_display_color_survives(color):
    assert to_srgb(to_cielab(color)) == color


def test_frames_whose_pixels_end_within_a_byte_are_packed_end_to_end(tmp_path):
    """Frames of 5 x 7 pixels: only the first begins with a byte (PS3.5 8.1.1)."""
    case, result = ct_case(tmp_path / "ct")
    rng = np.random.default_rng(0)
    segments = {n: replace(result.labels.segments[1], name=f"{n}") for n in (1, 2, 3)}
    planes = rng.integers(0, 4, (5, 7)).astype(np.uint8)
    headers = [Dataset()]
    headers[0].update(source_headers(case)[0])
    headers[0].Rows, headers[0].Columns = planes.shape
    del headers[0].ImagePositionPatient
    written = segmentation(replace(result, labels=LabelMap(planes, segments)), headers)
    bits = np.unpackbits(np.frombuffer(written.PixelData, np.uint8), bitorder="little")
    assert len(written.PixelData) % 2 == 0
    for n in (1, 2, 3):
        frame = bits[(n - 1) * planes.size : n * planes.size].reshape(planes.shape)
        assert np.array_equal(frame, planes == n)
