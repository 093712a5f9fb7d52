"""Drawn nodules of many sizes, kinds and scanners, and how far off their sizes are measured."""

import time
from dataclasses import dataclass

import numpy as np

from medloop.imaging.nodule_outline import outline
from medloop.imaging.nodule_size import measure
from tests.imaging.nodules import TISSUE, Scanner, Scene, a_direction, a_turn, draw

PLACES = ("isolated", "at the wall", "at a vessel")
DENSITIES = ("solid", "ground glass")


@dataclass(frozen=True)
class Trial:
    place: str
    density: str
    drawn_mm: float
    slice_mm: float
    mean_error_mm: float  # NaN if nothing was found
    long_error_mm: float
    short_error_mm: float
    volume_ratio: float
    time_s: float


def a_scene(rng: np.random.Generator, place: str, density: str, diameter_mm: float) -> Scene:
    """Balls and ellipsoids of any direction, off the voxels' centers."""
    radii = np.full(3, diameter_mm / 2)
    if rng.random() < 0.6:
        stretch = rng.uniform(0.65, 1.0, 3)
        radii = radii * stretch / np.cbrt(stretch.prod())
    wall = tube = None
    if place == "at the wall":
        angle = rng.uniform(0, 2 * np.pi)
        wall = (
            np.array([0, np.sin(angle), np.cos(angle)]),
            rng.uniform(0.5, 1.0) * diameter_mm / 2,
        )
    if place == "at a vessel":
        along = a_direction(rng)
        aside = np.cross(along, a_direction(rng))
        aside *= rng.uniform(0, 0.9) * diameter_mm / 2 / np.linalg.norm(aside)
        least = max(0.5, 0.17 * diameter_mm / 2)
        tube = (along, aside, rng.uniform(least, max(least, 0.35 * diameter_mm / 2)))
    return Scene(
        radii_mm=tuple(radii),
        density_hu=TISSUE if density == "solid" else rng.uniform(-680, -500),
        turn=a_turn(rng),
        offset_mm=tuple(rng.uniform(-0.6, 0.6, 3)),
        wall=wall,
        tube=tube,
    )


def a_scanner(rng: np.random.Generator) -> Scanner:
    return Scanner(
        pixel_mm=rng.uniform(0.6, 0.8),
        slice_mm=float(rng.choice([1.0, 1.25, 2.0, 2.5])),
        blur_mm=rng.uniform(0.5, 0.8),
        noise_hu=rng.uniform(20, 40),
    )


def try_one(
    rng: np.random.Generator, place: str, density: str, *, has_mask: bool, largest_mm: float
) -> Trial:
    diameter_mm = rng.uniform(4, largest_mm)
    scanner = a_scanner(rng)
    scene = a_scene(rng, place, density, diameter_mm)
    half_mm = max(scene.radii_mm) + 20 if place == "at the wall" else 0.0
    drawn = draw(scene, scanner, rng, half_mm)
    began = time.process_time()
    nodule = outline(
        drawn.hu, drawn.spacing_mm, drawn.seed, lung=drawn.lung if has_mask else None
    )
    size = None if nodule is None else measure(nodule)
    took_s = time.process_time() - began
    errors = (np.nan,) * 4
    if size is not None:
        errors = (
            size.mean_mm - drawn.mean_mm,
            size.long_mm - drawn.long_mm,
            size.short_mm - drawn.short_mm,
            size.volume_mm3 / drawn.volume_mm3,
        )
    return Trial(place, density, diameter_mm, scanner.slice_mm, *errors, took_s)


def study(
    rng: np.random.Generator, count: int, *, has_mask: bool = False, largest_mm: float = 20.0
) -> list[Trial]:
    """Draw and measure so many of each place and density."""
    return [
        try_one(rng, place, density, has_mask=has_mask, largest_mm=largest_mm)
        for _ in range(count)
        for place in PLACES
        for density in DENSITIES
    ]


def chosen(trials: list[Trial], place: str, density: str) -> list[Trial]:
    return [t for t in trials if t.place == place and t.density == density]


def bias_and_sd(trials: list[Trial]) -> tuple[float, float]:
    """Of the mean axis' error, in mm."""
    errors = [t.mean_error_mm for t in trials]
    return float(np.mean(errors)), float(np.std(errors, ddof=1))
