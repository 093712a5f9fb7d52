"""What a network that finds objects should answer, and how wrong it is."""

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from numpy import ndarray
from torch import Tensor
from torch.nn.functional import logsigmoid

from medloop.learning.transforms import Warp, move_points
from medloop.models.detection_plan import DetectionPlan

_SPREAD = 0.15  # of the hill at a center, of the object's size
_NARROWEST = 0.7  # cells
_REACH = 3.0  # sigmas
_NEAR = 0.2  # height of the hill from which cells learn the box

Targets = tuple[Float32[ndarray, " k *g"], Float32[ndarray, " m *g"], Float32[ndarray, " 1 *g"]]


def moved_boxes(edges: Float[ndarray, "n 2 d"], warp: Warp) -> Float[ndarray, "n 2 d"]:
    """Move boxes as if each object filled the ellipsoid in its box, also out of view.

    The box around a turned box would be too large for all but boxes (Kalra 2021, arXiv
    2109.07953).
    """
    if not len(edges):
        return edges
    middle, half = edges.mean(axis=1), (edges[:, 1] - edges[:, 0]) / 2
    count, axes = middle.shape
    tips = middle[:, None, None] + np.stack([np.eye(axes), -np.eye(axes)]) * half[:, None, None]
    there = move_points(warp, tips.reshape(-1, axes)).reshape(count, 2, axes, axes)
    reach = np.sqrt((((there[:, 0] - there[:, 1]) / 2) ** 2).sum(axis=1))
    center = move_points(warp, middle)
    return np.stack([center - reach, center + reach], axis=1)


def targets_of(
    edges: Float[ndarray, "n 2 d"], classes: Int[ndarray, " n"], plan: DetectionPlan
) -> Targets:
    """Draw the answer for a patch: hills at centers, boxes, and the weight of each cell's box.

    A hill is a Gaussian along each axis with the object's proportions, 1 in the cell of its
    center; cells near by learn the box too (TTFNet, Liu 2020, arXiv 1909.00700), each object's
    weights adding up to 1 where it is in view.
    """
    cells = tuple(side // step for side, step in zip(plan.patch, plan.cell, strict=True))
    axes = len(cells)
    heat = np.zeros((len(plan.classes), *cells), np.float32)
    box = np.zeros((2 * axes, *cells), np.float32)
    weight, highest = np.zeros((1, *cells), np.float32), np.zeros(cells, np.float32)
    cell, voxel = np.array(plan.cell), np.array(plan.spacing)
    middle = (edges.mean(axis=1) + 0.5) / cell - 0.5
    extent = edges[:, 1] - edges[:, 0]
    size = np.log(np.maximum(extent * voxel, 1e-3) / np.array(plan.size))
    sigma = np.maximum(_SPREAD * extent / cell, _NARROWEST)
    for n in np.argsort(-extent.prod(axis=1), kind="stable"):  # of two in a cell the smaller
        hill, place = _hill(np.rint(middle[n]), sigma[n], cells)
        if not hill.size:
            continue
        every = (slice(None), *place)
        heat[classes[n]][place] = np.maximum(heat[classes[n]][place], hill)
        own = (hill >= _NEAR) & (hill >= highest[place])
        at = np.stack(np.meshgrid(*[np.arange(p.start, p.stop) for p in place], indexing="ij"))
        way = middle[n].reshape(-1, *[1] * axes) - at
        answer = np.concatenate(
            [way, np.broadcast_to(size[n].reshape(-1, *[1] * axes), at.shape)]
        )
        box[every] = np.where(own, answer, box[every])
        share = hill / max(float(hill[hill >= _NEAR].sum()), 1.0)
        weight[every] = np.where(own, share, weight[every])
        highest[place] = np.where(own, hill, highest[place])
    return heat, box, weight


def _hill(
    center: Float[ndarray, " d"], sigma: Float[ndarray, " d"], cells: tuple[int, ...]
) -> tuple[Float32[ndarray, "*p"], tuple[slice, ...]]:
    """Draw a Gaussian, 1 at `center`, and say on which of the cells."""
    hill, place = np.ones((1,) * len(cells), np.float32), []
    for axis, (at, width, side) in enumerate(zip(center, sigma, cells, strict=True)):
        reach = int(np.ceil(_REACH * width))
        start = min(max(int(at) - reach, 0), side)
        stop = min(max(int(at) + reach + 1, start), side)
        line = np.exp(-((np.arange(start, stop) - at) ** 2) / (2 * width**2))
        shape = [1] * len(cells)
        shape[axis] = stop - start
        hill = hill * line.astype(np.float32).reshape(shape)
        place.append(slice(start, stop))
    return hill, tuple(place)


def detection_loss(
    logits: Tensor, box: Tensor, wanted: tuple[Tensor, ...], *, box_weight: float
) -> Tensor:
    """Focal loss of centers (Law 2018, as in CenterNet) and L1 of boxes, for each object.

    `wanted` are the batch's `targets_of`: (B, K, S), (B, 2 dims, S) and (B, 1, S).
    """
    heat, truth, weight = wanted
    logits, box = logits.float(), box.float()
    is_center = heat == 1
    sure = torch.sigmoid(logits)
    hits = -((1 - sure) ** 2) * logsigmoid(logits)
    alarms = -((1 - heat) ** 4) * sure**2 * logsigmoid(-logits)
    count = is_center.sum().clamp(min=1)
    centers = torch.where(is_center, hits, alarms).sum() / count
    boxes = (weight * (box - truth).abs()).sum() / count
    return centers + box_weight * boxes
