"""Simulated clicks go where a person would click, and with a network's doubt they help."""

import numpy as np
from benchmarks.clicks_on_truth import Part, click_on, dice, dice_by_click

MM = (1.0, 1.0, 1.0)


def a_part() -> Part:
    """A ball of which the network drew all but a cap that it doubted."""
    index = np.indices((30, 30, 30)) - 15
    truth = (index**2).sum(0) < 81
    cap = truth & (index[0] > 3)
    image = 100.0 * truth + np.random.default_rng(0).normal(0, 10, truth.shape)
    likely = np.where(truth, 0.97, 0.01) - 0.6 * cap
    drawn = truth & ~cap
    return Part("1", "ball", image.astype(np.float32), MM, drawn, truth, likely)


def test_a_click_goes_into_the_middle_of_the_largest_piece_that_is_wrong():
    truth = np.zeros((20, 20, 20), bool)
    drawn = truth.copy()
    truth[2:7, 2:7, 2:7] = True
    drawn[15:17, 15:17, 15:17] = True
    assert click_on(drawn, truth, MM).tolist() == [4, 4, 4]


def test_clicks_bring_back_what_the_network_doubted():
    found = dice_by_click(a_part(), 2, 12.0, with_likely=True)
    assert found[0] < 0.9
    assert found[1] > 0.93
    assert found[2] >= found[1] - 0.01


def test_a_mask_that_is_right_is_not_clicked_on():
    part = a_part()
    right = Part(part.case, part.name, part.image, MM, part.truth, part.truth, part.likely)
    assert dice_by_click(right, 3, 12.0, with_likely=True) == [1.0] * 4


def test_dice_of_two_empty_masks_is_one():
    nothing = np.zeros((2, 2, 2), bool)
    assert dice(nothing, nothing) == 1.0
    assert dice(nothing, ~nothing) == 0.0
