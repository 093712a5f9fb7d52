"""From probabilities on a network's grid to each organ's outline on the CT, part by part.

Only the box around an organ is carried to the CT's voxels: a float for every voxel of a CT and
class would not fit into memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray

from medloop.clinical.radiotherapy.codes import ORGANS, PAIR
from medloop.clinical.radiotherapy.region import Region, box_in
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap
from medloop.core.structure import Contour
from medloop.imaging.contours import contours_of, without_fragments
from medloop.imaging.orientation import turn_of
from medloop.imaging.resample import resize_part
from medloop.imaging.shape import pieces_of
from medloop.models.predict import Predictor
from medloop.models.segment import Prepared, probabilities
from medloop.models.segmentation_plan import SegmentationPlan, order_mirrored

LEVEL: Final = 0.5
SURE, POSSIBLE = 0.75, 0.25
LEAST_PIECE: Final = 0.2  # of the likeliest piece: smaller ones are no part of the organ
_FAINT: Final = 0.05  # probabilities below it are a softmax's tail, not an opinion
_LEFT_RIGHT: Final = 2  # the axis of an upright array that a mirror image turns

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Probabilities of background and classes on the prepared grid, by class names.

    `array` is the mean of the answers to the image and to its mirror image; `twice` are both.
    """

    array: Float32[ndarray, "n z y x"]
    twice: tuple[Float32[ndarray, "n z y x"], Float32[ndarray, "n z y x"]]
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Outlined:
    """One organ as it was outlined.

    `volume_mm3` counts the voxels of the CT inside; `low_mm3` and `high_mm3` those that a
    stricter (0.75) and a more generous (0.25) outline would hold. `expected_dice` and
    `mirror_dice` are as `expected_dice` and `dice` say. `dropped_mm3` lay in pieces too small
    to belong to it; `cut_off` are the ends of the scan that it reaches (``"head"``,
    ``"foot"``, ``"side"``).
    """

    volume_mm3: float
    low_mm3: float
    high_mm3: float
    center_lps_mm: tuple[float, float, float]
    probability: float
    expected_dice: float
    mirror_dice: float
    pieces: int
    dropped_mm3: float
    cut_off: tuple[str, ...]
    contours: tuple[Contour, ...]


def answer_twice(
    predictor: Predictor,
    prepared: Prepared,
    region: Region,
    plan: SegmentationPlan,
    rows: Mapping[str, int],
) -> Answers:
    """Ask a network for the image and for its mirror image, about head and neck alone.

    In the mirror image right and left organs are exchanged, so that mirroring the array
    exchanges the sides of the answer and changes nothing else.
    """
    right, left = (rows[name] for name in PAIR)
    flips = tuple(axis for axis in plan.flips if axis != _LEFT_RIGHT)
    asked = replace(plan, flips=flips)
    box = box_in(region, prepared.array.shape[1:], plan.patch)
    part = replace(prepared, array=prepared.array[(slice(None), *box)])
    order = order_mirrored(replace(plan, exchanged=((right, left),)))
    seen = probabilities(predictor, part, asked)
    mirrored = replace(part, array=np.ascontiguousarray(part.array[..., ::-1]))
    other = probabilities(predictor, mirrored, asked)[list(order)][..., ::-1]
    size = (len(order), *prepared.array.shape[1:])
    whole = tuple(_within(each, size, box) for each in (seen, other))
    return Answers((whole[0] + whole[1]) / 2, (whole[0], whole[1]), rows)


def outline_organs(
    answers: Answers, prepared: Prepared, grid: Grid
) -> tuple[Mapping[str, Outlined], LabelMap]:
    """Outline each organ that was found, in the order of `ORGANS`, and label the CT."""
    labels = np.zeros(grid.shape, np.uint8)
    found = {}
    for name, row in answers.rows.items():
        outlined = _outline(answers, row, (prepared, grid), (labels, ORGANS[name].label))
        if outlined is not None:
            found[name] = outlined
    segments = {ORGANS[name].label: ORGANS[name].segment for name in found}
    return found, LabelMap(labels, segments, grid)


def expected_dice(probability: Float32[ndarray, "*s"], inside: Bool[ndarray, "*s"]) -> float:
    """Dice with what the probabilities expect, were they right and voxels independent.

    Twice the sum of the probability inside, over the voxels inside and the sum of all; those
    below 0.05 count as 0.
    """
    held = np.where(probability >= _FAINT, probability, 0)
    both = float(inside.sum() + held.sum(dtype=np.float64))
    return 2 * float(held[inside].sum(dtype=np.float64)) / both if both else 0.0


def dice(one: Bool[ndarray, "*s"], other: Bool[ndarray, "*s"]) -> float:
    """Dice (1945) between two masks; 1 where both are empty."""
    both = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / both if both else 1.0


