"""Losses. Shape suffixes: B batch, C class, K cumulative step, H row, W column."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

_FEW_PIXELS = 200  # a class with fewer positive pixels in a batch weighs as if it had these


def cumulative_targets(grades_BS: Tensor, steps: Sequence[int]) -> Tensor:
    """1 where grade > k, for each scale's k = 0 ... steps - 1, side by side (B, K)."""
    parts = [(grades_BS[:, s, None] > torch.arange(n)).float() for s, n in enumerate(steps)]
    return torch.cat(parts, dim=1)


def ordinal(logits_BK: Tensor, targets_BK: Tensor, *, smoothing: float = 0.03) -> Tensor:
    """Binary cross-entropy of cumulative logits (Frank & Hall 2001), labels smoothed."""
    soft = targets_BK * (1 - 2 * smoothing) + smoothing
    return F.binary_cross_entropy_with_logits(logits_BK, soft)


def rare_regions(logits_BCHW: Tensor, targets_BCHW: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Focal loss by positive pixel plus batch Dice, each class for itself.

    Lesions fill a thousandth of a picture, so the focal loss (Lin 2017) of a class is divided
    by its positive pixels, and Dice (Sudre 2017) is taken over the batch: most crops lack most
    classes. Where a target is negative, nothing is known and nothing is asked.
    """
    known = (targets_BCHW >= 0).float()
    wanted = targets_BCHW * known
    positives = wanted.sum(dim=(0, 2, 3))
    entropy = F.binary_cross_entropy_with_logits(logits_BCHW, wanted, reduction="none")
    focal = known * (1 - torch.exp(-entropy)) ** gamma * entropy
    focal = focal.sum(dim=(0, 2, 3)) / positives.clamp(min=_FEW_PIXELS)
    probability = torch.sigmoid(logits_BCHW) * known
    overlap = (probability * wanted).sum(dim=(0, 2, 3))
    total = probability.sum(dim=(0, 2, 3)) + positives
    present = (positives > 0).float()
    dice = (1 - (2 * overlap + 1.0) / (total + 1.0)) * present
    return focal.mean() + dice.sum() / present.sum().clamp(min=1)
