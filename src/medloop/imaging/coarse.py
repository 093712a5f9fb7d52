"""A volume on a coarse upright grid, where organs are found fast, and labels brought back."""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Int16, Shaped, UInt8
from numpy import ndarray

from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.imaging.orientation import Turn, turn_of, upright_grid

AIR_HU: Final = -1024
METAL_HU: Final = 1500
PADDING_HU: Final = -1100  # below it no tissue and no air: outside the reconstructed field
_STEP_MM: Final = 2.3
_FIELD_STEPS: Final = 160  # a smaller field of view keeps this many pixels across
_MOST_READ: Final = 3  # slices averaged into one, of however many it covers


@dataclass(frozen=True, slots=True, eq=False)
class Coarse:
    """Means over blocks of a volume, its k, j, i turned toward superior, posterior and left.

    `array` is clipped to -1024..1500 HU and `padding` where the source had no value. `whole`
    is the shape of the source's upright grid and `block` how many of its slices make one here.
    """

    array: Int16[ndarray, "k j i"]
    padding: Bool[ndarray, "k j i"]
    grid: Grid
    turn: Turn
    whole: tuple[int, int, int]
    block: int

    @property
    def steps_mm(self) -> tuple[float, float]:
        """Distance between slices, and between pixels in them (square to 1 %)."""
        between, row, column = self.grid.spacing_mm
        return between, (row + column) / 2


def reduce(volume: Volume) -> Coarse:
    """Average over blocks of about 2.3 mm, or the field of view / 160 where that is less.

    Slices that lie further apart stay as they are. Of blocks of many slices three are read.
    """
    turn = turn_of(volume.grid)
    fine = upright_grid(volume.grid, turn)
    source = turn.upright(volume.array)
    gap_mm, row_mm, column_mm = fine.spacing_mm
    sides_mm = fine.shape[1] * row_mm, fine.shape[2] * column_mm
    step_mm = min(_STEP_MM, max(sides_mm) / _FIELD_STEPS)
    size = tuple(max(2, round(side / step_mm)) for side in sides_mm)
    block = max(1, round(step_mm * 1.1 / gap_mm))
    count = math.ceil(fine.shape[0] / block)
    shape = (count, size[0], size[1])
    array, padding = np.empty(shape, np.int16), np.empty(shape, bool)
    for n in range(count):
        array[n], padding[n] = _block(source[n * block : (n + 1) * block], (size[0], size[1]))
    return Coarse(array, padding, _grid(fine, shape, block), turn, fine.shape, block)


def restore(labels: UInt8[ndarray, "k j i"], coarse: Coarse) -> UInt8[ndarray, "z y x"]:
    """Bring labels back onto the grid of the volume that was reduced, with smooth outlines."""
    order = tuple(int(n) for n in np.argsort(coarse.turn.axes))
    restored = np.zeros([coarse.whole[n] for n in order], np.uint8)
    upright = coarse.turn.upright(restored)
    rows, columns = coarse.whole[1:]
    for k in range(coarse.whole[0]):
        place = (k - (coarse.block - 1) / 2) / coarse.block
        low = min(max(math.floor(place), 0), len(labels) - 1)
        high = min(low + 1, len(labels) - 1)
        share = min(max(place - low, 0.0), 1.0)
        nearest = labels[high] if share > 0.5 else labels[low]
        if not (labels[low].any() or labels[high].any()):
            continue
        inside = (labels[low] > 0) * (1 - share) + (labels[high] > 0) * share
        soft = cv2.resize((inside * 255).astype(np.uint8), (columns, rows))
        named = np.where(nearest > 0, nearest, np.maximum(labels[low], labels[high]))
        kind = _nearest(_spread(named), (rows, columns))
        upright[k] = np.where(soft > 127, kind, 0)
    return restored


def _block(
    slices: Shaped[ndarray, "n j i"], size: tuple[int, int]
) -> tuple[Int16[ndarray, "y x"], Bool[ndarray, "y x"]]:
    """Mean of a few slices on fewer pixels; where the middle one is padding."""
    picked = np.unique(np.linspace(0, len(slices) - 1, min(len(slices), _MOST_READ)).round())
    total = np.zeros(size, np.float32)
    for n in picked.astype(int):
        clipped = np.clip(np.ascontiguousarray(slices[n]), AIR_HU, METAL_HU)
        kind = np.int16 if clipped.dtype.kind in "iu" else np.float32
        total += cv2.resize(
            np.nan_to_num(clipped, nan=AIR_HU).astype(kind),
            size[::-1],
            interpolation=cv2.INTER_AREA,
        )
    middle = _nearest(slices[len(slices) // 2], size)
    return np.rint(total / len(picked)).astype(np.int16), middle < PADDING_HU


def _nearest(image: Shaped[ndarray, "j i"], size: tuple[int, int]) -> Shaped[ndarray, "y x"]:
    """Sample without interpolation, on the same pixel centers as the means."""
    kind = np.float32 if image.dtype.kind == "f" else image.dtype
    picked = np.ascontiguousarray(image, kind)
    return cv2.resize(picked, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def _spread(labels: UInt8[ndarray, "j i"]) -> UInt8[ndarray, "j i"]:
    """Name the pixels beside labeled ones too, so that smooth outlines find a label."""
    return np.where(labels > 0, labels, cv2.dilate(labels, np.ones((3, 3), np.uint8)))


def _grid(fine: Grid, shape: tuple[int, int, int], block: int) -> Grid:
    scale = np.array([block, fine.shape[1] / shape[1], fine.shape[2] / shape[2]])
    affine = fine.affine.copy()
    affine[:3, :3] = fine.affine[:3, :3] * scale
    affine[:3, 3] = fine.to_world(np.array([(scale - 1) / 2]))[0]
    return Grid(shape, affine, fine.frame_of_reference)
