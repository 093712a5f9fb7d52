"""Nodules of known size: drawn finely, blurred as a scanner blurs, with noise."""

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.spatial import ConvexHull

LUNG, TISSUE, GROUND, WALL = -860.0, 40.0, -600.0, 30.0  # HU
FINE_MM = 0.35


@dataclass(frozen=True)
class Scanner:
    """How a CT shows what is there."""

    pixel_mm: float = 0.7
    slice_mm: float = 1.25  # thickness and distance
    blur_mm: float = 0.65  # sigma of the point spread in the plane
    noise_hu: float = 25.0


@dataclass(frozen=True)
class Scene:
    """One nodule and what touches it, in mm; (z, y, x) from the middle of the crop."""

    radii_mm: tuple[float, float, float]
    density_hu: float = TISSUE
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))
    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    wall: tuple[np.ndarray, float] | None = None  # outward normal, distance from the center
    tube: tuple[np.ndarray, np.ndarray, float] | None = None  # direction, place, radius
    core: tuple[float, float] | None = None  # radius and HU of a ball in the middle
    ripple: tuple[int, float] = (0, 0.0)  # lobes around the axis, their share of the radius
    lung_hu: float = LUNG


@dataclass(frozen=True)
class Drawn:
    """A crop and the truth of what is in it."""

    hu: np.ndarray
    spacing_mm: tuple[float, float, float]
    seed: tuple[int, int, int]
    lung: np.ndarray
    long_mm: float
    short_mm: float
    volume_mm3: float

    @property
    def mean_mm(self) -> float:
        return (self.long_mm + self.short_mm) / 2


def a_turn(rng: np.random.Generator) -> np.ndarray:
    """Any rotation, all equally likely."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.sign(np.diag(r))


def a_direction(rng: np.random.Generator) -> np.ndarray:
    v = rng.normal(size=3)
    return v / np.linalg.norm(v)


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("...i,...i->...", vectors, vectors))


def depth(scene: Scene, places_mm: np.ndarray) -> np.ndarray:
    """Depth under the nodule's surface, in mm (first order), wall not yet taken off."""
    centered = places_mm - np.array(scene.offset_mm)
    radii = np.array(scene.radii_mm)
    q, slope = (
        _length(centered @ (scene.turn / radii)),
        _length(centered @ (scene.turn / radii**2)),
    )
    lobes, share = scene.ripple
    if lobes:
        local = centered @ scene.turn
        wave = 1 + share * np.cos(lobes * np.arctan2(local[..., 1], local[..., 2]))
        q, slope = q / wave, slope / wave
    q += 1e-9
    return (1 - q) / np.where(q > 0.3, slope / q + 1e-9, 1 / radii.min())


def beyond_wall(scene: Scene, places_mm: np.ndarray) -> np.ndarray:
    """Depth in the wall, in mm; negative in the lung."""
    if scene.wall is None:
        return np.full(places_mm.shape[:-1], -100.0)
    normal, distance = scene.wall
    return (places_mm - np.array(scene.offset_mm)) @ normal - distance


def in_tube(scene: Scene, places_mm: np.ndarray) -> np.ndarray:
    """Depth in the tube, in mm."""
    if scene.tube is None:
        return np.full(places_mm.shape[:-1], -100.0)
    direction, place, radius = scene.tube
    away = places_mm - np.array(scene.offset_mm) - place
    away = away - (away @ direction)[..., None] * direction
    return radius - _length(away)


def _cover(depth_mm: np.ndarray) -> np.ndarray:
    return np.clip(depth_mm / FINE_MM + 0.5, 0, 1)


