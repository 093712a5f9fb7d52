"""Structures combined: union, intersection, what is left, what is in one alone.

Of signed distances the greater one (or the lesser) describes the joint surface exactly, so
nothing is rounded to voxels.
"""

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from medloop.core.errors import GeometryError
from medloop.core.geometry import apart
from medloop.core.image import Volume


def union(one: Volume, *others: Volume) -> Volume:
    """Join soft masks: what lies in any.

    Raises
    ------
    GeometryError
        If they do not lie on one grid; so with the other operations.
    """
    array = _values(one, one)
    for other in others:
        array = np.maximum(array, _values(other, one))
    return one.with_array(array)


def intersection(one: Volume, *others: Volume) -> Volume:
    """Keep what lies in all."""
    array = _values(one, one)
    for other in others:
        array = np.minimum(array, _values(other, one))
    return one.with_array(array)


def subtraction(one: Volume, *others: Volume) -> Volume:
    """Keep what lies in the first and in none of the others."""
    array = _values(one, one)
    for other in others:
        array = np.minimum(array, 1 - _values(other, one))
    return one.with_array(array)


def exclusive(one: Volume, other: Volume) -> Volume:
    """Keep what lies in one of two and not in the other (exclusive or)."""
    return union(subtraction(one, other), subtraction(other, one))


def _values(soft: Volume, like: Volume) -> Float32[ndarray, "k j i"]:
    difference = apart(like.grid, soft.grid, like.array.shape, soft.array.shape)
    if difference:
        raise GeometryError(f"two structures lie on different grids: {difference}")
    return np.asarray(soft.array, np.float32)
