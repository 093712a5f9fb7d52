"""Overlap and volumes, counted by hand."""

import numpy as np
import pytest
from hypothesis import given

from medloop.evaluation.overlap import overlaps
from tests.evaluation.masks import pairs

TRUTH = np.array([[1, 1, 1, 0], [2, 2, 0, 0]])
GIVEN = np.array([[0, 1, 1, 1], [0, 0, 0, 0]])


def test_a_label_is_counted_by_hand():
    (one,) = overlaps(TRUTH, GIVEN, labels=[1], spacing_mm=(2.0, 0.5))
    assert (one.truth_voxels, one.predicted_voxels, one.common_voxels) == (3, 3, 2)
    assert one.dice == pytest.approx(2 / 3)
    assert one.jaccard == pytest.approx(2 / 4)
    assert (one.sensitivity, one.precision) == pytest.approx((2 / 3, 2 / 3))
    assert (one.truth_mm3, one.predicted_mm3) == (3.0, 3.0)
    assert (one.difference_mm3, one.difference_share) == (0.0, 0.0)


def test_a_label_that_was_missed_has_no_overlap():
    _, two = overlaps(TRUTH, GIVEN, labels=[1, 2], spacing_mm=(1, 1))
    assert (two.dice, two.jaccard, two.sensitivity) == (0, 0, 0)
    assert (two.difference_mm3, two.difference_share) == (-2, -1)
    assert np.isnan(two.precision)


def test_a_false_alarm_has_no_overlap_either():
    (found,) = overlaps(
        np.zeros((2, 2), int), np.ones((2, 2), int), labels=[1], spacing_mm=(1, 1)
    )
    assert (found.dice, found.jaccard, found.precision) == (0, 0, 0)
    assert np.isnan([found.sensitivity, found.difference_share]).all()


def test_a_label_nobody_has_says_nothing():
    (found,) = overlaps(TRUTH, GIVEN, labels=[7], spacing_mm=(1, 1))
    assert np.isnan([found.dice, found.jaccard]).all()
    assert found.difference_mm3 == 0


@given(pairs())
def test_overlap_is_a_share_and_does_not_know_who_is_truth(masks):
    one, other = (mask.astype(np.uint8) for mask in masks)
    (there,) = overlaps(one, other, labels=[1], spacing_mm=(1, 1, 1))
    (back,) = overlaps(other, one, labels=[1], spacing_mm=(1, 1, 1))
    if not (one.any() or other.any()):
        assert np.isnan(there.dice)
        return
    assert there.dice == back.dice
    assert 0 <= there.jaccard <= there.dice <= 1
    assert there.jaccard == pytest.approx(there.dice / (2 - there.dice))


@pytest.mark.parametrize(
    ("shape", "spacing_mm"), [((3, 4), (1, 1)), ((2, 4), (1, 1, 1)), ((2, 4), (1, 0))]
)
def test_what_cannot_be_compared_is_refused(shape, spacing_mm):
    with pytest.raises(ValueError, match=r"shape|spacing"):
        overlaps(TRUTH, np.zeros(shape, int), labels=[1], spacing_mm=spacing_mm)
