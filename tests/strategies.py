"""Hypothesis strategies for domain objects."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from medloop.core.geometry import Grid
from medloop.core.image import Volume

spacings_mm = st.floats(0.05, 20)
shapes = st.tuples(*[st.integers(1, 12)] * 3)


@st.composite
def rotations(draw: st.DrawFn) -> np.ndarray:
    """Proper and improper rotations, from a unit quaternion and a flip."""
    q = np.array(draw(st.tuples(*[st.floats(-1, 1)] * 4)))
    q = q / np.linalg.norm(q) if np.linalg.norm(q) > 1e-3 else np.array([1.0, 0, 0, 0])
    w, x, y, z = q
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return rotation * draw(st.sampled_from([1, -1]))


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = draw(rotations()) * draw(st.tuples(*[spacings_mm] * 3))
    affine[:3, 3] = draw(st.tuples(*[st.floats(-1000, 1000)] * 3))
    return Grid(draw(shapes), affine)


@st.composite
def volumes(draw: st.DrawFn) -> Volume:
    grid = draw(grids())
    array = draw(npst.arrays(np.int16, grid.shape, elements=st.integers(-1024, 3071)))
    return Volume(array, grid, "HU")
