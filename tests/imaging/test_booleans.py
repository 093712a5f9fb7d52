"""Structures are combined at their surfaces, not by voxels."""

import math

import numpy as np
import pytest

from medloop.core.errors import GeometryError
from medloop.imaging.booleans import exclusive, intersection, subtraction, union
from medloop.imaging.soft import inside, soft_of, volume_mm3
from tests.imaging.soft_phantoms import a_ball, a_grid, a_soft

GRID = a_grid((2.5, 1.5, 1.5), 50)
ONE = a_soft(GRID, a_ball(12.0, (-5.0, 0, 0)))
OTHER = a_soft(GRID, a_ball(12.0, (5.0, 0, 0)))
BALL = 4 / 3 * math.pi * 12**3
LENS = math.pi * (4 * 12 + 10) * (2 * 12 - 10) ** 2 / 12  # of balls 10 mm apart


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (union(ONE, OTHER), 2 * BALL - LENS),
        (intersection(ONE, OTHER), LENS),
        (subtraction(ONE, OTHER), BALL - LENS),
        (exclusive(ONE, OTHER), 2 * (BALL - LENS)),
    ],
    ids=["union", "intersection", "subtraction", "exclusive"],
)
def test_two_balls_combine_to_the_volume_of_their_lens_and_caps(made, expected):
    assert volume_mm3(made) == pytest.approx(expected, rel=0.015)


def test_masks_combine_as_bits_do():
    rng = np.random.default_rng(4)
    grid = a_grid((1, 1, 1), (4, 5, 6))
    one, other = (rng.random(grid.shape) > 0.5 for _ in range(2))
    first, second = soft_of(one, grid), soft_of(other, grid)
    assert (inside(union(first, second)) == (one | other)).all()
    assert (inside(intersection(first, second)) == (one & other)).all()
    assert (inside(subtraction(first, second)) == (one & ~other)).all()
    assert (inside(exclusive(first, second)) == (one ^ other)).all()


def test_other_grids_are_refused():
    with pytest.raises(GeometryError, match="different grids"):
        union(ONE, a_soft(a_grid((2.5, 1.5, 1.5), 40), a_ball(5.0)))
