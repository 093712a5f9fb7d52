"""The shape of one labelled structure: its middle, its pieces, and whether it is cut off."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer
from numpy import ndarray
from scipy import ndimage

from medloop.core.geometry import Grid


@dataclass(frozen=True, slots=True)
class Shape:
    """What tells a whole, single structure: `faces` of the volume touched, connected pieces.

    `apart_mm3` is the volume outside the largest piece.
    """

    faces: int
    pieces: int
    apart_mm3: float


def shape_of(inside: Bool[ndarray, "k j i"], grid: Grid) -> Shape:
    """Count touched faces of the volume, and pieces that touch in no face, edge or corner."""
    ends = [inside.take(at, axis=axis).any() for axis in range(3) for at in (0, -1)]
    sizes = np.bincount(pieces_of(inside).ravel())[1:]
    apart = int(sizes.sum() - sizes.max(initial=0))
    return Shape(sum(map(bool, ends)), len(sizes), apart * grid.voxel_mm3)


def pieces_of(inside: Bool[ndarray, "k j i"]) -> Integer[ndarray, "k j i"]:
    """Label the pieces that touch in no face, edge or corner from 1 on; 0 is outside."""
    return np.asarray(ndimage.label(inside, np.ones((3, 3, 3), bool))[0])


def center_of(inside: Bool[ndarray, "k j i"], grid: Grid) -> Float[ndarray, " 3"]:
    """Middle of the voxels inside, in LPS mm.

    Raises
    ------
    ValueError
        If there is none.
    """
    indices = np.argwhere(inside)
    if not len(indices):
        raise ValueError("nothing has no middle")
    return grid.to_world(indices.mean(axis=0))
