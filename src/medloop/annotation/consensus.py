"""One label map out of several readers': by majority, or weighed by how far each is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, UInt16
from numpy import ndarray

from medloop.annotation.masks import present

_START: Final = 0.99999  # readers are trusted before anything is known of them
_CLOSE: Final = 1e-7  # squared change of a rate that counts as none
_MOST: Final = 12  # readers: patterns of their decisions are counted


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A hidden truth as STAPLE sees it.

    `probability` is that a voxel belongs to the object; `sensitivity` and `specificity` are of
    each reader against it.
    """

    probability: Float[ndarray, "*shape"]
    sensitivity: Float[ndarray, " r"]
    specificity: Float[ndarray, " r"]


def majority(masks: Sequence[Integer[ndarray, "*shape"]]) -> Integer[ndarray, "*shape"]:
    """Give each voxel the label that most readers give it; background where two tie.

    Raises
    ------
    ValueError
        If there is no mask, or their shapes differ.
    """
    _require(masks)
    found = np.zeros(masks[0].shape, np.result_type(*masks))
    best = _votes(masks, 0)
    for label in _labels(masks):
        votes = _votes(masks, label)
        found[votes > best] = label
        found[votes == best] = 0
        best = np.maximum(best, votes)
    return found


def staple(masks: Sequence[Bool[ndarray, "*shape"]], *, most_steps: int = 200) -> Estimate:
    """Estimate an object and each reader's rates from readers' drawings (Warfield 2004).

    Expectation maximization, with the share of voxels that readers draw on average as the
    prior. Voxels on which the readers decide alike are one: there are only so many patterns.

    Raises
    ------
    ValueError
        If there is no mask, there are more than twelve, or their shapes differ.
    """
    _require(masks)
    if len(masks) > _MOST:
        raise ValueError(f"{len(masks)} readers, at most {_MOST} are weighed")
    pattern = np.zeros(masks[0].shape, np.uint16)
    for bit, mask in enumerate(masks):
        pattern |= mask.astype(np.uint16) << np.uint16(bit)
    counts = np.bincount(pattern.ravel(), minlength=1 << len(masks))
    decided = (np.arange(len(counts))[:, None] >> np.arange(len(masks))) & 1 == 1
    weight, sensitivity, specificity = _maximize(counts, decided, most_steps)
    return Estimate(weight[pattern], sensitivity, specificity)


def consensus(masks: Sequence[Integer[ndarray, "*shape"]]) -> Integer[ndarray, "*shape"]:
    """Join label maps by STAPLE, label by label; the likelier label takes a voxel of two.

    Two readers cannot be weighed against each other: where they differ the likelier rates
    decide, so that the result is close to one of the two. Ask a third, or adjudicate.

    Raises
    ------
    ValueError
        As `staple` does.
    """
    _require(masks)
    found = np.zeros(masks[0].shape, np.result_type(*masks))
    best = np.full(masks[0].shape, 0.5)
    for label in _labels(masks):
        probability = staple([mask == label for mask in masks]).probability
        is_likelier = probability > best
        found[is_likelier] = label
        best = np.maximum(best, probability)
    return found


def _maximize(
    counts: Int[ndarray, " n"], decided: Bool[ndarray, "n r"], most_steps: int
) -> tuple[Float[ndarray, " n"], Float[ndarray, " r"], Float[ndarray, " r"]]:
    drawn = counts @ decided
    prior = float(drawn.mean() / max(counts.sum(), 1))
    readers = decided.shape[1]
    sensitivity, specificity = np.full(readers, _START), np.full(readers, _START)
    weight = np.full(len(counts), prior)
    if prior in (0.0, 1.0):
        return weight, np.ones(readers), np.ones(readers)
    for _ in range(most_steps):
        inside = prior * np.where(decided, sensitivity, 1 - sensitivity).prod(axis=1)
        outside = (1 - prior) * np.where(decided, 1 - specificity, specificity).prod(axis=1)
        weight = inside / np.maximum(inside + outside, np.finfo(float).tiny)
        held, rest = counts * weight, counts * (1 - weight)
        before = np.concatenate([sensitivity, specificity])
        sensitivity = (held @ decided) / max(held.sum(), np.finfo(float).tiny)
        specificity = (rest @ ~decided) / max(rest.sum(), np.finfo(float).tiny)
        if (np.square(np.concatenate([sensitivity, specificity]) - before) < _CLOSE**2).all():
            break
    return weight, sensitivity, specificity


def _votes(
    masks: Sequence[Integer[ndarray, "*shape"]], label: int
) -> UInt16[ndarray, "*shape"]:
    votes = np.zeros(masks[0].shape, np.uint16)
    for mask in masks:
        votes += mask == label
    return votes


def _labels(masks: Sequence[Integer[ndarray, "*shape"]]) -> list[int]:
    return sorted(set().union(*(present(mask) for mask in masks)))


def _require(masks: Sequence[ndarray]) -> None:
    if not masks:
        raise ValueError("no mask to join")
    if len({mask.shape for mask in masks}) > 1:
        raise ValueError(f"masks of shapes {sorted({mask.shape for mask in masks})}")
