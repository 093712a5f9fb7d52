"""From an image to the labels of a network that segments, on the image's own grid.

`segment` does so a few rows at a time: neither the scaled image nor any class's probabilities
are held whole, so that memory is that of the image, its labels and the rows of a window.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, Shaped, UInt8
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import Patch
from medloop.imaging.likely import likely_patch
from medloop.imaging.orientation import Turn, turn_of, upright_grid
from medloop.imaging.resample import read_of, resize, resize_piece, written_from
from medloop.models.predict import Predictor
from medloop.models.segmentation_plan import (
    PICTURES,
    Intensity,
    SegmentationPlan,
    order_mirrored,
)
from medloop.models.window import Air, Slab, Windows, slabs, slide_windows

_SLAB = 16  # slices whose probabilities are on the image's grid at one time
_CLOSE = 1e-4  # a class this far below background at all voxels is below it between them, too
_DARKEST = 0.05  # of what a channel is clipped to, from below: air
_DARKEST_OWN = 0.2  # of the way from a channel's darkest value to its mean: background


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An image as the network wants it, and the way back.

    `array` is (c, z, y, x) at the plan's spacing; upright it had `size` voxels before. What is
    not above a channel's value in `dark` is its air, or background.
    """

    array: Float32[ndarray, " c *s"]
    size: tuple[int, ...]
    turn: Turn | None
    dark: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class _Scaling:
    """Clip to `low` ... `high`, then (value - `mean`) / `deviation`; up to `dark` it is air."""

    low: float
    high: float
    mean: float | np.float64  # an image's own is an np.float64, and keeps its digits
    deviation: float
    dark: float  # before scaling

    def apply(self, channel: Float32[ndarray, "*s"]) -> Float32[ndarray, "*s"]:
        clipped = np.clip(channel, self.low, self.high)
        return np.asarray((clipped - self.mean) / self.deviation, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Upright:
    """An image upright, as it was stored, and what `prepare` would make of it, row by row."""

    array: Shaped[ndarray, " c *s"]
    size: tuple[int, ...]  # as the network wants it
    turn: Turn | None
    scalings: tuple[_Scaling, ...]

    def rows(self, first: int, last: int) -> Float32[ndarray, " c *t"]:
        """Rows of the image as the network wants it."""
        have = self.array.shape[1:]
        low, high = read_of(have[0], self.size[0], (first, last))
        begin = (low, *(0 for _ in have[1:]))
        box = ((first, last), *((0, n) for n in self.size[1:]))
        parts = [
            resize_piece(
                scaling.apply(channel[low:high].astype(np.float32)), begin, have, self.size, box
            )
            for channel, scaling in zip(self.array, self.scalings, strict=True)
        ]
        return np.stack(parts)


def prepare(
    image: Shaped[ndarray, " c *s"], grid: Grid | None, plan: SegmentationPlan
) -> Prepared:
    """Turn upright, bring to the plan's spacing, and scale each channel.

    Raises
    ------
    InputError
        If the image has other channels or axes than the plan.
    """
    image_there, size, turn = _turned(image, grid, plan)
    array = scaled(image_there, plan.intensities, size)
    dark = _dark(_scalings(image_there, plan)) if plan.skip_air else ()
    return Prepared(array, image_there.shape[1:], turn, dark)


def _turned(
    image: Shaped[ndarray, " c *s"], grid: Grid | None, plan: SegmentationPlan
) -> tuple[Shaped[ndarray, " c *t"], tuple[int, ...], Turn | None]:
    """Turn an image that suits a plan upright; say what size the network wants it."""
    require_suits(image, grid, channels=plan.channels, frame=plan.frame)
    if grid is None:
        return image, image.shape[1:], None
    turn = turn_of(grid)
    there = upright_grid(grid, turn)
    steps = zip(there.shape, there.spacing_mm, plan.spacing_mm, strict=True)
    size = tuple(max(1, round(n * have / wanted)) for n, have, wanted in steps)
    return turn.upright(image), size, turn


def _scalings(image: Shaped[ndarray, " c *s"], plan: SegmentationPlan) -> tuple[_Scaling, ...]:
    pairs = zip(image, plan.intensities, strict=True)
    return tuple(_scaling(channel, how) for channel, how in pairs)


def _dark(scalings: Sequence[_Scaling]) -> tuple[float, ...]:
    return tuple(float((each.dark - each.mean) / each.deviation) for each in scalings)


def require_suits(
    image: Shaped[ndarray, " c *s"],
    grid: Grid | None,
    *,
    channels: Sequence[str],
    frame: str,
) -> None:
    """Refuse an image with other channels, or of another kind, than a network reads.

    Raises
    ------
    InputError
        If it is.
    """
    if len(image) != len(channels):
        wanted = f"{len(channels)} ({', '.join(channels)})"
        raise InputError(f"{len(image)} channels, the network reads {wanted}")
    if (grid is None) != (frame == PICTURES):
        raise InputError(f"the network reads {frame}, this is another kind of image")


def scaled(
    image: Shaped[ndarray, " c *s"],
    intensities: Sequence[Intensity],
    size: tuple[int, ...],
    *,
    cubic: bool = False,
) -> Float32[ndarray, " c *t"]:
    """Scale each channel and bring it to `size`; `cubic` enlarges by cubic convolution."""
    parts = [
        resize(scale(channel.astype(np.float32), how), size, cubic=cubic)
        for channel, how in zip(image, intensities, strict=True)
    ]
    return np.stack(parts)


def scale(channel: Float32[ndarray, "*s"], how: Intensity) -> Float32[ndarray, "*s"]:
    """Scale one channel as the plan says."""
    return _scaling(channel, how).apply(channel)


def _scaling(channel: Shaped[ndarray, "*s"], how: Intensity) -> _Scaling:
    """Say how one channel is scaled, by its own mean where the plan wants that."""
    if not how.own:
        dark = how.low + _DARKEST * (how.high - how.low)
        return _Scaling(how.low, how.high, how.mean, how.deviation, dark)
    clipped = np.clip(channel.astype(np.float32), how.low, how.high)
    filled = clipped[channel != 0]
    counted = filled if 0 < filled.size < 0.75 * clipped.size else clipped
    deviation = max(float(counted.std(dtype=np.float64)), 1e-6)
    mean, least = counted.mean(dtype=np.float64), float(clipped.min())
    dark = least + _DARKEST_OWN * (float(mean) - least)
    return _Scaling(how.low, how.high, mean, deviation, dark)


def probabilities(
    predictor: Predictor, prepared: Prepared, plan: SegmentationPlan, *, batch: int = 1
) -> Float32[ndarray, " n *s"]:
    """Probability of background and each class, on the prepared grid.

    Up to `batch` windows are answered at once, if the network allows it.
    """
    return slide_windows(predictor, prepared.array, _windows(plan, prepared.dark, batch))


def _windows(plan: SegmentationPlan, dark: tuple[float, ...], batch: int) -> Windows:
    is_skipped = plan.skip_air and len(dark) == len(plan.channels)
    return Windows(
        plan.patch,
        overlap=plan.overlap,
        flips=plan.flips,
        order=order_mirrored(plan) if plan.exchanged else None,
        batch=batch,
        spread=plan.spread,
        air=Air(dark, 1 + len(plan.classes)) if is_skipped else None,
    )


def labels_of(
    probability: Float32[ndarray, " n *s"], prepared: Prepared
) -> UInt8[ndarray, "*s"]:
    """Most probable class of each voxel of the image as it was stored.

    Probabilities are carried to the image's grid a slab at a time, so the memory this takes
    does not grow with classes times voxels.
    """
    have, size = probability.shape[1:], prepared.size
    return _as_stored(_labelled([(0, probability)], have, size), size, prepared.turn)


def _as_stored(
    parts: Iterable[tuple[int, UInt8[ndarray, "*s"]]], size: tuple[int, ...], turn: Turn | None
) -> UInt8[ndarray, "*s"]:
    """Put rows of upright labels where they were stored."""
    nothing = np.broadcast_to(np.uint8(0), size)  # of this shape, in no memory
    out = np.empty(size if turn is None else turn.back(nothing).shape, np.uint8)
    upright = out if turn is None else turn.upright(out)
    for first, rows in parts:
        upright[first : first + len(rows)] = rows
    return out


def _labelled(
    found: Iterable[Slab], have: tuple[int, ...], size: tuple[int, ...]
) -> Iterator[tuple[int, UInt8[ndarray, "*t"]]]:
    """Most probable class, a few rows of `size` at a time, from probabilities on `have`.

    No more rows of probabilities are held than these need.
    """
    held: Float32[ndarray, " n *s"] | None = None
    start = done = 0  # first row that is held, first row that is not labelled
    for first, slab in found:
        held = slab if held is None else np.concatenate([held, slab], axis=1)
        while done < size[0]:
            rows = (done, min(done + _SLAB, size[0]))
            low, high = read_of(have[0], size[0], rows)
            held, start = held[:, low - start :], low
            if high > first + slab.shape[1]:
                break
            yield done, _most_probable(held[:, : high - low], low, have, size, rows)
            done = rows[1]


def _most_probable(
    part: Float32[ndarray, " n *s"],
    low: int,
    have: tuple[int, ...],
    size: tuple[int, ...],
    rows: tuple[int, int],
) -> UInt8[ndarray, "*t"]:
    """Label rows of `size` from the rows of `have` that they come from, `low` the first.

    Interpolated probabilities lie between those around, so that a class can only be the most
    probable one where it is at least close to background: the others are left out.
    """
    out = np.zeros((rows[1] - rows[0], *size[1:]), np.uint8)
    floor = part[0] - np.float32(_CLOSE)
    plane = np.zeros(have[1:], np.bool_)
    rivals = []
    for label in range(1, len(part)):
        near = (part[label] > floor).any(axis=0)
        if near.any():
            rivals.append(label)
            plane |= near
    if not rivals:
        return out
    near_them = [(int(line[0]), int(line[-1]) + 1) for line in _lines(plane)]
    wide = zip(have[1:], size[1:], near_them, strict=True)
    box = [written_from(*each) for each in wide]
    read = [read_of(*each) for each in zip(have[1:], size[1:], box, strict=True)]
    first = (low, *(a for a, _ in read))
    crop = part[(slice(None), slice(None), *(slice(a, b) for a, b in read))]

    def carried(label: int) -> Float32[ndarray, "*t"]:
        return resize_piece(crop[label], first, have, size, [rows, *box])

    best = carried(0)
    inside = out[(slice(None), *(slice(a, b) for a, b in box))]
    for label in rivals:
        other = carried(label)
        inside[other > best] = label
        best = np.maximum(best, other)
    return out


def _lines(plane: Bool[ndarray, "*s"]) -> Iterator[Int[ndarray, " n"]]:
    """Where along each axis anything is set."""
    for axis in range(plane.ndim):
        across = tuple(n for n in range(plane.ndim) if n != axis)
        yield np.flatnonzero(np.count_nonzero(plane, axis=across))


def on_image(
    probability: Float32[ndarray, " *s"], prepared: Prepared
) -> Float32[ndarray, " *s"]:
    """Carry one class's probability to the voxels of the image as it was stored."""
    out = resize(probability, prepared.size)
    return out if prepared.turn is None else np.ascontiguousarray(prepared.turn.back(out))


def likely_patches(
    probability: Float32[ndarray, "n z y x"], prepared: Prepared, rows: Mapping[int, int]
) -> Mapping[int, Patch]:
    """Keep rows of probabilities by labels, where they are possible, on the prepared voxels.

    Axes are those of the volume as it was stored.
    """
    kept = {label: likely_patch(probability[row]) for label, row in rows.items()}
    turn = prepared.turn
    return {
        label: patch if turn is None else turn.patch_back(patch)
        for label, patch in kept.items()
        if patch is not None
    }


def segment(
    predictor: Predictor,
    image: Shaped[ndarray, " c *s"],
    grid: Grid | None,
    plan: SegmentationPlan,
    *,
    batch: int = 1,
) -> UInt8[ndarray, "*s"]:
    """Label each voxel, background 0; `image` is (c, k, j, i), or (c, y, x) without a grid.

    The same as `labels_of` of `probabilities` of what `prepare` makes, in less memory. (Of
    channels that are scaled by their own mean, a copy is made to find that.)

    Raises
    ------
    InputError
        If the image has other channels or axes than the plan.
    """
    array, size, turn = _turned(image, grid, plan)
    upright = _Upright(array, size, turn, _scalings(array, plan))
    windows = _windows(plan, _dark(upright.scalings) if plan.skip_air else (), batch)
    found = slabs(predictor, upright.rows, size, windows)
    return _as_stored(_labelled(found, size, array.shape[1:]), array.shape[1:], turn)
