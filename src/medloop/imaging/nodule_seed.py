"""What stands out from the lung at a place: its middle, its rough radius, its density."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage

LARGEST_RADIUS_MM = 30.0
DENSEST_HU = 500.0  # that a threshold is derived from
_LUNG_HU = (-1000.0, -650.0)
_USUAL_LUNG_HU = -860.0
_USUAL_NOISE_HU = 25.0
_RAYS = 160
_RAY_STEP_MM = 0.5


@dataclass(frozen=True, slots=True)
class Start:
    """Index of the middle (k, j, i), radius seen by most rays, and levels in HU."""

    place: tuple[float, float, float]
    radius_mm: float
    lung_hu: float
    density_hu: float
    noise_hu: float


def start(
    hu: Float[ndarray, "k j i"],
    spacing_mm: tuple[float, float, float],
    seed: tuple[int, int, int],
    *,
    lung: Bool[ndarray, "k j i"] | None = None,
) -> Start:
    """Look around the seed along rays until they fall below half the contrast."""
    lung_hu, noise_hu = lung_level(hu, spacing_mm, seed, lung)
    place = _on_something(hu, spacing_mm, seed, lung_hu)
    mm = np.array(spacing_mm)
    density_hu, radius_mm = lung_hu, 1.0
    for _ in range(3):
        density_hu = _density(hu, spacing_mm, place)
        if density_hu - lung_hu < 40:
            break
        exits = _exits(hu, mm, place, (lung_hu + density_hu) / 2)
        radius_mm = float(np.clip(np.quantile(exits, 0.45), 1.0, LARGEST_RADIUS_MM))
        middle = (_directions() * np.minimum(exits, 1.3 * radius_mm)[:, None]).mean(0) * 1.5
        moved = np.array(place) + np.clip(middle, -radius_mm, radius_mm) / mm
        k, j, i = np.clip(moved, 0, np.array(hu.shape) - 1)
        place = (float(k), float(j), float(i))
    return Start(place, radius_mm, lung_hu, density_hu, noise_hu)


def lung_level(
    hu: Float[ndarray, "k j i"],
    spacing_mm: tuple[float, float, float],
    seed: tuple[int, int, int],
    lung: Bool[ndarray, "k j i"] | None,
) -> tuple[float, float]:
    """Take the median of what is as thin as lung within 20 mm, and the noise there, in HU.

    The noise is the spread of neighbors' differences, by their median deviation. Where there is
    next to no lung, usual values stand in.
    """
    box = tuple(
        slice(max(0, int(s - 20 / mm)), int(s + 20 / mm) + 1)
        for s, mm in zip(seed, spacing_mm, strict=True)
    )
    near = hu[box]
    is_thin = (near > _LUNG_HU[0]) & (near < _LUNG_HU[1])
    if lung is not None and lung[box].any():
        is_thin &= lung[box]
    if is_thin.sum() < 50:
        return _USUAL_LUNG_HU, _USUAL_NOISE_HU
    steps = np.diff(near, axis=2)[is_thin[:, :, 1:] & is_thin[:, :, :-1]]
    noise_hu = 1.4826 * np.median(np.abs(steps)) / np.sqrt(2) if len(steps) else _USUAL_NOISE_HU
    return float(np.median(near[is_thin])), float(noise_hu)


def _on_something(
    hu: Float[ndarray, "k j i"],
    spacing_mm: tuple[float, float, float],
    seed: tuple[int, int, int],
    lung_hu: float,
) -> tuple[float, float, float]:
    """Keep the seed, or go to the nearest place within 6 mm that stands out."""
    low = [max(0, int(s - 7 / mm)) for s, mm in zip(seed, spacing_mm, strict=True)]
    box = tuple(
        slice(a, int(s + 7 / mm) + 2) for a, s, mm in zip(low, seed, spacing_mm, strict=True)
    )
    smooth = ndimage.gaussian_filter(hu[box], [0.8 / mm for mm in spacing_mm])
    dense = np.argwhere(smooth > lung_hu + 130)
    offset_mm = (dense + low - np.array(seed)) * np.array(spacing_mm)
    away = np.sqrt((offset_mm**2).sum(1))
    if not len(away) or away.min() > 6:
        k, j, i = seed
    else:
        k, j, i = dense[away.argmin()] + low
    return float(k), float(j), float(i)


def _density(
    hu: Float[ndarray, "k j i"],
    spacing_mm: tuple[float, float, float],
    place: tuple[float, float, float],
) -> float:
    """Take the median within 1.5 mm, so that a vessel in ground glass does not decide."""
    grid = np.linspace(-1.5, 1.5, 7)
    offsets = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), -1).reshape(-1, 3)
    offsets = offsets[(offsets**2).sum(1) <= 2.3]
    values = _sample(hu, np.array(place) + offsets / np.array(spacing_mm))
    return float(min(np.median(values), DENSEST_HU))


def _exits(
    hu: Float[ndarray, "k j i"],
    mm: Float[ndarray, " 3"],
    place: tuple[float, float, float],
    threshold_hu: float,
) -> Float[ndarray, " n"]:
    """Give the distance along each ray to where it stays below the threshold for 1 mm."""
    radii = np.arange(_RAY_STEP_MM, LARGEST_RADIUS_MM + 2, _RAY_STEP_MM)
    points = np.array(place) + _directions()[:, None] * radii[:, None] / mm
    low = _sample(hu, points.reshape(-1, 3)).reshape(len(points), -1) < threshold_hu
    out = low[:, :-1] & low[:, 1:]
    first = np.where(out.any(1), out.argmax(1), len(radii) - 1)
    return np.asarray(radii[first] - _RAY_STEP_MM / 2)


def _sample(hu: Float[ndarray, "k j i"], points: Float[ndarray, "n 3"]) -> Float[ndarray, " n"]:
    return np.asarray(ndimage.map_coordinates(hu, points.T, order=1, mode="nearest"))


def _directions() -> Float[ndarray, "n 3"]:
    """Spread unit vectors evenly (Fibonacci lattice)."""
    n = np.arange(_RAYS) + 0.5
    z = 1 - 2 * n / _RAYS
    angle = np.pi * (1 + 5**0.5) * n
    flat = np.sqrt(1 - z**2)
    return np.stack([z, flat * np.sin(angle), flat * np.cos(angle)], 1)
