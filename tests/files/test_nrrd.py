import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.files.nifti import write_nifti
from medloop.files.nrrd import to_nrrd

TURN = 0.2  # radians about the patient's long axis
AFFINE = np.array(
    [
        [0, -0.8 * np.sin(TURN), 0.7 * np.cos(TURN), -20.0],
        [0, 0.8 * np.cos(TURN), 0.7 * np.sin(TURN), 5.0],
        [2.5, 0, 0, -300.0],
        [0, 0, 0, 1],
    ]
)


def some_labels(dtype: str) -> tuple[np.ndarray, Grid]:
    array = np.random.default_rng(1).integers(0, 5, (3, 4, 5)).astype(dtype)
    return array, Grid(array.shape, AFFINE)


@pytest.mark.parametrize("is_compressed", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_itk_reads_the_same_voxels_in_the_same_place_as_from_nifti(
    tmp_path, dtype, is_compressed
):
    sitk = pytest.importorskip("SimpleITK")
    array, grid = some_labels(dtype)
    (tmp_path / "a.nrrd").write_bytes(to_nrrd(array, grid, is_compressed=is_compressed))
    write_nifti(array, grid, tmp_path / "a.nii.gz")
    ours, other = (sitk.ReadImage(str(tmp_path / f"a.{kind}")) for kind in ("nrrd", "nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(ours), array)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(other))
    for fact in ("GetOrigin", "GetSpacing", "GetDirection"):
        expected = getattr(other, fact)()
        np.testing.assert_allclose(getattr(ours, fact)(), expected, atol=1e-4)


def test_raw_bytes_follow_the_head_x_fastest():
    array, grid = some_labels("uint8")
    head, _, data = to_nrrd(array, grid, is_compressed=False).partition(b"\n\n")
    assert b"sizes: 5 4 3" in head
    assert data == array.tobytes()


def test_what_is_no_label_map_is_refused():
    array, grid = some_labels("uint8")
    with pytest.raises(ValueError, match="float64"):
        to_nrrd(array.astype(float), grid)
