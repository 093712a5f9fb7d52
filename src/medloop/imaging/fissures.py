"""Fissures of the lungs: a place to expect each at, moved to where a thin sheet is seen."""

from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray
from scipy import ndimage

from medloop.core.image import Volume

STEP_MM: Final = 3.0  # between points on a fissure
REACH_MM: Final = 40  # to both sides of where it is expected
_OFFSETS_MM: Final = np.arange(-REACH_MM, REACH_MM + 1.0)
_BESIDE: Final = 3  # mm from a sheet, where it must be darker
_FAINT_HU, _SURE_HU = 4.0, 16.0  # by which a sheet is brighter than what is beside it
_VESSEL_HU: Final = 170  # above the lung: no fissure
_SPREAD_MM: Final = np.array([15.0, 10.0, 15.0, 6.0, 8.0, 8.0])  # of the terms in `_terms`
_FIRM: Final = 0.1  # how much a surface that is far from expected must show more of a sheet
_FOUND: Final = 1.3  # gain over where no sheet is, from which a fissure counts as seen
_LEAST_POINTS: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class Fissure:
    """A surface above a plane in LPS mm: `start` + x * `across` + s * `along` + height * `up`.

    Its height is a quadratic in x and s, both scaled to -1..1 within `span_mm` (rows x and s,
    columns first and last). `gain` says how much of a sheet is seen; `sd_mm` how far off it may
    be.
    """

    start: Float[ndarray, "3"]
    across: Float[ndarray, "3"]
    along: Float[ndarray, "3"]
    up: Float[ndarray, "3"]
    span_mm: Float[ndarray, "2 2"]
    terms: Float[ndarray, "6"]
    sd_mm: float
    gain: float = 0.0

    @property
    def is_seen(self) -> bool:
        """Whether the scan shows it, so that it was moved from where it was expected."""
        return self.gain >= _FOUND

    def above_mm(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, " n"]:
        """Return how far points lie above the surface, along `up`."""
        away = points - self.start
        first, last = self.span_mm.T
        scaled = np.stack([away @ self.across, away @ self.along], axis=1)
        scaled = np.clip(2 * (scaled - first) / (last - first) - 1, -1.2, 1.2)
        return away @ self.up - _terms(scaled[:, 0], scaled[:, 1]).T @ self.terms


def adapt(
    expected: Fissure,
    volume: Volume,
    lung: Bool[ndarray, "x s t"],
    *,
    seen_sd_mm: float,
) -> Fissure:
    """Move a fissure to the smooth surface that shows most of a sheet, if any shows enough.

    HU are read on lines across the expected plane. A sheet is brighter than what lies 3 mm to
    either side; vessels do not count, and their absence does a little, since few cross a
    fissure. Surfaces are quadratic, and those far from expected must show more.

    Parameters
    ----------
    lung
        Where the points that `lattice` gives lie in the lung, and on the side of other fissures
        where this one can be.
    """
    if int(lung.sum()) < _LEAST_POINTS * 20:
        return expected
    points = lattice(expected)
    index = volume.grid.to_index(points.reshape(-1, 3)).T
    values = ndimage.map_coordinates(
        volume.array, index, order=1, mode="nearest", output=np.float32
    ).reshape(lung.shape)
    evidence, inside = _evidence(values, lung)
    terms, gain = _best(evidence, inside)
    if gain < _FOUND:
        return replace(expected, gain=gain)
    return replace(expected, terms=terms, sd_mm=seen_sd_mm, gain=gain)


def lattice(fissure: Fissure) -> Float[ndarray, "x s t 3"]:
    """Points every 3 mm over the plane, and every 1 mm up to 40 mm to both sides of it."""
    across, along = (np.arange(low, high, STEP_MM) for low, high in fissure.span_mm)
    return (
        fissure.start
        + across[:, None, None, None] * fissure.across
        + along[None, :, None, None] * fissure.along
        + _OFFSETS_MM[None, None, :, None] * fissure.up
    )


