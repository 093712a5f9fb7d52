"""A voxel drawn at [x, y, z] in a viewer is one voxel of the volume, and stays where it is."""

import nibabel as nib
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.geometry import Grid
from medloop.files.nifti import read_nifti, write_nifti
from medloop.imaging.viewing import (
    from_viewing,
    from_viewing_index,
    to_viewing,
    to_viewing_index,
    viewing_grid,
)
from tests.strategies import grids


def numbered(grid):
    return np.arange(np.prod(grid.shape), dtype=np.int32).reshape(grid.shape)


@given(grids())
def test_there_and_back_is_the_same_array(grid):
    array = numbered(grid)
    seen = to_viewing(array, grid)
    assert seen.shape == viewing_grid(grid).shape
    assert (from_viewing(seen, grid) == array).all()


@given(grids(), st.data())
def test_an_index_leads_to_the_voxel_that_the_array_shows_there(grid, data):
    array = numbered(grid)
    kji = np.array([data.draw(st.integers(0, n - 1)) for n in grid.shape])
    xyz = to_viewing_index(kji, grid)
    assert to_viewing(array, grid)[tuple(xyz[::-1])] == array[tuple(kji)]
    assert (from_viewing_index(xyz, grid) == kji).all()


@given(grids(), st.data())
def test_a_voxel_stays_where_it_is_in_the_patient(grid, data):
    kji = np.array([data.draw(st.integers(0, n - 1)) for n in grid.shape])
    zyx = to_viewing_index(kji, grid)[::-1]
    place = grid.to_world(kji.astype(float))
    assert np.allclose(viewing_grid(grid).to_world(zyx.astype(float)), place, atol=1e-6)


@given(grids())
def test_many_indices_are_turned_as_each_alone(grid):
    kji = np.stack(np.unravel_index(np.arange(np.prod(grid.shape)), grid.shape), -1)
    assert (from_viewing_index(to_viewing_index(kji, grid), grid) == kji).all()


@given(grids())
def test_nothing_is_left_to_reorient(grid):
    again = viewing_grid(viewing_grid(grid))
    assert np.allclose(again.affine, viewing_grid(grid).affine)


def test_an_axial_ct_is_written_right_anterior_superior(tmp_path):
    """By hand: LPS (k, j, i) of a CT; nibabel calls what is written RAS."""
    affine = np.array(
        [[0, 0, 0.7, -10.0], [0, 0.7, 0, -20.0], [2.5, 0, 0, 30.0], [0, 0, 0, 1.0]]
    )
    grid = Grid((2, 3, 4), affine)
    array = numbered(grid).astype(np.int16)
    write_nifti(to_viewing(array, grid), viewing_grid(grid), tmp_path / "volume.nii")
    image = nib.load(tmp_path / "volume.nii")
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    assert image.shape == (4, 3, 2)
    assert image.dataobj[0, 0, 0] == array[0, 2, 3]  # left-most, hindmost, lowest
    assert np.allclose(image.affine @ [0, 0, 0, 1], [10 - 3 * 0.7, 20 - 2 * 0.7, 30, 1])
    stored = read_nifti(tmp_path / "volume.nii")
    assert (from_viewing(stored.array, grid) == array).all()
