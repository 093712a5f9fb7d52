"""Losses for regions of very different size. Shape suffixes: B batch, C class, S space.

Each takes logits (B, C, S) of 2 or 3 spatial axes and what is true: labels (B, S), whole
numbers, or shares of each class (B, C, S). The classes exclude each other; for ones that
overlap see `losses.rare_regions`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

_NEVER = -1e4  # logit of what is not asked for: finite, so that 0 times it is 0
_SMOOTH = 1e-5  # keeps overlaps finite where a class is absent from truth and prediction


@dataclass(frozen=True, slots=True)
class Counted:
    """What counts, and how much.

    Attributes
    ----------
    weights
        One for each class; empty for all alike. Only their ratios matter.
    ignore
        A label whose voxels count nowhere.
    background
        Whether class 0 has an overlap too; entropies always count it.
    over_batch
        Whether a class's overlap is taken over the whole batch rather than over each sample:
        steadier where most patches lack most classes.
    """

    weights: tuple[float, ...] = ()
    ignore: int | None = None
    background: bool = False
    over_batch: bool = False


PLAIN = Counted()
Loss = Callable[[Tensor, Tensor], Tensor]


def dice(logits_BCS: Tensor, truth: Tensor, counted: Counted = PLAIN) -> Tensor:
    """1 - soft Dice (Milletari 2016), the mean over classes and samples."""
    return tversky(logits_BCS, truth, counted, alpha=0.5, beta=0.5)


def tversky(
    logits_BCS: Tensor,
    truth: Tensor,
    counted: Counted = PLAIN,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
) -> Tensor:
    """1 - Tversky index (Salehi 2017).

    `alpha` weighs what is found wrongly, `beta` what is missed; 0.5 and 0.5 are Dice.
    """
    return _mean(1 - _index(logits_BCS, truth, counted, alpha=alpha, beta=beta), counted)


def focal_tversky(
    logits_BCS: Tensor,
    truth: Tensor,
    counted: Counted = PLAIN,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 4 / 3,
) -> Tensor:
    """(1 - Tversky index) ^ (1 / gamma), the mean (Abraham & Khan 2019).

    A `gamma` over 1 gives classes that overlap well, but not fully, the steeper slope.
    """
    index = _index(logits_BCS, truth, counted, alpha=alpha, beta=beta)
    return _mean((1 - index).clamp(min=_SMOOTH) ** (1 / gamma), counted)


def generalized_dice(logits_BCS: Tensor, truth: Tensor, counted: Counted = PLAIN) -> Tensor:
    """1 - Dice of all classes at once, each over its squared volume (Sudre 2017).

    An absent class weighs as the smallest present one. `counted.weights` come on top.
    """
    found, true = _regions(logits_BCS, truth, counted)
    dims = _summed(found, counted)
    volume = true.sum(dims)
    present = volume > 0
    inverse = torch.where(present, volume, torch.ones_like(volume)) ** -2
    most = torch.where(present, inverse, torch.zeros_like(inverse)).amax(-1, keepdim=True)
    most = torch.where(present.any(-1, keepdim=True), most, torch.ones_like(most))
    weight = torch.where(present, inverse, most) * _weights(counted, found)
    overlap = (weight * (found * true).sum(dims)).sum(-1)
    total = (weight * (found + true).sum(dims)).sum(-1)
    return (1 - (2 * overlap + _SMOOTH) / (total + _SMOOTH)).mean()


def entropy(logits_BCS: Tensor, truth: Tensor, counted: Counted = PLAIN) -> Tensor:
    """Cross-entropy, the weighted mean over voxels."""
    return focal(logits_BCS, truth, counted, gamma=0.0)


def focal(
    logits_BCS: Tensor, truth: Tensor, counted: Counted = PLAIN, *, gamma: float = 2.0
) -> Tensor:
    """Focal loss (Lin 2017), the weighted mean over voxels: sure ones count little."""
    shares, known = _shares(logits_BCS, truth, counted)
    logs = F.log_softmax(logits_BCS.float(), dim=1)
    weights = _weights(replace(counted, background=True), logits_BCS)
    weights = weights.reshape(1, -1, *[1] * (logits_BCS.ndim - 2))
    dimmed = (1 - logs.exp()) ** gamma if gamma else torch.ones_like(logs)
    cost = -(shares * weights * dimmed * logs).sum(1)
    mass = (shares * weights).sum(1)
    return (cost * known[:, 0]).sum() / (mass * known[:, 0]).sum().clamp(min=_SMOOTH)


def dice_and_entropy(
    logits_BCS: Tensor, truth: Tensor, counted: Counted = PLAIN, *, share: float = 0.5
) -> Tensor:
    """Twice the mix of Dice and cross-entropy; at `share` 0.5 their sum, as in nnU-Net."""
    overlap, cost = dice(logits_BCS, truth, counted), entropy(logits_BCS, truth, counted)
    return 2 * (share * overlap + (1 - share) * cost)


def merged(logits_BCS: Tensor, known_BC: Tensor) -> Tensor:
    """Count classes that were not drawn in a sample as its background (Shi 2021).

    Voxels of an organ that nobody drew are labelled background; the probability of both is one,
    so that the network is free to tell them apart. `known_BC` is False for such a class.
    """
    shape = (*known_BC.shape, *[1] * (logits_BCS.ndim - 2))
    known = known_BC.reshape(shape).to(logits_BCS.device)
    logits = logits_BCS.float()
    nowhere = torch.full_like(logits[:, :1], _NEVER)
    rest = torch.where(known, nowhere, logits)
    ground = torch.logsumexp(torch.cat([logits[:, :1], rest[:, 1:]], 1), 1, keepdim=True)
    return torch.cat([ground, torch.where(known, logits, nowhere)[:, 1:]], 1)


def over_levels(loss: Loss, logits: Sequence[Tensor], truth: Tensor) -> Tensor:
    """Deep supervision: the mean loss of several resolutions, each weighing half the last.

    `logits` are finest first. Labels are taken from the nearest voxel, shares averaged.
    """
    weights = [0.5**n for n in range(len(logits))]
    costs = [
        weight * loss(level, _coarser(truth, level))
        for weight, level in zip(weights, logits, strict=True)
    ]
    return torch.stack(costs).sum() / sum(weights)


def _coarser(truth: Tensor, logits_BCS: Tensor) -> Tensor:
    size = logits_BCS.shape[2:]
    if truth.ndim == logits_BCS.ndim:
        return F.interpolate(truth, size=size, mode="area")
    if truth.shape[1:] == size:
        return truth
    near = F.interpolate(truth[:, None].float(), size=size, mode="nearest-exact")
    return near[:, 0].to(truth.dtype)


def _index(
    logits_BCS: Tensor, truth: Tensor, counted: Counted, *, alpha: float, beta: float
) -> Tensor:
    """Tversky index by sample and class, (B, C), or by class, (1, C)."""
    found, true = _regions(logits_BCS, truth, counted)
    dims = _summed(found, counted)
    both = (found * true).sum(dims)
    wrong, missed = found.sum(dims) - both, true.sum(dims) - both
    # twice everything, so that the smoothing is that of Dice, 2 both / (found + true)
    index = (2 * both + _SMOOTH) / (2 * (both + alpha * wrong + beta * missed) + _SMOOTH)
    return index if index.ndim == 2 else index[None]


def _regions(logits_BCS: Tensor, truth: Tensor, counted: Counted) -> tuple[Tensor, Tensor]:
    """Probabilities and truth of the classes that count, 0 where nothing is known."""
    shares, known = _shares(logits_BCS, truth, counted)
    found = torch.softmax(logits_BCS.float(), dim=1) * known
    first = 0 if counted.background else 1
    return found[:, first:], (shares * known)[:, first:]


def _shares(logits_BCS: Tensor, truth: Tensor, counted: Counted) -> tuple[Tensor, Tensor]:
    """Truth as (B, C, S), and where it is known, (B, 1, S)."""
    if truth.ndim == logits_BCS.ndim:
        return truth.float(), torch.ones_like(truth[:, :1], dtype=torch.float32)
    labels = truth[:, None].long()
    known = torch.ones_like(labels, dtype=torch.float32)
    if counted.ignore is not None:
        known = (labels != counted.ignore).float()
        labels = torch.where(labels == counted.ignore, torch.zeros_like(labels), labels)
    empty = torch.zeros(logits_BCS.shape, dtype=torch.float32, device=logits_BCS.device)
    return empty.scatter_(1, labels, 1.0), known


def _summed(x_BCS: Tensor, counted: Counted) -> list[int]:
    """Axes over which an overlap is summed."""
    space = list(range(2, x_BCS.ndim))
    return [0, *space] if counted.over_batch else space


def _weights(counted: Counted, x_BCS: Tensor) -> Tensor:
    """Weights of the classes that count, (C,), their mean 1."""
    if not counted.weights:
        return torch.ones(x_BCS.shape[1], device=x_BCS.device)
    first = 0 if counted.background else 1
    given = counted.weights[first:]
    weights = torch.tensor(given, dtype=torch.float32, device=x_BCS.device)
    return weights / weights.mean()


def _mean(costs_BC: Tensor, counted: Counted) -> Tensor:
    return (costs_BC * _weights(counted, costs_BC)).mean()
