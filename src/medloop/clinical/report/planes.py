"""Planes of an upright volume as pictures, at any place and scale. Colors are RGB.

Seen as radiologists do: the patient's right is at the left of axial and coronal planes,
anterior at the left of sagittal ones; the head is up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float, Float32, Integer, Shaped, UInt8
from numpy import ndarray

from medloop.clinical.report.views import outline

# Of each plane: the axis it cuts, those of its rows and columns.
AXES: Final[Mapping[str, tuple[int, int, int]]] = {
    "axial": (0, 1, 2),
    "coronal": (1, 0, 2),
    "sagittal": (2, 0, 1),
}
_LETTERS: Final = {"axial": ("R", "L"), "coronal": ("R", "L"), "sagittal": ("A", "P")}
_EDGE, _WHITE, _FRAME = (20, 20, 20), (255, 255, 255), (70, 70, 70)
Rgb = UInt8[ndarray, "y x 3"]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Where and how a plane is seen: middle as an index, mm to a pixel, rows and columns."""

    plane: str
    center: Float[ndarray, " 3"]
    mm: float
    size: tuple[int, int]


def gray_plane(
    image: Shaped[ndarray, "z y x"],
    spacing_mm: Sequence[float],
    view: View,
    window: tuple[float, float],
) -> Rgb:
    """Show a plane between two values, black and white; what lies beyond the image is black."""
    low, high = window
    part = _cut(image, view).astype(np.float32)
    shown = _warped(part, spacing_mm, view, outside=low)
    gray = np.clip((shown - low) / (high - low), 0, 1) * 255
    return cv2.cvtColor(gray.astype(np.uint8), cv2.COLOR_GRAY2RGB)


def draw_labels(
    canvas: Rgb,
    labels: Integer[ndarray, "z y x"],
    spacing_mm: Sequence[float],
    view: View,
    colors: Mapping[int, tuple[int, int, int]],
) -> None:
    """Outline into `canvas` the labels that the plane cuts."""
    part = _cut(labels, view)
    for label in np.unique(part[part > 0]).tolist():
        inside = _warped((part == label).astype(np.float32), spacing_mm, view) >= 0.5
        outline(canvas, inside.astype(np.uint8), colors[label], width=2)


def annotate(canvas: Rgb, view: View, *, name: str = "") -> None:
    """Name the patient's directions, draw a bar of 20 mm, frame the panel; in place."""
    height, width = canvas.shape[:2]
    left, right = _LETTERS[view.plane]
    foot = height - 10
    words = [(left, (5, height // 2)), (right, (width - 15, height // 2)), (name, (6, 20))]
    for ink, thick in ((_EDGE, 4), (_WHITE, 1)):
        end = 8 + round(20 / view.mm)
        cv2.line(canvas, (8, foot), (end, foot), ink, thick + 1, cv2.LINE_AA)
        _write(canvas, "20 mm", (8, foot - 6), 0.35, (ink, thick))
        for word, place in words:
            _write(canvas, word, place, 0.45, (ink, thick))
    cv2.rectangle(canvas, (0, 0), (width - 1, height - 1), _FRAME)


def _write(
    canvas: Rgb,
    word: str,
    place: tuple[int, int],
    size: float,
    pen: tuple[tuple[int, int, int], int],
) -> None:
    cv2.putText(canvas, word, place, cv2.FONT_HERSHEY_SIMPLEX, size, *pen, cv2.LINE_AA)


def _cut(array: Shaped[ndarray, "z y x"], view: View) -> Shaped[ndarray, "r c"]:
    axis = AXES[view.plane][0]
    at = int(np.clip(round(float(view.center[axis])), 0, array.shape[axis] - 1))
    return array.take(at, axis=axis)


def _warped(
    part: Float32[ndarray, "r c"],
    spacing_mm: Sequence[float],
    view: View,
    *,
    outside: float = 0.0,
) -> Float32[ndarray, "y x"]:
    """Sample a plane about the middle of a view; rows toward superior run upward."""
    _, rows, columns = AXES[view.plane]
    across, down = view.mm / spacing_mm[columns], view.mm / spacing_mm[rows]
    down = -down if rows == 0 else down
    y, x = ((n - 1) / 2 for n in view.size)
    way = np.array(
        [
            [across, 0, view.center[columns] - across * x],
            [0, down, view.center[rows] - down * y],
        ]
    )
    warped = cv2.warpAffine(
        np.ascontiguousarray(part),
        way,
        view.size[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderValue=outside,
    )
    return np.asarray(warped, np.float32)
