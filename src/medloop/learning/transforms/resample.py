"""One resampling of image and labels along a `Warp`, in single precision.

OpenCV's `remap` interpolates planes fast and, from version 5 on, exactly (version 4 rounds
coordinates to 1/32). A volume is laid out as one tall plane, slice below slice; two lookups
make its trilinear interpolation. Coordinates are made once, for all channels and the labels.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Int64, Shaped
from numpy import ndarray
from scipy import ndimage

from medloop.learning.transforms.warp import Warp, coordinates

_SIDE = 32_000  # most rows or columns of a plane; OpenCV allows 32 766
_BLOCK = 1 << 18  # voxels of a block: what is made of them stays in the processor's cache
_TOGETHER = (1, 3, 4)  # channels for which OpenCV does not round coordinates
_INTERLEAVED = (np.uint8, np.uint16, np.float32)  # of INT16, OpenCV rounds coordinates


@dataclass(frozen=True, slots=True)
class Sampling:
    """How values between voxels and outside the source are found."""

    edge: bool = False  # repeat the nearest voxel outside, instead of the next two
    fill: float = 0.0  # of images, outside
    label: int = 0  # of labels, outside
    cubic: bool = False  # cubic spline for images instead of linear: slow, sharper
    smooth_labels: bool = False  # most probable label between voxels, instead of the nearest


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """A part of the output and where it lies in a part of the source."""

    region: tuple[slice, ...]  # of the output
    low: Int64[ndarray, " d"]  # first source index in use; may be one outside
    high: Int64[ndarray, " d"]  # last
    at: Float32[ndarray, " d *region"]  # index in that part


def resample(
    warp: Warp,
    image: Shaped[ndarray, " c *s"],
    labels: Shaped[ndarray, "*s"] | None = None,
    *,
    sampling: Sampling | None = None,
) -> tuple[Shaped[ndarray, " c *p"], Shaped[ndarray, "*p"] | None]:
    """Resample an image, channels first, and its labels; both keep their dtype.

    Whole-number images are rounded. Where the warp only moves whole voxels, values are copied.

    Raises
    ------
    ValueError
        If the image, the labels and the warp disagree in dimensions or shape.
    """
    how = sampling or Sampling()
    if image.ndim != len(warp.shape) + 1 or (
        labels is not None and labels.shape != image.shape[1:]
    ):
        shapes = image.shape, None if labels is None else labels.shape
        raise ValueError(f"image and labels {shapes} do not suit a {len(warp.shape)}-D warp")
    if warp.is_exact:
        moved = np.stack([_moved(channel, warp, how.fill, edge=how.edge) for channel in image])
        same = None if labels is None else _moved(labels, warp, how.label, edge=how.edge)
        return moved, same
    out = _blank(image, warp)
    out_labels = None if labels is None else np.empty(warp.shape, labels.dtype)
    if how.cubic:
        _fill_cubic(out, image, warp, how)
    for block in _blocks(warp, image.shape[1:], edge=how.edge):
        if not how.cubic:
            _fill_linear(out, image, block, how.fill)
        if labels is not None and out_labels is not None:
            part = _part(labels, block, how.label)
            choose = _likeliest if how.smooth_labels else _nearest
            out_labels[block.region] = choose(part, block.at)
    return out, out_labels


def _blank(image: Shaped[ndarray, " c *s"], warp: Warp) -> Shaped[ndarray, " c *p"]:
    """Room for the output; a picture's channels lie together, as OpenCV wants them."""
    if _is_interleaved(image):
        return np.moveaxis(np.empty((*warp.shape, len(image)), image.dtype), -1, 0)
    return np.empty((len(image), *warp.shape), image.dtype)


def _is_interleaved(image: Shaped[ndarray, " c *s"]) -> bool:
    return image.ndim == 3 and len(image) in _TOGETHER and image.dtype in _INTERLEAVED


