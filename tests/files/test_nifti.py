import gzip

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings

from medloop.core.errors import GeometryError, InputError
from medloop.core.geometry import Grid
from medloop.files.nifti import read_nifti, read_nifti_with_notices, write_nifti
from tests.strategies import volumes

RAS = np.array([[2.0, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])


def saved(tmp_path, array, affine=RAS, *, kind=nib.Nifti1Image, name="v.nii", **header):
    image = kind(array, affine)
    for key, value in header.items():
        image.header[key] = value
    nib.save(image, tmp_path / name)
    return tmp_path / name


def numbers(shape=(2, 3, 4), dtype=np.int16):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@settings(max_examples=25, deadline=None)
@given(volumes())
def test_what_is_written_is_read_back(tmp_path_factory, volume):
    path = tmp_path_factory.mktemp("n") / "v.nii.gz"
    write_nifti(volume.array, volume.grid, path)
    read = read_nifti(path)
    np.testing.assert_array_equal(read.array, volume.array)
    assert read.array.dtype == volume.array.dtype
    np.testing.assert_allclose(read.grid.affine, volume.grid.affine, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_ras_and_ijk_become_lps_and_kji(tmp_path, kind, name):
    volume = read_nifti(saved(tmp_path, numbers(), kind=kind, name=name))
    assert volume.array.shape == (4, 3, 2)
    assert volume.array[3, 2, 1] == numbers()[1, 2, 3]
    place = volume.grid.to_world(np.array([3.0, 2.0, 1.0]))
    np.testing.assert_allclose(place, [-(2 + 10), -(6 + 20), 12 + 30])


def test_the_same_volume_gives_the_same_bytes(tmp_path):
    grid = Grid((2, 3, 4), np.eye(4))
    for name in ("a.nii.gz", "b.nii.gz"):
        write_nifti(np.ones((2, 3, 4), np.uint8), grid, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_a_slope_gives_float32(tmp_path):
    path = saved(tmp_path, numbers(), scl_slope=0.5, scl_inter=-1)
    path.write_bytes(
        path.read_bytes()[:112] + np.array([0.5, -1], "<f4").tobytes() + path.read_bytes()[120:]
    )
    volume = read_nifti(path)
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(volume.array[3, 2, 1], 23 * 0.5 - 1)


def test_micrometres_become_millimetres(tmp_path):
    image = nib.Nifti1Image(numbers(), RAS)
    image.header.set_xyzt_units("micron")
    nib.save(image, tmp_path / "v.nii")
    np.testing.assert_allclose(
        read_nifti(tmp_path / "v.nii").grid.spacing_mm, (4e-3, 3e-3, 2e-3)
    )


def test_nan_voxels_become_the_minimum_with_a_notice(tmp_path):
    array = numbers(dtype=np.float32)
    array[0, 0, 1], array[1, 1, 1] = np.nan, np.inf
    volume, notices = read_nifti_with_notices(saved(tmp_path, array))
    assert volume.array[1, 0, 0] == 0
    assert [notice.code for notice in notices] == ["nan-replaced"]
    assert dict(notices[0].values) == {"voxels": 2, "value": 0.0}


def test_a_volume_of_nan_is_refused(tmp_path):
    with pytest.raises(InputError, match="all 24 voxels are NaN"):
        read_nifti(saved(tmp_path, np.full((2, 3, 4), np.nan, np.float32)))


def test_time_points_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds 5 time points or channels"):
        read_nifti(saved(tmp_path, numbers((2, 3, 4, 5))))


def test_a_trailing_single_time_point_is_no_matter(tmp_path):
    assert read_nifti(saved(tmp_path, numbers((2, 3, 4, 1)))).array.shape == (4, 3, 2)


def test_without_any_orientation_a_notice_warns(tmp_path):
    image = nib.Nifti1Image(numbers(), None)
    image.header["pixdim"][1:4] = 1, 1, 2
    nib.save(image, tmp_path / "v.nii")
    volume, notices = read_nifti_with_notices(tmp_path / "v.nii")
    assert [notice.code for notice in notices] == ["nifti-no-orientation"]
    assert volume.grid.spacing_mm == (2, 1, 1)


def test_a_singular_affine_is_refused(tmp_path):
    path = saved(tmp_path, numbers())
    data = bytearray(path.read_bytes())
    data[280:328] = bytes(48)  # srow_x, srow_y, srow_z
    path.write_bytes(data)
    with pytest.raises(GeometryError, match="singular"):
        read_nifti(path)


@pytest.mark.parametrize("share", [0.1, 0.9, 0.99])
@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_a_truncated_file_is_one_line(tmp_path, share, name):
    path = saved(tmp_path, numbers((20, 20, 20)), name=name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match="truncated"):
        read_nifti(path)


def test_a_bomb_is_refused_by_its_header(tmp_path):
    image = nib.Nifti1Image(np.zeros((1, 1, 1), np.float64), RAS)
    data = bytearray(image.to_bytes())
    data[42:48] = np.array([20000, 20000, 20000], "<i2").tobytes()
    (tmp_path / "v.nii.gz").write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(InputError, match=r"holds 64000\.0 GB; the limit is 2\.1 GB"):
        read_nifti(tmp_path / "v.nii.gz")


def test_colors_are_refused(tmp_path):
    rgb = np.zeros((2, 2, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(InputError, match="not scalars"):
        read_nifti(saved(tmp_path, rgb))