def _terms(x: Float[ndarray, "*c"], s: Float[ndarray, "*c"]) -> Float[ndarray, "6 *c"]:  # noqa: F821 - jaxtyping
    return np.stack([np.ones_like(x), x, s, x * s, x**2 - 1 / 3, s**2 - 1 / 3])


def _evidence(
    values: Float32[ndarray, "x s t"], lung: Bool[ndarray, "x s t"]
) -> tuple[Float32[ndarray, "x s t"], Bool[ndarray, "x s t"]]:
    """How much each point looks like a sheet, 0 on average, and where that can be told."""
    usual = float(np.median(values[lung]))
    vessel = (values > usual + _VESSEL_HU) & lung
    near_vessel = ndimage.binary_dilation(vessel, np.ones((3, 3, 5), bool))
    counted = (lung & ~vessel).astype(np.float32)
    smooth = (1.3, 1.3, 0.6)
    share = np.maximum(ndimage.gaussian_filter(counted, smooth), 0.05)
    level = ndimage.gaussian_filter((values - usual) * counted, smooth) / share
    sheet = np.zeros_like(level)
    middle = level[..., _BESIDE:-_BESIDE]
    beside = np.maximum(level[..., : -2 * _BESIDE], level[..., 2 * _BESIDE :])
    sheet[..., _BESIDE:-_BESIDE] = np.clip(
        (middle - beside - _FAINT_HU) / (_SURE_HU - _FAINT_HU), 0, 1
    )
    sheet[near_vessel] = 0
    inside = ndimage.binary_erosion(lung, np.ones((3, 3, 2 * _BESIDE + 1), bool))
    sheet = ndimage.gaussian_filter1d(sheet, 1.0, axis=2)
    crowd = ndimage.gaussian_filter(near_vessel.astype(np.float32), (1.5, 1.5, 2.5))
    usable = inside & ~near_vessel
    if not usable.any():
        return np.zeros_like(sheet), usable
    sheet /= max(float(sheet[usable].mean()), 0.01)
    crowd = np.minimum(crowd / max(float(crowd[inside].mean()), 1e-3), 2)
    return np.where(inside, sheet - 0.5 * crowd, 0).astype(np.float32), inside


def _best(
    evidence: Float32[ndarray, "x s t"], inside: Bool[ndarray, "x s t"]
) -> tuple[Float[ndarray, "6"], float]:
    """Find the surface with most evidence, by a grid of planes and then term by term."""
    count_x, count_s, _ = evidence.shape
    x, s = np.meshgrid(np.linspace(-1, 1, count_x), np.linspace(-1, 1, count_s), indexing="ij")
    shapes = _terms(x, s)
    at = np.arange(count_x)[:, None], np.arange(count_s)[None, :]
    usual = max(float(np.median(inside.sum(axis=(0, 1)))), 1.0)

    def score(terms: Float[ndarray, "6"]) -> float:
        height = np.rint(np.tensordot(terms, shapes, 1)).astype(np.int64) + REACH_MM
        picked: Int[ndarray, "x s"] = np.clip(height, 0, 2 * REACH_MM)
        where = inside[at[0], at[1], picked]
        if int(where.sum()) < _LEAST_POINTS:
            return -9.0
        shown = float(evidence[at[0], at[1], picked][where].sum()) / usual
        return shown - _FIRM * float(((terms / _SPREAD_MM) ** 2).sum()) / 2

    planes = [
        np.array([level, tilt, fall, 0.0, 0.0, 0.0])
        for level, tilt, fall in product(
            range(-36, 37, 3), (-10, -5, 0, 5, 10), range(-18, 19, 6)
        )
    ]
    scores = np.array([score(plane) for plane in planes])
    terms, best = planes[int(scores.argmax())], float(scores.max())
    for step, _, term, many in product((4, 2, 1), (0, 1), (0, 2, 1, 5, 4, 3), (-2, -1, 1, 2)):
        moved = terms.copy()
        moved[term] += many * step
        if (tried := score(moved)) > best:
            terms, best = moved, tried
    plain = scores[scores > -9.0]
    return terms, best - float(np.median(plain)) if plain.size else 0.0
