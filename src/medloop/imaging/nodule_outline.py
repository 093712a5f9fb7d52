"""Outline one nodule of the lung around a place in a CT, without its vessels and the wall."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage

from medloop.imaging.nodule_cube import Frame, cut, frame_around, spread
from medloop.imaging.nodule_region import bounds, convexity, region
from medloop.imaging.nodule_seed import DENSEST_HU, LARGEST_RADIUS_MM, Start, start
from medloop.imaging.nodule_wall import depth_in_lung

LEAST_CONTRAST_HU = 80.0
SOLID_HU = -300.0  # where ground glass ends
HALO_HU = 150.0  # a halo's median is at least so much over the lung's level
NOISY = 15.0  # contrast over noise; below, the cube is smoothed, or noise would roughen borders
_SMOOTHING_MM = 0.7
_SETTLED = 0.02  # share of the contrast by which a threshold may be off
_CONVEX = 0.83  # share of its convex hull that a nodule with a halo fills at least
_HALO_SHARE = 0.6  # of what is around stands out by two thirds of that
_BLURRED = 0.17  # share of the core's contrast that blur alone can leave 1 mm outside
_CUBE_SIDE = 45


@dataclass(frozen=True, slots=True)
class Levels:
    """Densities in HU: of the lung, of most of the nodule (its halo if it has one), its core.

    `threshold_hu` is where the nodule begins, `solid_hu` where its solid part begins.
    """

    lung_hu: float
    nodule_hu: float
    core_hu: float
    threshold_hu: float
    solid_hu: float


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A nodule on the crop, and on a finer cube around it that sizes are taken from.

    Attributes
    ----------
    mask, solid
        The nodule and what of it is solid, on the crop's voxels.
    touches_edge
        Whether it reaches the crop's border, so that a larger crop would show more.
    frame, hu, inside, depth_mm
        The cube: where it lies, its densities, which voxels are nodule, and how deep in the
        lung they lie (the lung closed over nodules at its wall).
    even_hu, smoothing_mm
        The densities that the threshold was applied to: those of a faint nodule are smoothed.
    """

    mask: Bool[ndarray, "k j i"]
    solid: Bool[ndarray, "k j i"]
    touches_edge: bool
    frame: Frame
    hu: Float[ndarray, "n n n"]
    even_hu: Float[ndarray, "n n n"]
    inside: Bool[ndarray, "n n n"]
    depth_mm: Float[ndarray, "n n n"]
    smoothing_mm: float
    levels: Levels


@dataclass(frozen=True, slots=True, eq=False)
class _Cube:
    frame: Frame
    hu: Float[ndarray, "n n n"]
    even_hu: Float[ndarray, "n n n"]
    depth_mm: Float[ndarray, "n n n"]
    smoothing_mm: float

    def region(self, threshold_hu: float) -> Bool[ndarray, "n n n"]:
        above = (self.even_hu > threshold_hu) & (self.depth_mm > 0)
        return region(above, self.depth_mm, step_mm=self.frame.step_mm)


def outline(
    hu: Float[ndarray, "k j i"],
    spacing_mm: tuple[float, float, float],
    seed: tuple[int, int, int],
    *,
    lung: Bool[ndarray, "k j i"] | None = None,
) -> Outline | None:
    """Outline the nodule at `seed`; None where nothing stands out from the lung there.

    The threshold lies halfway between the lung around and the nodule, so that blur moves the
    border neither in nor out. What hangs on by a neck is cut off by an opening in proportion to
    the nodule's thickness, as in Kuhnigk 2006.

    Raises
    ------
    ValueError
        If the seed is outside the crop, or a spacing is not positive.
    """
    _check(hu, spacing_mm, seed)
    begin = start(hu, spacing_mm, seed, lung=lung)
    if begin.density_hu - begin.lung_hu < LEAST_CONTRAST_HU:
        return None
    radius_mm = begin.radius_mm
    while True:
        cube = _cube(hu, begin, spacing_mm, radius_mm, lung)
        levels, inside = _grow(cube, begin)
        if not _meets_border(inside) or radius_mm >= LARGEST_RADIUS_MM:
            break
        radius_mm = min(1.7 * radius_mm, LARGEST_RADIUS_MM)
    if not inside.any():
        return None
    mask = spread(inside, cube.frame, hu.shape)
    return Outline(
        mask=mask,
        solid=mask & (hu > levels.solid_hu),
        touches_edge=_meets_border(mask) or _meets_border(inside),
        frame=cube.frame,
        hu=cube.hu,
        even_hu=cube.even_hu,
        inside=inside,
        depth_mm=cube.depth_mm,
        smoothing_mm=cube.smoothing_mm,
        levels=levels,
    )


def _check(
    hu: Float[ndarray, "k j i"],
    spacing_mm: tuple[float, float, float],
    seed: tuple[int, int, int],
) -> None:
    if not all(0 <= s < n for s, n in zip(seed, hu.shape, strict=True)):
        raise ValueError(f"seed {seed} is outside the crop of {hu.shape}")
    if not all(mm > 0 for mm in spacing_mm):
        raise ValueError(f"spacing must be positive, got {spacing_mm}")


