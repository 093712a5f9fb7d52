"""The lobe a place in the lungs belongs to, and how sure that is."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from scipy.special import ndtr

from medloop.core.image import Volume
from medloop.imaging.fissures import Fissure, adapt, lattice
from medloop.imaging.lungs import Lungs
from medloop.imaging.sides import LEFT, RIGHT

MAX_GAP_MM: Final = 2.6  # between slices that show fissures
EXPECTED_SD_MM: Final = 15.0  # of a fissure that is not seen
CUT_SD_MM: Final = 40.0  # where the scan shows a part of the lungs only
SEEN_SD_MM: Final = 7.0
SUREST: Final = 0.95  # a fissure may have been taken for another sheet
_FARTHEST_MM: Final = 30.0

# Where fissures meet the lung's box: height at the back, height and depth (from the front) of
# their lower end, as shares. After Gray's Anatomy: from the fourth or fifth thoracic vertebra
# to the sixth costochondral junction, the left one steeper; the horizontal one at the fourth
# costal cartilage.
_OBLIQUE: Final = {RIGHT: (0.75, 0.18, 0.18), LEFT: (0.82, 0.18, 0.18)}
_HORIZONTAL: Final = (0.53, 0.50)  # height at the middle of the back, and in front


class Lobe(IntEnum):
    """Lobes, by the labels they have."""

    RIGHT_UPPER = 1
    RIGHT_MIDDLE = 2
    RIGHT_LOWER = 3
    LEFT_UPPER = 4
    LEFT_LOWER = 5


@dataclass(frozen=True, slots=True)
class LobeAt:
    """A lobe, and the probability that the place is in it."""

    lobe: Lobe
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Lobes:
    """Labels by `Lobe` on the coarse grid of the lungs, and the fissures they follow.

    The fissures are the oblique ones of each side that has a lung, and `horizontal` that of the
    right.
    """

    labels: UInt8[ndarray, "k j i"]
    lungs: Lungs
    oblique: dict[int, Fissure]
    horizontal: Fissure | None

    def at(self, points_lps_mm: Float[ndarray, "n 3"]) -> tuple[LobeAt, ...]:
        """Say which lobe each place is in; one outside the lungs belongs to the nearest.

        The probability takes each fissure as normally distributed around where it was put, and
        is 0.95 at most.

        Raises
        ------
        ValueError
            If a place is more than 30 mm from the lungs.
        """
        found = []
        for point in points_lps_mm:
            side = self._side(point)
            shares = _shares(point[None], side, self.oblique[side], self.horizontal)
            lobe = max(shares, key=lambda name: float(shares[name][0]))
            found.append(LobeAt(lobe, round(min(float(shares[lobe][0]), SUREST), 3)))
        return tuple(found)

    def _side(self, point: Float[ndarray, "3"]) -> int:
        grid, labels = self.lungs.coarse.grid, self.lungs.labels
        middle = grid.to_index(point[None])[0]
        reach = np.ceil(_FARTHEST_MM / np.array(grid.spacing_mm)).astype(int)
        voxel = np.rint(middle).astype(int)
        if ((voxel >= 0) & (voxel < labels.shape)).all() and labels[tuple(voxel)]:
            return int(labels[tuple(voxel)])
        low = np.maximum(voxel - reach, 0)
        high = np.maximum(voxel + reach + 1, low)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        near = np.argwhere(labels[box] > 0)
        away = np.linalg.norm(grid.to_world((near + low).astype(float)) - point, axis=1)
        if not len(near) or away.min() > _FARTHEST_MM:
            shown = ", ".join(f"{each:.0f}" for each in point)
            raise ValueError(f"{shown} is more than {_FARTHEST_MM:.0f} mm from the lungs")
        return int(labels[box][tuple(near[away.argmin()])])


def find_lobes(volume: Volume, lungs: Lungs) -> Lobes:
    """Divide the lungs into five lobes along their fissures.

    Each fissure starts where anatomy puts it in the box around its lung, and moves to the
    smooth surface within 40 mm that shows most of a thin sheet, if slices lie close enough (2.6
    mm) and it shows enough. What is not seen stays where it was expected, and places near it
    are unsure.
    """
    is_cut = any("end" in str(dict(notice.values).get("ends", "")) for notice in lungs.notices)
    shows = volume.grid.spacing_mm[lungs.coarse.turn.axes[0]] <= MAX_GAP_MM and not is_cut
    sd_mm = CUT_SD_MM if is_cut else EXPECTED_SD_MM
    labels = np.zeros(lungs.labels.shape, np.uint8)
    oblique: dict[int, Fissure] = {}
    horizontal = None
    for side in (RIGHT, LEFT):
        index = np.argwhere(lungs.labels == side)
        if not len(index):
            continue
        points = lungs.coarse.grid.to_world(index.astype(float))
        fissure = _expected_oblique(points, side, sd_mm)
        if shows:
            inside = _inside(lungs, fissure, side)
            fissure = adapt(fissure, volume, inside, seen_sd_mm=SEEN_SD_MM)
        oblique[side] = fissure
        if side == RIGHT:
            horizontal = _expected_horizontal(points, sd_mm)
            if shows:
                inside = _inside(lungs, horizontal, side, above=fissure)
                horizontal = adapt(horizontal, volume, inside, seen_sd_mm=SEEN_SD_MM)
        shares = _shares(points, side, fissure, horizontal)
        names = np.array([int(lobe) for lobe in shares], np.uint8)
        labels[tuple(index.T)] = names[np.stack(list(shares.values())).argmax(axis=0)]
    return Lobes(labels, lungs, oblique, horizontal)


def _box(points: Float[ndarray, "n 3"]) -> Float[ndarray, "2 3"]:
    """Corners of the box around a lung, without the last thin ends."""
    return np.quantile(points, (0.001, 0.999), axis=0)


def _expected_oblique(points: Float[ndarray, "n 3"], side: int, sd_mm: float) -> Fissure:
    low, high = _box(points)
    back, below, front = _OBLIQUE[side]
    size = high - low
    top = np.array([low[0], high[1], low[2] + back * size[2]])
    end = np.array([low[0], low[1] + front * size[1], low[2] + below * size[2]])
    length = float(np.linalg.norm(end - top))
    along = (end - top) / length
    up = np.array([0.0, along[2], -along[1]])
    span = np.array([[0.0, size[0]], [-10.0, length + 25.0]])
    across = np.array([1.0, 0.0, 0.0])
    return Fissure(top, across, along, up, span, np.zeros(6), sd_mm)


def _expected_horizontal(points: Float[ndarray, "n 3"], sd_mm: float) -> Fissure:
    low, high = _box(points)
    size = high - low
    start = np.array([low[0], (low[1] + high[1]) / 2, low[2] + _HORIZONTAL[0] * size[2]])
    end = np.array([low[0], low[1], low[2] + _HORIZONTAL[1] * size[2]])
    length = float(np.linalg.norm(end - start))
    along = (end - start) / length
    up = np.array([0.0, along[2], -along[1]])
    span = np.array([[0.0, size[0]], [-30.0, length]])
    across = np.array([1.0, 0.0, 0.0])
    return Fissure(start, across, along, up, span, np.zeros(6), sd_mm)


def _inside(
    lungs: Lungs, fissure: Fissure, side: int, *, above: Fissure | None = None
) -> Bool[ndarray, "x s t"]:
    """Tell which points around a fissure lie in the lung, 6 mm or more above another one."""
    points = lattice(fissure)
    flat = points.reshape(-1, 3)
    index = np.rint(lungs.coarse.grid.to_index(flat)).astype(np.int64)
    shape = np.array(lungs.labels.shape)
    within = ((index >= 0) & (index < shape)).all(axis=1)
    index = np.clip(index, 0, shape - 1)
    inside = within & (lungs.labels[tuple(index.T)] == side)
    if above is not None:
        inside &= above.above_mm(flat) > 6.0
    return inside.reshape(points.shape[:3])


def _shares(
    points: Float[ndarray, "n 3"], side: int, oblique: Fissure, horizontal: Fissure | None
) -> dict[Lobe, Float[ndarray, " n"]]:
    """Probability of each lobe of one lung at each place."""
    over = ndtr(oblique.above_mm(points) / oblique.sd_mm)
    if side == LEFT or horizontal is None:
        return {Lobe.LEFT_UPPER: over, Lobe.LEFT_LOWER: 1 - over}
    upper = ndtr(horizontal.above_mm(points) / horizontal.sd_mm)
    return {
        Lobe.RIGHT_UPPER: over * upper,
        Lobe.RIGHT_MIDDLE: over * (1 - upper),
        Lobe.RIGHT_LOWER: 1 - over,
    }
