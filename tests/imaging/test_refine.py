"""A few marks draw an object or correct one, and change nothing far away."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from medloop.core.errors import InputError
from medloop.imaging.geodesic import geodesic_distance
from medloop.imaging.refine import Marks, refine

NONE = np.zeros((0, 3), int)
MM = (1.0, 1.0, 1.0)


def a_ball(*, noise: float, seed: int = 0, shape=(40, 64, 64)):
    """Draw an ellipsoid 100 units brighter than what is about it; return image and truth."""
    index = np.indices(shape) - np.array(shape).reshape(3, 1, 1, 1) / 2
    truth = ((index / np.array((8, 12, 9)).reshape(3, 1, 1, 1)) ** 2).sum(0) < 1
    soft = ndimage.gaussian_filter(truth * 100.0, 0.7)
    return (soft + np.random.default_rng(seed).normal(0, noise, shape)).astype(
        np.float32
    ), truth


def dice(one, other) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def at(*places):
    return np.array(places)


@pytest.mark.parametrize(("noise", "least"), [(10, 0.97), (30, 0.92), (60, 0.82)])
def test_one_click_draws_an_object(noise, least):
    image, truth = a_ball(noise=noise)
    assert dice(refine(image, MM, Marks(at((20, 32, 32)), NONE), reach=20.0), truth) > least


def test_a_click_on_what_a_network_missed_brings_it_back():
    image, truth = a_ball(noise=30)
    drawn = truth.copy()
    drawn[:, :30] = False
    mended = refine(image, MM, Marks(at((20, 25, 32)), NONE), probability=drawn * 0.95)
    assert dice(drawn, truth) < 0.8
    assert dice(mended, truth) > 0.92


def test_a_click_on_a_leak_takes_it_away():
    image, truth = a_ball(noise=30)
    drawn = truth | ndimage.shift(truth, (0, 20, 0), order=0)
    mended = refine(
        image, MM, Marks(NONE, at((20, 54, 32))), probability=drawn * 0.95, reach=14.0
    )
    assert dice(drawn, truth) < 0.7
    assert dice(mended, truth) > 0.93


def test_nothing_changes_beyond_the_reach():
    image, truth = a_ball(noise=30)
    mended = refine(
        image,
        (2.0, 1.0, 1.0),
        Marks(at((20, 20, 32)), NONE),
        probability=truth * 1.0,
        reach=6.0,
    )
    far = np.ones(truth.shape, bool)
    far[17:24, 14:27, 26:39] = False
    assert_array_equal(mended[far], truth[far])


def test_marks_are_obeyed_where_they_are():
    image, truth = a_ball(noise=30)
    marks = Marks(at((20, 32, 32), (1, 1, 1)), at((20, 33, 32), (38, 62, 62)))
    mended = refine(image, MM, marks, probability=truth * 1.0)
    assert mended[tuple(marks.inside.T)].all()
    assert not mended[tuple(marks.outside.T)].any()


def test_pictures_have_two_axes():
    image, truth = a_ball(noise=10)
    mask = refine(image[20], (1.0, 1.0), Marks(at((32, 32)), np.zeros((0, 2), int)), reach=20.0)
    assert dice(mask, truth[20]) > 0.95


def test_a_large_region_is_looked_at_coarsely():
    image, truth = (np.kron(part, np.ones((3, 3, 3))) for part in a_ball(noise=10))
    mask = refine(image, (0.3,) * 3, Marks(at((60, 96, 96)), NONE), reach=20.0)
    assert dice(mask, truth > 0) > 0.9


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        (Marks(NONE, NONE), "no place is marked"),
        (Marks(at((0, 0, 64)), NONE), "outside the image"),
        (Marks(NONE, at((-1, 0, 0))), "outside the image"),
    ],
)
def test_marks_that_cannot_be_meant_are_refused(marks, said):
    with pytest.raises(InputError, match=said):
        refine(np.zeros((40, 64, 64), np.float32), MM, marks)


def test_distance_through_flat_tissue_is_about_that_in_space():
    seeds = np.zeros((21, 31), bool)
    seeds[10, 15] = True
    found = geodesic_distance(np.zeros(seeds.shape), seeds, (1.0, 1.0), contrast=1.0)
    straight = np.hypot((np.arange(21) - 10)[:, None], (np.arange(31) - 15)[None])
    assert (found >= straight - 1e-4).all()
    assert (found <= straight * 1.09 + 1e-4).all()
    assert_allclose(found[:, 15], np.abs(np.arange(21) - 10))


def test_distance_goes_around_a_wall():
    image = np.zeros((11, 11))
    image[5, :10] = 1000.0
    seeds = np.zeros(image.shape, bool)
    seeds[3, 0] = True
    found = geodesic_distance(image, seeds, (1.0, 1.0), contrast=1.0)
    assert found[7, 0] == pytest.approx(8 * 2 + 4 * np.sqrt(2), abs=0.1)


def test_without_seeds_everything_is_infinitely_far():
    assert np.isinf(
        geodesic_distance(np.zeros((3, 3)), np.zeros((3, 3), bool), (1.0, 1.0), contrast=1.0)
    ).all()


def a_doubtful_network():
    """Two touching objects alike in brightness; the network drew one and half of the other."""
    shape = (30, 60, 60)
    index = np.indices(shape)
    truth = np.hypot(index[1] - 30, index[2] - 22) < 10
    other = np.hypot(index[1] - 30, index[2] - 40) < 9
    noise = np.random.default_rng(3).normal(0, 8, shape)
    image = (100.0 * (truth | other) + noise).astype(np.float32)
    missed = truth & (index[1] > 32)
    likely = np.where(truth, 0.95, 0.01) - 0.5 * missed + 0.0 * other
    return image, truth, (likely > 0.5), likely.astype(np.float32)


def test_a_click_brings_back_what_a_network_was_unsure_of_and_nothing_else():
    image, truth, drawn, likely = a_doubtful_network()
    marks = Marks(at((15, 36, 24)), NONE)
    without = refine(image, MM, marks, probability=drawn * 1.0, reach=20.0)
    mended = refine(image, MM, marks, probability=drawn * 1.0, likely=likely, reach=20.0)
    near = np.zeros(truth.shape, bool)
    near[5:26] = True
    assert dice(mended & near, truth & near) > 0.97
    assert dice(mended & near, truth & near) > dice(without & near, truth & near) + 0.02


def test_what_is_not_drawn_begins_as_a_network_saw_it():
    image, truth, _, likely = a_doubtful_network()
    drawn = refine(image, MM, Marks(at((15, 26, 22)), NONE), likely=likely, reach=20.0)
    assert drawn[15][truth[15] & (likely[15] > 0.9)].all()
    assert not drawn[15, 30, 44]


def test_a_network_that_saw_nothing_changes_nothing():
    image, truth = a_ball(noise=30)
    marks = Marks(at((20, 32, 32)), NONE)
    nothing = np.zeros(truth.shape, np.float32)
    assert_array_equal(refine(image, MM, marks, likely=nothing), refine(image, MM, marks))


def test_a_drawing_of_a_readers_stays_where_no_mark_is_near():
    image, truth, _, likely = a_doubtful_network()
    drawn = truth.copy()
    drawn[2:4, 50:55, 50:55] = True  # where the network saw nothing
    mended = refine(
        image, MM, Marks(at((15, 30, 22)), NONE), probability=drawn * 1.0, likely=likely
    )
    assert mended[2:4, 50:55, 50:55].all()


def test_a_path_through_slow_places_is_longer():
    flat, seed = np.zeros((1, 9), np.float32), np.zeros((1, 9), bool)
    seed[0, 0] = True
    slow = np.where(np.arange(9) < 4, 1.0, 3.0)[None]
    found = geodesic_distance(flat, seed, (1.0, 1.0), contrast=1.0, slowness=slow)
    assert_allclose(found[0], [0, 1, 2, 3, 6, 9, 12, 15, 18])


def test_a_mark_outside_draws_nothing_far_from_the_mask():
    image, truth = a_ball(noise=30)
    mended = refine(image, MM, Marks(NONE, at((3, 3, 3))), probability=truth * 1.0, reach=6.0)
    assert_array_equal(mended, truth)
