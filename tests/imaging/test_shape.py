import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.imaging.shape import center_of, pieces_of, shape_of

AFFINE = np.array([[0, 0, 2, 10], [0, 3, 0, -5], [5, 0, 0, 7], [0, 0, 0, 1]], float)
GRID = Grid((6, 7, 8), AFFINE)


def test_the_middle_is_that_of_the_voxels_in_mm():
    inside = np.zeros(GRID.shape, bool)
    inside[1:4, 2, 4:6] = True
    assert center_of(inside, GRID).tolist() == [10 + 2 * 4.5, -5 + 3 * 2, 7 + 5 * 2]


def test_nothing_has_no_middle():
    with pytest.raises(ValueError, match="no middle"):
        center_of(np.zeros(GRID.shape, bool), GRID)


def test_pieces_that_touch_in_a_corner_are_one():
    inside = np.zeros(GRID.shape, bool)
    inside[1, 1, 1] = inside[2, 2, 2] = inside[4, 4, 4] = True
    assert pieces_of(inside).max() == 2
    shape = shape_of(inside, GRID)
    assert (shape.faces, shape.pieces) == (0, 2)
    assert shape.apart_mm3 == pytest.approx(30)
