"""Axes of a volume along the patient's, by swapping and flipping alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray

from medloop.core.geometry import Grid
from medloop.core.image import Patch


@dataclass(frozen=True, slots=True)
class Turn:
    """Which stored axis each upright axis is, and which of them run backward.

    Upright axes (k, j, i) rise toward superior, posterior and left, as LPS does.
    """

    axes: tuple[int, int, int]
    backward: tuple[bool, bool, bool]

    def upright(self, array: Shaped[ndarray, "*c k j i"]) -> Shaped[ndarray, "*c z y x"]:
        """Turn an array, channels first if it has any; no value changes."""
        first = array.ndim - 3
        order = (*range(first), *(first + axis for axis in self.axes))
        return np.flip(array.transpose(order), self._flipped)

    def back(self, array: Shaped[ndarray, "*c z y x"]) -> Shaped[ndarray, "*c k j i"]:
        """Undo `upright`."""
        first = array.ndim - 3
        order = (*range(first), *(first + int(n) for n in np.argsort(self.axes)))
        return np.flip(array, self._flipped).transpose(order)

    def begin_back(
        self, low: Sequence[int], size: Sequence[int], whole: Sequence[int]
    ) -> tuple[int, int, int]:
        """Say where, as stored, a box begins that begins at `low` of an upright `whole`."""
        begin = [0, 0, 0]
        for axis, stored in enumerate(self.axes):
            far = whole[axis] - low[axis] - size[axis]
            begin[stored] = far if self.backward[axis] else low[axis]
        return begin[0], begin[1], begin[2]

    def patch_back(self, patch: Patch) -> Patch:
        """Undo `upright` for a box of an upright array."""
        low = self.begin_back(patch.low, patch.array.shape, patch.shape)
        stored = [int(n) for n in np.argsort(self.axes)]
        return Patch(self.back(patch.array), low, tuple(patch.shape[n] for n in stored))

    def patch_upright(self, patch: Patch) -> Patch:
        """Turn a box of a stored array; no value changes."""
        size, (low, whole) = patch.array.shape, (patch.low, patch.shape)
        begin = tuple(
            whole[stored] - low[stored] - size[stored] if back else low[stored]
            for stored, back in zip(self.axes, self.backward, strict=True)
        )
        return Patch(self.upright(patch.array), begin, tuple(whole[n] for n in self.axes))

    @property
    def _flipped(self) -> tuple[int, ...]:
        """Axes that run backward, counted from the last so that channels do not matter."""
        return tuple(axis - 3 for axis, back in enumerate(self.backward) if back)


def turn_of(grid: Grid) -> Turn:
    """Find the turn that brings a grid's axes nearest to the patient's.

    Each axis goes where its direction is strongest, the clearest axis first, as in nibabel's
    ``io_orientation``.
    """
    directions = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    part = directions[::-1].copy()  # rows now z, y, x: where upright k, j, i point
    axes, backward = [0, 0, 0], [False, False, False]
    for _ in range(3):
        world, stored = np.unravel_index(int(np.abs(part).argmax()), (3, 3))
        axes[world], backward[world] = int(stored), bool(part[world, stored] < 0)
        part[world, :] = 0
        part[:, stored] = 0
    return Turn((axes[0], axes[1], axes[2]), (backward[0], backward[1], backward[2]))


def upright_grid(grid: Grid, turn: Turn) -> Grid:
    """Describe the same voxels after `Turn.upright`."""
    affine = grid.affine.copy()
    affine[:3, :3] = grid.affine[:3, list(turn.axes)]
    for axis, (stored, back) in enumerate(zip(turn.axes, turn.backward, strict=True)):
        if back:
            affine[:3, 3] += affine[:3, axis] * (grid.shape[stored] - 1)
            affine[:3, axis] *= -1
    shape = (grid.shape[turn.axes[0]], grid.shape[turn.axes[1]], grid.shape[turn.axes[2]])
    return Grid(shape, affine, grid.frame_of_reference)
