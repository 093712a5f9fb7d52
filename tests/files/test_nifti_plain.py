"""What a browser is given is what was read."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given

from medloop.core.errors import ServiceError
from medloop.core.geometry import Grid
from medloop.files.nifti_plain import HEAD_BYTES, open_plain, write_plain
from tests.strategies import volumes


@given(volume=volumes())
def test_whole_numbers_come_back_as_they_were(tmp_path_factory, volume):
    path = tmp_path_factory.mktemp("plain") / "volume.nii"
    assert write_plain(volume.array, volume.grid, path) == (1.0, 0.0)
    image = nib.load(path)
    assert image.get_data_dtype() == np.int16
    assert (volume.array == np.asarray(image.dataobj).T).all()
    there = np.diag([-1.0, -1, 1, 1]) @ volume.grid.affine[:, [2, 1, 0, 3]]
    assert np.allclose(image.affine, there, rtol=1e-5, atol=1e-3)


def test_fractions_come_back_within_one_of_65_thousand_steps(tmp_path):
    array = np.random.default_rng(0).normal(0.5, 3, (3, 4, 5)).astype(np.float32)
    slope, intercept = write_plain(array, Grid(array.shape, np.eye(4)), tmp_path / "a.nii")
    back = open_plain(tmp_path / "a.nii", array.shape) * slope + intercept
    assert np.abs(back - array).max() <= np.ptp(array) / 65535 / 2 * 1.01
    read = np.asarray(nib.load(tmp_path / "a.nii").dataobj).T
    assert np.abs(read - array).max() <= np.ptp(array) / 65535


def test_one_value_everywhere_is_no_division_by_zero(tmp_path):
    array = np.full((2, 2, 2), 1e6, np.float32)
    slope, intercept = write_plain(array, Grid(array.shape, np.eye(4)), tmp_path / "a.nii")
    assert np.allclose(open_plain(tmp_path / "a.nii", array.shape) * slope + intercept, 1e6)


def test_voxels_follow_the_header_at_once(tmp_path):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    write_plain(array, Grid(array.shape, np.eye(4)), tmp_path / "a.nii")
    assert (tmp_path / "a.nii").read_bytes()[HEAD_BYTES:] == array.astype("<i2").tobytes()


def test_a_file_that_was_cut_is_said(tmp_path):
    (tmp_path / "a.nii").write_bytes(bytes(400))
    with pytest.raises(ServiceError, match="cannot be read"):
        open_plain(tmp_path / "a.nii", (9, 9, 9))
