"""Masks drawn for the tests of overlap and surfaces."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

spacings = st.tuples(*[st.sampled_from([0.5, 0.7, 1.0, 2.0, 3.3])] * 3)


def pairs(sides=(1, 6), axes=3):
    """Two masks on the same small grid, anything goes."""
    shape = hnp.array_shapes(min_dims=axes, max_dims=axes, min_side=sides[0], max_side=sides[1])
    return shape.flatmap(lambda s: st.tuples(hnp.arrays(bool, s), hnp.arrays(bool, s)))


def ball(shape, center, radius, spacing_mm=(1, 1, 1)):
    """Voxels whose centers lie within a radius, in mm."""
    grid = np.indices(shape).reshape(len(shape), -1).T * np.array(spacing_mm)
    far = np.linalg.norm(grid - np.array(center) * np.array(spacing_mm), axis=1)
    return (far <= radius).reshape(shape)
