"""What tissue looks like: histograms of intensities, and noise."""

from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy import ndimage

_BINS: Final = 48


def in_bins(image: Float[ndarray, "*size"]) -> Int[ndarray, "*size"]:
    """Return the bin of each intensity, of 48 from the 0.5th to the 99.5th percentile."""
    low, high = np.percentile(image, (0.5, 99.5))
    return np.clip((image - low) / max(high - low, 1e-6) * _BINS, 0, _BINS - 1).astype(int)


def histogram(bins: Int[ndarray, " n"]) -> Float[ndarray, " 48"]:
    """Return the share of each bin, smoothed, none of them 0."""
    counts = np.bincount(bins, minlength=_BINS).astype(np.float32)
    smooth = ndimage.gaussian_filter1d(counts, 1.5, mode="nearest")
    return np.asarray((smooth + 0.02 * smooth.max() + 1e-6) / (smooth.sum() + 1e-6))


def quieted(
    image: Float[ndarray, "*size"], spacing: tuple[float, ...]
) -> tuple[Float[ndarray, "*size"], float]:
    """Return the image smoothed by one step, and the length that a change by 1 adds to a path.

    A change as large as the noise adds half a step: see `geodesic.geodesic_distance`.
    """
    quiet = ndimage.gaussian_filter(image, [min(spacing) / each for each in spacing])
    return quiet, min(spacing) / (2 * _noise(quiet))


def _noise(image: ndarray) -> float:
    """Typical change between neighbors, from the median over all axes."""
    changes = [np.abs(np.diff(image, axis=axis)).ravel() for axis in range(image.ndim)]
    return max(float(np.median(np.concatenate(changes))), float(np.ptp(image)) / 100, 1e-6)
