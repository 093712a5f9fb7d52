"""Pictures as networks take them, and as NIfTI lays them out."""

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray

from medloop.apps.batch import Input
from medloop.core.errors import InputError
from medloop.core.image import Picture, Volume

_COLORS = 3


def rgb8(picture: Picture) -> UInt8[ndarray, "y x 3"]:
    """Return red, green and blue bytes: 16 bits lose the lower 8, gray is repeated."""
    array = picture.array if picture.array.dtype == np.uint8 else picture.array >> 8
    array = array.astype(np.uint8, copy=False)
    return array if picture.is_color else np.repeat(array[..., np.newaxis], 3, axis=2)


def flat_affine(spacing_mm: tuple[float, float] | None) -> Float[ndarray, "4 4"]:
    """Lay a picture flat: columns to the left of the patient, rows down, in mm if known."""
    rows_mm, columns_mm = spacing_mm or (1.0, 1.0)
    affine = np.zeros((4, 4))
    affine[0, 2], affine[1, 1], affine[2, 0], affine[3, 3] = columns_mm, rows_mm, 1.0, 1.0
    return affine


def channels_of(
    item: Input, count: int, *, flat: bool
) -> tuple[Shaped[ndarray, " c *s"], Picture | Volume]:
    """Read what a network of `count` channels sees, and the image it is of.

    Values are as stored. Gray is a color, no color is gray.

    Raises
    ------
    InputError
        If a picture in color meets a network of gray ones, or channels lie on several grids.
    """
    if not flat:
        return item.volume()
    picture = item.picture()
    if not picture.is_color:
        return np.repeat(picture.array[None], count, axis=0), picture
    array = np.moveaxis(picture.array, -1, 0)
    if count == _COLORS:
        return array, picture
    if (array == array[:1]).all():
        return array[:1], picture
    raise InputError("is in color; the network reads gray pictures")
