"""Warps and images for the tests of transforms."""

import numpy as np
from hypothesis import strategies as st
from scipy import ndimage
from scipy.interpolate import NdBSpline

from medloop.learning.transforms import SpatialRanges, Warp, draw_warp

ALL = SpatialRanges(
    shear=0.1,
    shift=0.1,
    affine_chance=0.8,
    elastic=0.4,
    elastic_cells=3,
    distortion_chance=0.5,
    quarter_chance=0.5,
)
EXACT = SpatialRanges(affine_chance=0, elastic_chance=0, quarter_chance=0.7)


@st.composite
def warps(draw, ranges: SpatialRanges = ALL) -> tuple[Warp, tuple[int, ...]]:
    """A drawn warp in 2-D or 3-D, and the shape of its source."""
    d = draw(st.integers(2, 3))
    sides = st.tuples(*[st.integers(1 if d == 3 else 5, 13)] * d)
    shape, patch = draw(sides), draw(st.none() | sides)
    spacing = draw(st.tuples(*[st.sampled_from([0.5, 1.0, 3.0])] * d))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    return draw_warp(rng, ranges, spacing_mm=spacing, shape=shape, patch=patch), shape


def values(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def blobs(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Label map of 0, 1, 5."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.5)
    return np.array([0, 1, 5], np.uint8)[np.digitize(smooth, np.quantile(smooth, [0.4, 0.7]))]


def composed(warp: Warp) -> np.ndarray:
    """The map of `warp`, part by part, by scipy: source index of each output voxel, (d, *p)."""
    indices = np.stack(np.meshgrid(*map(np.arange, warp.shape), indexing="ij"), -1).astype(
        float
    )
    if warp.lines is not None:
        for axis, lines in enumerate(warp.lines):
            even = np.linspace(0, warp.shape[axis] - 1, len(lines))
            indices[..., axis] = np.interp(indices[..., axis], even, lines)
    if warp.nodes is not None:
        cells = [n - 3 for n in warp.nodes.shape[1:]]
        steps = [max(side - 1, 1) / n for side, n in zip(warp.shape, cells, strict=True)]
        knots = [np.arange(-3, n + 4) * h for n, h in zip(cells, steps, strict=True)]
        spline = NdBSpline(tuple(knots), np.moveaxis(warp.nodes, 0, -1), 3)
        ends = [k[-4] for k in knots]
        indices = indices + spline(np.clip(indices, 0, ends))
    middle = (np.array(warp.shape) - 1) / 2
    return np.moveaxis((indices - middle) @ warp.matrix.T + warp.center, -1, 0)
