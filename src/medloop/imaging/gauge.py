"""How far places lie from a structure when each of six directions has a measure of its own.

The *gauge* of a place is the factor by which an ellipsoid with six semi-axes (one for each
direction, its eight octants joined) must grow so that, put at some point of the structure, it
reaches the place: 1 on the surface of the structure grown by these semi-axes. Its square is a
sum over the axes, so it is found one axis at a time, as a Euclidean distance transform is
(Felzenszwalb 2012, doi:10.4086/toc.2012.v008a019), here with a parabola of two halves.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray

_FAR: Final = np.float32(1e12)
_NEAR_STEPS: Final = 1.5  # nearer than that, the surface is taken for flat
_SLAB: Final = 1 << 16  # samples spread at once
_LEAST_MM: Final = 0.01  # a semi-axis of nothing


@dataclass(frozen=True, slots=True)
class SemiAxes:
    """Lengths in steps of the samples along k, j, i: toward rising and toward falling index."""

    rising: tuple[float, float, float]
    falling: tuple[float, float, float]

    @property
    def turned(self) -> "SemiAxes":
        """The same ellipsoid seen through a point."""
        return SemiAxes(self.falling, self.rising)


def signed_gauge(fine: Float32[ndarray, "k j i"], axes: SemiAxes) -> Float32[ndarray, "k j i"]:
    """Take the gauge outside, less that of the outside seen from within; 0 on the surface.

    `fine` is positive inside and crosses zero at the surface. Right up to one step beyond 1
    outside, and up to two steps within; farther off only the sign is.
    """
    positive = fine > 0
    out = _gauge(fine, positive, axes, most_steps=None)
    within = _gauge(-fine, ~positive, axes.turned, most_steps=2)
    return np.where(positive, -within, out)


def least_steps(length_mm: float, step_mm: float) -> float:
    """Length in steps, never quite nothing."""
    return max(length_mm, _LEAST_MM) / step_mm


def _gauge(
    fine: Float32[ndarray, "k j i"],
    positive: Bool[ndarray, "k j i"],
    axes: SemiAxes,
    *,
    most_steps: int | None,
) -> Float32[ndarray, "k j i"]:
    """Join what lines along each axis meet first, so that no direction of a surface is lost."""
    along = [_along(fine, positive, axis, axes, most_steps) for axis in range(3)]
    flat = _spread(along[2], 1, axes, most_steps)
    np.minimum(flat, _spread(along[1], 2, axes, most_steps), out=flat)
    squares = _spread(flat, 0, axes, most_steps)
    flat = _spread(_spread(along[0], 1, axes, most_steps), 2, axes, most_steps)
    np.minimum(squares, flat, out=squares)
    np.minimum(squares, _flat(along, axes), out=squares)
    return np.sqrt(squares)


def _flat(
    along: Sequence[Float32[ndarray, "k j i"]], axes: SemiAxes
) -> Float32[ndarray, "k j i"]:
    """Square the gauge to the plane through the crossings on three lines, near the surface."""
    near = np.zeros(along[0].shape, bool)
    inverse = np.zeros(along[0].shape, np.float32)
    for axis, squares in enumerate(along):
        length = max(axes.rising[axis], axes.falling[axis])
        near |= squares <= np.float32((_NEAR_STEPS / length) ** 2)
        inverse += 1 / np.maximum(squares, 1 / _FAR)
    return np.where(near, 1 / inverse, _FAR)


def _along(
    fine: Float32[ndarray, "k j i"],
    positive: Bool[ndarray, "k j i"],
    axis: int,
    axes: SemiAxes,
    most_steps: int | None,
) -> Float32[ndarray, "k j i"]:
    """Square the gauge to the nearest crossing on the same line, 0 inside.

    With a limit, a far side with a long semi-axis does not outdo a near one with a short one.
    """
    values, filled = np.moveaxis(fine, axis, 0), np.moveaxis(positive, axis, 0)
    changed = filled[1:] != filled[:-1]
    shape = (len(values),) + (1,) * (values.ndim - 1)
    place = np.arange(len(values), dtype=np.float32).reshape(shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = place[:-1] + values[:-1] / (values[:-1] - values[1:])
    before = np.full(values.shape, -np.inf, np.float32)
    before[1:][changed] = crossing[changed]
    np.maximum.accumulate(before, axis=0, out=before)
    after = np.full(values.shape, np.inf, np.float32)
    after[:-1][changed] = crossing[changed]
    after[::-1] = np.minimum.accumulate(after[::-1], axis=0)
    gauge = np.full(values.shape, np.inf, np.float32)
    for steps, length in (
        (place - before, axes.rising[axis]),
        (after - place, axes.falling[axis]),
    ):
        if most_steps is not None:
            steps[steps > most_steps] = np.inf
        np.minimum(gauge, steps / np.float32(length), out=gauge)
    squares = np.minimum(gauge * gauge, _FAR)
    squares[filled] = 0
    return np.moveaxis(squares, 0, axis)


def _spread(
    squares: Float32[ndarray, "k j i"], axis: int, axes: SemiAxes, most_steps: int | None
) -> Float32[ndarray, "k j i"]:
    """Lower envelope of half parabolas along an axis, a slab at a time to stay in the cache."""
    old = np.moveaxis(squares, (axis, 0 if axis else 1), (0, 1))
    out = np.empty_like(squares)
    new = np.moveaxis(out, (axis, 0 if axis else 1), (0, 1))
    thick = max(1, _SLAB // (old.shape[0] * old.shape[2]))
    for first in range(0, old.shape[1], thick):
        part = np.ascontiguousarray(old[:, first : first + thick])
        new[:, first : first + thick] = _envelope(part, axis, axes, most_steps)
    return out


def _envelope(
    old: Float32[ndarray, "n j i"], axis: int, axes: SemiAxes, most_steps: int | None
) -> Float32[ndarray, "n j i"]:
    new, higher = old.copy(), np.empty_like(old)
    for length, rising in ((axes.rising[axis], True), (axes.falling[axis], False)):
        steps = math.ceil(length) + 2 if most_steps is None else most_steps
        for step in range(1, min(steps, len(old) - 1) + 1):
            source, target = (slice(None, -step), slice(step, None))
            if not rising:
                source, target = target, source
            raised = higher[step:]
            np.add(old[source], np.float32((step / length) ** 2), out=raised)
            np.minimum(new[target], raised, out=new[target])
    return new
