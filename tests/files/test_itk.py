"""MetaImage and NRRD lie where SimpleITK puts them."""

import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.files.itk import read_itk, read_itk_grid

itk = pytest.importorskip("SimpleITK", reason="SimpleITK is absent")


def an_image(array: np.ndarray):
    image = itk.GetImageFromArray(array)
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((-10.0, 20.0, 30.0))
    image.SetDirection((0, 1, 0, 1, 0, 0, 0, 0, -1))
    return image


@pytest.mark.parametrize("name", ["a.mhd", "a.mha", "a.nrrd"])
def test_a_voxel_lies_where_itk_says(tmp_path, name):
    array = np.random.default_rng(0).integers(-1000, 1000, (3, 4, 5)).astype(np.int16)
    image = an_image(array)
    itk.WriteImage(image, str(tmp_path / name))
    volume = read_itk(tmp_path / name)
    assert np.array_equal(volume.array, array)
    at = volume.grid.to_world(np.array([2.0, 1.0, 4.0]))
    assert at == pytest.approx(image.TransformIndexToPhysicalPoint((4, 1, 2)))
    assert np.allclose(read_itk_grid(tmp_path / name).affine, volume.grid.affine)


def test_damage_and_color_are_one_line_each(tmp_path):
    (tmp_path / "a.mhd").write_text("ObjectType = Image\nNDims = 3\n")
    with pytest.raises(InputError, match="image cannot be read") as caught:
        read_itk(tmp_path / "a.mhd")
    assert "\n" not in str(caught.value)
    itk.WriteImage(an_image(np.zeros((3, 4, 5), np.int16)), str(tmp_path / "b.mhd"))
    (tmp_path / "b.raw").unlink()
    with pytest.raises(InputError, match="image cannot be read"):
        read_itk(tmp_path / "b.mhd")
    flat = itk.GetImageFromArray(np.zeros((4, 5), np.int16))
    itk.WriteImage(flat, str(tmp_path / "c.mha"))
    with pytest.raises(InputError, match="2 axes and 1 channels"):
        read_itk(tmp_path / "c.mha")
