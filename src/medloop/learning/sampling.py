"""What a batch is drawn from: rare classes, and patches that show something."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Places = Mapping[int, NDArray[np.int32]]  # label -> (n, dims) indices of its voxels


def draw_balanced(
    classes: Sequence[int] | NDArray[np.integer],
    count: int,
    *,
    balance: float,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Draw `count` indices with replacement, each class as frequency ^ (1 - `balance`).

    0 draws examples evenly, 1 draws classes evenly, 0.5 between (square-root sampling,
    Mahajan 2018).

    Raises
    ------
    ValueError
        If there is nothing to draw from, or `balance` is outside 0 ... 1.
    """
    if len(classes) == 0:
        raise ValueError("there are no examples to draw from")
    if not 0 <= balance <= 1:
        raise ValueError(f"balance {balance} outside 0 ... 1")
    _, which, counts = np.unique(np.asarray(classes), return_inverse=True, return_counts=True)
    chances = counts[which].astype(np.float64) ** -balance
    return rng.choice(len(which), size=count, p=chances / chances.sum())


def in_turn(count: int, rng: np.random.Generator) -> Iterator[int]:
    """Draw indices below `count` without end: all of them in random order, then again.

    Raises
    ------
    ValueError
        If there is nothing to draw from.
    """
    if count < 1:
        raise ValueError("there are no examples to draw from")
    while True:
        yield from reversed(rng.permutation(count).tolist())


def places_of(
    labels: NDArray[np.integer], *, rng: np.random.Generator, most: int = 10_000
) -> Places:
    """Find each class's voxels but the background's, at most `most` of a class."""
    found = {}
    for label in np.unique(labels):
        if label <= 0:  # background, or a label that says nothing is known
            continue
        flat = np.flatnonzero(labels == label)
        if len(flat) > most:
            flat = np.sort(rng.choice(flat, size=most, replace=False))
        found[int(label)] = np.stack(np.unravel_index(flat, labels.shape), 1).astype(np.int32)
    return found


def draw_patch(
    shape: tuple[int, ...],
    patch: tuple[int, ...],
    places: Places,
    *,
    foreground: float,
    rng: np.random.Generator,
) -> tuple[int, ...]:
    """Draw the first index of a patch, along each axis.

    A share `foreground` of the patches is centered on a voxel of a class, each class as often
    (nnU-Net takes a third, Isensee 2021); the others lie anywhere. A patch stays inside the
    image; where it is larger, it begins at or before 0 with the image in its middle.

    Raises
    ------
    ValueError
        If `shape` and `patch` differ in dims.
    """
    if len(shape) != len(patch):
        raise ValueError(f"image of {len(shape)} dims, patch of {len(patch)}")
    room = [whole - part for whole, part in zip(shape, patch, strict=True)]
    anywhere = [int(rng.integers(0, free + 1)) if free > 0 else free // 2 for free in room]
    if not places or rng.random() >= foreground:
        return tuple(anywhere)
    label = sorted(places)[int(rng.integers(len(places)))]
    center = places[label][int(rng.integers(len(places[label])))]
    return tuple(
        min(max(int(at) - part // 2, 0), free) if free > 0 else free // 2
        for at, part, free in zip(center, patch, room, strict=True)
    )
