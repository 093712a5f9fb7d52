"""Marks correct a drawn mask where it is wrong, and leave it alone where it is right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import ndimage

from medloop.imaging.refine import Marks, refine
from tests.imaging.test_refine import MM, NONE, a_ball, at, dice

DEPTHS = 1.6 / 0.6  # how far marks reach at most, in depths of the deepest
IMAGE, TRUTH = a_ball(noise=30, shape=(24, 40, 36))
MIDDLE = (12, 20, 18)
ANYWHERE = st.tuples(*(st.integers(0, size - 1) for size in TRUTH.shape))


def depth_of(mask, place, spacing=MM):
    """Distance of a place to what the mask says otherwise."""
    side = mask if mask[place] else ~mask
    return ndimage.distance_transform_edt(side, spacing)[place]


@given(ANYWHERE)
@settings(max_examples=10, deadline=None)
def test_a_mark_that_agrees_with_the_mask_changes_nothing(place):
    marks = Marks(at(place), NONE) if TRUTH[place] else Marks(NONE, at(place))
    assert_array_equal(refine(IMAGE, MM, marks, probability=TRUTH * 1.0), TRUTH)


@given(
    ANYWHERE,
    st.sampled_from([MM, (2.0, 1.0, 1.0)]),
)
@settings(max_examples=10, deadline=None)
def test_a_mark_changes_nothing_farther_than_its_depth_says(place, spacing):
    marks = Marks(NONE, at(place)) if TRUTH[place] else Marks(at(place), NONE)
    mended = refine(IMAGE, spacing, marks, probability=TRUTH * 1.0, reach=10.0)
    changed = np.argwhere(mended != TRUTH)
    away = np.linalg.norm((changed - place) * spacing, axis=1)
    assert (away <= DEPTHS * max(depth_of(TRUTH, place, spacing), 1.0)).all()
    assert (np.abs(changed - place) * spacing <= 10.0).all()
    assert mended[place] != TRUTH[place]


@given(st.lists(ANYWHERE, max_size=6))
@settings(max_examples=10, deadline=None)
def test_all_marks_are_obeyed_and_only_they_turn_their_side_over(places):
    drawn = np.roll(TRUTH, 6, axis=1)
    inside = [each for each in places if TRUTH[each]]
    outside = [each for each in places if not TRUTH[each]]
    if not places:
        inside = [MIDDLE]
    marks = Marks(*(np.array(part, int).reshape(-1, 3) for part in (inside, outside)))
    mended = refine(IMAGE, MM, marks, probability=drawn * 1.0, reach=8.0)
    assert mended[tuple(marks.inside.T)].all()
    assert not mended[tuple(marks.outside.T)].any()
    if not outside:
        assert (mended >= drawn).all()
    if not inside:
        assert (mended <= drawn).all()
    again = refine(IMAGE, MM, marks, probability=drawn * 1.0, reach=8.0)
    assert_array_equal(again, mended)


@pytest.mark.parametrize("contrast", [100, 20])
def test_a_mark_in_a_leak_takes_it_away_and_leaves_the_organ(contrast):
    _, truth = a_ball(noise=0)
    noise = np.random.default_rng(2).normal(0, 30, truth.shape)
    image = (ndimage.gaussian_filter(truth * float(contrast), 0.7) + noise).astype(np.float32)
    leak = (((np.indices(truth.shape) - at(20, 50, 32).reshape(3, 1, 1, 1)) ** 2).sum(0)) < 64
    drawn = truth | leak
    mended = refine(image, MM, Marks(NONE, at((20, 51, 32))), probability=drawn * 1.0)
    assert (mended & truth).sum() > 0.97 * truth.sum()
    assert (mended & leak & ~truth).sum() < 0.15 * (leak & ~truth).sum()


@pytest.mark.parametrize("contrast", [100, 20])
def test_a_mark_in_what_is_missing_adds_it_and_little_else(contrast):
    _, truth = a_ball(noise=0)
    noise = np.random.default_rng(2).normal(0, 30, truth.shape)
    image = (ndimage.gaussian_filter(truth * float(contrast), 0.7) + noise).astype(np.float32)
    drawn = truth.copy()
    drawn[:, :30] = False
    mended = refine(image, MM, Marks(at((20, 25, 32)), NONE), probability=drawn * 1.0)
    assert dice(mended, truth) > dice(drawn, truth) + 0.08
    assert (mended & ~truth).sum() < 0.12 * truth.sum()


def test_a_mask_that_is_all_but_right_stays_so_where_intensities_tell_nothing():
    _, truth = a_ball(noise=0)
    image = np.random.default_rng(4).normal(0, 30, truth.shape).astype(np.float32)
    drawn = truth.copy()
    drawn[:, :22] = False  # a cap of two voxels
    mended = refine(image, MM, Marks(at((20, 21, 32)), NONE), probability=drawn * 1.0)
    assert dice(mended, truth) > 0.97


def test_a_thin_leak_beside_a_missing_part_is_corrected_by_one_mark_each():
    image, truth = a_ball(noise=20)
    drawn = truth & (np.indices(truth.shape)[1] >= 27)
    drawn |= (((np.indices(truth.shape) - at(20, 46, 32).reshape(3, 1, 1, 1)) ** 2).sum(0)) < 25
    mended = refine(
        image, MM, Marks(at((20, 24, 32)), at((20, 47, 32))), probability=drawn * 1.0
    )
    assert dice(drawn, truth) < dice(mended, truth) - 0.03
    assert dice(mended, truth) > 0.93


def test_a_mask_looked_at_coarsely_keeps_every_voxel_that_no_mark_contradicts():
    image, truth = (np.kron(part, np.ones((3, 3, 3))) for part in a_ball(noise=10))
    drawn = truth > 0
    marks = Marks(at((60, 96, 96)), at((60, 96, 140)))
    assert_array_equal(refine(image, (0.3,) * 3, marks, probability=drawn * 1.0), drawn)


@pytest.mark.parametrize("whole", [True, False])
def test_a_mask_that_fills_its_region_can_be_cut(whole):
    image, _ = a_ball(noise=30, shape=(16, 16, 16))
    drawn = np.ones(image.shape, bool)
    drawn[0, 0, 0] = whole
    mended = refine(image, MM, Marks(NONE, at((8, 8, 8))), probability=drawn * 1.0, reach=4.0)
    assert not mended[8, 8, 8]
    assert mended[1:, -2:, -2:].all()
