"""Where on a CT head and neck are: slices that are narrow, hold bone and little air."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from medloop.core.image import Volume
from medloop.imaging.body import find_body
from medloop.imaging.coarse import reduce

_WIDE_MM: Final = (60.0, 230.0)  # from right to left, ears included
_BONE_MM2: Final = 300.0  # vertebra, jaw or skull
_BONE_HU, _AIR_HU = 200, -500
_MOST_AIR: Final = 0.35  # of the cross-section; sinuses and throat have less, lungs more
_BELOW_MM, _ABOVE_MM = 150.0, 40.0  # cord and oesophagus go on below the neck
_AROUND_MM: Final = 8.0
_MORE: Final = 0.1  # of a window: what may be cut off across
_OUTER: Final = (2, 98)  # percentiles of slices, against a stray one

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Region:
    """How far slices of head and neck reach in mm, and the box where organs may be.

    `box` is along the upright axes (z, y, x), as shares of the volume's length, 0 to 1.
    """

    extent_mm: float
    box: tuple[Span, Span, Span]


def find_region(volume: Volume) -> Region:
    """Find head and neck on a CT; where there is none, `extent_mm` is 0 and the box is all."""
    coarse = reduce(volume)
    body = find_body(coarse).inside
    between, pixel = coarse.steps_mm
    width = body.any(axis=1).sum(axis=1) * pixel
    area = body.sum(axis=(1, 2)) * pixel**2
    bone = ((coarse.array > _BONE_HU) & body).sum(axis=(1, 2)) * pixel**2
    air = ((coarse.array < _AIR_HU) & body).sum(axis=(1, 2)) * pixel**2
    low, high = _WIDE_MM
    slim = (width > low) & (width < high) & (bone > _BONE_MM2) & (air < _MOST_AIR * area)
    if not slim.any():
        return Region(0.0, ((0.0, 1.0), (0.0, 1.0), (0.0, 1.0)))
    at, count = np.flatnonzero(slim), len(slim)
    lengthwise = (
        max(0.0, (int(at[0]) - _BELOW_MM / between) / count),
        min(1.0, (int(at[-1]) + 1 + _ABOVE_MM / between) / count),
    )
    across = [_span(body[slim].any(axis=axis), _AROUND_MM / pixel) for axis in (2, 1)]
    extent_mm = float(np.count_nonzero(slim) * between)
    return Region(extent_mm, (lengthwise, across[0], across[1]))


def box_in(
    region: Region, size: Sequence[int], window: Sequence[int]
) -> tuple[slice, slice, slice]:
    """Put the region on another grid of the volume, at least as wide as a window.

    Where it is a little wider across, nose or nape are left out: no organ lies so far from the
    middle, and one window answers faster than two.
    """
    spans = [
        _at_least(span, n, side) for span, n, side in zip(region.box, size, window, strict=True)
    ]
    spans[1:] = [_cut(span, side) for span, side in zip(spans[1:], window[1:], strict=True)]
    z, y, x = (slice(low, high) for low, high in spans)
    return z, y, x


def _cut(span: tuple[int, int], window: int) -> tuple[int, int]:
    low, high = span
    more = high - low - window
    if not 0 < more <= _MORE * window:
        return span
    return low + more // 2, low + more // 2 + window


def _span(seen: Bool[ndarray, "k n"], margin: float) -> Span:
    """First and last place that narrow slices reach, a margin wider, as shares."""
    count = seen.shape[1]
    first, last = seen.argmax(axis=1), count - seen[:, ::-1].argmax(axis=1)
    low, high = np.percentile(first, _OUTER[0]), np.percentile(last, _OUTER[1])
    return max(0.0, float(low - margin) / count), min(1.0, float(high + margin) / count)


def _at_least(span: Span, size: int, least: int) -> tuple[int, int]:
    """Turn shares into voxels; a range that is short of `least` grows to both sides."""
    low, high = int(np.floor(span[0] * size)), int(np.ceil(span[1] * size))
    missing = max(0, least - (high - low))
    low = max(0, min(low - missing // 2, size - least))
    return low, min(size, max(high, low + least))
