"""A cube of even steps cut around a place in a crop, so that shapes can be measured in it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a cube lies in a crop.

    `start` is the crop's index (k, j, i), fractional, of the cube's voxel (0, 0, 0);
    `spacing_mm` is the crop's, `step_mm` the cube's every way, `size` its voxels a side.
    """

    start: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    step_mm: float
    size: int

    @property
    def center(self) -> tuple[float, float, float]:
        """The crop's index in the middle of the cube."""
        half_mm = (self.size - 1) / 2 * self.step_mm
        k, j, i = (
            start + half_mm / mm for start, mm in zip(self.start, self.spacing_mm, strict=True)
        )
        return k, j, i

    def positions(self, axis: int) -> Float[ndarray, " n"]:
        """Give the crop's indices along one axis at the cube's voxels."""
        return self.start[axis] + np.arange(self.size) * self.step_mm / self.spacing_mm[axis]

    def from_center_mm(self) -> Float[ndarray, " n"]:
        """Give the distances of the cube's voxels from its middle along any axis."""
        return (np.arange(self.size) - (self.size - 1) / 2) * self.step_mm


def frame_around(
    center: tuple[float, float, float],
    spacing_mm: tuple[float, float, float],
    *,
    half_mm: float,
    step_mm: float,
) -> Frame:
    """Place a cube of at least `half_mm` to each side around an index of the crop."""
    steps = int(np.ceil(half_mm / step_mm))
    k, j, i = (c - steps * step_mm / mm for c, mm in zip(center, spacing_mm, strict=True))
    return Frame((k, j, i), spacing_mm, step_mm, 2 * steps + 1)


def cut(crop: Shaped[ndarray, "k j i"], frame: Frame) -> Float[ndarray, "n n n"]:
    """Interpolate a crop at the cube's voxels by cubic convolution (Keys 1981).

    Beyond the crop its border goes on.
    """
    field = _carry(crop, 0, frame.positions(0))
    return _carry(_carry(field, 1, frame.positions(1)), 2, frame.positions(2))


def spread(
    cube: Shaped[ndarray, "n n n"], frame: Frame, shape: tuple[int, ...]
) -> Bool[ndarray, "k j i"]:
    """Say which voxels of the crop have their center inside, where `cube` is above a half."""
    inside = np.zeros(shape, bool)
    spots, parts = [], []
    for axis in range(3):
        at = (np.arange(shape[axis]) - frame.start[axis]) * (
            frame.spacing_mm[axis] / frame.step_mm
        )
        within = np.flatnonzero((at >= 0) & (at <= frame.size - 1))
        spots.append(at[within])
        parts.append(within)
    if all(len(part) for part in parts):
        field = cube.astype(np.float32)
        for axis in range(3):
            field = _carry(field, axis, spots[axis], is_cubic=False)
        inside[np.ix_(*parts)] = field > 0.5
    return inside


def _carry(
    array: Shaped[ndarray, "a b c"],
    axis: int,
    at: Float[ndarray, " n"],
    *,
    is_cubic: bool = True,
) -> Float[ndarray, "d e f"]:
    """Interpolate along one axis at fractional indices."""
    count = array.shape[axis]
    first = int(np.clip(np.floor(at[0]) - 1, 0, count - 1))
    last = int(np.clip(np.floor(at[-1]) + 2, 0, count - 1)) + 1
    part = np.moveaxis(array, axis, 0)[first:last].astype(np.float32)
    low = np.floor(at).astype(int)
    t = at - low
    if is_cubic:
        weights = np.stack(
            [
                ((-0.5 * t + 1) * t - 0.5) * t,
                (1.5 * t - 2.5) * t * t + 1,
                ((-1.5 * t + 2) * t + 0.5) * t,
                (0.5 * t - 0.5) * t * t,
            ]
        )
        taps = np.arange(-1, 3)
    else:
        weights, taps = np.stack([1 - t, t]), np.arange(2)
    matrix = np.zeros((len(at), last - first), np.float32)
    for weight, tap in zip(weights, taps, strict=True):
        index = np.clip(low + tap, 0, count - 1) - first
        np.add.at(matrix, (np.arange(len(at)), np.clip(index, 0, last - first - 1)), weight)
    shape = part.shape[1:]
    carried = (matrix @ part.reshape(part.shape[0], -1)).reshape(len(at), *shape)
    return np.asarray(np.moveaxis(carried, 0, axis))
