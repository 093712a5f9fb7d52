"""From a chest CT and its lungs to places that may be nodules, each with a probability."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8
from numpy import ndarray

from medloop.imaging.blobs import Blobs, find_blobs
from medloop.imaging.hounsfield import Curve, match_histogram
from medloop.models.nodule_plan import NodulePlan
from medloop.models.predict import Predictor, expect

LUNG_HU: Final = -850.0  # what stands for everything outside the lungs
_BRIGHTEST_HU: Final = 100.0  # a blob is as bright as soft tissue, bone and metal are no more
_MARGIN_MM: Final = 6.0
_BATCH: Final = 16
_SLAB: Final = 64  # slices
_SAMPLES: Final = 4_000_000  # voxels of a scan that its lungs' HU are told from
_ALIKE_HU: Final = 40.0


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Places that may be nodules.

    Attributes
    ----------
    centers
        [k, j, i] in voxels of the upright volume, to a fraction.
    radii_mm
        As the scale tells at which a place is most like a ball: a coarse guess.
    scores_hu
        How much like a ball, see `imaging.blobs.Blobs`.
    """

    centers: Float[ndarray, "n 3"]
    radii_mm: Float[ndarray, " n"]
    scores_hu: Float[ndarray, " n"]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.scores_hu)

    def take(self, which: ndarray) -> "Spots":
        """Return some of them, by index or mask."""
        return Spots(self.centers[which], self.radii_mm[which], self.scores_hu[which])


def lung_values(
    hu: Shaped[ndarray, "k j i"], lungs: UInt8[ndarray, "k j i"]
) -> Float32[ndarray, " n"]:
    """Take some of the HU in the lungs."""
    step = max(1, round((hu.size / _SAMPLES) ** (1 / 3)))
    every = np.s_[::step, ::step, ::step]
    return hu[every][lungs[every] > 0].astype(np.float32)


def curve_for(
    hu: Shaped[ndarray, "k j i"], lungs: UInt8[ndarray, "k j i"], plan: NodulePlan
) -> Curve | None:
    """Match a scanner's lungs to those the networks learned from; None where they are alike.

    They differ where half of the quantiles are 40 HU or more off (Nyul 2000).
    """
    values = lung_values(hu, lungs)
    if plan.reference is None or not len(values):
        return None
    own = np.quantile(values, plan.reference.shares)
    if np.median(np.abs(own - plan.reference.values)) < _ALIKE_HU:
        return None
    return match_histogram(values, plan.reference)


def find_spots(
    hu: Shaped[ndarray, "k j i"],
    lungs: UInt8[ndarray, "k j i"],
    spacing_mm: Float[ndarray, " 3"],
    plan: NodulePlan,
    *,
    curve: Curve | None = None,
) -> Spots:
    """Find bright blobs in the lungs of an upright volume in HU; `lungs` is 0 elsewhere.

    The lungs' box alone is resampled, slice by slice; HU are mapped by the `curve` first.
    """
    box = _box(lungs, _MARGIN_MM / spacing_mm)
    if box is None:
        return Spots(np.zeros((0, 3)), np.zeros(0), np.zeros(0))
    cut, mask = hu[box], lungs[box]
    cubic = _cubic(cut, mask, spacing_mm, plan.step_mm, curve)
    blobs: Blobs = find_blobs(
        cubic,
        smallest=plan.smallest_mm / plan.step_mm,
        octaves=plan.octaves,
        least=plan.least_hu,
        most=plan.most,
    )
    zoom = np.array(cut.shape) / np.array(cubic.shape)
    corner = np.array([part.start for part in box])
    centers = (blobs.centers + 0.5) * zoom - 0.5 + corner
    return Spots(centers, blobs.radii * plan.step_mm, blobs.scores)


def _box(
    lungs: UInt8[ndarray, "k j i"], margin: Float[ndarray, " 3"]
) -> tuple[slice, slice, slice] | None:
    """Bounds of what is not 0, with a margin in voxels."""
    slices = lungs.any(axis=(1, 2))
    if not slices.any():
        return None
    flat = np.zeros(lungs.shape[1:], bool)
    for plane in lungs[slices]:
        flat |= plane > 0
    lines = (slices, flat.any(axis=1), flat.any(axis=0))
    parts = []
    for line, more in zip(lines, np.ceil(margin).astype(int), strict=True):
        inside = np.flatnonzero(line)
        parts.append(slice(max(0, int(inside[0]) - more), int(inside[-1]) + 1 + more))
    return parts[0], parts[1], parts[2]


