"""Series that are not one tidy stack: named in one line, repaired, or refused."""

import numpy as np
import pytest

from medloop.core.errors import GeometryError, UnsuitableError
from medloop.core.study import Content
from medloop.dicom.read import read_volume
from medloop.imaging.resample import regularize
from tests.dicom.slices import a_series, a_slice, pixels, stack


def codes(notices):
    return [notice.code for notice in notices]


def test_slices_are_sorted_along_their_normal(tmp_path):
    (series,) = a_series(tmp_path, list(reversed(stack([0, 2, 4]))))
    volume, notices = read_volume(series)
    assert notices == ()
    np.testing.assert_array_equal(volume.array[0], pixels(0) - 1024)
    assert volume.grid.affine[2, 0] == 2
    assert volume.grid.affine[2, 3] == 0


def test_an_exact_copy_of_a_slice_is_dropped(tmp_path):
    slices = stack([0, 2, 4])
    twin = a_slice((0.0, 0.0, 2.0), array=pixels(1), InstanceNumber=9)
    (series,) = a_series(tmp_path, [*slices, twin])
    volume, notices = read_volume(series)
    assert volume.array.shape[0] == 3
    assert codes(notices) == ["duplicate-slices"]


def test_two_different_slices_in_one_place_are_refused(tmp_path):
    other = a_slice((0.0, 0.0, 2.0), array=pixels(77))
    (series,) = a_series(tmp_path, [*stack([0, 2, 4]), other])
    with pytest.raises(GeometryError, match="1 slices lie where another lies, and differ"):
        read_volume(series)


def test_one_missing_slice_is_interpolated_with_a_notice(tmp_path):
    depths = [2 * n for n in range(20) if n != 7]
    (series,) = a_series(tmp_path, stack(depths))
    volume, notices = read_volume(series, regularize=regularize)
    assert codes(notices) == ["slices-missing"]
    assert notices[0].text == "1 of 20 slices are missing; they were interpolated."
    assert volume.array.shape[0] == 20
    between = (volume.array[6].astype(int) + volume.array[8]) / 2
    np.testing.assert_allclose(volume.array[7], between, atol=0.51)


def test_many_missing_slices_are_refused(tmp_path):
    (series,) = a_series(tmp_path, stack([0, 2, 4, 6, 8, 18, 20, 22]))
    with pytest.raises(GeometryError, match="4 of 12 slices are missing, 4 in a row"):
        read_volume(series, regularize=regularize)


def test_irregular_slices_are_resampled_with_a_notice(tmp_path):
    (series,) = a_series(tmp_path, stack([0, 2, 4.5, 6.2, 8.2, 10.2]))
    volume, notices = read_volume(series, regularize=regularize)
    assert codes(notices) == ["irregular-slices"]
    assert "from 1.70 to 2.50 mm" in notices[0].text
    assert volume.grid.affine[2, 0] == pytest.approx(10.2 / 5)


def test_wildly_irregular_slices_are_refused(tmp_path):
    (series,) = a_series(tmp_path, stack([0, 2, 4, 6.9, 7.4, 9.4]))
    with pytest.raises(GeometryError, match=r"slice gaps run from 0.50 to 2.90 mm"):
        read_volume(series, regularize=regularize)


def test_gantry_tilt_is_named_and_straightened(tmp_path):
    tilted = [
        a_slice((0.0, 0.5 * n, 2.0 * n), array=pixels(n)) for n in range(5)
    ]  # one row a slice: 14 degrees
    (series,) = a_series(tmp_path, tilted)
    volume, notices = read_volume(series, regularize=regularize)
    assert codes(notices) == ["gantry-tilt"]
    assert "14.0 degrees" in notices[0].text
    assert volume.array.shape == (5, 6 + 4, 8)
    np.testing.assert_array_equal(volume.array[3, 3:9], pixels(3) - 1024)
    axes = volume.grid.affine[:3, :3]
    np.testing.assert_allclose(axes.T @ axes, np.diag([4, 0.25, 0.5625]), atol=1e-9)


