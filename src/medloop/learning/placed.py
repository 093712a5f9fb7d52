"""Examples on a plan's canvas, as training and evaluation both see them."""

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.imaging.fundus import Field, find_field
from medloop.learning.datasets import Example, read_mask, read_rgb
from medloop.models.canvas import Placement, place
from medloop.models.plan import Plan


def with_field(example: Example) -> tuple[UInt8[ndarray, "y x 3"], Field]:
    """Read a photograph and find its field; `InputError` names one that has none."""
    rgb = read_rgb(example.path)
    field = find_field(rgb)
    if field is None:
        raise InputError(f"{example.path.name} shows no fundus field")
    return rgb, field


def placed(example: Example, plan: Plan) -> tuple[UInt8[ndarray, "v u 3"], Placement]:
    """Read a photograph onto a plan's canvas."""
    return place(*with_field(example), plan)


def placed_bits(
    example: Example, plan: Plan, placement: Placement, size: tuple[int, int]
) -> UInt8[ndarray, "v u"]:
    """Read the masks onto a canvas of `size`: bit c is class c of the plan.

    The nearest pixel is taken, which keeps every bit whole.
    """
    packed = np.zeros(placement.picture, np.uint8)
    for c, name in enumerate(plan.classes):
        packed |= read_mask(example, name, placement.picture).astype(np.uint8) << c
    x0, y0, x1, y1 = placement.box
    (top, left), (rows, columns) = placement.corner, placement.size
    y = y0 + ((np.arange(rows) + 0.5) * (y1 - y0) / rows).astype(int)
    x = x0 + ((np.arange(columns) + 0.5) * (x1 - x0) / columns).astype(int)
    out = np.zeros(size, np.uint8)
    out[top : top + rows, left : left + columns] = packed[np.ix_(y, x)]
    return out
