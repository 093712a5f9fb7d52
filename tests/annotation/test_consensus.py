"""Several drawings become one; reference: SimpleITK's STAPLE."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medloop.annotation.consensus import consensus, majority, staple

LABELS = hnp.arrays(np.uint8, (4, 5), elements=st.integers(0, 3))


def a_ball(center, radius, shape=(24, 24, 24)):
    places = np.indices(shape) - np.reshape(center, (3, 1, 1, 1))
    return (places**2).sum(0) <= radius**2


def readers(rng, flips=(0.02, 0.05, 0.2)):
    """Return what readers drew who err on some voxels, and the truth."""
    truth = a_ball((12, 12, 12), 7)
    return [truth ^ (rng.random(truth.shape) < flip) for flip in flips], truth


@given(LABELS)
def test_what_all_draw_alike_stays(mask):
    assert (majority([mask] * 3) == mask).all()
    assert (consensus([mask] * 3) == mask).all()


THREE = st.lists(LABELS, min_size=3, max_size=3)


@given(st.permutations([0, 1, 2]), THREE)
def test_the_order_of_readers_changes_nothing(order, masks):
    assert (majority([masks[n] for n in order]) == majority(masks)).all()
    assert (consensus([masks[n] for n in order]) == consensus(masks)).all()


@given(THREE)
def test_a_majority_is_a_label_that_at_least_two_of_three_gave_or_background(masks):
    found = majority(masks)
    votes = sum((mask == found).astype(int) for mask in masks)
    assert ((votes >= 2) | (found == 0)).all()


def test_where_two_labels_tie_the_majority_is_background():
    masks = [np.array([[n]], np.uint8) for n in (1, 1, 2, 2, 0)]
    assert majority(masks).item() == 0
    assert majority(masks[1:4]).item() == 2
    assert majority([masks[0], masks[1], masks[4], masks[4], masks[4]]).item() == 0


def test_staple_finds_the_truth_and_who_errs_most():
    drawn, truth = readers(np.random.default_rng(1))
    found = staple(drawn)
    alone = max((mask == truth).mean() for mask in drawn)
    assert ((found.probability > 0.5) == truth).mean() > alone
    for rates in (found.sensitivity, found.specificity):
        assert rates[0] > rates[1] > rates[2]


def test_staple_answers_as_simpleitk_does():
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    drawn, _ = readers(np.random.default_rng(2))
    images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in drawn]
    reference = sitk.STAPLEImageFilter()
    probability = sitk.GetArrayFromImage(reference.Execute(images))
    found = staple(drawn)
    assert found.sensitivity == pytest.approx(reference.GetSensitivity(), abs=1e-4)
    assert found.specificity == pytest.approx(reference.GetSpecificity(), abs=1e-4)
    assert np.abs(found.probability - probability).max() < 1e-3


def test_nothing_drawn_by_anybody_is_nothing():
    empty = np.zeros((3, 3), bool)
    assert not staple([empty, empty]).probability.any()
    assert not consensus([empty.astype(np.uint8)] * 2).any()


def test_each_of_several_labels_is_joined():
    rng = np.random.default_rng(3)
    truth = a_ball((8, 12, 12), 4) + 2 * a_ball((17, 12, 12), 4).astype(np.uint8)
    drawn = [
        np.where(rng.random(truth.shape) < 0.05, rng.integers(0, 3, truth.shape), truth)
        for _ in range(3)
    ]
    assert (consensus(drawn) == truth).mean() > 0.99


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        ([], "no mask"),
        ([np.zeros((2, 2), bool), np.zeros((2, 3), bool)], "shapes"),
        ([np.zeros((2, 2), bool)] * 13, "at most 12"),
    ],
)
def test_misuse_is_named(masks, said):
    with pytest.raises(ValueError, match=said):
        staple(masks)