def _cube(
    hu: Float[ndarray, "k j i"],
    begin: Start,
    spacing_mm: tuple[float, float, float],
    radius_mm: float,
    lung: Bool[ndarray, "k j i"] | None,
) -> _Cube:
    half_mm = min(1.5 * radius_mm + 4, LARGEST_RADIUS_MM + 2)
    frame = frame_around(
        begin.place, spacing_mm, half_mm=half_mm, step_mm=max(0.3, 2 * half_mm / _CUBE_SIDE)
    )
    depth = depth_in_lung(hu, spacing_mm, begin.place, radius_mm=radius_mm, lung=lung)
    fine = cut(hu, frame)
    contrast_hu = begin.density_hu - begin.lung_hu
    if contrast_hu >= NOISY * begin.noise_hu:
        return _Cube(frame, fine, fine, cut(depth, frame), 0.0)
    even = np.minimum(fine, begin.density_hu + contrast_hu / 2)
    even = ndimage.gaussian_filter(even, _SMOOTHING_MM / frame.step_mm, truncate=2.5)
    return _Cube(frame, fine, even, cut(depth, frame), _SMOOTHING_MM)


def _grow(cube: _Cube, begin: Start) -> tuple[Levels, Bool[ndarray, "n n n"]]:
    """Take the region at half the contrast, then look whether a halo surrounds it."""
    lung_hu, core_hu = begin.lung_hu, begin.density_hu
    threshold_hu = (lung_hu + core_hu) / 2
    inside = cube.region(threshold_hu)
    core_hu = max(_plateau(cube, inside, core_hu), lung_hu + LEAST_CONTRAST_HU)
    if abs((lung_hu + core_hu) / 2 - threshold_hu) > _SETTLED * (core_hu - lung_hu):
        threshold_hu = (lung_hu + core_hu) / 2
        inside = cube.region(threshold_hu)
    nodule_hu = core_hu
    halo_hu = _halo(cube, inside, (lung_hu, core_hu)) if core_hu > SOLID_HU else None
    if halo_hu is not None:
        wide = cube.region((lung_hu + halo_hu) / 2)
        halo_hu = _rim(cube, inside, wide, halo_hu)
        wide = cube.region((lung_hu + halo_hu) / 2)
        if wide.sum() > 1.3 * inside.sum() and convexity(wide) > _CONVEX:
            nodule_hu, inside = halo_hu, wide
            threshold_hu = (lung_hu + halo_hu) / 2
    solid_hu = SOLID_HU
    if nodule_hu < core_hu:
        solid_hu = (nodule_hu + core_hu) / 2
    return Levels(lung_hu, nodule_hu, core_hu, threshold_hu, solid_hu), inside


def _plateau(cube: _Cube, inside: Bool[ndarray, "n n n"], otherwise_hu: float) -> float:
    """Take the median of the deeper half."""
    if not inside.any():
        return otherwise_hu
    box = bounds(inside)
    deep = ndimage.distance_transform_edt(inside[box])
    return float(min(np.median(cube.hu[box][deep > 0.5 * deep.max()]), DENSEST_HU))


def _halo(
    cube: _Cube, inside: Bool[ndarray, "n n n"], levels: tuple[float, float]
) -> float | None:
    """Give the level 1 to 2 mm outside, if a good part of what is there stands out."""
    lung_hu, core_hu = levels
    rise_hu = max(HALO_HU, _BLURRED * (core_hu - lung_hu))
    if not inside.any():
        return None
    step_mm = cube.frame.step_mm
    deepest_mm = ndimage.distance_transform_edt(inside).max() * step_mm
    offset_mm = cube.frame.from_center_mm()
    rows_mm = np.hypot(offset_mm[:, None], offset_mm)
    near = np.hypot(rows_mm, offset_mm[:, None, None]) < deepest_mm + 2.3
    near &= (np.abs(offset_mm) < 0.4 * deepest_mm + 0.6)[:, None, None]
    away_mm = ndimage.distance_transform_edt(~inside) * step_mm - step_mm / 2
    hanging = ndimage.binary_dilation(
        (cube.hu > (lung_hu + core_hu) / 2) & ~inside, iterations=2
    )
    shell = cube.hu[(away_mm > 1.0) & (away_mm < 2.0) & (cube.depth_mm > 1) & near & ~hanging]
    dense = shell[shell > lung_hu + 0.67 * rise_hu]
    if len(shell) < 20 or len(dense) < _HALO_SHARE * len(shell):
        return None
    halo_hu = float(np.median(dense))
    return halo_hu if halo_hu > lung_hu + rise_hu else None


def _rim(
    cube: _Cube,
    core: Bool[ndarray, "n n n"],
    wide: Bool[ndarray, "n n n"],
    otherwise_hu: float,
) -> float:
    """Take the median between the core and the outer border, a blur away from both."""
    step_mm = cube.frame.step_mm
    from_core_mm = ndimage.distance_transform_edt(~core) * step_mm
    from_border_mm = ndimage.distance_transform_edt(wide) * step_mm
    between = cube.hu[(from_core_mm > 1.3) & (from_border_mm > 1.0)]
    return float(np.median(between)) if len(between) > 20 else otherwise_hu


def _meets_border(mask: Bool[ndarray, "a b c"]) -> bool:
    return any(
        bool(np.take(mask, end, axis=axis).any()) for axis in range(3) for end in (0, -1)
    )
