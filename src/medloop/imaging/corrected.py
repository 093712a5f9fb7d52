"""A drawn mask that marks correct: how far each reaches, by its depth and by like tissue."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage

from medloop.imaging.geodesic import geodesic_distance
from medloop.imaging.tissue import histogram, in_bins, quieted

_DEPTHS: Final = 1.6  # of its depth, how far a mark reaches where intensities tell nothing
_FASTEST: Final = 0.6  # of a step's length, where tissue is like that about the mark
_SURE: Final = 4.0  # log-odds of intensities that differ wholly
_OWN: Final = 2.0  # weight of what is drawn, beside the tissue about a mark, if they agree
_AROUND: Final = 2  # voxels about a mark that show what its tissue looks like
_FEWEST: Final = 20  # voxels that tell what the rest looks like
_NEVER: Final = 1e3  # reaches that no path is long


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """What marks turn over, where above 0; at most 1 either way."""

    added: Float[ndarray, "*size"]
    removed: Float[ndarray, "*size"]


def turned_over(
    image: Float[ndarray, "*size"],
    spacing: tuple[float, ...],
    mask: Bool[ndarray, "*size"],
    *,
    inside: Bool[ndarray, "*size"],
    outside: Bool[ndarray, "*size"],
    reach: float,
) -> Turned:
    """Return what marks add to a mask and what they remove from it.

    A mark where the mask says the same turns nothing over. Another one reaches 1.6 times as far
    as the border of the mask is away from it: whoever marks the middle of what is wrong has as
    much of it on the other side. Paths are longer across edges and through tissue unlike
    that about the mark, and shorter, at most by 0.6, through tissue like it, against the
    rest of its side of the mask. A place goes to the mark that is nearer, by reaches.

    Parameters
    ----------
    image
        Intensities, in two or three dimensions.
    spacing
        Distance of neighbors along each axis.
    mask
        What is drawn; not empty.
    inside, outside
        Marks: where the object is, and where it is not.
    reach
        The farthest that a mark reaches, in the unit of the spacing.
    """
    quiet, contrast = quieted(image, spacing)
    ranges = _ranges(mask, inside | outside, spacing, reach)
    scene = _Scene(quiet, in_bins(quiet), spacing, contrast, ranges)
    return Turned(
        _claimed(scene, ~mask, inside & ~mask, outside & ~mask),
        _claimed(scene, mask, outside & mask, inside & mask),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    quiet: Float[ndarray, "*size"]
    bins: ndarray
    spacing: tuple[float, ...]
    contrast: float
    ranges: Float[ndarray, "*size"]  # how far the nearest mark reaches


def _ranges(
    mask: ndarray, marked: ndarray, spacing: tuple[float, ...], reach: float
) -> ndarray:
    """Give each voxel the reach of the mark next to it."""
    depth = np.full(mask.shape, reach)
    if not mask.all():
        edge = min(spacing) / 2
        within, beyond = (
            ndimage.distance_transform_edt(side, spacing) for side in (mask, ~mask)
        )
        depth = within + beyond - edge
    nearest = ndimage.distance_transform_edt(
        ~marked, spacing, return_distances=False, return_indices=True
    )
    least = min(*spacing, reach)
    return np.asarray(np.clip(_DEPTHS * depth, least, reach)[tuple(nearest)])


def _claimed(scene: _Scene, side: ndarray, claims: ndarray, keeps: ndarray) -> ndarray:
    """Tell which voxels of a side of the mask marks turn over, where others keep it."""
    if not claims.any():
        return np.full(side.shape, -1, np.float32)
    odds = _likeness(scene, side, claims, keeps)
    to_claim, to_keep = (
        np.minimum(
            geodesic_distance(
                scene.quiet,
                marks,
                scene.spacing,
                contrast=scene.contrast,
                slowness=_slowness(sign * odds) / scene.ranges,
            ),
            _NEVER,
        )
        for marks, sign in ((claims, 1.0), (keeps, -1.0))
    )
    margin = np.minimum(to_keep, 1) - to_claim
    return np.asarray(np.where(side, np.clip(margin, -1, 1), -1), np.float32)


def _slowness(odds: ndarray) -> ndarray:
    """Return how long a step is: 1 where intensities tell nothing, longer where they refute."""
    return np.asarray(np.maximum(np.logaddexp(0, -odds) / np.log(2), _FASTEST))


def _likeness(scene: _Scene, side: ndarray, claims: ndarray, keeps: ndarray) -> ndarray:
    """Log-odds of each intensity: about the marks, against the rest of their side.

    What stands on the other side of the mask counts with the tissue about the marks as far as
    their histograms overlap.
    """
    near = ndimage.binary_dilation(claims, iterations=_AROUND) & side
    away = ndimage.distance_transform_edt(~claims, scene.spacing)
    rest = (side & (away > scene.ranges)) | ndimage.binary_dilation(keeps)
    if rest.sum() < _FEWEST:
        return np.zeros(side.shape, np.float32)
    marked, other, beyond = (histogram(scene.bins[where]) for where in (near, rest, ~side))
    overlap = np.minimum(marked / marked.sum(), beyond / beyond.sum()).sum()
    alike = (marked + _OWN * overlap * beyond) / (1 + _OWN * overlap)
    return np.asarray(np.clip(np.log(alike / other), -_SURE, _SURE)[scene.bins])