def _blocks(warp: Warp, source: tuple[int, ...], *, edge: bool) -> Iterator[_Block]:
    """Cut the output into parts that need little enough of the source."""
    flat = len(source) == 2
    waiting = [tuple(slice(0, side) for side in warp.shape)]
    while waiting:
        region = waiting.pop()
        sides = [part.stop - part.start for part in region]
        most = _SIDE * _SIDE if flat else _BLOCK
        if np.prod(sides) <= most and np.prod(sides[:-1]) <= _SIDE and sides[-1] <= _SIDE:
            block = _block(region, coordinates(warp, region), source, edge=edge)
            span = block.high - block.low + 1
            if np.prod(span[:-1]) <= _SIDE and span[-1] <= _SIDE:
                yield block
                continue
        waiting += _halves(region, sides)


def _halves(region: tuple[slice, ...], sides: list[int]) -> list[tuple[slice, ...]]:
    axis = int(np.argmax(sides))
    part = region[axis]
    middle = (part.start + part.stop) // 2
    return [
        (*region[:axis], half, *region[axis + 1 :])
        for half in (slice(middle, part.stop), slice(part.start, middle))
    ]


def _block(
    region: tuple[slice, ...],
    at: Float32[ndarray, " d *region"],
    source: tuple[int, ...],
    *,
    edge: bool,
) -> _Block:
    sides = np.array(source)
    first, last = (np.zeros_like(sides), sides - 1) if edge else (-np.ones_like(sides), sides)
    ends = [(axis.min(), axis.max()) for axis in at]
    low = np.clip(np.floor([end[0] for end in ends]), first, last).astype(int)
    high = np.clip(np.floor([end[1] for end in ends]) + 1, first, last).astype(int)
    at -= low.astype(np.float32).reshape(-1, *[1] * len(source))
    for axis, (start, stop) in enumerate(ends):
        if start < first[axis] or stop > last[axis]:
            np.clip(at[axis], 0, np.float32(high[axis] - low[axis]), out=at[axis])
    return _Block(region, low, high, at)


def _part(
    channel: Shaped[ndarray, "*s"], block: _Block, fill: float
) -> Shaped[ndarray, "*part"]:
    """Cut out what a block needs, with a frame of `fill` where it reaches outside."""
    inner = tuple(
        slice(max(low, 0), min(high + 1, side))
        for low, high, side in zip(block.low, block.high, channel.shape, strict=False)
    )
    cut = channel[inner]
    span = tuple(int(n) for n in block.high - block.low + 1)
    if cut.shape[: len(span)] == span:
        return cut
    out = np.full((*span, *channel.shape[len(span) :]), fill, channel.dtype)
    if cut.size:
        starts = [max(-int(low), 0) for low in block.low]
        out[tuple(slice(s, s + n) for s, n in zip(starts, cut.shape, strict=False))] = cut
    return out


def _fill_linear(
    out: Shaped[ndarray, " c *p"], image: Shaped[ndarray, " c *s"], block: _Block, fill: float
) -> None:
    if _is_interleaved(image):
        part = _part(np.moveaxis(image, 0, -1), block, fill)
        mixed = _look_up(part, block.at[0], block.at[1])
        mixed = mixed.reshape(*block.at.shape[1:], len(image))
        out[(slice(None), *block.region)] = np.moveaxis(mixed, -1, 0)
        return
    for channel, into in zip(image, out, strict=True):
        part = _part(channel, block, fill)
        into[block.region] = _as(_linear(part, block.at), out.dtype)


def _linear(
    part: Shaped[ndarray, "*part"], at: Float32[ndarray, " d *region"]
) -> Float32[ndarray, "*region"]:
    part = part.astype(np.float32, copy=False)
    if part.ndim == 2:
        return _look_up(part, at[0], at[1])
    side = at.shape[-1]
    tall = np.ascontiguousarray(part).reshape(-1, part.shape[-1])
    above = np.floor(at[0])
    share = (at[0] - above).reshape(-1, side)
    above *= np.float32(part.shape[1])
    above += at[1]
    rows, columns = above.reshape(-1, side), at[2].reshape(-1, side)
    first = _look_up(tall, rows, columns)
    rows += np.float32(part.shape[1])
    second = _look_up(tall, rows, columns)
    second -= first
    second *= share
    second += first
    return second.reshape(at.shape[1:])


