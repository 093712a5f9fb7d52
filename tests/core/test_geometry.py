import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import GeometryError
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.imaging.intensity import window
from tests.strategies import grids, volumes


@given(grids(), st.tuples(*[st.floats(-500, 500)] * 3))
def test_index_to_world_round_trips(grid, index):
    there_and_back = grid.to_index(grid.to_world(np.array(index)))
    np.testing.assert_allclose(there_and_back, index, atol=1e-6)


@given(grids())
def test_voxel_volume_is_product_of_spacings(grid):
    assert grid.voxel_mm3 == pytest.approx(np.prod(grid.spacing_mm))


@given(volumes(), st.floats(-1000, 1000), st.floats(1, 3000))
def test_window_stays_in_unit_interval_and_place(volume, center, width):
    shown = window(volume, center=center, width=width)
    assert 0 <= shown.array.min() <= shown.array.max() <= 1
    assert shown.grid is volume.grid
    assert shown.unit == "1"


def test_singular_affine_is_rejected():
    with pytest.raises(GeometryError, match="singular"):
        Grid((1, 1, 1), np.zeros((4, 4)))


def test_shape_mismatch_is_rejected():
    with pytest.raises(GeometryError, match=r"\(2, 2, 2\)"):
        Volume(np.zeros((2, 2, 2)), Grid((1, 1, 1), np.eye(4)), "HU")
