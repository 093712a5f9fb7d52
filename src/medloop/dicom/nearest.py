"""Which slice of a series lies nearest to a place, by looking at two of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medloop.dicom.header import read_header


def nearest_slice(paths: Sequence[Path], place_mm: tuple[float, float, float] | None) -> int:
    """Return the position of the slice nearest to a place (LPS), or of the middle one.

    Slices are taken to lie evenly between the first and the last; where they do not, or do not
    say where they are, it is some slice of the series.

    Raises
    ------
    InputError
        If one of the two is damaged.
    """
    count = len(paths)
    if place_mm is None or count < 2:
        return count // 2
    first, last = (read_header(paths[n]).pose.position for n in (0, count - 1))
    if first is None or last is None:
        return count // 2
    way = np.subtract(last, first)
    length = float(way @ way)
    if length == 0:
        return count // 2
    share = float(np.subtract(place_mm, first) @ way) / length
    return int(np.clip(round(share * (count - 1)), 0, count - 1))
