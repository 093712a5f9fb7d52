"""Images with what is marked in them: draw a change, then apply it to all alike."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from medloop.learning.transforms.intensity import (
    IntensityChange,
    IntensityRanges,
    change_values,
    draw_change,
)
from medloop.learning.transforms.places import move_boxes, move_points
from medloop.learning.transforms.resample import Sampling, resample
from medloop.learning.transforms.spatial import SpatialRanges, draw_warp
from medloop.learning.transforms.warp import Warp


@dataclass(frozen=True, slots=True)
class Ranges:
    """How far augmentation may go."""

    spatial: SpatialRanges = field(default_factory=SpatialRanges)
    intensity: IntensityRanges = field(default_factory=IntensityRanges)


@dataclass(frozen=True, slots=True, eq=False)
class Augmentation:
    """One draw: all that decides what `apply` does."""

    warp: Warp
    changes: tuple[IntensityChange, ...]  # by channel


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An image and what is marked in it; all places are indices, (k, j, i) or (j, i)."""

    image: Shaped[ndarray, " c *s"]
    labels: Shaped[ndarray, "*s"] | None = None
    points: Float[ndarray, "n d"] | None = None
    boxes: Float[ndarray, "m 2 d"] | None = None  # lower and upper edges


def draw(
    rng: np.random.Generator,
    ranges: Ranges,
    *,
    image: Shaped[ndarray, " c *s"],
    spacing_mm: tuple[float, ...],
    patch: tuple[int, ...] | None = None,
    center: tuple[float, ...] | None = None,
) -> Augmentation:
    """Draw one augmentation for an image; of the image only the shape is used.

    `patch` is the output's shape (the image's by default), `center` the index that comes to
    its middle (drawn by default).

    Raises
    ------
    ValueError
        If the axes are not two or three, or disagree.
    """
    channels, *shape = image.shape
    warp = draw_warp(
        rng,
        ranges.spatial,
        spacing_mm=spacing_mm,
        shape=tuple(shape),
        patch=patch,
        center=center,
    )
    count = 1 if ranges.intensity.together else channels
    drawn = [draw_change(rng, ranges.intensity, spacing_mm=spacing_mm) for _ in range(count)]
    return Augmentation(warp, tuple(drawn * (channels // count)))


def apply(
    sample: Sample, augmentation: Augmentation, *, sampling: Sampling | None = None
) -> Sample:
    """Apply an augmentation: one resampling, then the change of each channel.

    Points may end outside the output; boxes that are not in view are NaN, so rows stay rows.

    Raises
    ------
    ValueError
        If the image, the labels and the augmentation disagree in dimensions or shape.
    """
    warp = augmentation.warp
    image, labels = resample(warp, sample.image, sample.labels, sampling=sampling)
    for c, change in enumerate(augmentation.changes):
        image[c] = change_values(image[c], change)
    return Sample(
        image=image,
        labels=labels,
        points=None if sample.points is None else move_points(warp, sample.points),
        boxes=None if sample.boxes is None else move_boxes(warp, sample.boxes),
    )