def _cubic(
    hu: Shaped[ndarray, "k j i"],
    lungs: UInt8[ndarray, "k j i"],
    spacing_mm: Float[ndarray, " 3"],
    step_mm: float,
    curve: Curve | None,
) -> Float32[ndarray, "z y x"]:
    """Bring lungs to cubic voxels; everything else is as dark as they are."""
    z, y, x = (
        max(1, round(n * s / step_mm)) for n, s in zip(hu.shape, spacing_mm, strict=True)
    )
    weights = _weights(len(hu), z, len(hu) / z, (len(hu) / z - 1) / 2)
    out = np.zeros((z, y * x), np.float32)
    for start in range(0, len(hu), _SLAB):  # a thick slab at a time, however many slices
        slab = np.s_[start : start + _SLAB]
        planes = np.empty((len(hu[slab]), y, x), np.float32)
        for plane, source, mask in zip(planes, hu[slab], lungs[slab], strict=True):
            seen = source if curve is None else curve.apply(source)
            bright = np.clip(seen, -1000, _BRIGHTEST_HU).astype(np.float32)
            bright[mask == 0] = LUNG_HU
            cv2.resize(bright, (x, y), dst=plane, interpolation=cv2.INTER_AREA)
        rows = np.flatnonzero(weights[:, slab].any(axis=1))
        if len(rows):
            part = np.s_[rows[0] : rows[-1] + 1]
            out[part] += weights[part, slab] @ planes.reshape(len(planes), -1)
    return out.reshape(z, y, x)


def _weights(
    source: int, target: int, zoom: float, first: float
) -> Float32[ndarray, "target source"]:
    """Linear interpolation along one axis; a mean over the step where it gets coarser.

    Target n lies at source voxel ``first + n * zoom``; beyond the ends the last value holds.
    """
    places = first + zoom * np.arange(target)
    width = max(zoom, 1.0)
    low = int(np.floor(min(places[0] - width, 0)))
    high = int(np.ceil(max(places[-1] + width, source - 1)))
    every = np.arange(low, high + 1)
    tent = np.maximum(0, 1 - np.abs(places[:, None] - every) / width)
    tent /= tent.sum(axis=1, keepdims=True)
    held = np.zeros((target, source))
    np.add.at(held.T, np.clip(every, 0, source - 1), tent.T)
    return held.astype(np.float32)


def cubes_at(
    hu: Shaped[ndarray, "k j i"],
    spacing_mm: Float[ndarray, " 3"],
    centers: Float[ndarray, "n 3"],
    plan: NodulePlan,
    *,
    curve: Curve | None = None,
) -> Float32[ndarray, "n 1 z y x"]:
    """Cut the cube around each center ([k, j, i] voxels) out of an upright volume, -1 to 1.

    HU are mapped by the `curve` first.
    """
    cubes = cubes_in_hu(hu, spacing_mm, centers, plan)
    return scaled(cubes if curve is None else curve.apply(cubes), plan)


def cubes_in_hu(
    hu: Shaped[ndarray, "k j i"],
    spacing_mm: Float[ndarray, " 3"],
    centers: Float[ndarray, "n 3"],
    plan: NodulePlan,
) -> Float32[ndarray, "n 1 z y x"]:
    """Cut cubes as `cubes_at` does, in HU."""
    out = np.empty((len(centers), 1, *plan.cube), np.float32)
    zoom = np.array(plan.spacing_mm) / spacing_mm
    half = (np.array(plan.cube) - 1) / 2
    for cube, center in zip(out[:, 0], centers, strict=True):
        first = center - half * zoom
        last = center + half * zoom
        reach = np.maximum(zoom, 1)
        low = np.clip(np.floor(first - reach).astype(int), 0, np.array(hu.shape) - 1)
        high = np.clip(np.ceil(last + reach).astype(int) + 1, low + 1, hu.shape)
        part = hu[low[0] : high[0], low[1] : high[1], low[2] : high[2]].astype(np.float32)
        across = [
            _weights(part.shape[a], plan.cube[a], zoom[a], first[a] - low[a]) for a in range(3)
        ]
        thin = (across[0] @ part.reshape(part.shape[0], -1)).reshape(-1, *part.shape[1:])
        cube[:] = across[1] @ thin @ across[2].T
    return out


