"""Surface elements: sizes known from geometry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.evaluation.elements import corner_codes, element_sizes
from tests.evaluation.masks import ball, spacings


def area(mask, spacing_mm):
    return element_sizes(spacing_mm)[corner_codes(mask)].sum()


def test_one_voxel_has_a_code_at_each_of_its_corners():
    codes = corner_codes(np.ones((1, 1, 1), bool))
    assert sorted(codes.ravel().tolist()) == [1, 2, 4, 8, 16, 32, 64, 128]
    assert codes[0, 0, 0] == 1  # the voxel is behind this corner on every axis
    assert codes[1, 1, 1] == 128


def test_a_plane_between_voxels_has_the_area_of_a_voxel_face():
    sizes = element_sizes((3.0, 2.0, 0.5))
    assert sizes[0b11110000] == pytest.approx(2.0 * 0.5)
    assert sizes[0b11001100] == pytest.approx(3.0 * 0.5)
    assert sizes[0b10101010] == pytest.approx(3.0 * 2.0)


def test_one_corner_is_cut_by_a_triangle():
    assert element_sizes((1, 1, 1))[1] == pytest.approx(np.sqrt(3) / 8)


@given(spacings, st.integers(0, 255))
def test_a_mask_and_its_complement_have_the_same_surface(spacing_mm, code):
    sizes = element_sizes(spacing_mm)
    assert sizes[code] == pytest.approx(sizes[255 - code])
    assert (sizes[code] > 0) == (0 < code < 255)


def test_turning_the_axes_turns_the_areas():
    rng = np.random.default_rng(0)
    mask = rng.random((5, 6, 7)) < 0.5
    turned = area(mask.transpose(2, 0, 1), (0.5, 3.0, 2.0))
    assert turned == pytest.approx(area(mask, (3.0, 2.0, 0.5)))


def test_a_ball_has_about_the_area_of_a_sphere():
    # polygons through midpoints of edges are steps: some 9 % too large, at any resolution
    found = area(ball((42, 42, 42), (20, 20, 20), 18), (1, 1, 1))
    assert 1 < found / (4 * np.pi * 18**2) < 1.12


def test_a_disc_has_about_the_length_of_a_circle():
    found = area(ball((60, 60), (30, 30), 25, (1, 1)), (1, 1))
    assert 1 < found / (2 * np.pi * 25) < 1.08


def test_surfaces_of_four_axes_are_refused():
    with pytest.raises(ValueError, match="two or three"):
        element_sizes((1, 1, 1, 1))
