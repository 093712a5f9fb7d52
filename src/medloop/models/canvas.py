"""From a photograph to a network's input and back: one scaling, one place."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from medloop.imaging.fundus import Field
from medloop.models.plan import Plan, Task

_NEAR_ENOUGH = (
    0.07  # outlines at a scale this close to the plan's keep the picture's own pixels
)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the visible field of a picture lies on the network's input.

    `box` (x0, y0, x1, y1) on the picture was resized to `size` (rows, columns) and put at
    `corner` (row, column) of the canvas.
    """

    picture: tuple[int, int]
    box: tuple[int, int, int, int]
    size: tuple[int, int]
    corner: tuple[int, int]


def place(
    rgb: UInt8[ndarray, "y x 3"], field: Field, plan: Plan
) -> tuple[UInt8[ndarray, "v u 3"], Placement]:
    """Crop to the visible field, scale it to the plan's size, center it on a black canvas."""
    x0, y0, x1, y1 = field.box
    factor = plan.field_px / (2 * field.radius_px)
    if plan.task is Task.LESIONS and abs(factor - 1) < _NEAR_ENOUGH:
        factor = 1.0
    factor = min(factor, 1.25 * plan.field_px / max(x1 - x0, y1 - y0))
    rows, columns = max(1, round((y1 - y0) * factor)), max(1, round((x1 - x0) * factor))
    crop = rgb[y0:y1, x0:x1]
    if factor != 1.0:
        kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        crop = cv2.resize(crop, (columns, rows), interpolation=kind)
    height, width = (-(-n // plan.multiple) * plan.multiple for n in (rows, columns))
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + rows, left : left + columns] = crop
    return canvas, Placement(rgb.shape[:2], field.box, (rows, columns), (top, left))


def unplace(canvas: Float[ndarray, "v u"], placement: Placement) -> Float[ndarray, "y x"]:
    """Carry a map from the canvas back to the picture's pixels; 0 outside the field."""
    (top, left), (rows, columns) = placement.corner, placement.size
    x0, y0, x1, y1 = placement.box
    part = np.ascontiguousarray(canvas[top : top + rows, left : left + columns])
    if (rows, columns) != (y1 - y0, x1 - x0):
        part = cv2.resize(part, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    full = np.zeros(placement.picture, canvas.dtype)
    full[y0:y1, x0:x1] = part
    return full


def normalize(canvas: UInt8[ndarray, "v u 3"], plan: Plan) -> Float[ndarray, "1 3 v u"]:
    """Scale 8-bit values as the plan says; channels first, in a batch of one."""
    x = (canvas.astype(np.float32) - plan.mean) / plan.scale
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None])
