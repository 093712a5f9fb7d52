"""A mask from a few marks: clicks and scribbles draw an object, or correct what was drawn."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import ndimage

from medloop.core.errors import InputError
from medloop.imaging.geodesic import geodesic_distance

_LARGEST: Final = 64  # voxels along a side that are looked at; more are looked at coarsely
_PULL: Final = 12.0  # log-odds that a mark adds where it is
_SURE: Final = 4.0  # log-odds of intensities that differ wholly
_DRAWN: Final = 2.0  # log-odds of what was drawn: a mark nearby is stronger
_CERTAIN: Final = 4.0  # log-odds of what a network is sure of
_UNSURE: Final = 0.2  # of what it would have drawn otherwise, if only just
_OTHER: Final = 1.0  # log-odds beyond which it saw something else than what is drawn
_SLOW: Final = 1.0  # times -log p that paths are longer
_SHARES: Final = (4.0, 2.0)  # of the reach, where marks weigh 1/e: drawing anew, correcting
_BINS: Final = 48
_AROUND: Final = 2  # voxels about a mark that show what its tissue looks like


@dataclass(frozen=True, slots=True)
class Marks:
    """Places that a person has marked: index coordinates, one row a place."""

    inside: Int[ndarray, "n d"]
    outside: Int[ndarray, "m d"]


def refine(
    image: Float[ndarray, "*size"],
    spacing: tuple[float, ...],
    marks: Marks,
    *,
    probability: Float[ndarray, "*size"] | None = None,
    likely: Float[ndarray, "*size"] | None = None,
    reach: float = 12.0,
) -> Bool[ndarray, "*size"]:
    """Return the mask that agrees with the marks, and elsewhere with what was there.

    Each mark changes the log-odds of its surroundings, less the farther they are from it
    through like tissue (geodesic distance, as in DeepIGeoS, Wang, IEEE TPAMI 41:1559, 2019).
    Where no network has drawn, the odds come from how intensities about the marks differ from
    those at the border of the region (histograms, as in GrabCut), and only what hangs together
    with a mark inside is kept. Where a network's probabilities are `likely`, its doubt decides
    how far a mark reaches: what it was unsure of turns over first, paths through what it thinks
    another thing are longer, and what was not drawn begins as it saw it. Nothing changes
    outside the region within `reach` of the marks.

    Parameters
    ----------
    image
        Intensities, in two or three dimensions.
    spacing
        Distance of neighbors along each axis, for instance in mm.
    marks
        Where the object is, and where it is not.
    probability
        Of the object, 0 to 1, as drawn so far; None or all 0 if nothing is.
    likely
        Of the object, 0 to 1, as a network saw it, whatever has been drawn since.
    reach
        How far from the marks the mask may change, in the unit of the spacing.

    Raises
    ------
    InputError
        If there is no mark, or one lies outside the image.
    """
    places = np.concatenate([marks.inside, marks.outside])
    if not len(places):
        raise InputError("no place is marked")
    if (places < 0).any() or (places >= image.shape).any():
        raise InputError(f"a mark lies outside the image of {image.shape}")
    drawn = np.zeros(image.shape, np.float32) if probability is None else probability
    mask = np.asarray(drawn > 0.5)
    margin = np.ceil(reach / np.array(spacing)).astype(int)
    low = np.maximum(places.min(0) - margin, 0)
    high = np.minimum(places.max(0) + margin + 1, image.shape)
    region = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    step = tuple(int(-(-(b - a) // _LARGEST)) for a, b in zip(low, high, strict=True))
    coarse = tuple(
        slice(part.start, part.stop, n) for part, n in zip(region, step, strict=True)
    )
    score = _score(
        np.asarray(image[coarse], np.float32),
        tuple(s * n for s, n in zip(spacing, step, strict=True)),
        Marks((marks.inside - low) // step, (marks.outside - low) // step),
        drawn=np.asarray(drawn[coarse], np.float32),
        likely=None if likely is None else np.asarray(likely[coarse], np.float32),
        reach=reach,
    )
    shape = mask[region].shape
    zoom = [a / b for a, b in zip(shape, score.shape, strict=True)]
    fine = (
        score
        if shape == score.shape
        else ndimage.zoom(score, zoom, order=1, grid_mode=True, mode="nearest")
    )
    changed = fine > 0
    if not mask.any():
        changed = _with_marks(changed, marks.inside - low)
    mask[region] = changed
    mask[tuple(marks.inside.T)] = True
    mask[tuple(marks.outside.T)] = False
    return mask


def _score(
    image: ndarray,
    spacing: tuple[float, ...],
    marks: Marks,
    *,
    drawn: ndarray,
    likely: ndarray | None,
    reach: float,
) -> ndarray:
    """Log-odds of the object, by what was drawn or by intensity, pulled by the marks."""
    inside, outside = _painted(image.shape, marks.inside), _painted(image.shape, marks.outside)
    is_drawn = bool((drawn > 0.5).any())
    seen = None if likely is None or not (likely > 0).any() else _logit(likely, _CERTAIN)
    if seen is None:
        odds = _logit(drawn, _DRAWN) if is_drawn else _by_intensity(image, inside, outside)
    else:
        odds = _doubted(drawn > 0.5, seen) if is_drawn else seen
    scale = reach / _SHARES[is_drawn]
    quiet = ndimage.gaussian_filter(image, [min(spacing) / each for each in spacing])
    contrast = min(spacing) / (2 * _noise(quiet))
    for marked, sign in ((inside, 1.0), (outside, -1.0)):
        slowness = None if seen is None else 1 + _SLOW * np.logaddexp(0, -sign * seen)
        distance = geodesic_distance(
            quiet, marked, spacing, contrast=contrast, slowness=slowness
        )
        odds = odds + sign * _PULL * np.exp(-distance / scale)
    return odds


def _doubted(drawn: ndarray, seen: ndarray) -> ndarray:
    """Log-odds with the sign of what was drawn, as large as a network was sure of the same.

    What it saw otherwise was drawn by a reader, and is as sure as drawings are.
    """
    sign = np.where(drawn, 1.0, -1.0)
    sure = np.where(sign * seen > -_OTHER, np.maximum(sign * seen, _UNSURE), _DRAWN)
    return np.asarray(sign * sure, np.float32)


def _logit(probability: ndarray, most: float) -> ndarray:
    """Log-odds, at most so large either way."""
    bound = 1 / (1 + np.exp(-most))
    clipped = np.clip(probability, 1 - bound, bound)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)


def _by_intensity(image: ndarray, inside: ndarray, outside: ndarray) -> ndarray:
    """Log-odds of each intensity: about the marks inside, against border and marks outside."""
    near = ndimage.binary_dilation(inside, iterations=_AROUND)
    border = np.ones(image.shape, bool)
    border[tuple(slice(1, -1) for _ in image.shape)] = False
    far = border | ndimage.binary_dilation(outside, iterations=_AROUND)
    low, high = np.percentile(image, (0.5, 99.5))
    index = np.clip((image - low) / max(high - low, 1e-6) * _BINS, 0, _BINS - 1).astype(int)
    shares = [_histogram(index[where]) for where in (near, far)]
    return np.asarray(np.clip(np.log(shares[0] / shares[1]), -_SURE, _SURE)[index] - 0.5)


def _histogram(index: ndarray) -> ndarray:
    counts = np.bincount(index, minlength=_BINS).astype(np.float32)
    smooth = ndimage.gaussian_filter1d(counts, 1.5, mode="nearest")
    return np.asarray((smooth + 0.02 * smooth.max() + 1e-6) / (smooth.sum() + 1e-6))


def _noise(image: ndarray) -> float:
    """Typical change between neighbors, from the median over all axes."""
    changes = [np.abs(np.diff(image, axis=axis)).ravel() for axis in range(image.ndim)]
    return max(float(np.median(np.concatenate(changes))), float(np.ptp(image)) / 100, 1e-6)


def _painted(shape: tuple[int, ...], places: ndarray) -> ndarray:
    marked = np.zeros(shape, bool)
    marked[tuple(np.minimum(places, np.array(shape) - 1).T)] = True
    return marked


def _with_marks(mask: ndarray, places: ndarray) -> ndarray:
    """Keep the pieces that hold a mark."""
    pieces, _ = ndimage.label(mask)
    held = np.unique(pieces[tuple(places.T)])
    return np.asarray(np.isin(pieces, held[held > 0]))
