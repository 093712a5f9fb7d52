"""Two drawings of one organ, told apart by figures that a hand can check."""

import math

import numpy as np
import pytest

from medloop.evaluation.contours import contour_figures, contour_figures_by_label

SPACING_MM = (3.0, 1.0, 1.0)


def a_block(k=(2, 5), j=(4, 12), i=(5, 15)) -> np.ndarray:
    mask = np.zeros((8, 20, 24), bool)
    mask[slice(*k), slice(*j), slice(*i)] = True
    return mask


def test_a_block_moved_by_two_columns_has_hand_computed_figures():
    figures = contour_figures(a_block(), a_block(i=(7, 17)), spacing_mm=SPACING_MM)
    assert figures.overlap.dice == pytest.approx(8 / 10)
    assert figures.overlap.difference_mm3 == 0
    assert figures.shift_mm == pytest.approx((0, 0, 2))
    assert figures.apart_mm == pytest.approx(2)
    assert figures.surface.hausdorff_mm == pytest.approx(2)
    # Of each of three slices: the left side (8) and one more column above and below (2), and
    # of the right side all but its two corners (6), which the other's rows cover.
    assert figures.added_path.pixels == 3 * (8 + 2 + 6)
    assert figures.added_path.length_mm == pytest.approx(3 * 16)


def test_what_is_within_tolerance_need_not_be_drawn_anew():
    moved = a_block(i=(7, 17))
    figures = contour_figures(a_block(), moved, spacing_mm=SPACING_MM, path_tolerance_mm=2.0)
    assert figures.added_path.pixels == 0


def test_a_block_with_a_slice_more_claims_a_third_more_volume():
    figures = contour_figures(a_block(), a_block(k=(2, 6)), spacing_mm=SPACING_MM)
    assert figures.overlap.difference_share == pytest.approx(1 / 3)
    assert figures.overlap.difference_mm3 == pytest.approx(80 * 3)
    assert figures.shift_mm == pytest.approx((1.5, 0, 0))


def test_a_missing_organ_has_no_place():
    empty = np.zeros_like(a_block())
    figures = contour_figures(a_block(), empty, spacing_mm=SPACING_MM)
    assert figures.overlap.dice == 0
    assert math.isnan(figures.apart_mm)
    assert math.isinf(figures.surface.mean_mm)
    assert figures.added_path.pixels == 3 * (2 * 10 + 2 * 6)


def test_labels_are_compared_one_by_one():
    truth = a_block().astype(np.uint8) + 2 * a_block(j=(14, 18)).astype(np.uint8)
    given = a_block(i=(7, 17)).astype(np.uint8) + 2 * a_block(j=(14, 18)).astype(np.uint8)
    rows = contour_figures_by_label(truth, given, labels=(1, 2), spacing_mm=SPACING_MM)
    assert rows[1].overlap.dice == pytest.approx(0.8)
    assert rows[2].overlap.dice == 1
    assert rows[2].surface.dice[1.0] == 1


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        contour_figures(a_block(), a_block()[:4], spacing_mm=SPACING_MM)
