"""Where the lungs lie in a scan, in few numbers, so that places of two scans can be compared.

Patients lie and breathe differently each time. The centroid of each lung and how far it spreads
along x, y and z (standard deviation) bring a place of one scan to that of another: shifted, and
stretched along each axis. Both follow a breath, which mostly moves the diaphragm, and neither
hangs on a single tip of a lung as a box would.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from medloop.core.finding import Assessment
from medloop.core.geometry import Grid
from medloop.imaging.lungs import Lungs

_SIDES: Final[Mapping[str, int]] = {"right": 1, "left": 2}  # as `Lungs.labels` has them
_STRETCH: Final = (0.7, 1.4)  # more is no breath but a scan that shows part of a lung
_AT_EDGE_MM: Final = 3.0
_MARK_LEAST: Final = 20  # coarse voxels of a lung that is seen
Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Side:
    """Centroid of one lung, and its standard deviation along x, y and z (LPS mm)."""

    center_mm: Point
    spread_mm: Point


@dataclass(frozen=True, slots=True)
class Landmarks:
    """The lungs that are seen, and the corners of the box that the scan fills (LPS mm)."""

    sides: Mapping[str, Side]
    low_mm: Point
    high_mm: Point

    def covers(self, points_mm: Float[ndarray, "n 3"]) -> Bool[ndarray, " n"]:
        """Whether places lie within the scan, 3 mm and more from its border."""
        low, high = np.array(self.low_mm), np.array(self.high_mm)
        off_mm = np.minimum(points_mm - low, high - points_mm).min(axis=1, initial=np.inf)
        inside: Bool[ndarray, " n"] = off_mm >= _AT_EDGE_MM
        return inside


def landmarks_of(lungs: Lungs, grid: Grid) -> Landmarks:
    """Measure the lungs of a scan on `grid`."""
    sides = {}
    for name, label in _SIDES.items():
        index = np.argwhere(lungs.labels[:, ::2, ::2] == label) * (1.0, 2.0, 2.0)
        if len(index) >= _MARK_LEAST:
            places = lungs.coarse.grid.to_world(index)
            sides[name] = Side(_point(places.mean(axis=0)), _point(places.std(axis=0)))
    ends = np.stack(
        np.meshgrid(*[(-0.5, n - 0.5) for n in grid.shape], indexing="ij"), axis=-1
    ).reshape(-1, 3)
    corners = grid.to_world(ends)
    return Landmarks(sides, _point(corners.min(axis=0)), _point(corners.max(axis=0)))


def recorded(landmarks: Landmarks) -> dict[str, Assessment]:
    """Return what a result keeps of them; `remembered` reads it back."""
    out: dict[str, Assessment] = {}
    for name, side in landmarks.sides.items():
        out[f"lung_{name}_center_mm"] = side.center_mm
        out[f"lung_{name}_spread_mm"] = side.spread_mm
    return out | {"scan_low_mm": landmarks.low_mm, "scan_high_mm": landmarks.high_mm}


def remembered(assessments: Mapping[str, Assessment]) -> Landmarks | None:
    """Read the landmarks of an earlier result; None where it kept none."""
    low, high = (_read(assessments, f"scan_{end}_mm") for end in ("low", "high"))
    sides = {}
    for name in _SIDES:
        center, spread = (
            _read(assessments, f"lung_{name}_{what}_mm") for what in ("center", "spread")
        )
        if center is not None and spread is not None and min(spread) > 0:
            sides[name] = Side(center, spread)
    return Landmarks(sides, low, high) if low and high and sides else None


def brought(
    points_mm: Float[ndarray, "n 3"], here: Landmarks, there: Landmarks
) -> Float[ndarray, "n 3"] | None:
    """Bring places of one scan to where another shows them, each by the lung it is in.

    None where the scans show no lung in common.
    """
    common = [name for name in _SIDES if name in here.sides and name in there.sides]
    if not common:
        return None
    moved = np.stack(
        [_moved(points_mm, here.sides[name], there.sides[name]) for name in common]
    )
    if len(common) == 1:
        return moved[0]
    middle = sum(here.sides[name].center_mm[0] for name in common) / 2
    is_left = points_mm[:, 0] > middle  # x rises to the left
    return np.where(is_left[:, None], moved[1], moved[0])


def _moved(points_mm: Float[ndarray, "n 3"], here: Side, there: Side) -> Float[ndarray, "n 3"]:
    stretch = np.clip(np.array(there.spread_mm) / np.array(here.spread_mm), *_STRETCH)
    return (points_mm - np.array(here.center_mm)) * stretch + np.array(there.center_mm)


def _point(values: Float[ndarray, " 3"]) -> Point:
    x, y, z = (round(float(value), 1) for value in values)
    return x, y, z


def _read(assessments: Mapping[str, Assessment], key: str) -> Point | None:
    held = assessments.get(key)
    if not isinstance(held, tuple) or len(held) != 3 or not np.isfinite(held).all():
        return None
    return held[0], held[1], held[2]
