"""What training cases have in common, as far as a plan depends on it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float, Integer, Shaped
from numpy import ndarray

from medloop.imaging.orientation import turn_of, upright_grid
from medloop.learning.data.description import CaseSource, Dataset, Kind
from medloop.learning.data.labels import read_mask
from medloop.learning.data.pixels import Image, read_image

_SAMPLED = 10_000  # foreground voxels of a case that stand for it
_AIR_HU = -500.0  # tissue of MR is never below this; the air around a patient in CT is

Count = Callable[[int, int], None]  # cases done, of all


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """Values of one channel where something is labelled, over all cases."""

    low: float  # 0.5th percentile
    high: float  # 99.5th percentile
    mean: float
    deviation: float
    darkest: float  # anywhere


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Sizes, spacings and values of a data set.

    `shapes` and `spacings_mm` are those of the upright volumes, (k, j, i), in the order of the
    cases; pictures have no spacing. `voxels` counts each class over all cases.
    """

    kind: str
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    spacings_mm: tuple[tuple[float, ...], ...]
    voxels: tuple[int, ...]
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
        If a case cannot be read.
    """
    shapes, spacings, samples, darkest = [], [], [], []
    voxels = np.zeros(len(dataset.classes), int)
    for n, case in enumerate(cases):
        image = read_image(case)
        labels = class_labels(dataset, read_mask(case, image))
        shape, spacing = upright_size(image)
        shapes.append(shape)
        spacings.append(spacing)
        voxels += np.bincount(labels[labels > 0], minlength=len(voxels) + 1)[1:]
        samples.append(_sampled(image.array, labels))
        darkest.append(image.array.reshape(len(image.array), -1).min(axis=1))
        report(n + 1, len(cases))
    values = np.concatenate(samples, axis=1)
    lowest = np.min(darkest, axis=0)
    return Fingerprint(
        Kind.SOLID if dataset.kind is Kind.SOLID else Kind.FLAT,
        dataset.channels,
        tuple(dataset.classes),
        tuple(shapes),
        tuple(spacings),
        tuple(voxels.tolist()),
        tuple(statistics_of(v, float(d)) for v, d in zip(values, lowest, strict=True)),
    )


def is_ct(name: str, values: ChannelStatistics) -> bool:
    """Whether a channel is in Hounsfield units: by its name, or air as dark as in CT."""
    return name.strip().upper() == "CT" or values.darkest <= _AIR_HU


def class_labels(dataset: Dataset, mask: Integer[ndarray, "*s"]) -> Integer[ndarray, "*s"]:
    """Give the classes the numbers 1, 2, ... in order; -1 where nobody labelled.

    Where a value belongs to several classes, the last of them wins, as nnU-Net writes regions.
    """
    out = np.zeros(mask.shape, np.int16)
    for number, values in enumerate(dataset.classes.values(), start=1):
        out[np.isin(mask, values)] = number
    if dataset.ignored is not None:
        out[mask == dataset.ignored] = -1
    return out


def drawn_in(dataset: Dataset, labels: Integer[ndarray, "*s"]) -> tuple[bool, ...]:
    """Which classes somebody drew in a case, by its labels of `class_labels`."""
    numbers = range(1, len(dataset.classes) + 1)
    return tuple(not dataset.is_partial or bool((labels == n).any()) for n in numbers)


def upright_size(image: Image) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Shape and spacing in mm of an image turned upright; a picture has no spacing."""
    if image.grid is None:
        return image.array.shape[1:], ()
    grid = upright_grid(image.grid, turn_of(image.grid))
    return grid.shape, grid.spacing_mm


def _sampled(
    array: Shaped[ndarray, " c *s"], labels: Integer[ndarray, "*s"]
) -> Float[ndarray, "c n"]:
    """Take evenly spaced labelled voxels, or any where nothing is labelled."""
    where = np.flatnonzero(labels > 0)
    if not len(where):
        where = np.arange(labels.size)
    where = where[:: max(1, len(where) // _SAMPLED)]
    return array.reshape(len(array), -1)[:, where].astype(np.float64)


def statistics_of(values: Float[ndarray, " n"], darkest: float) -> ChannelStatistics:
    """Summarize values of one channel; `darkest` is the least of the whole image."""
    low, high = np.percentile(values, (0.5, 99.5))
    return ChannelStatistics(
        float(low),
        float(high),
        float(values.mean()),
        max(float(values.std()), 1e-6),
        darkest,
    )
