"""The lungs in a chest CT, nodules at their walls and vessels at their roots included."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Int16, Int32, UInt8
from numpy import ndarray
from scipy import ndimage

from medloop.core.errors import UnsuitableError
from medloop.core.image import Volume
from medloop.core.study import Notice
from medloop.imaging.airways import find_airways
from medloop.imaging.balls import close, grow
from medloop.imaging.body import Body, find_body
from medloop.imaging.coarse import Coarse, reduce, restore
from medloop.imaging.sides import LEFT, RIGHT, split_sides

ROLLING_MM: Final = 12.0  # of an adult's lung; smaller ones have a smaller ball
_ROLLING: Final = 0.095  # of the cube root of a lung's volume
_WALL_MM: Final = 3.0  # of the trachea, and what is blurred beside it
_NECK: Final = 0.4  # of the ball's radius
_THRESHOLDS_HU: Final = (-450.0, -250.0)
_LEAST_HEIGHT: Final = 0.33  # of the body's width: less lung than this is a part of it
_SLAB_SHARE: Final = 0.8  # of all slices, in a volume that shows a slab of the chest
_SLAB_AREA: Final = 0.14  # of the body's cross-section
_SLICE_AREA: Final = 0.06
_ISLAND: Final = 0.03  # of the largest part
_MOST_GAS: Final = 60  # HU above air outside the body


@dataclass(frozen=True, slots=True, eq=False)
class Lungs:
    """Where the lungs are: 1 right, 2 left, on the grid of the volume.

    `labels` and `airways` are the same on the coarse upright grid of `coarse`, which also holds
    its HU. Volumes count the vessels and nodules within; 0 is a lung that is not seen.
    """

    mask: UInt8[ndarray, "k j i"]
    right_ml: float
    left_ml: float
    labels: UInt8[ndarray, "z y x"]
    airways: Bool[ndarray, "z y x"]
    coarse: Coarse
    notices: tuple[Notice, ...] = ()


def find_lungs(volume: Volume) -> Lungs:
    """Find both lungs of a CT in HU, at any orientation and order of slices.

    On a grid of about 2.3 mm: air within the body at a threshold found from the volume (Hu
    2001), without trachea and main bronchi and without gas in the bowel; left from right by the
    seam between them; each lung closed by a ball that rolls over it (12 mm in adults), so that
    nodules at the wall and vessels stay in.

    Raises
    ------
    UnsuitableError
        If the volume is not in HU, or shows no lungs or too little of them.
    """
    _require_ct(volume)
    coarse = reduce(volume)
    body = find_body(coarse)
    if body.width == 0 or not body.inside.any():
        raise UnsuitableError("no lungs found: the volume shows no body")
    airways, parts = _parts(coarse, body)
    _require_enough(parts, body, coarse)
    sides = np.zeros(parts.shape, np.uint8)
    box = _box(parts)
    middle = body.middle[box[0]] - box[2].start
    sides[box] = split_sides(parts[box], coarse.array[box], middle, body.width)
    labels = _closed(sides, airways, coarse)
    voxel_ml = coarse.grid.voxel_mm3 / 1000
    right_ml, left_ml = (float((labels == side).sum()) * voxel_ml for side in (RIGHT, LEFT))
    return Lungs(
        mask=restore(labels, coarse),
        right_ml=right_ml,
        left_ml=left_ml,
        labels=labels,
        airways=airways,
        coarse=coarse,
        notices=_notices(labels, body, right_ml, left_ml),
    )


def _require_ct(volume: Volume) -> None:
    if volume.unit != "HU":
        raise UnsuitableError(f"no lungs found: the volume is in {volume.unit!r}, not in HU")
    if min(volume.grid.shape) < 2:
        shown = " x ".join(map(str, volume.grid.shape))
        raise UnsuitableError(f"no lungs found: the volume is only {shown} voxels")


def _parts(coarse: Coarse, body: Body) -> tuple[Bool[ndarray, "k j i"], Bool[ndarray, "k j i"]]:
    """Airways, and the connected parts that are lung, on the coarse grid."""
    inside = body.inside & ~coarse.padding
    air = (coarse.array < _threshold(coarse.array, inside)) & ~coarse.padding
    if not (air & inside).any():
        lowest = int(coarse.array.min())
        raise UnsuitableError(f"no lungs found: no air in the body, the lowest is {lowest} HU")
    outside_hu = _outside_hu(coarse, body)
    airways = find_airways(coarse.array, inside, body.middle, body.width, coarse.steps_mm)
    walls = grow(airways, _WALL_MM, steps_mm=coarse.steps_mm)
    labels, count = ndimage.label(air & ~walls)
    return airways, _lung_parts(labels, count, coarse.array, inside, outside_hu)


def _threshold(array: Int16[ndarray, "k j i"], inside: Bool[ndarray, "k j i"]) -> float:
    """Midway between what is dark and what is bright in the body, found by iteration."""
    values = array[inside]
    threshold = -400.0
    for _ in range(10):
        dark, bright = values[values < threshold], values[values >= threshold]
        if not dark.size or not bright.size:
            break
        middle = (float(dark.mean()) + float(np.clip(bright, None, 150).mean())) / 2
        if abs(middle - threshold) < 1:
            break
        threshold = middle
    return float(np.clip(threshold, *_THRESHOLDS_HU))


def _outside_hu(coarse: Coarse, body: Body) -> float:
    """Return what air reads around the body, or -1000 where there is none."""
    around = coarse.array[~body.inside & ~coarse.padding]
    dark = around[around < -900]
    return float(np.median(dark)) if dark.size > 100 else -1000.0


def _lung_parts(
    labels: Int32[ndarray, "k j i"],
    count: int,
    array: Int16[ndarray, "k j i"],
    inside: Bool[ndarray, "k j i"],
    outside_hu: float,
) -> Bool[ndarray, "k j i"]:
    """Keep parts within the body whose values are those of lung: neither gas nor bowel."""
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    is_lung = (array > outside_hu + _MOST_GAS) & (array < -500) & inside
    share = np.bincount(labels[is_lung], minlength=count + 1) / np.maximum(sizes, 1)
    sizes[0] = 0
    fits = share > 0.4
    fits[0] = False
    largest = int(np.where(fits, sizes, 0).max())
    fits &= sizes >= max(_ISLAND * largest, 8)
    return fits[labels]


def _require_enough(parts: Bool[ndarray, "k j i"], body: Body, coarse: Coarse) -> None:
    """Refuse where lungs are seen in part only.

    Either they reach over a third of the body's width in height, as the lungs of a chest do,
    or they fill nearly all slices of a volume within the chest.

    Raises
    ------
    UnsuitableError
        If neither holds.
    """
    own = body.inside.sum(axis=(1, 2))
    shares = parts.sum(axis=(1, 2)) / np.maximum(own, 1)
    between, pixel = coarse.steps_mm
    height_mm = float((shares >= _SLICE_AREA).sum()) * between
    if not height_mm:
        raise UnsuitableError("no lungs found: no part of the body reads as lung")
    is_slab = (
        float((shares >= _SLAB_AREA).mean()) >= _SLAB_SHARE
        and float(np.median(shares)) >= _SLAB_AREA
    )
    needed_mm = _LEAST_HEIGHT * body.width * pixel
    if height_mm < needed_mm and not is_slab:
        fact = f"{height_mm:.0f} mm of lung along the body, {needed_mm:.0f} mm are needed"
        raise UnsuitableError(f"not enough lung: {fact}")


def _closed(
    sides: UInt8[ndarray, "k j i"], airways: Bool[ndarray, "k j i"], coarse: Coarse
) -> UInt8[ndarray, "k j i"]:
    """Close each lung by the rolling ball and fill its holes; neither takes from the other."""
    labels = sides.copy()
    for side in (RIGHT, LEFT):
        lung = sides == side
        if not lung.any():
            continue
        mm3 = float(lung.sum()) * coarse.grid.voxel_mm3
        radius_mm = min(ROLLING_MM, _ROLLING * mm3 ** (1 / 3))
        box = _box(lung, above=math.ceil(radius_mm / coarse.steps_mm[0]))
        closed = close(lung[box], radius_mm, steps_mm=coarse.steps_mm)
        closed = _filled(closed, _NECK * radius_mm, coarse.steps_mm)
        free = closed & (labels[box] == 0) & ~airways[box] & ~coarse.padding[box]
        labels[box][free] = side
    return labels


def _box(mask: Bool[ndarray, "k j i"], *, above: int = 1) -> tuple[slice, slice, slice]:
    """Smallest box around a mask, a voxel wider, and `above` slices longer at both ends."""
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    k, j, i = (
        slice(max(0, part.start - more), part.stop + more)
        for part, more in zip(found, (above, 1, 1), strict=True)
    )
    return k, j, i


def _filled(
    mask: Bool[ndarray, "k j i"], neck_mm: float, steps_mm: tuple[float, float]
) -> Bool[ndarray, "k j i"]:
    """Fill what is enclosed, or hangs on by a neck narrower than two `neck_mm`.

    These are masses with lung all around, and those that touch the wall but at one place.
    """
    cores, count = ndimage.label(~grow(mask, neck_mm, steps_mm=steps_mm))
    faces = [cores.take([0, -1], axis=axis).ravel() for axis in range(3)]
    enclosed = np.ones(count + 1, bool)
    enclosed[np.concatenate([*faces, [0]])] = False
    if enclosed.any():
        whole = grow(enclosed[cores], neck_mm + steps_mm[1], steps_mm=steps_mm)
        mask = mask | whole
    holes, count = ndimage.label(~mask)
    faces = [holes.take([0, -1], axis=axis).ravel() for axis in range(3)]
    return mask | ~np.isin(holes, np.unique(np.concatenate(faces)))


def _notices(
    labels: UInt8[ndarray, "k j i"], body: Body, right_ml: float, left_ml: float
) -> tuple[Notice, ...]:
    notices = []
    if min(right_ml, left_ml) < 0.05 * (right_ml + left_ml):
        side = "right" if right_ml < left_ml else "left"
        text = f"The {side} lung is hardly seen: {min(right_ml, left_ml):.0f} ml."
        values = (("side", side), ("volume_ml", round(min(right_ml, left_ml), 1)))
        notices.append(Notice("lung-missing", text, values))
    cut = [
        name for name, k in (("lower end", 0), ("upper end", -1)) if _is_cut(labels[k], body, k)
    ]
    if _is_cut_aside(labels):
        cut.append("sides")
    if cut:
        text = f"The lungs go on beyond the {' and '.join(cut)} of the volume."
        notices.append(Notice("lungs-cut", text, (("ends", ", ".join(cut)),)))
    return tuple(notices)


def _is_cut_aside(labels: UInt8[ndarray, "k j i"]) -> bool:
    """Whether the lungs meet the edge of the image in a tenth or more of their slices."""
    edges = labels[:, [0, -1], :].any(axis=(1, 2)) | labels[:, :, [0, -1]].any(axis=(1, 2))
    return float(edges.sum()) >= 0.1 * int(labels.any(axis=(1, 2)).sum())


def _is_cut(labels: UInt8[ndarray, "j i"], body: Body, k: int) -> bool:
    """Whether an end slice still shows more than a corner of lung."""
    return float((labels > 0).sum()) > 0.02 * max(1, int(body.inside[k].sum()))