def draw(
    scene: Scene, scanner: Scanner, rng: np.random.Generator, half_mm: float = 0.0
) -> Drawn:
    """Sample finely, average over slice and pixel blur, sample coarsely, add noise."""
    least = max(scene.radii_mm) + 9
    n_k = 2 * round(least / scanner.slice_mm) + 1
    n_j = 2 * round((half_mm or least) / scanner.pixel_mm) + 1
    thin = max(1, round(scanner.slice_mm / FINE_MM))
    fine = max(1, round(scanner.pixel_mm / FINE_MM))
    step_k, step_j = scanner.slice_mm / thin, scanner.pixel_mm / fine
    z = (np.arange(n_k * thin) - (n_k * thin - 1) / 2) * step_k
    y = (np.arange(n_j * fine) - (n_j * fine - 1) / 2) * step_j
    places = np.stack(np.meshgrid(z, y, y, indexing="ij"), -1)
    nodule, wall = depth(scene, places), beyond_wall(scene, places)
    tube = in_tube(scene, places)
    hu = np.full(nodule.shape, scene.lung_hu)
    hu += _cover(tube) * (TISSUE - hu)
    hu += _cover(nodule) * (np.maximum(hu, scene.density_hu) - hu)
    if scene.core:
        center = places - np.array(scene.offset_mm)
        core = _cover(scene.core[0] - _length(center))
        hu += core * (scene.core[1] - hu)
    hu += _cover(wall) * (WALL - hu)
    hu = gaussian_filter(hu, (0, scanner.blur_mm / step_j, scanner.blur_mm / step_j))
    hu = hu.reshape(n_k, thin, n_j, fine, n_j, fine).mean((1, 3, 5))
    noise = gaussian_filter1d(gaussian_filter1d(rng.normal(size=hu.shape), 0.5, 1), 0.5, 2)
    hu = hu + noise * (scanner.noise_hu / noise.std())
    seed = (np.array(hu.shape) - 1) / 2 + np.array(scene.offset_mm) / (
        scanner.slice_mm,
        scanner.pixel_mm,
        scanner.pixel_mm,
    )
    lung = (wall < 0).reshape(n_k, thin, n_j, fine, n_j, fine).mean((1, 3, 5)) >= 0.5
    long_mm, short_mm = true_axes(scene)
    inside = np.minimum(nodule, -wall)
    return Drawn(
        hu=hu.astype(np.float32),
        spacing_mm=(scanner.slice_mm, scanner.pixel_mm, scanner.pixel_mm),
        seed=tuple(int(v) for v in np.rint(seed)),
        lung=lung,
        long_mm=long_mm,
        short_mm=short_mm,
        volume_mm3=float(_cover(inside).sum() * step_k * step_j**2),
    )


def true_axes(scene: Scene) -> tuple[float, float]:
    """Axes in the axial plane of greatest area, by trying every pair of border points."""
    half = max(scene.radii_mm) * 1.1 + 0.5
    y = np.arange(-half, half, 0.1)
    best, area = np.zeros((0, 2)), 0
    for z in np.linspace(-half, half, 41) if scene.wall is not None else [0.0]:
        plane = np.stack(np.meshgrid([z], y, y, indexing="ij"), -1)[0]
        places = plane + np.array(scene.offset_mm)
        inside = (depth(scene, places) > 0) & (beyond_wall(scene, places) < 0)
        if inside.sum() > area:
            best, area = plane[inside][:, 1:], int(inside.sum())
    return brute_axes(best)


def brute_axes(points: np.ndarray) -> tuple[float, float]:
    """Try all pairs; of those within 2 % of the longest take the one nearest the main axis."""
    hull = points[ConvexHull(points).vertices]
    apart = hull[:, None] - hull[None]
    lengths = np.sqrt((apart**2).sum(-1))
    main = np.linalg.eigh(np.cov(points.T))[1][:, 1]
    pairs = np.argwhere(np.triu(lengths) > 0.98 * lengths.max())
    units = np.array([apart[a, b] / lengths[a, b] for a, b in pairs])
    along = units[np.abs(units @ main).argmax()]
    position = np.round((points @ along) / 0.15)
    across = points @ np.array([-along[1], along[0]])
    chords = [np.ptp(across[position == p]) for p in np.unique(position)]
    longest = float(lengths.max()) + 0.05
    return longest, min(float(max(chords)) + 0.05, longest)
