"""Pictures for reports: what was found, outlined, and where the decision came from.

Everything is drawn at a reduced size (`width_px` at most): a 12-megapixel photograph would
only make the report slow. Colors are RGB.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from medloop.core.finding import Finding
from medloop.core.image import HeatMap, LabelMap, Picture

DRAWN_PX = 1600
HEAT_FLOOR = 0.25  # activation below this share of the maximum is left out
_SURROUND = 16  # a fundus camera's black surround stays below this gray value
_RING = 0.0065  # of the width: radius of the smallest ring that still shows in print
_EDGE = (20, 20, 20)


def overlay(
    picture: Picture,
    labels: LabelMap | None,
    findings: Sequence[Finding] = (),
    *,
    marks: Sequence[tuple[float, float]] = (),
    width_px: int = DRAWN_PX,
) -> UInt8[ndarray, "y x 3"]:
    """Outline labels in their segments' colors; cross-mark points.

    `marks` are [x, y] pixel places beside those of findings that have no segment.

    Outlines run just outside the region, so that its tissue stays visible; regions too small
    to outline are circled.
    """
    canvas = shrink(picture, width_px=width_px)
    if labels is not None:
        small = _shrink_labels(labels, canvas.shape[:2])
        for value in sorted(small):
            _outline(canvas, small[value], labels.segments[value].color)
    scale = canvas.shape[1] / picture.size[1]
    points = [each.center_px for each in findings if each.segment is None and each.center_px]
    for point in dict.fromkeys((*points, *marks)):
        x, y = (round((place + 0.5) * scale - 0.5) for place in point)
        _cross(canvas, (x, y))
    return canvas


def heat(
    picture: Picture, heat_map: HeatMap, *, width_px: int = DRAWN_PX
) -> UInt8[ndarray, "y x 3"]:
    """Lay activation over the picture in gray, by a perceptually uniform color map (inferno).

    Weak activation is left out, and black surround stays black.
    """
    base = shrink(picture, width_px=width_px)
    height, width = base.shape[:2]
    gray = cv2.cvtColor(base, cv2.COLOR_RGB2GRAY)
    level = cv2.resize(heat_map.array, (width, height), interpolation=cv2.INTER_AREA)
    top = max(int(level.max()), 1)
    colors = _inferno()[level]
    share = level.astype(np.float32) / top
    alpha = np.clip((share - HEAT_FLOOR) / (0.6 - HEAT_FLOOR), 0, 1) * 0.6
    alpha[gray < _SURROUND] = 0
    bright = max(float(np.percentile(gray[::8, ::8], 95)), 1.0)
    tissue = np.minimum(gray * (150 / bright), 190).astype(np.float32)[..., None]
    mixed = tissue + alpha[..., None] * (colors - tissue)
    return mixed.astype(np.uint8)


def heat_ramp(width: int = 256, height: int = 16) -> UInt8[ndarray, "y x 3"]:
    """Draw the heat map's legend, from its floor on the left to its maximum."""
    levels = np.linspace(HEAT_FLOOR * 255, 255, width).round().astype(int)
    return np.broadcast_to(_inferno()[levels], (height, width, 3)).copy()


def shrink(picture: Picture, *, width_px: int = DRAWN_PX) -> UInt8[ndarray, "y x 3"]:
    """Return 8-bit RGB, at most `width_px` wide; a new array, free to draw on."""
    array = picture.array
    height, width = picture.size
    if width > width_px:
        size = (width_px, max(1, round(height * width_px / width)))
        array = cv2.resize(array, size, interpolation=cv2.INTER_AREA)
    if array.dtype != np.uint8:
        top = max(int(array.max()), 1) if array.size else 1
        array = (array.astype(np.float32) * (255 / top)).astype(np.uint8)
    if array.ndim == 2:
        return cv2.cvtColor(array, cv2.COLOR_GRAY2RGB)
    return array.copy() if array is picture.array else array


def trim(image: UInt8[ndarray, "y x 3"]) -> tuple[slice, slice]:
    """Rows and columns that hold more than black surround, with a little margin."""
    step = max(1, image.shape[1] // 400)
    bright = image[::step, ::step].max(axis=2) >= _SURROUND
    rows = np.flatnonzero(bright.mean(axis=1) > 0.02) * step
    columns = np.flatnonzero(bright.mean(axis=0) > 0.02) * step
    if not len(rows) or not len(columns):
        return slice(0, image.shape[0]), slice(0, image.shape[1])
    margin = max(2, image.shape[1] // 100)
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + step + margin),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + step + margin),
    )


def to_jpeg(image: UInt8[ndarray, "y x 3"], *, width_px: int, quality: int = 88) -> bytes:
    """Encode for the page, at most `width_px` wide."""
    height, width = image.shape[:2]
    if width > width_px:
        size = (width_px, max(1, round(height * width_px / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


@cache
def _inferno() -> UInt8[ndarray, "256 3"]:
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1]


def _shrink_labels(
    labels: LabelMap, size: tuple[int, int]
) -> Mapping[int, UInt8[ndarray, "y x"]]:
    """Shrink each label so that none of its regions is lost; empty labels are left out."""
    height, width = labels.array.shape
    rows, columns = np.nonzero(labels.array)
    values = labels.array[rows, columns]
    rows, columns = rows * size[0] // height, columns * size[1] // width
    small = {}
    for value in np.unique(values):
        if int(value) not in labels.segments:
            continue
        mine = values == value
        region = np.zeros(size, np.uint8)
        region[rows[mine], columns[mine]] = 1
        small[int(value)] = region
    return small


def _outline(
    canvas: UInt8[ndarray, "y x 3"],
    region: UInt8[ndarray, "y x"],
    color: tuple[int, int, int],
) -> None:
    """Draw into `canvas`: first a thin dark edge, so that the line shows on any tissue."""
    line = _line_px(canvas)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * line + 1, 2 * line + 1))
    grown = cv2.dilate(region, kernel)
    contours, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    ring = max(4, round(_RING * canvas.shape[1]))
    small, large = [], []
    for contour in contours:
        center, radius = cv2.minEnclosingCircle(contour)
        if radius < ring:
            small.append((round(center[0]), round(center[1])))
        else:
            large.append(contour)
    for ink, width in ((_EDGE, line + 1), (color, line)):
        cv2.drawContours(canvas, large, -1, ink, width, cv2.LINE_AA)
        for place in small:
            cv2.circle(canvas, place, ring, ink, width, cv2.LINE_AA)


def _line_px(canvas: UInt8[ndarray, "y x 3"]) -> int:
    return max(1, round(canvas.shape[1] / 600))


def _cross(canvas: UInt8[ndarray, "y x 3"], place: tuple[int, int]) -> None:
    """Mark a point with a white cross that leaves the point itself free."""
    line = _line_px(canvas)
    arm = max(10, canvas.shape[1] // 70)
    for ink, width in ((_EDGE, line + 2), ((255, 255, 255), line)):
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            start = (place[0] + dx * arm // 2, place[1] + dy * arm // 2)
            cv2.line(
                canvas,
                start,
                (place[0] + dx * arm, place[1] + dy * arm),
                ink,
                width,
                cv2.LINE_AA,
            )
