"""Probabilities of an object kept small: in 255 steps, cut to where the object is possible."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from medloop.core.image import Patch
from medloop.imaging.resample import read_of, resize_piece

LEAST: Final = 0.01  # where it is not above this, an object is not possible


def likely_patch(probability: Float[ndarray, "*size"]) -> Patch | None:
    """Keep probabilities, 0 to 1, in the box where they exceed 0.01; None where none does.

    Those in the box are kept to 1/255, however low.
    """
    is_possible = probability > LEAST
    box = []
    for axis in range(probability.ndim):
        others = tuple(n for n in range(probability.ndim) if n != axis)
        seen = np.flatnonzero(is_possible.any(axis=others))
        if not len(seen):
            return None
        box.append(slice(int(seen[0]), int(seen[-1]) + 1))
    part = np.clip(probability[tuple(box)], 0, 1).astype(np.float32)
    low = tuple(each.start for each in box)
    return Patch(np.rint(part * 255).astype(np.uint8), low, probability.shape)


def leveled(probability: Float[ndarray, "*size"], threshold: float) -> Float[ndarray, "*size"]:
    """Shift log-odds so that `threshold`, between 0 and 1, becomes 0.5."""
    inside, outside = probability * (1 - threshold), (1 - probability) * threshold
    return np.asarray(inside / (inside + outside))


def likely_in(
    patch: Patch, size: tuple[int, ...], box: Sequence[slice]
) -> Float32[ndarray, "*box"]:
    """Carry what was kept to a box of an image of `size` voxels, linearly; 0 outside of it."""
    wanted = [(each.start, each.stop) for each in box]
    read = [read_of(*each) for each in zip(patch.shape, size, wanted, strict=True)]
    piece = np.zeros([b - a for a, b in read], np.float32)
    to, from_ = [], []
    for (a, b), low, count in zip(read, patch.low, patch.array.shape, strict=True):
        first = max(a, low)
        last = max(min(b, low + count), first)
        to.append(slice(first - a, last - a))
        from_.append(slice(first - low, last - low))
    piece[tuple(to)] = patch.array[tuple(from_)] / np.float32(255)
    return resize_piece(piece, [a for a, _ in read], patch.shape, size, wanted)
