"""Bright blobs in a volume: maxima of differences of Gaussians, judged by their curvature."""

from dataclasses import dataclass
from itertools import product
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

_RATIO: Final = 2**0.5  # between one scale and the next (Lowe 2004)
_RADIUS: Final = 3**0.5  # of a ball, in sigmas, that answers most (Lindeberg 1998)


@dataclass(frozen=True, slots=True, eq=False)
class Blobs:
    """Blobs, the roundest and brightest first.

    Attributes
    ----------
    centers
        [k, j, i] in voxels of the array, to a fraction.
    radii
        In voxels, as the scale tells that answered most.
    scores
        Least of the three principal curvatures times sigma squared, in the array's unit: what a
        ball has in all directions, a tube in two, a plate in one.
    """

    centers: Float[ndarray, "n 3"]
    radii: Float[ndarray, " n"]
    scores: Float[ndarray, " n"]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.scores)

    def take(self, which: ndarray) -> "Blobs":
        """Return some of them, by index or mask."""
        return Blobs(self.centers[which], self.radii[which], self.scores[which])


def find_blobs(
    x: Float32[ndarray, "k j i"],
    *,
    smallest: float,
    octaves: int,
    least: float,
    most: int,
) -> Blobs:
    """Find bright blobs of an array with cubic voxels.

    Parameters
    ----------
    x
        The array; whoever calls has flattened what should not answer.
    smallest
        Radius, in voxels, of the smallest blobs; at least 0.8 sqrt(3).
    octaves
        How often the scale doubles; the array is halved each time.
    least
        Least score that is kept.
    most
        How many are kept at most.
    """
    sigma, factor = smallest / _RADIUS, 1
    found: list[Blobs] = []
    level = _blurred(x, sigma)
    for octave in range(octaves):
        for _ in range(2):
            coarser = _blurred(level, sigma * (_RATIO**2 - 1) ** 0.5)
            sigma *= _RATIO
            part = _maxima(level - coarser, coarser, sigma, least)
            found.append(
                Blobs(
                    part.centers * factor + (factor - 1) / 2, part.radii * factor, part.scores
                )
            )
            level = coarser
        if octave + 1 < octaves:
            if min(level.shape) < 8:
                break
            level, sigma, factor = _halved(level), sigma / 2, factor * 2
    every = Blobs(
        np.concatenate([b.centers for b in found]),
        np.concatenate([b.radii for b in found]),
        np.concatenate([b.scores for b in found]),
    )
    order = np.argsort(-every.scores, kind="stable")
    return _apart(every.take(order), most)


def _blurred(x: Float32[ndarray, "k j i"], sigma: float) -> Float32[ndarray, "k j i"]:
    size = 2 * int(np.ceil(3 * sigma)) + 1
    kernel = cv2.getGaussianKernel(size, sigma, cv2.CV_32F)
    one = np.ones((1, 1), np.float32)
    flat = cv2.sepFilter2D(
        x.reshape(x.shape[0], -1), -1, one, kernel, borderType=cv2.BORDER_REPLICATE
    ).reshape(x.shape)
    for plane in flat:
        cv2.sepFilter2D(plane, -1, kernel, kernel, dst=plane, borderType=cv2.BORDER_REPLICATE)
    return flat


def _halved(x: Float32[ndarray, "k j i"]) -> Float32[ndarray, "z y x"]:
    k, j, i = (n // 2 for n in x.shape)
    pairs = x[: 2 * k : 2] + x[1 : 2 * k : 2]
    pairs *= 0.5
    return np.stack(
        [cv2.resize(p[: 2 * j, : 2 * i], (i, j), interpolation=cv2.INTER_AREA) for p in pairs]
    )


def _maxima(
    response: Float32[ndarray, "k j i"],
    smooth: Float32[ndarray, "k j i"],
    sigma: float,
    least: float,
) -> Blobs:
    """Find local maxima of a difference of Gaussians that are round enough."""
    # the response is the mean curvature: a score of `least` needs about three times as much
    floor = 3 * least * (_RATIO - 1) * 0.5
    places = _peaks(response, floor)
    if not len(places):
        return Blobs(np.zeros((0, 3)), np.zeros(0), np.zeros(0))
    scores = _least_curvature(smooth, places) * sigma**2
    keep = scores > least
    places, scores = places[keep], scores[keep]
    return Blobs(
        places + _shifts(response, places), np.full(len(places), sigma * _RADIUS), scores
    )


def _peaks(x: Float32[ndarray, "k j i"], floor: float) -> Int[ndarray, "n 3"]:
    """Find voxels as high as their 26 neighbors, and above the floor; none at the border."""
    inside = np.zeros(x.shape, bool)
    inner = (slice(1, -1),) * x.ndim
    np.greater(x[inner], floor, out=inside[inner])
    at, flat = np.flatnonzero(inside), x.reshape(-1)
    rows, columns = x.shape[1:]
    for k, j, i in product((-1, 0, 1), repeat=3):  # most are out after the first few
        at = at[flat[at] >= flat[at + (k * rows + j) * columns + i]]
    return np.stack(np.unravel_index(at, x.shape), axis=1)


def _least_curvature(x: Float32[ndarray, "k j i"], at: ndarray) -> Float[ndarray, " n"]:
    """Smallest eigenvalue of minus the Hessian, by central differences, at inner voxels."""
    unit = np.eye(3, dtype=int)

    def value(shift: ndarray) -> Float[ndarray, " n"]:
        places = at + shift
        return x[places[:, 0], places[:, 1], places[:, 2]].astype(float)

    hessian = np.zeros((len(at), 3, 3))
    middle = value(np.zeros(3, int))
    for a in range(3):
        hessian[:, a, a] = value(unit[a]) - 2 * middle + value(-unit[a])
        for b in range(a):
            cross = (
                value(unit[a] + unit[b])
                - value(unit[a] - unit[b])
                - value(unit[b] - unit[a])
                + value(-unit[a] - unit[b])
            )
            hessian[:, a, b] = hessian[:, b, a] = cross / 4
    return np.asarray(np.linalg.eigvalsh(-hessian)[:, 0])


def _shifts(x: Float32[ndarray, "k j i"], at: ndarray) -> Float[ndarray, "n 3"]:
    """How far from its voxel a peak lies, by a parabola along each axis."""
    out = np.zeros((len(at), 3))
    middle = x[tuple(at.T)].astype(float)
    for axis, unit in enumerate(np.eye(3, dtype=int)):
        before, after = (x[tuple((at + s * unit).T)].astype(float) for s in (-1, 1))
        bend = np.maximum(2 * middle - before - after, 1e-6)
        out[:, axis] = np.clip((after - before) / (2 * bend), -0.5, 0.5)
    return out


def _apart(blobs: Blobs, most: int) -> Blobs:
    """Keep those whose center no better one's ball encloses."""
    kept: list[int] = []
    centers = np.zeros((most, 3))
    radii = np.zeros(most)
    for n, (center, radius) in enumerate(zip(blobs.centers, blobs.radii, strict=True)):
        if len(kept) == most:
            break
        known = slice(0, len(kept))
        far = np.linalg.norm(centers[known] - center, axis=1)
        if (far < 0.75 * np.maximum(radii[known], radius)).any():
            continue
        centers[len(kept)], radii[len(kept)] = center, radius
        kept.append(n)
    return blobs.take(np.array(kept, int))
