"""Exact distances from the points of one set to the nearest of another, on a grid."""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

_REACH = 3  # voxels looked at one by one before a tree is built
_SAMPLE = 32  # points on which the cost of the tree is tried
_TREE_A_VOXEL = 10  # points looked at in a tree take as long as one voxel of a distance map


def nearest_mm(
    at: Bool[ndarray, "*n"], to: Bool[ndarray, "*n"], *, spacing_mm: Sequence[float]
) -> Float[ndarray, " p"]:
    """Distance in mm from each point of `at`, in the order of memory, to the nearest of `to`.

    Infinite if `to` is empty. Near neighbors are looked up on the grid, nearest first; the
    rest asks a k-d tree, or a distance map where many points are about equally far and a tree
    would be slow.
    """
    wide = np.pad(to, _REACH)
    places = np.argwhere(at)
    found = np.full(len(places), np.inf)
    if not to.any():
        return found
    strides = np.cumprod([1, *wide.shape[:0:-1]])[::-1]
    flat, start = wide.ravel(), (places + _REACH) @ strides
    left = np.arange(len(places))
    for offset, far_mm in _offsets(spacing_mm):
        hit = flat[start[left] + int(np.dot(offset, strides))]
        found[left[hit]] = far_mm
        left = left[~hit]
        if len(left) == 0:
            return found
    found[left] = _far_mm(places[left], to, np.array(spacing_mm, float))
    return found


def _offsets(spacing_mm: Sequence[float]) -> list[tuple[tuple[int, ...], float]]:
    """List steps to all neighbors nearer than any not looked at, the nearest first."""
    limit_mm = (_REACH + 1) * min(spacing_mm)
    steps = itertools.product(range(-_REACH, _REACH + 1), repeat=len(spacing_mm))
    lengths = [
        (step, float(np.sqrt(sum((n * s) ** 2 for n, s in zip(step, spacing_mm, strict=True)))))
        for step in steps
    ]
    near = [(step, far_mm) for step, far_mm in lengths if far_mm < limit_mm]
    return sorted(near, key=lambda pair: pair[1])


def _far_mm(
    places: Int[ndarray, "p d"], to: Bool[ndarray, "*n"], spacing_mm: Float[ndarray, " d"]
) -> Float[ndarray, " p"]:
    tree = cKDTree(np.argwhere(to) * spacing_mm)
    points = places * spacing_mm
    sample = points[:: max(1, len(points) // _SAMPLE)]
    far_mm, _ = tree.query(sample)
    rivals = tree.query_ball_point(sample, far_mm * 1.02 + spacing_mm.max(), return_length=True)
    if float(np.mean(rivals)) * len(points) > _TREE_A_VOXEL * to.size:
        return distance_transform_edt(~to, sampling=spacing_mm)[tuple(places.T)]
    return tree.query(points)[0]
