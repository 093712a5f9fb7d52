"""Marks that a reader puts on an image, and what becomes of the mask about them."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.imaging.packed import Box, Place, require_box, slices_of
from medloop.imaging.refine import Marks, refine


class Refiner(Protocol):
    """What turns marks into an object: `imaging.refine.refine`, or a network."""

    def __call__(
        self,
        image: Float[ndarray, "*size"],
        spacing: tuple[float, ...],
        marks: Marks,
        *,
        probability: Float[ndarray, "*size"] | None = None,
        likely: Float[ndarray, "*size"] | None = None,
        reach: float = 12.0,
    ) -> Bool[ndarray, "*size"]:
        """Return the mask that agrees with the marks, or raise `InputError`.

        `probability` is 1 where something is drawn, None where nothing is; `likely`, what a
        network saw, is None where no probabilities are kept. What is drawn stays where no mark
        contradicts it.
        """


@dataclass(frozen=True, slots=True)
class Asked:
    """Voxels [x, y, z] inside and outside of an object; the mask may change up to `reach` away.

    `reach` is in the unit of the image's spacing.
    """

    inside: tuple[Place, ...]
    outside: tuple[Place, ...]
    reach: float


def within(asked: Asked, shape: Place) -> Asked:
    """Leave out marks outside of an image; `shape` is along z, y and x.

    Raises
    ------
    InputError
        If all of them lie outside.
    """
    inside, outside = (
        tuple(each for each in places if _is_in(each, shape))
        for places in (asked.inside, asked.outside)
    )
    if not (inside or outside) and (asked.inside or asked.outside):
        raise InputError("a mark lies outside of the image")
    return replace(asked, inside=inside, outside=outside)


def _is_in(place: Place, shape: Place) -> bool:
    return all(0 <= n < size for n, size in zip(place, shape[::-1], strict=True))


def box_of(asked: Asked, spacing: tuple[float, float, float], shape: Place) -> Box:
    """Return the box that marks reach; `spacing` and `shape` are along z, y and x.

    Raises
    ------
    InputError
        If there is no mark, or one lies outside of the image.
    """
    places = np.array([*asked.inside, *asked.outside], int).reshape(-1, 3)
    if not len(places):
        raise InputError("no place is marked")
    size = np.array(shape[::-1])
    if (places < 0).any() or (places >= size).any():
        raise InputError("a mark lies outside of the image")
    margin = np.ceil(asked.reach / np.array(spacing[::-1])).astype(int)
    low = np.maximum(places.min(0) - margin, 0).tolist()
    high = np.minimum(places.max(0) + margin + 1, size).tolist()
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def refined(
    image: Shaped[ndarray, "z y x"],
    spacing: tuple[float, float, float],
    asked: Asked,
    drawn: tuple[Box, Bool[ndarray, "z y x"]],
    *,
    likely: Float[ndarray, "z y x"] | None = None,
    refiner: Refiner = refine,
) -> Bool[ndarray, "z y x"]:
    """Return the mask of a box, refined by marks; only that box of the image is read.

    `drawn` is the box with the mask as it was, `likely` what a network saw in it. An image of
    one slice is refined as a picture.

    Raises
    ------
    InputError
        If a mark lies outside of the box.
    """
    box, before = drawn
    require_box(box, image.shape)
    low = np.array(box[0])
    inside, outside = (
        (np.array(places, int).reshape(-1, 3) - low)[:, ::-1]
        for places in (asked.inside, asked.outside)
    )
    both = np.concatenate([inside, outside])
    if (both < 0).any() or (both >= before.shape).any():
        raise InputError("a mark lies outside of the box")
    region = np.ascontiguousarray(image[slices_of(box)], np.float32)
    odds = before.astype(np.float32) if before.any() else None
    if image.shape[0] > 1:
        marks = Marks(inside, outside)
        return refiner(
            region, spacing, marks, probability=odds, likely=likely, reach=asked.reach
        )
    flat = Marks(inside[:, 1:], outside[:, 1:])
    above = None if odds is None else odds[0]
    seen = None if likely is None else likely[0]
    return refiner(
        region[0], spacing[1:], flat, probability=above, likely=seen, reach=asked.reach
    )[None]
