"""Pictures of a labelled volume: three planes, as they are and with the labels outlined.

Seen as radiologists do: the patient's left is at the right of axial and coronal views, anterior
at the left of the sagittal one. Colors are RGB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Shaped, UInt8
from numpy import ndarray

from medloop.core.image import LabelMap, Volume
from medloop.imaging.orientation import turn_of, upright_grid

PANEL_PX = (480, 600)  # rows, columns
PLANES = ("axial", "coronal", "sagittal")
MARGIN_MM = 12.0  # shown about the labels
_WINDOW = (0.5, 99.5)  # percentiles that become black and white
_SAMPLES = 500_000  # voxels that decide the window
_EDGE, _FRAME = (20, 20, 20), (70, 70, 70)
# Of each plane: the axis it cuts, those of its rows and columns, and whether rows run backward.
_AXES = {"axial": (0, 1, 2), "coronal": (1, 0, 2), "sagittal": (2, 0, 1)}
_LETTERS = {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}  # left, right, top, bottom


@dataclass(frozen=True, slots=True, eq=False)
class _Upright:
    """Image and labels with axes toward superior, posterior and left; what to show of them."""

    image: Shaped[ndarray, "z y x"]
    labels: Shaped[ndarray, "z y x"]
    spacing_mm: tuple[float, float, float]
    low: float
    high: float
    center: tuple[float, ...]  # index along z, y, x
    side_mm: float


def views(volume: Volume, labels: LabelMap) -> UInt8[ndarray, "y x 3"]:
    """Draw axial, coronal and sagittal planes side by side, below each the same outlined.

    Each plane lies where the labels cover most of it, without labels in the middle; all are
    at one scale.

    Raises
    ------
    ValueError
        If the labels lie on another grid.
    """
    if labels.array.shape != volume.array.shape:
        raise ValueError(f"labels are {labels.array.shape}, the volume {volume.array.shape}")
    upright = _turn(volume, labels)
    colors = {n: segment.color for n, segment in sorted(labels.segments.items())}
    columns = []
    for plane in PLANES:
        image, outlined = _panel(upright, plane, {}), _panel(upright, plane, colors)
        columns.append(np.concatenate([image, outlined]))
    return np.concatenate(columns, axis=1)


def columns_of(picture: UInt8[ndarray, "y x 3"]) -> Sequence[UInt8[ndarray, "y x 3"]]:
    """Cut what `views` drew into its planes, in the order of `PLANES`."""
    return tuple(np.ascontiguousarray(part) for part in np.hsplit(picture, len(PLANES)))


def _turn(volume: Volume, labels: LabelMap) -> _Upright:
    turn = turn_of(volume.grid)
    there = upright_grid(volume.grid, turn)
    image, marked = turn.upright(volume.array), turn.upright(labels.array)
    sample = volume.array.reshape(-1)[:: max(1, volume.array.size // _SAMPLES)]
    low, high = np.percentile(sample.astype(np.float64), _WINDOW)
    indices = np.argwhere(marked)
    steps = np.array(there.spacing_mm)
    size = np.array(there.shape)
    first, last = np.zeros(3), size - 1.0
    if len(indices):
        first, last = indices.min(axis=0), indices.max(axis=0)
    wanted = ((last - first + 1) * steps).max() + 2 * MARGIN_MM
    center = tuple(float(at) for at in (first + last) / 2)
    side_mm = float(min(wanted, (size * steps).max()))
    return _Upright(image, marked, there.spacing_mm, float(low), float(high), center, side_mm)


def _panel(
    of: _Upright, plane: str, colors: Mapping[int, tuple[int, int, int]]
) -> UInt8[ndarray, "y x 3"]:
    axis, rows, columns = _AXES[plane]
    others = tuple(n for n in range(3) if n != axis)
    covered = np.count_nonzero(of.labels, axis=others)
    fullest = np.flatnonzero(covered == covered.max())
    at = int(fullest[len(fullest) // 2])
    way = _way(of, rows, columns)
    gray = of.image.take(at, axis=axis).astype(np.float32)
    gray = (gray - of.low) / max(of.high - of.low, 1e-6) * 255
    flat = np.clip(_draw(gray, way, cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
    canvas = cv2.cvtColor(flat, cv2.COLOR_GRAY2RGB)
    marked = of.labels.take(at, axis=axis)
    for label, color in colors.items():
        inside = _draw((marked == label).astype(np.float32), way, cv2.INTER_LINEAR) >= 0.5
        outline(canvas, inside.astype(np.uint8), color)
    _annotate(canvas, _LETTERS[plane], of.side_mm)
    return canvas


def _way(of: _Upright, rows: int, columns: int) -> Float32[ndarray, "2 3"]:
    """Map a panel's (x, y) to a slice's (column, row); upward rows run toward superior."""
    mm = of.side_mm / min(PANEL_PX)
    across, down = mm / of.spacing_mm[columns], mm / of.spacing_mm[rows]
    down = -down if rows == 0 else down
    y, x = ((n - 1) / 2 for n in PANEL_PX)
    return np.array(
        [
            [across, 0, of.center[columns] - across * x],
            [0, down, of.center[rows] - down * y],
        ],
        np.float32,
    )


def _draw(
    part: Float32[ndarray, "y x"], way: Float32[ndarray, "2 3"], how: int
) -> Float32[ndarray, "y x"]:
    size = PANEL_PX[::-1]
    drawn = cv2.warpAffine(part, way, size, flags=how | cv2.WARP_INVERSE_MAP)
    return np.asarray(drawn, np.float32)


def outline(
    canvas: UInt8[ndarray, "y x 3"],
    inside: UInt8[ndarray, "y x"],
    color: tuple[int, int, int],
    *,
    width: int = 3,
) -> None:
    """Draw a border into `canvas`, with a thin dark edge so that it shows on any tissue."""
    contours, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for ink, thick in ((_EDGE, width + 2), (color, width)):
        cv2.drawContours(canvas, contours, -1, ink, thick, cv2.LINE_AA)


def _annotate(canvas: UInt8[ndarray, "y x 3"], letters: str, side_mm: float) -> None:
    """Name the patient's directions at the edges, and draw a bar of known length."""
    height, width = PANEL_PX
    font, margin, high = cv2.FONT_HERSHEY_SIMPLEX, width // 40, width // 30
    size = high / 22  # of this font, whose capitals are 22 pixels high
    places = (
        (margin, (height + high) // 2),
        (width - margin - high, (height + high) // 2),
        ((width - high) // 2, margin + high),
        ((width - high) // 2, height - margin),
    )
    length_mm = 10 if side_mm < 150 else 50
    foot = height - margin
    end = margin + round(length_mm / side_mm * min(PANEL_PX))
    words = [*zip(letters, places, strict=True), (f"{length_mm} mm", (margin, foot - high))]
    for ink, thick in ((_EDGE, 5), ((255, 255, 255), 2)):
        cv2.line(canvas, (margin, foot), (end, foot), ink, thick + 1, cv2.LINE_AA)
        for word, place in words:
            scale = size if len(word) == 1 else 0.75 * size
            cv2.putText(canvas, word, place, font, scale, ink, thick, cv2.LINE_AA)
    cv2.rectangle(canvas, (0, 0), (width - 1, height - 1), _FRAME)
