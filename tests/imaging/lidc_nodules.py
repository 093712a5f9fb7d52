"""Real nodules with readers' outlines, and how far off ours are."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from medloop.dicom.read import read_volume
from medloop.imaging.nodule_margin import Margin, describe_margin
from medloop.imaging.nodule_outline import outline
from medloop.imaging.nodule_size import Size, measure, measure_solid
from medloop.imaging.nodule_texture import Content, describe_content
from medloop.imaging.resample import regularize
from medloop.learning.lung.cases import LungSource, find_cases
from medloop.learning.lung.readings import Reading
from tests.imaging.nodules import brute_axes

TOGETHER_MM = 15.0  # readings whose centers lie nearer to the seed outline its nodule


@dataclass(frozen=True)
class RealNodule:
    """A crop, where its nodule is, and what readers drew and rated."""

    name: str
    hu: np.ndarray
    spacing_mm: tuple[float, float, float]
    seed: tuple[int, int, int]
    masks: tuple[np.ndarray, ...]
    ratings: tuple[dict[str, int], ...]

    @property
    def consensus(self) -> np.ndarray:
        """What at least half of the readers outlined."""
        return np.mean(self.masks, axis=0) >= 0.5

    def rated(self, name: str) -> float:
        return float(np.median([r[name] for r in self.ratings]))


@dataclass(frozen=True)
class Compared:
    nodule: RealNodule
    size: Size
    solid: Size | None
    content: Content
    margin: Margin
    dice: float
    readers_dice: float  # mean of each reader's with the consensus
    readers_mean_mm: float  # mean axis, mean of the readers
    readers_spread_mm: tuple[float, float]
    readers_mm3: float  # of the consensus
    time_s: float


def real_nodules(root: Path) -> Iterator[RealNodule]:
    """Crops of LIDC-IDRI with their nodule in the middle, and the scans' nodules."""
    for source in find_cases(root):
        if source.is_whole:
            yield from _of_scan(source)
            continue
        hu = np.load(source.crop)["hu"].transpose(2, 0, 1).astype(np.float32)
        slices = np.array(source.readings.slices_mm)
        pixel_mm = source.readings.pixel_mm
        spacing = (float(np.diff(slices).min()), pixel_mm, pixel_mm)
        first = source.corner[0]
        deep = 30 if hu.shape[0] > 15 else 7  # crops of 15 slices have 7 before the middle
        seed = (min(deep, _middle(source, first)), hu.shape[1] // 2, hu.shape[2] // 2)
        found = _at(source, hu, (spacing, seed), slices[first : first + len(hu)])
        if found:
            yield found


def _middle(source: LungSource, first: int) -> int:
    """Give the slice in the middle of the readings around the crop's middle column."""
    slices = np.array(source.readings.slices_mm)
    layers = []
    for reading in source.readings.readings:
        points = np.concatenate([c.points for c in reading.contours])
        column, row = points.mean(0) - (source.corner[2] + 50, source.corner[1] + 50)
        if np.hypot(column, row) * source.readings.pixel_mm < TOGETHER_MM:
            layers += [int(np.abs(slices - c.z_mm).argmin()) - first for c in reading.contours]
    near = [k for k in layers if 0 <= k < 60]
    return round(np.median(near)) if near else 30


def _of_scan(source: LungSource) -> Iterator[RealNodule]:
    volume = read_volume(source.series, regularize=regularize)[0]
    affine = volume.grid.affine
    slices = affine[2, 3] + affine[2, 0] * np.arange(volume.array.shape[0])
    pixel_mm = source.readings.pixel_mm
    points = np.concatenate([c.points for r in source.readings.readings for c in r.contours])
    heights = [c.z_mm for r in source.readings.readings for c in r.contours]
    column, row = np.rint(points.mean(0)).astype(int)
    k = int(np.abs(slices - np.mean(heights)).argmin())
    low = (max(0, k - 30), row - 50, column - 50)
    hu = volume.array[low[0] : k + 30, low[1] : row + 50, low[2] : column + 50]
    moved = LungSource(f"scan {source.name[-4:]}", source.patient, source.readings, corner=low)
    spacing = (float(abs(affine[2, 0])), pixel_mm, pixel_mm)
    found = _at(
        moved,
        hu.astype(np.float32),
        (spacing, (k - low[0], 50, 50)),
        slices[low[0] : low[0] + len(hu)],
    )
    if found:
        yield found


def _at(source, hu, place, slices) -> RealNodule | None:
    spacing, seed = place
    masks, ratings = [], []
    for reading in source.readings.readings:
        mask = _mask(reading, hu.shape, source.corner, slices)
        if not mask.any():
            continue
        away = (np.argwhere(mask).mean(0) - seed) * spacing
        if np.linalg.norm(away) < TOGETHER_MM:
            masks.append(mask)
            ratings.append(dict(reading.ratings))
    if not masks or not (np.mean(masks, axis=0) >= 0.5).any():
        return None
    name = source.name.replace("nodules_", "").replace("LIDC-IDRI-", "").replace("_vol", "")
    return RealNodule(name, hu, spacing, seed, tuple(masks), tuple(ratings))


def _mask(reading: Reading, shape, corner, slices) -> np.ndarray:
    """Fill contours; their points are the first pixels outside."""
    mask = np.zeros(shape, np.uint8)
    for contour in sorted(reading.contours, key=lambda c: c.is_hole):
        k = int(np.abs(slices - contour.z_mm).argmin())
        if abs(slices[k] - contour.z_mm) > 0.6:
            continue
        line = (contour.points - (corner[2], corner[1])).astype(np.int32)
        plane = np.zeros(shape[1:], np.uint8)
        cv2.fillPoly(plane, [line], 1)
        if contour.is_hole:
            mask[k] &= 1 - plane
        else:
            cv2.polylines(plane, [line], isClosed=True, color=0)
            mask[k] |= plane
    return mask.astype(bool)


def compare(nodule: RealNodule) -> Compared | None:
    """Outline from the middle alone, without a mask of the lung."""
    began = time.process_time()
    ours = outline(nodule.hu, nodule.spacing_mm, nodule.seed)
    if ours is None:
        return None
    size, solid = measure(ours), measure_solid(ours)
    content, margin = describe_content(ours), describe_margin(ours)
    took_s = time.process_time() - began
    truth = nodule.consensus
    axes = [np.mean(_axes(m, nodule.spacing_mm[1])) for m in nodule.masks]
    return Compared(
        nodule,
        size,
        solid,
        content,
        margin,
        dice=_dice(ours.mask, truth),
        readers_dice=float(np.mean([_dice(m, truth) for m in nodule.masks])),
        readers_mean_mm=float(np.mean(axes)),
        readers_spread_mm=(float(min(axes)), float(max(axes))),
        readers_mm3=float(truth.sum() * np.prod(nodule.spacing_mm)),
        time_s=took_s,
    )


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def _axes(mask: np.ndarray, pixel_mm: float) -> tuple[float, float]:
    """Measure a reader's outline in the slice where it is largest, by pixels' corners."""
    pixels = np.argwhere(mask[mask.sum((1, 2)).argmax()]).astype(float)
    corners = [np.add(pixels, (y, x)) for y in (-0.5, 0.5) for x in (-0.5, 0.5)]
    return brute_axes(np.concatenate(corners) * pixel_mm)
