"""What is drawn, counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.learning.sampling import draw_balanced, draw_patch, in_turn, places_of


def a_label_map(size=(12, 14, 16)):
    labels = np.zeros(size, np.uint8)
    labels[2:10, 3:11, 4:12] = 1
    labels[5, 6, 7] = 2
    return labels


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.1), (0.5, 0.25), (1.0, 0.5)])
def test_a_rare_class_is_drawn_as_its_balance_says(balance, share):
    classes = [0] * 90 + [1] * 10  # 90 ^ .5 : 10 ^ .5 is 3 : 1
    rng = np.random.default_rng(0)
    drawn = draw_balanced(classes, 20_000, balance=balance, rng=rng)
    assert np.mean(drawn >= 90) == pytest.approx(share, abs=0.015)


def test_the_same_seed_draws_the_same():
    draws = [
        draw_balanced([0, 1, 1], 50, balance=1.0, rng=np.random.default_rng(3)).tolist()
        for _ in range(2)
    ]
    assert draws[0] == draws[1]


def test_there_must_be_something_to_draw_from():
    with pytest.raises(ValueError, match="no examples"):
        draw_balanced([], 5, balance=1.0, rng=np.random.default_rng(0))


def test_places_are_the_voxels_of_each_class():
    labels = a_label_map()
    places = places_of(labels, rng=np.random.default_rng(0))
    assert sorted(places) == [1, 2]
    assert places[2].tolist() == [[5, 6, 7]]
    assert len(places[1]) == 8**3 - 1
    assert all(labels[tuple(at)] == 1 for at in places[1])


def test_a_large_class_is_remembered_by_a_sample():
    places = places_of(a_label_map(), rng=np.random.default_rng(0), most=20)
    assert len({tuple(at) for at in places[1].tolist()}) == 20


def test_labels_below_zero_are_no_foreground():
    assert places_of(np.array([[-1, 0]]), rng=np.random.default_rng(0)) == {}


def test_patches_on_the_foreground_show_each_class_as_often():
    labels, rng = a_label_map(), np.random.default_rng(0)
    places = places_of(labels, rng=rng)
    patch = (3, 3, 3)
    centers = []
    for _ in range(600):
        start = draw_patch(labels.shape, patch, places, foreground=1.0, rng=rng)
        centers.append(labels[tuple(s + 1 for s in start)])
    assert min(centers) == 1
    assert np.mean(np.array(centers) == 2) == pytest.approx(0.5, abs=0.07)


def test_without_foreground_every_start_is_as_likely():
    rng = np.random.default_rng(0)
    starts = [draw_patch((6, 9), (3, 9), {}, foreground=1.0, rng=rng) for _ in range(800)]
    counts = np.bincount([start[0] for start in starts])
    assert len(counts) == 4
    assert counts.min() > 150
    assert {start[1] for start in starts} == {0}


@given(
    st.tuples(*[st.integers(1, 12)] * 3),
    st.tuples(*[st.integers(1, 12)] * 3),
    st.integers(0, 2**32 - 1),
)
def test_a_patch_stays_inside_or_encloses_the_image(shape, patch, seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random(shape) < 0.2).astype(np.uint8)
    places = places_of(labels, rng=rng)
    start = draw_patch(shape, patch, places, foreground=0.5, rng=rng)
    for at, part, whole in zip(start, patch, shape, strict=True):
        if part <= whole:
            assert 0 <= at <= whole - part
        else:
            assert at <= 0
            assert at + part >= whole
            assert abs((at + part - whole) + at) <= 1  # in the middle


@given(st.integers(0, 2**32 - 1))
def test_a_patch_on_the_foreground_encloses_a_voxel_of_it(seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros((9, 11), np.uint8)
    labels[rng.integers(9), rng.integers(11)] = 3
    places = places_of(labels, rng=rng)
    start = draw_patch(labels.shape, (4, 5), places, foreground=1.0, rng=rng)
    shown = labels[start[0] : start[0] + 4, start[1] : start[1] + 5]
    assert shown.max() == 3


def test_indices_come_in_turn_each_as_often_as_any_other():
    turn = in_turn(5, np.random.default_rng(0))
    rounds = [[next(turn) for _ in range(5)] for _ in range(4)]
    assert all(sorted(each) == list(range(5)) for each in rounds)
    assert len({tuple(each) for each in rounds}) > 1
    with pytest.raises(ValueError, match="no examples"):
        next(in_turn(0, np.random.default_rng(0)))
