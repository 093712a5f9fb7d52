"""Dose-volume histograms: how much of a structure receives at least so much dose.

Drzymala 1991 (doi:10.1016/0360-3016(91)90168-4); checked against closed forms as Nelms 2015
(doi:10.1118/1.4923175) does. A structure is sampled finer than its voxels, cells at its surface
count by the share inside, and the dose within a cell is spread over the range that its slope
spans, so that thin steps do not show.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32
from numpy import ndarray
from scipy.ndimage import map_coordinates

from medloop.core.image import Volume
from medloop.imaging.soft import Surface, box_of, refine, shares, surface_of, volume_mm3

BINS: Final = 4096
_SAMPLES: Final = 100_000  # about so many inside a structure
_STEPS_MM: Final = (0.3, 1.0)  # between samples, at least and at most
_EDGE_VOXELS: Final = 0.5 + 1e-6  # the outermost doses stand for so much around their centers


@dataclass(frozen=True, slots=True, eq=False)
class Dvh:
    """Dose and volume of one structure.

    `cumulative_cm3[n]` receives `dose_gy[n]` or more; doses rise evenly from 0. Mean, least and
    greatest dose are of the structure, not of the histogram. `outside_cm3` lies beyond the dose
    grid and counts as 0 Gy.
    """

    dose_gy: Float[ndarray, " n"]
    cumulative_cm3: Float[ndarray, " n"]
    mean_gy: float
    least_gy: float
    greatest_gy: float
    outside_cm3: float

    @property
    def volume_cm3(self) -> float:
        """Volume of the structure."""
        return float(self.cumulative_cm3[0])

    @property
    def differential_cm3(self) -> Float[ndarray, " m"]:
        """Volume that receives a dose between each step of `dose_gy` and the next."""
        return -np.diff(self.cumulative_cm3)

    def dose_to_share(self, share: float) -> float:
        """Least dose to the share of the volume that receives most: 0.95 for D95, in Gy.

        Raises
        ------
        ValueError
            If the share does not lie between 0 and 1.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"a share lies between 0 and 1, got {share}")
        return self.dose_to_volume(share * self.volume_cm3)

    def dose_to_volume(self, cm3: float) -> float:
        """Least dose to the volume that receives most: 0.03 for D0.03cc, in Gy."""
        rising = self.cumulative_cm3[::-1]
        dose = float(np.interp(cm3, rising, self.dose_gy[::-1]))
        return min(max(dose, self.least_gy), self.greatest_gy)

    def volume_of_dose(self, gy: float) -> float:
        """Volume that receives a dose or more, in cm3: 20 for V20."""
        if gy <= self.least_gy:
            return self.volume_cm3
        if gy > self.greatest_gy:
            return 0.0
        return float(np.interp(gy, self.dose_gy, self.cumulative_cm3))

    def share_of_dose(self, gy: float) -> float:
        """Share of the volume that receives a dose or more; NaN of an empty structure."""
        return self.volume_of_dose(gy) / self.volume_cm3 if self.volume_cm3 else math.nan


def dvh_of(soft: Volume, dose: Volume) -> Dvh:
    """Sample the dose in a structure; each lies on a grid of its own.

    Doses between the centers of the dose grid are interpolated linearly. An empty structure has
    no volume, and NaN for doses.
    """
    box = box_of(soft)
    if box is None:
        none = np.zeros(2)
        return Dvh(np.array([0.0, 1.0]), none, math.nan, math.nan, math.nan, 0.0)
    volume = volume_mm3(soft)
    step_mm = min(max((volume / _SAMPLES) ** (1 / 3), _STEPS_MM[0]), _STEPS_MM[1])
    fine = refine(soft, box, step_mm=step_mm)
    weight = shares(fine)
    doses, known = _doses(dose, fine)
    spread = _spread(doses)
    used = weight > 0
    weights = weight[used].astype(np.float64) * (fine.grid.voxel_mm3 / 1000)
    values = doses[used].astype(np.float64)
    least, greatest = _ends(values[weights > 0], surface_of(fine), dose, fine.array[used] > 0)
    edges = np.linspace(0, max(greatest, 1e-6) * (1 + 2 / BINS), BINS + 1)
    below = _below(values, spread[used].astype(np.float64), weights, edges)
    total = float(weights.sum())
    return Dvh(
        edges,
        np.clip(total - below, 0, total),
        float((values * weights).sum() / total),
        least,
        greatest,
        float(weights[~known[used]].sum()),
    )


