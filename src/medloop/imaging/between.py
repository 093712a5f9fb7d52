"""Outlines between the slices that somebody drew on."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import distance_transform_edt

from medloop.core.errors import InputError


def fill_between(
    mask: Bool[ndarray, "*size"],
    drawn: Sequence[int],
    *,
    axis: int = 0,
    spacing: tuple[float, ...] | None = None,
) -> Bool[ndarray, "*size"]:
    """Return the mask with the slices between those drawn filled in; those drawn stay.

    The signed distance to the outline is interpolated linearly from slice to slice (shape-based
    interpolation: Raya and Udupa, IEEE TMI 9:32, 1990). Between a slice that holds the object
    and an empty one the object shrinks, and ends half-way. Slices outside those drawn stay.

    Parameters
    ----------
    mask
        The object, on all slices.
    drawn
        Slices along `axis` that are as they should be, the empty ones among them too.
    axis
        Across the slices.
    spacing
        Distance of pixels along the other axes, in their order; None if they are square.

    Raises
    ------
    InputError
        If a slice is not in the mask.
    """
    planes = np.moveaxis(mask, axis, 0)
    kept = sorted(set(drawn))
    if kept and not 0 <= kept[0] <= kept[-1] < len(planes):
        raise InputError(f"slices {kept[0]} to {kept[-1]} of {len(planes)}")
    filled = planes.copy()
    for low, high in pairwise(kept):
        if high - low < 2 or not (planes[low].any() or planes[high].any()):
            filled[low + 1 : high] = False
            continue
        ends = [_signed(planes[n], spacing) for n in (low, high)]
        bound = max(float(end.max()) for end in ends)  # how deep the object is
        below, above = (np.nan_to_num(end, neginf=-bound) for end in ends)
        for n in range(low + 1, high):
            share = (n - low) / (high - low)
            filled[n] = (1 - share) * below + share * above > 0
    return np.moveaxis(filled, 0, axis)


def _signed(plane: ndarray, spacing: tuple[float, ...] | None) -> Float[ndarray, "*size"]:
    """Distance to the outline, positive inside; minus infinity where there is no object."""
    if not plane.any():
        return np.full(plane.shape, -np.inf)
    inside = distance_transform_edt(np.pad(plane, 1), sampling=spacing)
    outside = distance_transform_edt(~plane, sampling=spacing)
    inner = tuple(slice(1, -1) for _ in plane.shape)
    half = 0.5 * (min(spacing) if spacing else 1.0)
    return np.asarray(np.where(plane, inside[inner] - half, half - outside))