def _nearest(
    part: Shaped[ndarray, "*part"], at: Float32[ndarray, " d *region"]
) -> Shaped[ndarray, "*region"]:
    narrow = part if part.dtype in (np.uint8, np.uint16, np.int16) else part.astype(np.int32)
    places = [np.rint(axis) for axis in at]
    if part.ndim == 2:
        return _look_up(narrow, *places, flag=cv2.INTER_NEAREST)
    side = at.shape[-1]
    tall = np.ascontiguousarray(narrow).reshape(-1, part.shape[-1])
    rows = places[0]
    rows *= np.float32(part.shape[1])
    rows += places[1]
    planes = rows.reshape(-1, side), places[2].reshape(-1, side)
    return _look_up(tall, *planes, flag=cv2.INTER_NEAREST).reshape(at.shape[1:])


def _likeliest(
    part: Shaped[ndarray, "*part"], at: Float32[ndarray, " d *region"]
) -> Shaped[ndarray, "*region"]:
    """Interpolate each label's share and take the largest; of equal ones, the lowest label."""
    first, *others = np.unique(part)
    scores = [_linear((part == label).astype(np.float32), at) for label in others]
    best = 1 - np.sum(scores, axis=0, dtype=np.float32) if scores else np.float32(1)
    out = np.full(at.shape[1:], first, part.dtype)
    for label, score in zip(others, scores, strict=True):
        better = score > best
        out[better] = label
        best = np.maximum(best, score)
    return out


def _look_up(
    plane: Shaped[ndarray, "v u *c"],
    rows: Float32[ndarray, "y x"],
    columns: Float32[ndarray, "y x"],
    *,
    flag: int = cv2.INTER_LINEAR,
) -> Shaped[ndarray, "y x *c"]:
    return np.asarray(cv2.remap(plane, columns, rows, flag, borderMode=cv2.BORDER_REPLICATE))


def _fill_cubic(
    out: Shaped[ndarray, " c *p"], image: Shaped[ndarray, " c *s"], warp: Warp, how: Sampling
) -> None:
    at = coordinates(warp, tuple(slice(0, side) for side in warp.shape))
    mode = "nearest" if how.edge else "grid-constant"
    for channel, into in zip(image, out, strict=True):
        values = ndimage.map_coordinates(
            channel.astype(np.float32, copy=False), at, order=3, mode=mode, cval=how.fill
        )
        into[...] = _as(values, out.dtype)


def _as(values: Float32[ndarray, "*s"], dtype: np.dtype) -> Shaped[ndarray, "*s"]:
    if dtype.kind not in "iu":
        return values
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max)


def _moved(
    channel: Shaped[ndarray, "*s"], warp: Warp, fill: float, *, edge: bool
) -> Shaped[ndarray, "*p"]:
    """Copy voxels along a warp that turns by quarters, flips and shifts by whole voxels."""
    offset = np.rint(warp.center - warp.matrix @ warp.middle).astype(int)
    order = np.abs(warp.matrix).argmax(axis=0)  # source axis of each output axis
    picks, missing = [], []
    for axis, source in enumerate(order):
        step = int(warp.matrix[source, axis])
        index = offset[source] + step * np.arange(warp.shape[axis])
        last = channel.shape[source] - 1
        picks.append(np.clip(index, 0, last))
        missing.append((index < 0) | (index > last))
    out = channel.transpose(order)[np.ix_(*picks)]
    if not edge:
        for axis, outside in enumerate(missing):
            out[(slice(None),) * axis + (outside,)] = fill
    return out