def _within(
    part: Float32[ndarray, "n z y x"], size: tuple[int, ...], box: Sequence[slice]
) -> Float32[ndarray, "n z y x"]:
    """Put an answer where its box lies; all around is background."""
    whole = np.zeros(size, np.float32)
    whole[0] = 1
    whole[(slice(None), *box)] = part
    return whole


def _outline(
    answers: Answers,
    row: int,
    image: tuple[Prepared, Grid],
    drawn: tuple[UInt8[ndarray, "k j i"], int],
) -> Outlined | None:
    """Outline one organ and write its label where it lies."""
    (prepared, grid), (labels, label) = image, drawn
    probability = answers.array[row]
    kept, dropped = kept_pieces(probability)
    if not (probability[kept] >= LEVEL).any():
        return None
    own = np.where(kept | (probability < POSSIBLE), probability, 0)
    field, start = _on_image(own, _around(kept), prepared)
    inside = field >= LEVEL
    if not inside.any():
        return None
    place = tuple(slice(a, a + n) for a, n in zip(start, field.shape, strict=True))
    labels[place][inside] = label
    center = grid.to_world(np.argwhere(inside).mean(axis=0) + start)
    first, second = (each[row] >= LEVEL for each in answers.twice)
    coarse = own >= LEVEL
    cell_mm3 = grid.voxel_mm3 * float(np.prod(prepared.size)) / probability.size
    contours: tuple[Contour, ...] = ()
    if turn_of(grid).axes[0] == 0:  # contours are drawn on axial slices
        contours, _ = without_fragments(contours_of(field, grid, level=LEVEL, offset=start))
    return Outlined(
        volume_mm3=int(inside.sum()) * grid.voxel_mm3,
        low_mm3=int((field >= SURE).sum()) * grid.voxel_mm3,
        high_mm3=int((field >= POSSIBLE).sum()) * grid.voxel_mm3,
        center_lps_mm=(float(center[0]), float(center[1]), float(center[2])),
        probability=float(np.clip(field[inside].mean(dtype=np.float64), 0, 1)),
        expected_dice=expected_dice(probability, coarse),
        mirror_dice=dice(first, second),
        pieces=int(pieces_of(coarse).max()),
        dropped_mm3=int((probability[dropped] >= LEVEL).sum()) * cell_mm3,
        cut_off=tuple(_ends(coarse)),
        contours=contours,
    )


def kept_pieces(
    probability: Float32[ndarray, "z y x"],
) -> tuple[Bool[ndarray, "z y x"], Bool[ndarray, "z y x"]]:
    """Divide what is possible into pieces that belong to the organ, and those that do not.

    The likeliest piece, by the sum of its probability, and any other with a fifth of that.
    """
    pieces = pieces_of(probability >= POSSIBLE)
    weight = np.bincount(pieces.ravel(), probability.ravel())
    weight[0] = 0
    belongs = weight >= LEAST_PIECE * weight.max(initial=0)
    belongs[0] = False
    kept = belongs[pieces]
    return kept, (pieces > 0) & ~kept


def _around(inside: Bool[ndarray, "z y x"]) -> Box:
    """Box around what is inside, a voxel wider."""
    box = []
    for axis in range(3):
        others = tuple(n for n in range(3) if n != axis)
        seen = np.flatnonzero(inside.any(axis=others))
        box.append((max(0, int(seen[0]) - 1), min(inside.shape[axis], int(seen[-1]) + 2)))
    return box[0], box[1], box[2]


def _on_image(
    probability: Float32[ndarray, "z y x"], box: Box, prepared: Prepared
) -> tuple[Float32[ndarray, "k j i"], tuple[int, int, int]]:
    """Carry a box of probabilities to the voxels of the image as it was stored, and its start.

    By cubic convolution, whose outlines are as smooth as the probability itself.
    """
    size, have = prepared.size, probability.shape
    ranges = [
        (low * n // h, min(n, -(-high * n // h)))
        for (low, high), n, h in zip(box, size, have, strict=True)
    ]
    part = resize_part(probability, size, ranges, cubic=True)
    turn = prepared.turn
    if turn is None:
        raise ValueError("a volume has a turn")
    start = turn.begin_back([low for low, _ in ranges], part.shape, size)
    return np.ascontiguousarray(turn.back(part)), start


def _ends(inside: Bool[ndarray, "z y x"]) -> Iterator[str]:
    """Name the ends of the scan that an upright mask reaches."""
    if inside[-1].any():
        yield "head"
    if inside[0].any():
        yield "foot"
    if any(inside.take(at, axis=axis).any() for axis in (1, 2) for at in (0, -1)):
        yield "side"