def test_uneven_slices_are_refused_where_nobody_resamples(tmp_path):
    (series,) = a_series(tmp_path, stack([0, 2, 4.5, 6.2, 8.2, 10.2]))
    with pytest.raises(GeometryError, match="Slice gaps"):
        read_volume(series)


@pytest.mark.parametrize(
    ("tags", "label"),
    [
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "orientation"),
        ({"PixelSpacing": [0.9, 0.9]}, "pixel spacing"),
    ],
)
def test_mixed_geometry_is_split_losslessly(tmp_path, tags, label):
    others = [a_slice((2.0 * n, 0.0, 0.0), array=pixels(n), **tags) for n in range(3)]
    if label == "pixel spacing":
        others = stack([0, 2, 4], **tags)
    parts = a_series(tmp_path, [*stack([0, 2, 4, 6]), *others])
    assert [len(part.instances) for part in parts] == [4, 3]
    assert f"({label} 1)" in parts[0].description
    for part in parts:
        _, notices = read_volume(part)
        assert codes(notices) == ["series-split"]


def test_a_localizer_is_no_slice(tmp_path):
    scout = a_slice((0, 0, 50), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    parts = a_series(tmp_path, [scout, *stack([0, 2, 4])])
    assert [(part.content, len(part.instances)) for part in parts] == [
        (Content.PICTURES, 1),
        (Content.VOLUME, 3),
    ]


def test_phases_in_one_series_are_split(tmp_path):
    late = stack([0, 2, 4], AcquisitionNumber=2)
    parts = a_series(tmp_path, [*stack([0, 2, 4], AcquisitionNumber=1), *late])
    assert [part.description.strip() for part in parts] == [
        "(acquisition 1)",
        "(acquisition 2)",
    ]
    assert all(read_volume(part)[0].array.shape[0] == 3 for part in parts)


def test_an_acquisition_number_a_slice_does_not_split(tmp_path):
    slices = [a_slice((0, 0, 2.0 * n), AcquisitionNumber=n) for n in range(4)]
    (series,) = a_series(tmp_path, slices)
    assert read_volume(series)[0].array.shape[0] == 4


@pytest.mark.parametrize(
    "keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]
)
def test_missing_geometry_is_refused_by_name(tmp_path, keyword):
    parts = a_series(tmp_path, stack([0, 2, 4], **{keyword: None}))
    with pytest.raises(GeometryError, match=f"3 of 3 slices lack a usable {keyword}"):
        read_volume(parts[0])


def test_a_single_slice_takes_its_thickness(tmp_path):
    (series,) = a_series(tmp_path, stack([5]))
    volume, notices = read_volume(series)
    assert volume.grid.spacing_mm == (2, 0.5, 0.75)
    assert notices == ()


def test_a_single_slice_without_thickness_says_so(tmp_path):
    (series,) = a_series(tmp_path, stack([5], SliceThickness=None))
    assert codes(read_volume(series)[1]) == ["no-thickness"]


def test_an_object_without_pixels_is_unsuitable(tmp_path):
    plan = a_slice(SOPClassUID="1.2.840.10008.5.1.4.1.1.481.5", Modality="RTPLAN")
    (series,) = a_series(tmp_path, [plan])
    assert series.content is Content.NONE
    with pytest.raises(UnsuitableError, match="RTPLAN holds no image"):
        read_volume(series)


@pytest.mark.parametrize(
    ("orientation", "axis"),
    [
        ([1, 0, 0, 0, 1, 0], 2),
        ([-1, 0, 0, 0, 1, 0], 2),
        ([1, 0, 0, 0, 0, -1], 1),
        ([0, 1, 0, 0, 0, -1], 0),
    ],
)
def test_the_patient_axis_nearest_the_normal_rises_with_k(tmp_path, orientation, axis):
    places = [[3.0, 4.0, 5.0] for _ in range(3)]
    for n in range(3):
        places[n][axis] += 2.0 * n
    slices = [a_slice(tuple(p), ImageOrientationPatient=orientation) for p in places[::-1]]
    (series,) = a_series(tmp_path, slices)
    affine = read_volume(series)[0].grid.affine
    assert affine[axis, 0] == 2
    np.testing.assert_allclose(affine[:3, 3], [3, 4, 5])
