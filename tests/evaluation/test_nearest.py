"""Nearest distances against the distance map of SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.ndimage import distance_transform_edt

from medloop.evaluation import nearest
from medloop.evaluation.nearest import nearest_mm
from tests.evaluation.masks import ball, pairs, spacings


@settings(max_examples=60)
@given(pairs(sides=(1, 9)), spacings)
def test_distances_are_those_of_a_distance_map(masks, spacing_mm):
    at, to = masks
    found = nearest_mm(at, to, spacing_mm=spacing_mm)
    if not to.any():
        assert np.isinf(found).all()
        return
    assert found == pytest.approx(distance_transform_edt(~to, sampling=spacing_mm)[at])


@pytest.mark.parametrize("tree_a_voxel", [0, 1e9], ids=["map", "tree"])
def test_far_points_are_measured_the_same_by_tree_and_by_map(monkeypatch, tree_a_voxel):
    monkeypatch.setattr(nearest, "_TREE_A_VOXEL", tree_a_voxel)
    at = ball((30, 34, 40), (15, 15, 15), 3)
    to = ~ball((30, 34, 40), (14, 16, 18), 13)
    found = nearest_mm(at, to, spacing_mm=(1.5, 1, 0.7))
    assert found.min() > 3
    assert found == pytest.approx(distance_transform_edt(~to, sampling=(1.5, 1, 0.7))[at])


def test_no_point_has_no_distance():
    assert (
        len(nearest_mm(np.zeros((2, 2), bool), np.ones((2, 2), bool), spacing_mm=(1, 1))) == 0
    )
