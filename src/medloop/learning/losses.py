"""Losses. Shape suffixes: B batch, C class, K cumulative step, H row, W column."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def cumulative_targets(grades_BS: Tensor, steps: Sequence[int]) -> Tensor:
    """1 where grade > k, for each scale's k = 0 ... steps - 1, side by side (B, sum of steps)."""
    parts = [(grades_BS[:, s, None] > torch.arange(n)).float() for s, n in enumerate(steps)]
    return torch.cat(parts, dim=1)


def ordinal(logits_BK: Tensor, targets_BK: Tensor, *, smoothing: float = 0.05) -> Tensor:
    """Binary cross-entropy of cumulative logits (Frank & Hall 2001), labels smoothed."""
    soft = targets_BK * (1 - 2 * smoothing) + smoothing
    return F.binary_cross_entropy_with_logits(logits_BK, soft)


def rare_regions(logits_BCHW: Tensor, targets_BCHW: Tensor) -> Tensor:
    """Cross-entropy plus batch Dice, each class for itself: lesions fill 0.1 % of a picture.

    Sudre 2017 on Dice under imbalance; Dice over the batch, since most crops lack most classes.
    """
    entropy = F.binary_cross_entropy_with_logits(logits_BCHW, targets_BCHW)
    probability = torch.sigmoid(logits_BCHW)
    overlap = (probability * targets_BCHW).sum(dim=(0, 2, 3))
    total = probability.sum(dim=(0, 2, 3)) + targets_BCHW.sum(dim=(0, 2, 3))
    present = (targets_BCHW.sum(dim=(0, 2, 3)) > 0).float()
    dice = (1 - (2 * overlap + 1.0) / (total + 1.0)) * present
    return 10 * entropy + dice.sum() / present.sum().clamp(min=1)
