"""A network over an image larger than its input: windows that overlap, blended."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from medloop.models.predict import Predictor

_SIGMA = 0.125  # of a window's side: how far from its middle a voxel still counts
_LEAST = 1e-3  # of the weight in the middle, at the corners


def slide(
    predictor: Predictor,
    image: Float32[ndarray, " c *s"],
    *,
    patch: tuple[int, ...],
    overlap: float = 0.5,
    flips: tuple[int, ...] = (),
    order: tuple[int, ...] | None = None,
) -> Float32[ndarray, " n *s"]:
    """Probability of each class at each voxel.

    Windows of `patch` overlap by a share of their side and are blended by a Gaussian about
    their middle, as in nnU-Net (Isensee 2021); what is smaller than a window is padded with 0,
    the mean of a scaled image. `flips` are axes (0 is the first of `s`) along which mirror
    images are answered too; where these show one class as another, `order` says which.
    """
    size = image.shape[1:]
    missing = [max(side - have, 0) for side, have in zip(patch, size, strict=True)]
    edges = [(n // 2, n - n // 2) for n in missing]
    padded = np.pad(image, [(0, 0), *edges])
    weight = bell(patch)
    total: Float32[ndarray, " n *p"] | None = None
    norm = np.zeros(padded.shape[1:], np.float32)
    for start in starts(padded.shape[1:], patch, overlap):
        place = tuple(slice(s, s + side) for s, side in zip(start, patch, strict=True))
        answer = _answer(predictor, padded[(slice(None), *place)], flips, order)
        if total is None:
            total = np.zeros((len(answer), *padded.shape[1:]), np.float32)
        total[(slice(None), *place)] += answer * weight
        norm[place] += weight
    if total is None:
        raise ValueError(f"patch {patch} leaves nothing of {size}")
    inner = tuple(slice(low, low + n) for (low, _), n in zip(edges, size, strict=True))
    return np.asarray((total / norm)[(slice(None), *inner)], np.float32)


def _answer(
    predictor: Predictor,
    window: Float32[ndarray, " c *p"],
    flips: tuple[int, ...],
    order: tuple[int, ...] | None,
) -> Float32[ndarray, " n *p"]:
    answers = []
    for flipped in mirrored(flips):
        axes = tuple(1 + axis for axis in flipped)
        x = np.ascontiguousarray(np.flip(window, axes), np.float32)[None]
        answer = np.flip(predictor.run(x)["probability"][0], axes)
        is_exchanged = order is not None and len(flipped) % 2 == 1
        answers.append(answer[list(order)] if is_exchanged and order else answer)
    return np.asarray(np.mean(answers, axis=0), np.float32)


def mirrored(flips: Sequence[int]) -> list[tuple[int, ...]]:
    """List every combination of axes to flip, none first."""
    chosen = product(*[(False, True)] * len(flips))
    return [tuple(a for a, is_on in zip(flips, on, strict=True) if is_on) for on in chosen]


def starts(
    size: tuple[int, ...], patch: tuple[int, ...], overlap: float
) -> Iterator[tuple[int, ...]]:
    """First voxels of as few windows as overlap enough, spread evenly."""
    along = []
    for have, side in zip(size, patch, strict=True):
        step = max(1, int(side * (1 - overlap)))
        count = 1 + -(-(have - side) // step)
        along.append([round(n * (have - side) / max(count - 1, 1)) for n in range(count)])
    return product(*along)


def bell(patch: tuple[int, ...]) -> Float32[ndarray, "*p"]:
    """Weigh a window's voxels by a Gaussian about its middle, 1 there, never quite 0."""
    out = np.ones(patch, np.float64)
    for axis, side in enumerate(patch):
        away = (np.arange(side) - (side - 1) / 2) / (_SIGMA * side)
        bell = np.exp(-(away**2) / 2)
        out *= bell.reshape([-1 if n == axis else 1 for n in range(len(patch))])
    return np.asarray(np.maximum(out, _LEAST), np.float32)
