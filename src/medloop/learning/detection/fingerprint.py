"""What images with boxes have in common, as far as a plan depends on it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.imaging.orientation import turn_of
from medloop.learning.data.description import CaseSource, Dataset, Kind
from medloop.learning.data.labels import Boxes, read_boxes
from medloop.learning.data.pixels import Image, read_image
from medloop.learning.opening import Count
from medloop.learning.segmentation.fingerprint import (
    ChannelStatistics,
    is_ct,
    statistics_of,
    upright_size,
)

_SAMPLED = 5_000  # voxels around the objects of a case that stand for it
_AROUND = 2.0  # times the size of a box


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Sizes, spacings, values and objects of a data set.

    `shapes` and `spacings` are those of the upright volumes, (k, j, i) and mm; pictures have a
    spacing of 1 pixel. `sizes` are the 10th, 50th and 90th percentile of the objects' sizes
    along each axis, in mm or pixels. `values` are those in and around the objects.
    """

    kind: str
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    spacings: tuple[tuple[float, ...], ...]
    objects: tuple[int, ...]  # of each class
    empty: int  # cases without an object
    sizes: tuple[tuple[float, ...], ...]
    values: tuple[ChannelStatistics, ...]

    def is_ct(self, channel: int) -> bool:
        """Whether a channel is in Hounsfield units."""
        return is_ct(self.channels[channel], self.values[channel])

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=1) + "\n"


def fingerprint(
    dataset: Dataset,
    cases: Sequence[CaseSource],
    *,
    report: Count = lambda _done, _all: None,
) -> Fingerprint:
    """Read every case once; the same cases give the same fingerprint.

    Raises
    ------
    InputError
        If a case cannot be read, or no case has an object.
    """
    shapes, spacings, sizes, samples, darkest, empty = [], [], [], [], [], 0
    objects = np.zeros(len(dataset.classes), int)
    for n, case in enumerate(cases):
        image = read_image(case)
        boxes = read_boxes(case, image)
        shape, spacing = upright_size(image)
        shapes.append(shape)
        spacings.append(spacing or (1.0,) * len(shape))
        sizes.append(_sizes(image, boxes, spacings[-1]))
        objects += np.bincount(numbers_of(dataset, boxes), minlength=len(objects))
        empty += not len(boxes.edges)
        samples.append(_sampled(image.array, boxes))
        darkest.append(image.array.reshape(len(image.array), -1).min(axis=1))
        report(n + 1, len(cases))
    if not objects.sum():
        raise InputError(f"no object is labelled in {len(cases)} cases of {dataset.name}")
    values, lowest = np.concatenate(samples, axis=1), np.min(darkest, axis=0)
    spread = np.percentile(np.concatenate(sizes), (10, 50, 90), axis=0)
    return Fingerprint(
        Kind.SOLID if dataset.kind is Kind.SOLID else Kind.FLAT,
        dataset.channels,
        tuple(dataset.classes),
        tuple(shapes),
        tuple(spacings),
        tuple(objects.tolist()),
        empty,
        tuple(tuple(round(float(size), 4) for size in row) for row in spread),
        tuple(statistics_of(v, float(d)) for v, d in zip(values, lowest, strict=True)),
    )


def numbers_of(dataset: Dataset, boxes: Boxes) -> Shaped[ndarray, " n"]:
    """Give each object the number of its class, 0 for the first."""
    known = {value: n for n, values in enumerate(dataset.classes.values()) for value in values}
    return np.array([known[int(value)] for value in boxes.values], int)


def _sizes(image: Image, boxes: Boxes, spacing: tuple[float, ...]) -> Float[ndarray, "n d"]:
    extents = boxes.edges[:, 1] - boxes.edges[:, 0]
    if image.grid is not None:
        extents = extents[:, list(turn_of(image.grid).axes)]
    return extents * np.array(spacing)


def _sampled(array: Shaped[ndarray, " c *s"], boxes: Boxes) -> Float[ndarray, "c n"]:
    """Take evenly spaced voxels in and around each object; none where there is no object."""
    parts = [np.zeros((len(array), 0))]
    most = max(1, _SAMPLED // max(len(boxes.edges), 1))
    for low, high in boxes.edges:
        more = (high - low) * (_AROUND - 1) / 2
        first = np.maximum(np.floor(low - more), 0).astype(int)
        last = np.ceil(high + more).astype(int) + 1
        part = array[(slice(None), *(slice(a, b) for a, b in zip(first, last, strict=True)))]
        flat = part.reshape(len(array), -1)
        parts.append(flat[:, :: max(1, flat.shape[1] // most)].astype(np.float64))
    return np.concatenate(parts, axis=1)
