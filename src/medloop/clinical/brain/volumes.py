"""From labels and probabilities to volumes, their uncertainty, and where they are."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Integer
from numpy import ndarray

from medloop.core.geometry import Grid

SURE, POSSIBLE = 0.75, 0.25


@dataclass(frozen=True, slots=True)
class Measured:
    """One structure: its volume, how far that can move, where it is, and how sure.

    `volume_mm3` counts its voxels; `expected_mm3` sums its probability over all voxels;
    `low_mm3` and `high_mm3` count voxels over a probability of 0.75 and 0.25: where a stricter
    and a more generous outline would lie, no confidence interval. `probability` is the mean
    over its voxels.
    """

    volume_mm3: float
    expected_mm3: float
    low_mm3: float
    high_mm3: float
    probability: float
    center_lps_mm: tuple[float, float, float]


def measure(
    inside: Bool[ndarray, "k j i"], probability: Float32[ndarray, "k j i"], grid: Grid
) -> Measured | None:
    """Measure one structure, or None where it has no voxel."""
    indices = np.argwhere(inside)
    if not len(indices):
        return None
    x, y, z = grid.to_world(indices.mean(axis=0)).tolist()
    voxel_mm3 = grid.voxel_mm3
    return Measured(
        volume_mm3=len(indices) * voxel_mm3,
        expected_mm3=float(probability.sum(dtype=np.float64)) * voxel_mm3,
        low_mm3=int((probability > SURE).sum()) * voxel_mm3,
        high_mm3=int((probability > POSSIBLE).sum()) * voxel_mm3,
        probability=float(np.clip(probability[inside].mean(dtype=np.float64), 0, 1)),
        center_lps_mm=(x, y, z),
    )


def measure_parts(
    labels: Integer[ndarray, "k j i"],
    maps: Mapping[int, Float32[ndarray, "k j i"]],
    grid: Grid,
) -> Mapping[int, Measured]:
    """Measure each label that has a voxel; `maps` are the probabilities by label."""
    found = {label: measure(labels == label, map_, grid) for label, map_ in maps.items()}
    return {label: each for label, each in found.items() if each is not None}
