"""The grid on which volumes and masks are looked at and drawn, and the way back.

Viewers count voxels [x, y, z], x fastest, toward the patient's right, front and head (RAS+),
as NIfTI does; volumes are arrays (k, j, i) of which the axes may run in any order. The two
hold the same voxels: axes are exchanged and turned round, no value is changed or moved in the
world. An array on the viewing grid is indexed (z, y, x), so its bytes lie x fastest, and
`files.nifti.write_nifti` writes it with the viewing affine.
"""

import numpy as np
from jaxtyping import Integer, Shaped
from numpy import ndarray

from medloop.core.geometry import Grid
from medloop.imaging.orientation import Turn, turn_of, upright_grid


def viewing_turn(grid: Grid) -> Turn:
    """Find what brings an array of this grid to (z, y, x) toward head, front and right."""
    turn = turn_of(grid)
    up, back, left = turn.backward
    return Turn(turn.axes, (up, not back, not left))


def viewing_grid(grid: Grid) -> Grid:
    """Describe the voxels as they are looked at: (z, y, x) to LPS millimetres."""
    return upright_grid(grid, viewing_turn(grid))


def to_viewing(array: Shaped[ndarray, "*c k j i"], grid: Grid) -> Shaped[ndarray, "*c z y x"]:
    """Turn an array of a volume's grid to the viewing grid; a view, no copy."""
    return viewing_turn(grid).upright(array)


def from_viewing(array: Shaped[ndarray, "*c z y x"], grid: Grid) -> Shaped[ndarray, "*c k j i"]:
    """Turn an array of the viewing grid back to the volume's `grid`; a view, no copy."""
    return viewing_turn(grid).back(array)


def to_viewing_index(index: Integer[ndarray, "*n 3"], grid: Grid) -> Integer[ndarray, "*n 3"]:
    """Return the [x, y, z] at which viewers show the voxels (k, j, i) of the volume."""
    turn = viewing_turn(grid)
    shape = np.array(grid.shape)[list(turn.axes)]
    seen = index[..., list(turn.axes)]
    return np.where(turn.backward, shape - 1 - seen, seen)[..., ::-1]


def from_viewing_index(index: Integer[ndarray, "*n 3"], grid: Grid) -> Integer[ndarray, "*n 3"]:
    """Return the (k, j, i) of the volume that viewers show at [x, y, z]."""
    turn = viewing_turn(grid)
    shape = np.array(grid.shape)[list(turn.axes)]
    seen = index[..., ::-1]
    turned = np.where(turn.backward, shape - 1 - seen, seen)
    return turned[..., np.argsort(turn.axes)]
