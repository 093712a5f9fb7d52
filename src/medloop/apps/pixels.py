"""Pictures as networks take them, and as NIfTI lays them out."""

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from medloop.core.image import Picture


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