def on_grid_of(dose: Volume, like: Volume) -> Volume:
    """Interpolate a dose linearly at the centers of another grid; 0 beyond its own."""
    return Volume(_doses(dose, like)[0], like.grid, dose.unit)


def _doses(
    dose: Volume, fine: Volume
) -> tuple[Float32[ndarray, "k j i"], Bool[ndarray, "k j i"]]:
    """Interpolate at samples; tell which lie on the dose grid."""
    shape = fine.array.shape
    doses, known = np.empty(shape, np.float32), np.empty(shape, bool)
    rows = np.stack(np.meshgrid(*map(np.arange, shape[1:]), indexing="ij"), axis=-1)
    for k in range(shape[0]):
        index = np.concatenate([np.full((*shape[1:], 1), k), rows], axis=-1).astype(float)
        doses[k], known[k] = _at(dose, fine.grid.to_world(index.reshape(-1, 3)), shape[1:])
    return doses, known


def _at(
    dose: Volume, places_mm: Float[ndarray, "n 3"], shape: tuple[int, ...]
) -> tuple[Float32[ndarray, "*s"], Bool[ndarray, "*s"]]:
    place = dose.grid.to_index(places_mm).T
    last = np.array(dose.array.shape)[:, None] - 1.0
    known = ((place >= -_EDGE_VOXELS) & (place <= last + _EDGE_VOXELS)).all(axis=0)
    values = map_coordinates(np.asarray(dose.array, np.float32), place, order=1, mode="nearest")
    return np.where(known, values, 0).reshape(shape), known.reshape(shape)


def _spread(doses: Float32[ndarray, "k j i"]) -> Float32[ndarray, "k j i"]:
    """Width of the range of doses in the cell around each sample (of equal variance)."""
    squares = np.zeros_like(doses)
    for axis in range(3):
        if doses.shape[axis] > 1:
            squares += np.gradient(doses, axis=axis) ** 2
    return np.sqrt(squares)


def _ends(
    values: Float[ndarray, " n"], surface: Surface, dose: Volume, inside: Bool[ndarray, " n"]
) -> tuple[float, float]:
    """Least and greatest dose in a structure, its surface included."""
    at_surface, _ = _at(dose, surface.points_mm, (len(surface.points_mm),))
    both = np.concatenate([values[inside], at_surface.astype(np.float64)])
    return float(both.min()), float(both.max())


def _below(
    values: Float[ndarray, " n"],
    widths: Float[ndarray, " n"],
    weights: Float[ndarray, " n"],
    edges: Float[ndarray, " m"],
) -> Float[ndarray, " m"]:
    """Volume below each edge, each value spread evenly over its width.

    Each adds two ramps, one up where its range begins, one down where it ends; ramps at even
    steps are the second sum of two numbers.
    """
    step = edges[1] - edges[0]
    width = np.maximum(widths / step, 1.0)
    slope = weights / width
    middle = values / step
    jerk = np.zeros(len(edges) + 2)
    for start, sign in ((middle - width / 2, 1.0), (middle + width / 2, -1.0)):
        first = np.clip(np.ceil(start), 0, len(edges))
        risen = first - start
        place = first.astype(int)
        jerk += np.bincount(place, sign * slope * risen, len(jerk))
        jerk += np.bincount(place + 1, sign * slope * (1 - risen), len(jerk))
    return np.cumsum(np.cumsum(jerk))[: len(edges)]
