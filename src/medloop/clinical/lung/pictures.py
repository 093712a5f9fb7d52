"""Key images of nodules: where each lies, its outline in two planes, where the network looked.

As radiologists look: from the feet, the patient's right at the left; lung window. Colors are
RGB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray
from scipy import ndimage

from medloop.clinical.report.figures import HEAT_FLOOR
from medloop.clinical.report.views import outline
from medloop.core.finding import Finding, Result
from medloop.core.geometry import Grid
from medloop.core.image import Patch, Volume
from medloop.imaging.orientation import Turn, turn_of, upright_grid

PANEL_PX: Final = 300
MOST: Final = 8  # nodules that are shown
_ZOOM_MM: Final = 50.0
_WIDE: Final = 2.5  # of the longest axis, where that needs more
_LOW_HU, _HIGH_HU = -1350.0, 150.0  # lung window: level -600, width 1500 HU
_EDGE, _WHITE, _FRAME = (20, 20, 20), (255, 255, 255), (70, 70, 70)
Rgb = UInt8[ndarray, "y x 3"]


@dataclass(frozen=True, slots=True, eq=False)
class _Upright:
    """A chest with axes toward head, back and left, and what is known of it."""

    hu: Shaped[ndarray, "k j i"]
    labels: Shaped[ndarray, "k j i"] | None
    spacing_mm: tuple[float, float, float]
    sides_mm: Mapping[int, float]


def key_images(volume: Volume, result: Result) -> dict[str, Rgb]:
    """Draw ``overlay`` and ``heatmap``: a row a nodule, the first ones at most.

    A row of the overlay has the whole slice, its part around the nodule, the same outlined, and
    the coronal plane outlined; one of the heat map the part, and where the network looked.
    """
    turn = turn_of(volume.grid)
    grid = upright_grid(volume.grid, turn)
    labels = None if result.labels is None else turn.upright(result.labels.array)
    chest = _Upright(
        turn.upright(volume.array),
        labels,
        grid.spacing_mm,
        {} if labels is None else _sides_mm(labels, grid.spacing_mm),
    )
    placed = [each for each in result.findings if each.center_lps_mm is not None][:MOST]
    if not placed:
        return {}
    centers = grid.to_index(np.array([each.center_lps_mm for each in placed]))
    colors = _colors(result, placed)
    heat = _heat_by_nodule(result, turn, volume.grid)
    rows, heats = [], []
    for n, (center, color) in enumerate(zip(centers, colors, strict=True), start=1):
        segment = placed[n - 1].segment
        rows.append(_row(chest, center, segment, color, n))
        if n in heat:
            heats.append(_heat_row(chest, heat[n], center, n))
    drawn = {"overlay": np.concatenate(rows)}
    if heats:
        drawn["heatmap"] = np.concatenate(heats)
    return drawn


def _heat_by_nodule(result: Result, turn: Turn, grid: Grid) -> dict[int, Patch]:
    """Boxes of heat of an upright chest, by the numbers of findings."""
    return {
        int(each.explains["finding"]): turn.patch_upright(
            Patch(each.array, each.low, grid.shape)
        )
        for each in result.heat_maps
    }


def _colors(result: Result, findings: Sequence[Finding]) -> list[tuple[int, int, int]]:
    segments = result.labels.segments if result.labels is not None else {}
    known = {label: segment.color for label, segment in segments.items()}
    return [known.get(each.segment or 0, _WHITE) for each in findings]


def _row(
    chest: _Upright,
    center: Float[ndarray, " 3"],
    segment: int | None,
    color: tuple[int, int, int],
    number: int,
) -> Rgb:
    side = chest.sides_mm.get(segment or 0, _ZOOM_MM)
    whole = _plane(chest, center, "axial", _body_mm(chest))
    _box(whole, chest, center, side, color)
    plain = _plane(chest, center, "axial", side)
    panels = [whole, plain]
    for plane in ("axial", "coronal"):
        panel = _plane(chest, center, plane, side)
        if chest.labels is not None and segment is not None:
            mine = _cut(chest.labels, center, plane) == segment
            inside = _warped(mine, chest, center, plane, side) >= 0.5
            outline(panel, inside.astype(np.uint8), color, width=1)
        panels.append(panel)
    _scale(plain, side)
    return _framed(panels, number)


def _heat_row(chest: _Upright, heat: Patch, center: Float[ndarray, " 3"], number: int) -> Rgb:
    side = _ZOOM_MM
    plain = _plane(chest, center, "axial", side)
    inside = center - np.array(heat.low)
    level = _warped(_cut(heat.array, inside, "axial"), chest, inside, "axial", side)
    colors = cv2.applyColorMap(level.astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    alpha = np.clip((level / 255 - HEAT_FLOOR) / (0.6 - HEAT_FLOOR), 0, 1)[..., None] * 0.6
    mixed = plain + alpha * (colors.astype(np.float32) - plain)
    _scale(plain, side)
    return _framed([plain, mixed.astype(np.uint8)], number)


def _sides_mm(
    labels: Shaped[ndarray, "k j i"], spacing_mm: Sequence[float]
) -> dict[int, float]:
    """How much to show around each nodule."""
    out = {}
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            extents = [(b.stop - b.start) * s for b, s in zip(box, spacing_mm, strict=True)]
            out[label] = max(_ZOOM_MM, _WIDE * max(extents))
    return out


def _body_mm(chest: _Upright) -> float:
    return float(
        max(chest.hu.shape[1] * chest.spacing_mm[1], chest.hu.shape[2] * chest.spacing_mm[2])
    )


def _plane(chest: _Upright, center: Float[ndarray, " 3"], plane: str, side_mm: float) -> Rgb:
    middle = center
    if side_mm > 2 * _WIDE * _ZOOM_MM:  # the whole slice, about its own middle
        middle = np.array([center[0], *((n - 1) / 2 for n in chest.hu.shape[1:])])
    hu = _warped(_cut(chest.hu, middle, plane), chest, middle, plane, side_mm, _LOW_HU)
    gray = np.clip((hu - _LOW_HU) / (_HIGH_HU - _LOW_HU), 0, 1) * 255
    return np.repeat(gray.astype(np.uint8)[..., None], 3, axis=2)


def _cut(
    array: Shaped[ndarray, "k j i"], center: Float[ndarray, " 3"], plane: str
) -> Shaped[ndarray, "y x"]:
    """Take the plane through a place."""
    axis = 0 if plane == "axial" else 1
    at = int(np.clip(round(center[axis]), 0, array.shape[axis] - 1))
    return array.take(at, axis=axis)


def _warped(
    part: Shaped[ndarray, "y x"],
    chest: _Upright,
    center: Float[ndarray, " 3"],
    plane: str,
    side_mm: float,
    outside: float = 0.0,
) -> Float[ndarray, "r c"]:
    """Sample a square of a plane about a place; the head, or the front, is at the top."""
    down = 1 if plane == "axial" else 0
    step = side_mm / PANEL_PX
    x, y = step / chest.spacing_mm[2], step / chest.spacing_mm[down]
    y = -y if down == 0 else y
    half = (PANEL_PX - 1) / 2
    way = np.array([[x, 0, center[2] - half * x], [0, y, center[down] - half * y]])
    warped = cv2.warpAffine(
        np.ascontiguousarray(part).astype(np.float32),
        way,
        (PANEL_PX, PANEL_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderValue=outside,
    )
    return np.asarray(warped, float)


def _box(
    panel: Rgb,
    chest: _Upright,
    center: Float[ndarray, " 3"],
    side_mm: float,
    color: tuple[int, int, int],
) -> None:
    """Frame, on the whole slice, what is enlarged beside it."""
    step = _body_mm(chest) / PANEL_PX
    half = (PANEL_PX - 1) / 2
    y, x = (
        half + (center[a] - (chest.hu.shape[a] - 1) / 2) * chest.spacing_mm[a] / step
        for a in (1, 2)
    )
    reach = side_mm / 2 / step
    low = (round(x - reach), round(y - reach))
    high = (round(x + reach), round(y + reach))
    for ink, width in ((_EDGE, 3), (color, 1)):
        cv2.rectangle(panel, low, high, ink, width, cv2.LINE_AA)


def _scale(panel: Rgb, side_mm: float) -> None:
    """Draw a bar of 10 mm."""
    length = round(10 / side_mm * PANEL_PX)
    foot = PANEL_PX - 12
    for ink, thick in ((_EDGE, 4), (_WHITE, 2)):
        cv2.line(panel, (12, foot), (12 + length, foot), ink, thick, cv2.LINE_AA)
        cv2.putText(
            panel,
            "10 mm",
            (12, foot - 8),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.4,
            ink,
            thick - 1,
            cv2.LINE_AA,
        )


def _framed(panels: Sequence[Rgb], number: int) -> Rgb:
    row = np.concatenate(list(panels), axis=1)
    for ink, thick in ((_EDGE, 4), (_WHITE, 1)):
        cv2.putText(
            row, str(number), (10, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.8, ink, thick, cv2.LINE_AA
        )
        for letter, x in (("R", 6), ("L", PANEL_PX - 20)):
            cv2.putText(
                row,
                letter,
                (x, PANEL_PX // 2),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.5,
                ink,
                thick,
                cv2.LINE_AA,
            )
    for n in range(len(panels)):
        cv2.rectangle(row, (n * PANEL_PX, 0), ((n + 1) * PANEL_PX - 1, PANEL_PX - 1), _FRAME)
    return row
