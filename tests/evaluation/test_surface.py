"""Distances of surfaces: by hand, from geometry, and as published with surface-distance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.evaluation.surface import (
    added_path_length,
    hausdorff_distance,
    mean_surface_distance,
    surface_dice,
    surface_distances,
    surface_figures,
    surface_figures_by_label,
)
from tests.evaluation.masks import ball, pairs, spacings


def marked(shape, *places):
    mask = np.zeros(shape, bool)
    for place in places:
        mask[place] = True
    return mask


def test_a_cube_and_its_neighbor_are_measured_by_hand():
    # 3 x 3 x 3 voxels, all but the middle one on the border; the other is 2 voxels along i
    truth, given = np.zeros((2, 5, 5, 7), bool)
    truth[1:4, 1:4, 1:4] = True
    given[1:4, 1:4, 3:6] = True
    distances = surface_distances(truth, given, spacing_mm=(3, 1, 0.5))
    assert len(distances.truth_mm) == len(distances.predicted_mm) == 26
    # by columns of i: 9 voxels 1 mm away, 8 at .5, 9 shared
    assert sorted(distances.truth_mm) == pytest.approx([0.0] * 9 + [0.5] * 8 + [1.0] * 9)
    assert mean_surface_distance(distances) == pytest.approx((8 * 0.5 + 9) / 26)
    assert hausdorff_distance(distances) == 1.0
    assert hausdorff_distance(distances, percentile=50) == pytest.approx(0.5)


def test_balls_one_inside_the_other_lie_the_difference_of_radii_apart():
    shape, center = (30, 45, 45), (15, 22, 22)
    outer = ball(shape, center, 20, (1.5, 1, 1))
    inner = ball(shape, center, 15, (1.5, 1, 1))
    figures = surface_figures(outer, inner, spacing_mm=(1.5, 1, 1), tolerances_mm=(3, 7))
    assert figures.mean_mm == pytest.approx(5, abs=0.3)
    assert figures.hausdorff_mm == pytest.approx(5, abs=1)
    assert figures.hausdorff_95_mm <= figures.hausdorff_mm
    assert figures.dice == {3: 0, 7: 1}


def test_surface_dice_of_two_cubes_is_the_published_one():
    # surface-distance 0.1, two cubes shifted by one pixel: 0.836 at 1 mm
    truth, given = np.zeros((2, 100, 100, 100), bool)
    truth[:50] = True
    given[:51] = True
    found = surface_dice(truth, given, spacing_mm=(2, 1, 1), tolerances_mm=(1,))
    assert found == pytest.approx((0.836,), abs=5e-4)


@pytest.mark.parametrize(
    ("shape", "one", "other", "spacing_mm"),
    [((9, 9), (5, 3), (5, 5), (2, 1)), ((9, 9, 9), (5, 6, 3), (5, 6, 5), (3, 2, 1))],
    ids=["2-D", "3-D"],
)
def test_surface_dice_of_two_voxels_is_the_published_one(shape, one, other, spacing_mm):
    # surface-distance 0.1, two pixels 2 mm away: half of each surface lies within 1 mm
    truth, given = marked(shape, one), marked(shape, other)
    limits = (0.5, 1, 2)
    found = surface_dice(truth, given, spacing_mm=spacing_mm, tolerances_mm=limits)
    assert found == pytest.approx((0, 0.5, 1))


def test_surface_dice_of_a_longer_rectangle_is_drawn_by_hand():
    # 2 x 2 and 3 x 2 pixels of 2 x 1 mm: 4 cut corners, top and bottom, 1 or 2 pieces a side
    truth, given = np.zeros((2, 6, 6), bool)
    truth[1:3, 1:3] = True
    given[1:4, 1:3] = True
    cut = np.sqrt(5) / 2
    whole = (4 * cut + 2 * 1 + 2 * 2) + (4 * cut + 2 * 1 + 4 * 2)
    bottom = 1  # of the truth: its middle is 1 mm from the sides of the other
    lower = 2 * cut + 1  # of the other: its lowest row of corners is 2 mm down
    (found,) = surface_dice(truth, given, spacing_mm=(2, 1), tolerances_mm=(0,))
    assert found == pytest.approx((whole - bottom - lower) / whole)


@settings(max_examples=40)
@given(pairs(), spacings)
def test_distances_do_not_know_who_is_truth(masks, spacing_mm):
    one, other = masks
    there = surface_figures(one, other, spacing_mm=spacing_mm)
    back = surface_figures(other, one, spacing_mm=spacing_mm)
    assert there.mean_mm == pytest.approx(back.mean_mm, nan_ok=True)
    assert there.hausdorff_95_mm == pytest.approx(back.hausdorff_95_mm, nan_ok=True)
    for limit, share in there.dice.items():
        assert share == pytest.approx(back.dice[limit], nan_ok=True)


@settings(max_examples=40)
@given(pairs().filter(lambda masks: masks[0].any() and masks[1].any()), spacings)
def test_figures_keep_their_order(masks, spacing_mm):
    found = surface_figures(*masks, spacing_mm=spacing_mm, tolerances_mm=(0, 1, 50))
    assert 0 <= found.mean_mm <= found.hausdorff_mm
    assert found.hausdorff_95_mm <= found.hausdorff_mm
    assert 0 <= found.dice[0] <= found.dice[1] <= found.dice[50] == 1


@settings(max_examples=40)
@given(pairs(axes=2), st.sampled_from([0.5, 2.0]))
def test_distances_grow_with_the_pixels(masks, scale):
    one, other = masks
    scaled = surface_distances(one, other, spacing_mm=(scale, scale))
    assert mean_surface_distance(scaled) == pytest.approx(
        scale * mean_surface_distance(surface_distances(one, other, spacing_mm=(1, 1))),
        nan_ok=True,
    )


def test_equal_masks_are_nowhere_apart():
    mask = ball((9, 9, 9), (4, 4, 4), 3)
    found = surface_figures(mask, mask, spacing_mm=(1, 2, 3), tolerances_mm=(0,))
    assert (found.mean_mm, found.hausdorff_mm, found.hausdorff_95_mm) == (0, 0, 0)
    assert found.dice == {0: 1}


def test_a_missed_organ_is_infinitely_far():
    found = surface_figures(
        np.ones((2, 2, 2), bool), np.zeros((2, 2, 2), bool), spacing_mm=(1, 1, 1)
    )
    assert np.isinf([found.mean_mm, found.hausdorff_mm, found.hausdorff_95_mm]).all()
    assert set(found.dice.values()) == {0}


def test_nothing_in_both_has_no_figures():
    found = surface_figures(*np.zeros((2, 3, 3, 3), bool), spacing_mm=(1, 1, 1))
    figures = [found.mean_mm, found.hausdorff_mm, found.hausdorff_95_mm, *found.dice.values()]
    assert np.isnan(figures).all()


def test_labels_are_measured_one_by_one():
    truth = np.array([[1, 1, 2, 2], [1, 1, 2, 2]])
    given = np.array([[1, 1, 1, 2], [1, 1, 1, 2]])
    found = surface_figures_by_label(truth, given, labels=[1, 2], spacing_mm=(1, 1))
    assert found[1] == surface_figures(truth == 1, given == 1, spacing_mm=(1, 1))
    assert found[2] == surface_figures(truth == 2, given == 2, spacing_mm=(1, 1))


def test_a_negative_tolerance_is_refused():
    mask = np.ones((2, 2), bool)
    with pytest.raises(ValueError, match="negative"):
        surface_dice(mask, mask, spacing_mm=(1, 1), tolerances_mm=(-1,))


def test_path_is_added_where_the_contour_moved():
    # slice 0: a 4 x 4 square (contour of 12 pixels) predicted one column short; slice 1: missed
    truth, given = np.zeros((2, 2, 6, 6), bool)
    truth[:, 1:5, 1:5] = True
    given[0, 1:5, 1:4] = True
    added = added_path_length(truth, given, spacing_mm=(5, 0.8, 0.8))
    assert added.pixels == 4 + 12
    assert added.length_mm == pytest.approx(16 * 0.8)
    within = added_path_length(truth, given, spacing_mm=(5, 0.8, 0.8), tolerance_mm=0.8)
    assert within.pixels == 12


def test_path_of_a_picture_is_that_of_one_slice():
    truth, given = np.zeros((2, 6, 6), bool)
    truth[1:5, 1:5] = True
    given[1:5, 1:4] = True
    added = added_path_length(truth, given, spacing_mm=(2.0, 0.5))
    assert (added.pixels, added.length_mm) == (4, 4.0)


def test_pictures_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        surface_distances(np.ones((2, 2), bool), np.ones((2, 3), bool), spacing_mm=(1, 1))
    with pytest.raises(ValueError, match="two or three"):
        added_path_length(np.ones(2, bool), np.ones(2, bool), spacing_mm=(1,))
