"""A mask from a few marks: clicks and scribbles draw an object, or correct what was drawn."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import ndimage

from medloop.core.errors import InputError
from medloop.imaging.corrected import turned_over
from medloop.imaging.geodesic import geodesic_distance
from medloop.imaging.tissue import histogram, in_bins, quieted

_LARGEST: Final = 64  # voxels along a side that are looked at; more are looked at coarsely
_PULL: Final = 12.0  # log-odds that a mark adds where it is
_SURE: Final = 4.0  # log-odds of intensities that differ wholly
_DRAWN: Final = 2.0  # log-odds of what a reader drew: a mark nearby is stronger
_CERTAIN: Final = 4.0  # log-odds of what a network is sure of
_UNSURE: Final = 0.2  # of what it would have drawn otherwise, if only just
_OTHER: Final = 1.0  # log-odds beyond which it saw something else than what is drawn
_SLOW: Final = 1.0  # times -log p that paths are longer
_SHARES: Final = (4.0, 2.0)  # of the reach, where marks weigh 1/e: drawing anew, correcting
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

    Distance from a mark is that through like tissue (geodesic distance, as in DeepIGeoS, Wang,
    IEEE TPAMI 41:1559, 2019). There are three cases.

    Nothing is drawn: odds come from how intensities about the marks differ from those at the
    border of the region (histograms, as in GrabCut), each mark changes them the less the
    farther it is, and only what hangs together with a mark inside is kept.

    A mask is drawn and nothing else known: a mark that contradicts it turns over what lies
    around it, at most 2.7 times as far as the border of the mask is away from the deepest mark;
    one that agrees changes nothing by itself (see `corrected.turned_over`).

    A network's probabilities are `likely`: its doubt decides how far a mark reaches. What it
    was unsure of turns over first, paths through what it thinks another thing are longer, and
    what was not drawn begins as it saw it.

    Nothing changes outside the region within `reach` of the marks.

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
    inside, outside = (
        _painted(mask[coarse].shape, (each - low) // step)
        for each in (marks.inside, marks.outside)
    )
    close = _Close(
        np.asarray(image[coarse], np.float32),
        tuple(s * n for s, n in zip(spacing, step, strict=True)),
        inside,
        outside,
        reach,
    )
    before = mask[region]
    if likely is not None and (likely[coarse] > 0).any():
        score = _as_seen(close, mask[coarse], np.asarray(likely[coarse], np.float32))
        after = _fine(score, before.shape) > 0
    elif mask[coarse].any():
        after = _corrected(close, before, mask[coarse])
    elif not len(marks.inside):
        after = before
    else:
        after = _fine(_anew(close), before.shape) > 0
    mask[region] = after if mask.any() else _with_marks(after, marks.inside - low)
    mask[tuple(marks.inside.T)] = True
    mask[tuple(marks.outside.T)] = False
    return mask


@dataclass(frozen=True, slots=True, eq=False)
class _Close:
    """The region about the marks, as coarsely as it is looked at."""

    image: ndarray
    spacing: tuple[float, ...]
    inside: ndarray
    outside: ndarray
    reach: float


def _corrected(close: _Close, mask: ndarray, coarse: ndarray) -> ndarray:
    """Turn over what the marks say of a mask; the rest stays voxel for voxel."""
    turned = turned_over(
        close.image,
        close.spacing,
        coarse,
        inside=close.inside,
        outside=close.outside,
        reach=close.reach,
    )
    added, removed = (_fine(each, mask.shape) > 0 for each in (turned.added, turned.removed))
    return np.asarray((mask | added) & ~removed)


def _anew(close: _Close) -> ndarray:
    """Log-odds of the object where nothing is drawn, by intensity."""
    odds = _by_intensity(close.image, close.inside, close.outside)
    return _pulled(close, odds, None, close.reach / _SHARES[0])


def _as_seen(close: _Close, drawn: ndarray, likely: ndarray) -> ndarray:
    """Log-odds of the object by what a network saw, and by what was drawn since."""
    seen, is_drawn = _logit(likely, _CERTAIN), bool(drawn.any())
    odds = _doubted(drawn, seen) if is_drawn else seen
    return _pulled(close, odds, seen, close.reach / _SHARES[is_drawn])


def _pulled(close: _Close, odds: ndarray, seen: ndarray | None, scale: float) -> ndarray:
    """Add what each mark says, 1/e of it at a distance of `scale`."""
    quiet, contrast = quieted(close.image, close.spacing)
    for marked, sign in ((close.inside, 1.0), (close.outside, -1.0)):
        slowness = None if seen is None else 1 + _SLOW * np.logaddexp(0, -sign * seen)
        distance = geodesic_distance(
            quiet, marked, close.spacing, contrast=contrast, slowness=slowness
        )
        odds = odds + sign * _PULL * np.exp(-distance / scale)
    return odds


def _fine(score: ndarray, shape: tuple[int, ...]) -> ndarray:
    """Interpolate what was looked at coarsely."""
    if shape == score.shape:
        return score
    zoom = [a / b for a, b in zip(shape, score.shape, strict=True)]
    return np.asarray(ndimage.zoom(score, zoom, order=1, grid_mode=True, mode="nearest"))


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
    bins = in_bins(image)
    shares = [histogram(bins[where]) for where in (near, far)]
    return np.asarray(np.clip(np.log(shares[0] / shares[1]), -_SURE, _SURE)[bins] - 0.5)


def _painted(shape: tuple[int, ...], places: ndarray) -> ndarray:
    marked = np.zeros(shape, bool)
    marked[tuple(np.minimum(places, np.array(shape) - 1).T)] = True
    return marked


def _with_marks(mask: ndarray, places: ndarray) -> ndarray:
    """Keep the pieces that hold a mark."""
    pieces, _ = ndimage.label(mask)
    held = np.unique(pieces[tuple(places.T)])
    return np.asarray(np.isin(pieces, held[held > 0]))
