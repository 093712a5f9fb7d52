"""Quality figures and pieces by hand, and boxes against whole volumes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medloop.clinical.radiotherapy.analysis import rows_of
from medloop.clinical.radiotherapy.organs import (
    answer_twice,
    dice,
    expected_dice,
    kept_pieces,
    outline_organs,
)
from medloop.clinical.radiotherapy.region import find_region
from medloop.models.segment import on_image, prepare
from tests.necks import PLAN, a_grid, a_neck, a_network

SHARES = arrays(np.float32, (3, 4, 5), elements=st.floats(0, 1, width=32))
MASKS = arrays(bool, (3, 4, 5))


def test_the_expected_dice_of_a_case_by_hand():
    probability = np.zeros((1, 1, 20), np.float32)
    probability[..., :10], probability[..., 10:14] = 0.8, 0.25
    inside = probability >= 0.5
    assert expected_dice(probability, inside) == pytest.approx(2 * 8 / (10 + 8 + 1))
    probability[..., 14:] = 0.04  # faint: counts as nothing
    assert expected_dice(probability, inside) == pytest.approx(2 * 8 / (10 + 8 + 1))


@given(MASKS, MASKS)
def test_sure_probabilities_expect_the_dice_with_their_own_mask(one, other):
    expected = expected_dice(one.astype(np.float32), other)
    if one.any() or other.any():
        assert expected == pytest.approx(dice(one, other))


@given(SHARES)
def test_the_expected_dice_lies_between_0_and_1(probability):
    assert 0 <= expected_dice(probability, probability >= 0.5) <= 1


def test_dice_by_hand():
    one, other = np.array([1, 1, 1, 0], bool), np.array([0, 1, 1, 1], bool)
    assert dice(one, other) == pytest.approx(4 / 6)
    assert dice(one & ~one, other & ~other) == 1


def test_pieces_of_a_fifth_of_the_likeliest_are_kept():
    probability = np.zeros((20, 5, 5), np.float32)
    probability[0:10, 2, 2] = 0.9  # 9.0
    probability[12:15, 2, 2] = 0.7  # 2.1: more than a fifth
    probability[17:19, 2, 2] = 0.8  # 1.6: less
    kept, dropped = kept_pieces(probability)
    assert np.flatnonzero(kept[:, 2, 2]).tolist() == [*range(10), 12, 13, 14]
    assert np.flatnonzero(dropped[:, 2, 2]).tolist() == [17, 18]


def test_nothing_possible_has_no_pieces():
    kept, dropped = kept_pieces(np.full((4, 4, 4), 0.1, np.float32))
    assert not kept.any()
    assert not dropped.any()


@pytest.mark.slow
def test_organs_outlined_in_boxes_are_those_of_the_whole_volume():
    grid = a_grid((3.0, 3.0, 3.0))
    drawn = a_neck(grid)
    prepared = prepare(drawn.volume.array[None], grid, PLAN)
    rows = rows_of(PLAN)
    answers = answer_twice(a_network(grid), prepared, find_region(drawn.volume), PLAN, rows)
    found, labels = outline_organs(answers, prepared, grid)
    for label, name in enumerate(found, start=1):
        whole = on_image(answers.array[rows[name]], prepared) >= 0.5  # linear, not cubic
        inside = labels.array == label
        assert dice(whole, inside) > 0.95, name
    assert len(found) == 7


def test_the_mean_answer_of_a_mirror_image_is_the_mirrored_answer():
    grid = a_grid((4.5, 4.5, 4.5))
    volume = a_neck(grid).volume
    region = find_region(volume)
    low, high = region.box[2]
    symmetric = replace(region, box=(*region.box[:2], (min(low, 1 - high), max(high, 1 - low))))
    rows, network = rows_of(PLAN), a_network(grid)
    one, two = (
        answer_twice(network, prepare(array[None], grid, PLAN), symmetric, PLAN, rows)
        for array in (volume.array, np.ascontiguousarray(volume.array[..., ::-1]))
    )
    order = [0, 1, 2, 4, 3, 5, 6, 7]
    np.testing.assert_allclose(two.array[order][..., ::-1], one.array, atol=1e-5)
