"""Label maps of results out of the segmentation that was written of them."""

from collections.abc import Mapping
from pathlib import Path

from pydicom import Dataset, dcmread

from medloop.core.errors import FOREIGN_ERRORS, InputError
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Segment
from medloop.dicom.foreign import quiet
from medloop.dicom.read_results import read_segmentation, segments_in


def read_labels(path: Path, *, grid: Grid | None = None) -> LabelMap:
    """Read the labels of a segmentation: on `grid`, or on a picture's pixels.

    Raises
    ------
    InputError
        If it cannot be read, or does not lie on the grid.
    """
    return read_segmentation(_opened(path), grid=grid)


def read_segments(path: Path) -> Mapping[int, Segment]:
    """Read what the labels of a segmentation stand for; raises `InputError` if it cannot."""
    return segments_in(_opened(path, tags=["SegmentSequence"]))


def _opened(path: Path, tags: list[str] | None = None) -> Dataset:
    try:
        with quiet():
            return dcmread(path, specific_tags=tags, stop_before_pixels=tags is not None)
    except FOREIGN_ERRORS as error:
        raise InputError("the result's segmentation cannot be read") from error