def scaled(hu: Float32[ndarray, " *s"], plan: NodulePlan) -> Float32[ndarray, " *s"]:
    """Bring HU to -1 ... 1, in place."""
    np.clip(hu, plan.low_hu, plan.high_hu, out=hu)
    hu -= (plan.low_hu + plan.high_hu) / 2
    hu /= (plan.high_hu - plan.low_hu) / 2
    return hu


@dataclass(frozen=True, slots=True, eq=False)
class Reviewed:
    """What both networks say of places; those that were only screened have no second answer.

    Attributes
    ----------
    logits
        Mean of both, or of the first alone less what keeps it below all reviewed ones.
    screened
        Of the network that looks at slices.
    """

    logits: Float[ndarray, " n"]
    screened: Float[ndarray, " n"]


def review(
    screen: Predictor, second: Predictor, cubes: Float32[ndarray, "n 1 z y x"], plan: NodulePlan
) -> Reviewed:
    """Ask the first network about every cube, the second about the likeliest."""
    screened = _run(screen, middle_slices(cubes))
    logits = np.full(len(cubes), -np.inf)
    chosen = np.argsort(-screened, kind="stable")[: plan.reviewed]
    if len(chosen):
        logits[chosen] = (screened[chosen] + _run(second, cubes[chosen])) / 2
    return Reviewed(logits, screened)


def hidden_parts(
    screen: Predictor, cube: Float32[ndarray, "1 z y x"], plan: NodulePlan
) -> Float32[ndarray, "y x"]:
    """How much the first network's logit falls when a part of its slices is hidden.

    Squares of a quarter of the side, half overlapping, are made as dark as lung (occlusion,
    Zeiler & Fergus 2014); what hides a pixel counts by its mean, below 0 as 0.
    """
    slices = middle_slices(cube[None])
    rows, columns = slices.shape[2:]
    sides = rows // 4, columns // 4
    places = [
        (y, x)
        for y in range(0, rows - sides[0] + 1, sides[0] // 2)
        for x in range(0, columns - sides[1] + 1, sides[1] // 2)
    ]
    dark = scaled(np.full(1, LUNG_HU, np.float32), plan)[0]
    hidden = np.repeat(slices, len(places) + 1, axis=0)
    for one, (y, x) in zip(hidden[1:], places, strict=True):
        one[:, y : y + sides[0], x : x + sides[1]] = dark
    logits = _run(screen, hidden)
    drop, times = np.zeros((2, rows, columns), np.float32)
    for (y, x), logit in zip(places, logits[1:], strict=True):
        box = np.s_[y : y + sides[0], x : x + sides[1]]
        drop[box] += logits[0] - logit
        times[box] += 1
    return np.maximum(drop / np.maximum(times, 1), 0)


def middle_slices(cubes: Float32[ndarray, "n 1 z y x"]) -> Float32[ndarray, "n 3 y x"]:
    """Three slices through the center, the middle one between the two central ones."""
    middle = cubes.shape[2] // 2
    below, here, above = (
        cubes[:, 0, n : n + 2].mean(axis=1) for n in (middle - 2, middle - 1, middle)
    )
    return np.stack([below, here, above], axis=1)


def _run(predictor: Predictor, x: Float32[ndarray, "n c *s"]) -> Float[ndarray, " n"]:
    """Answer in batches of one shape, the last filled up; one logit each."""
    logits = []
    for start in range(0, len(x), _BATCH):
        batch = x[start : start + _BATCH]
        filled = np.zeros((_BATCH, *x.shape[1:]), np.float32)
        filled[: len(batch)] = batch
        expect(predictor, -(-len(x) // _BATCH), filled)
        logits.append(predictor.run(filled)["logits"][: len(batch), 0].astype(float))
    return np.concatenate(logits) if logits else np.zeros(0)


def probabilities(logits: Float[ndarray, " n"], plan: NodulePlan) -> Float[ndarray, " n"]:
    """Calibrated probability that a place is a nodule three or more readers would mark."""
    return np.asarray(0.5 * (1 + np.tanh(logits / plan.temperature / 2)))
