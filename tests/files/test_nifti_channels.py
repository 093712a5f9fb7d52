"""Channels of a NIfTI lie where single volumes do."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.files.nifti import read_nifti, write_nifti
from medloop.files.nifti_channels import read_nifti_channel, read_nifti_header


def an_affine(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turn * rng.uniform(0.5, 4, 3)
    affine[:3, 3] = rng.uniform(-100, 100, 3)
    return affine


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_a_single_volume_reads_as_by_the_reader_of_volumes(seed, tmp_path_factory):
    path = tmp_path_factory.mktemp("nifti") / "one.nii.gz"
    array = np.random.default_rng(seed).integers(-9, 999, (3, 4, 5)).astype(np.int16)
    write_nifti(array, Grid((3, 4, 5), an_affine(seed)), path)
    expected, volume = read_nifti(path), read_nifti_channel(path, 0)
    assert np.array_equal(volume.array, expected.array)
    assert np.allclose(volume.grid.affine, expected.grid.affine, atol=1e-5)
    header = read_nifti_header(path)
    assert (header.channels, header.grid.shape) == (1, (3, 4, 5))


def test_each_channel_of_four_axes_is_one_volume(tmp_path):
    array = np.arange(5 * 4 * 3 * 2, dtype=np.float32).reshape(5, 4, 3, 2)
    nib.save(nib.Nifti1Image(array, an_affine(1)), tmp_path / "two.nii.gz")
    assert read_nifti_header(tmp_path / "two.nii.gz").channels == 2
    for channel in range(2):
        volume = read_nifti_channel(tmp_path / "two.nii.gz", channel)
        assert np.array_equal(volume.array, array[..., channel].transpose(2, 1, 0))
    with pytest.raises(InputError, match="has 2 channels; there is no channel 2"):
        read_nifti_channel(tmp_path / "two.nii.gz", 2)


def test_damage_is_one_line(tmp_path):
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(b"nothing")
    with pytest.raises(InputError, match="NIfTI cannot be read"):
        read_nifti_header(bad)
    noise = np.random.default_rng(0).integers(0, 999, (9, 9, 9)).astype(np.int16)
    write_nifti(noise, Grid((9, 9, 9), np.eye(4)), bad)
    bad.write_bytes(bad.read_bytes()[:400])
    with pytest.raises(InputError, match="NIfTI cannot be read"):
        read_nifti_channel(bad, 0)
    with pytest.raises(InputError, match="NIfTI cannot be read"):
        read_nifti_header(tmp_path / "gone.nii")


def test_millimetres_are_those_the_header_counts_in(tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.uint8), np.diag([0.002, 0.003, 0.004, 1]))
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "m.nii")
    spacing = read_nifti_header(tmp_path / "m.nii").grid.spacing_mm
    assert spacing == pytest.approx((4, 3, 2))
