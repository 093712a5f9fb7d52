"""Losses against arithmetic by hand."""

import math

import pytest

torch = pytest.importorskip("torch")

from medloop.learning.losses import cumulative_targets, ordinal, rare_regions  # noqa: E402

pytestmark = pytest.mark.train


def test_a_grade_is_above_every_lower_step():
    targets = cumulative_targets(torch.tensor([[2, 0], [4, 2]]), [4, 2])
    assert targets.tolist() == [[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]]


def test_the_ordinal_loss_is_worked_out_by_hand():
    # softened targets 0.95 and 0.05; p = 1/2, then p = sigmoid(2)
    p = 1 / (1 + math.exp(-2))
    by_hand = (math.log(2) - 0.05 * math.log(p) - 0.95 * math.log(1 - p)) / 2
    loss = ordinal(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]]), smoothing=0.05)
    assert loss.item() == pytest.approx(by_hand, rel=1e-5)


def test_the_region_loss_is_worked_out_by_hand():
    # one class, one positive of four pixels, all p = 1/2
    logits, targets = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    targets[0, 0, 0, 0] = 1
    focal = 4 * 0.5**2 * math.log(2) / 200  # fewer than 200 positives weigh as 200
    dice = 1 - (2 * 0.5 + 1) / (2 + 1 + 1)
    assert rare_regions(logits, targets).item() == pytest.approx(focal + dice, rel=1e-5)


def test_an_absent_class_has_no_dice():
    logits = torch.zeros(1, 2, 2, 2)
    loss = rare_regions(logits, torch.zeros(1, 2, 2, 2)).item()
    assert loss == pytest.approx(4 * 0.5**2 * math.log(2) / 200, rel=1e-5)


def test_a_right_answer_costs_less_than_a_wrong_one():
    targets = (torch.arange(64).reshape(1, 1, 8, 8) < 9).float()
    right, wrong = (10 * (2 * targets - 1), -10 * (2 * targets - 1))
    assert rare_regions(right, targets) < 0.01 < rare_regions(wrong, targets)


def test_where_nothing_is_known_nothing_is_asked():
    targets = (torch.arange(64).reshape(1, 1, 8, 8) < 9).float()
    logits = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    unknown = torch.full((1, 1, 8, 8), -1.0)
    known = rare_regions(logits, targets)
    both = rare_regions(torch.cat([logits, logits]), torch.cat([targets, unknown]))
    assert both.item() == pytest.approx(known.item(), rel=1e-6)
