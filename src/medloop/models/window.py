"""A network over an image larger than its input: windows that overlap, blended.

Windows are answered in order along the first axis, and rows that no later window reaches are
handed on, so that sum and weight are held of as many rows as a window has, whatever the number
of slices.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray

from medloop.models.predict import Predictor, expect

_SIGMA = 0.125  # of a window's side: how far from its middle a voxel still counts
_LEAST = 1e-3  # of the weight in the middle, at the corners

Rows = Callable[[int, int], Float32[ndarray, " c *s"]]  # of an image: (first, past the last)
Slab = tuple[int, Float32[ndarray, " n *r"]]  # first row, and what stands from there on


@dataclass(frozen=True, slots=True)
class Air:
    """When a window is air, or background, and the network is not asked.

    At most `share` of the window's voxels within the image exceed the limit of their channel,
    in any channel; then all of it is the first of `classes`, for certain.
    """

    limits: tuple[float, ...]
    classes: int
    share: float = 1e-3


@dataclass(frozen=True, slots=True)
class Windows:
    """How windows lie over an image, and how each is answered.

    Attributes
    ----------
    patch
        Size of a window; smaller images are padded with 0, the mean of a scaled image.
    overlap
        Of neighbors, as a share of their side.
    flips
        Axes (0 is the image's first) along which mirror images are answered too; the answer is
        the mean over all combinations.
    order
        Which class each class is in a mirror image, where it is another.
    batch
        Windows answered at once, at most; missing ones of the last batch are 0.
    spread
        Windows lie evenly, as in nnU-Net; otherwise a fixed step apart and the last one at the
        end, as in MONAI.
    air
        What is answered without the network; by default nothing.
    """

    patch: tuple[int, ...]
    overlap: float = 0.5
    flips: tuple[int, ...] = ()
    order: tuple[int, ...] | None = None
    batch: int = 1
    spread: bool = True
    air: Air | None = None


def slide(
    predictor: Predictor,
    image: Float32[ndarray, " c *s"],
    *,
    patch: tuple[int, ...],
    overlap: float = 0.5,
    flips: tuple[int, ...] = (),
    order: tuple[int, ...] | None = None,
) -> Float32[ndarray, " n *s"]:
    """Probability of each class at each voxel; the arguments are those of `Windows`."""
    return slide_windows(predictor, image, Windows(patch, overlap, flips, order))


def slide_windows(
    predictor: Predictor, image: Float32[ndarray, " c *s"], windows: Windows
) -> Float32[ndarray, " n *s"]:
    """Probability of each class at each voxel, blended as `slabs` does."""

    def rows(first: int, last: int) -> Float32[ndarray, " c *s"]:
        return image[:, first:last]

    out: Float32[ndarray, " n *s"] | None = None
    for first, slab in slabs(predictor, rows, image.shape[1:], windows):
        if out is None:
            out = np.empty((len(slab), *image.shape[1:]), np.float32)
        out[:, first : first + slab.shape[1]] = slab
    if out is None:
        raise ValueError(f"patch {windows.patch} leaves nothing of {image.shape[1:]}")
    return out


def slabs(
    predictor: Predictor, rows: Rows, size: tuple[int, ...], windows: Windows
) -> Iterator[Slab]:
    """Yield probabilities of finished rows, from the first on, each row once.

    Windows overlap by a share of their side and are blended by a Gaussian about their middle,
    as in nnU-Net (Isensee 2021). `rows` reads rows of the image, of `size` in all.
    """
    patch = windows.patch
    missing = [max(side - have, 0) for side, have in zip(patch, size, strict=True)]
    edges = [(n // 2, n - n // 2) for n in missing]
    padded = tuple(have + n for have, n in zip(size, missing, strict=True))
    plane = tuple(slice(a, a + n) for (a, _), n in zip(edges[1:], size[1:], strict=True))
    blend: _Blend | None = None
    places = _places(rows, size, edges, windows)
    for start, answer in _asked(predictor, places, windows, _count(padded, windows)):
        if blend is None:
            classes = len(answer) if answer is not None else _air(windows).classes
            blend = _Blend(patch, padded[1:], classes)
        if start[0] > blend.first:
            yield blend.first, blend.finish(start[0])[(slice(None), slice(None), *plane)]
        blend.add(start, answer)
    if blend is not None:
        first, low = blend.first, edges[0][0]
        last = blend.finish(padded[0])[:, low : low + size[0]]  # padded rows: the only slab
        yield first, last[(slice(None), slice(None), *plane)]


@dataclass(slots=True, eq=False)
class _Blend:
    """Weighted sum and weight of the rows that windows may still reach, row n at n mod patch.

    `first` is the first row that is not finished.
    """

    patch: tuple[int, ...]
    plane: tuple[int, ...]
    classes: int
    first: int = 0
    total: Float32[ndarray, " n *r"] = field(init=False)
    norm: Float32[ndarray, "*r"] = field(init=False)
    weight: Float32[ndarray, "*p"] = field(init=False)

    def __post_init__(self) -> None:
        self.weight = bell(self.patch)
        self.norm = np.zeros((self.patch[0], *self.plane), np.float32)
        self.total = np.zeros((self.classes, *self.norm.shape), np.float32)

    def add(self, start: Sequence[int], answer: Float32[ndarray, " n *p"] | None) -> None:
        """Add a window's answer; none is the first class, for certain."""
        sides = zip(start[1:], self.patch[1:], strict=True)
        plane = tuple(slice(s, s + side) for s, side in sides)
        for ring, own in self._pieces(start[0], start[0] + self.patch[0]):
            weight = self.weight[own]
            self.norm[ring, *plane] += weight
            if answer is None:
                self.total[0][ring, *plane] += weight
            else:
                for total, part in zip(self.total, answer, strict=True):
                    total[ring, *plane] += part[own] * weight

    def finish(self, row: int) -> Float32[ndarray, " n *r"]:
        """Return the rows before `row` that are not finished yet, and forget them."""
        out = np.empty((self.classes, row - self.first, *self.plane), np.float32)
        for ring, own in self._pieces(self.first, row):
            np.divide(self.total[:, ring], self.norm[ring], out=out[:, own])
            self.total[:, ring] = 0
            self.norm[ring] = 0
        self.first = row
        return out

    def _pieces(self, first: int, last: int) -> Iterator[tuple[slice, slice]]:
        """Where rows lie here, and which of `first` to `last` those are: one piece or two."""
        head, count = first % self.patch[0], last - first
        fit = min(count, self.patch[0] - head)
        yield slice(head, head + fit), slice(0, fit)
        if fit < count:
            yield slice(0, count - fit), slice(fit, count)


def _places(
    rows: Rows, size: tuple[int, ...], edges: Sequence[tuple[int, int]], windows: Windows
) -> Iterator[tuple[tuple[int, ...], Float32[ndarray, " c *p"] | None]]:
    """First voxel and content of each window in order, none where it is air.

    Each row is read once; as many as a window has are held.
    """
    patch = windows.patch
    padded = tuple(low + have + high for (low, high), have in zip(edges, size, strict=True))
    along = _along(padded, patch, windows)
    held: Float32[ndarray, " c *s"] | None = None
    before = 0
    for top in along[0]:
        last = min(top + patch[0], size[0])
        if held is None:
            held = rows(0, last)
        else:
            kept, new = held[:, top - before :], rows(before + held.shape[1], last)
            held = np.concatenate([kept, new], axis=1)
        before = top
        bright = _bright(held, windows.air)
        slab = np.pad(held, [(0, 0), *edges]) if any(map(any, edges)) else held
        for rest in product(*along[1:]):
            sides = list(zip(rest, patch[1:], strict=True))
            if bright is not None and _is_air(bright, edges, sides, _air(windows)):
                yield (top, *rest), None
            else:
                place = tuple(slice(s, s + side) for s, side in sides)
                yield (top, *rest), slab[(slice(None), slice(None), *place)]


def _air(windows: Windows) -> Air:
    if windows.air is None:
        raise ValueError("no window is air unless the windows say what air is")
    return windows.air


def _bright(slab: Float32[ndarray, " c *s"], air: Air | None) -> Bool[ndarray, "*s"] | None:
    if air is None:
        return None
    limits = np.array(air.limits, np.float32).reshape([-1] + [1] * (slab.ndim - 1))
    return np.asarray((slab > limits).any(axis=0))


def _is_air(
    bright: Bool[ndarray, "*s"],
    edges: Sequence[tuple[int, int]],
    sides: Sequence[tuple[int, int]],
    air: Air,
) -> bool:
    """Tell whether a window that starts and goes on as `sides` say, edges counted, is air."""
    place = tuple(
        slice(max(s - low, 0), max(s - low + side, 0))
        for (low, _), (s, side) in zip(edges[1:], sides, strict=True)
    )
    inside = bright[(slice(None), *place)]
    return int(np.count_nonzero(inside)) <= air.share * inside.size


def _asked(
    predictor: Predictor,
    places: Iterator[tuple[tuple[int, ...], Float32[ndarray, " c *p"] | None]],
    windows: Windows,
    count: int,
) -> Iterator[tuple[tuple[int, ...], Float32[ndarray, " n *p"] | None]]:
    """Answer windows in order, up to a batch of them at once; air is not asked."""
    batch = min(windows.batch, count)
    waiting: list[tuple[tuple[int, ...], bool]] = []
    asked: list[Float32[ndarray, " c *p"]] = []

    def answers() -> Iterator[tuple[tuple[int, ...], Float32[ndarray, " n *p"] | None]]:
        known = iter(_answers(predictor, asked, windows, (count, batch)) if asked else ())
        for start, is_asked in waiting:
            yield start, next(known) if is_asked else None
        waiting.clear()
        asked.clear()

    for start, window in places:
        waiting.append((start, window is not None))
        if window is not None:
            asked.append(window)
        if len(asked) in (0, batch):
            yield from answers()
    yield from answers()


def _answers(
    predictor: Predictor,
    asked: Sequence[Float32[ndarray, " c *p"]],
    windows: Windows,
    sizes: tuple[int, int],
) -> Float32[ndarray, " b n *p"]:
    """Answer windows and their mirror images as a batch filled up with 0.

    `sizes` are how many windows there are in all, and in a batch.
    """
    count, batch = sizes
    x = np.zeros((batch, *asked[0].shape), np.float32)
    for n, window in enumerate(asked):
        x[n] = window
    total: Float32[ndarray, " b n *p"] | None = None  # ours, not the network's memory
    flipped = mirrored(windows.flips)
    expect(predictor, len(flipped) * -(-count // batch), x)
    for flip in flipped:
        axes = tuple(2 + axis for axis in flip)
        answer = predictor.run(np.ascontiguousarray(np.flip(x, axes)))["probability"]
        answer = np.flip(answer[: len(asked)], axes)
        if windows.order is not None and len(flip) % 2 == 1:
            answer = answer[:, list(windows.order)]
        if len(flipped) == 1:
            return np.asarray(answer, np.float32)
        if total is None:
            total = np.zeros(answer.shape, np.float32)
        total += answer
    if total is None:
        raise ValueError("no image is answered")
    return np.asarray(total / np.float32(len(flipped)), np.float32)


def mirrored(flips: Sequence[int]) -> list[tuple[int, ...]]:
    """List every combination of axes to flip, none first."""
    chosen = product(*[(False, True)] * len(flips))
    return [tuple(a for a, is_on in zip(flips, on, strict=True) if is_on) for on in chosen]


def starts(
    size: tuple[int, ...], patch: tuple[int, ...], overlap: float
) -> Iterator[tuple[int, ...]]:
    """First voxels of as few windows as overlap enough, spread evenly."""
    return product(*_along(size, patch, Windows(patch, overlap)))


def _along(size: tuple[int, ...], patch: tuple[int, ...], windows: Windows) -> list[list[int]]:
    """First voxels of windows along each axis."""
    out = []
    for have, side in zip(size, patch, strict=True):
        step = max(1, int(side * (1 - windows.overlap)))
        count, free = 1 + -(-(have - side) // step), have - side
        if windows.spread:
            out.append([round(n * free / max(count - 1, 1)) for n in range(count)])
        else:
            out.append([min(n * step, free) for n in range(count)])
    return out


def _count(size: tuple[int, ...], windows: Windows) -> int:
    return int(np.prod([len(each) for each in _along(size, windows.patch, windows)]))


def bell(patch: tuple[int, ...]) -> Float32[ndarray, "*p"]:
    """Weigh a window's voxels by a Gaussian about its middle, 1 there, never quite 0."""
    out = np.ones(patch, np.float64)
    for axis, side in enumerate(patch):
        away = (np.arange(side) - (side - 1) / 2) / (_SIGMA * side)
        bell = np.exp(-(away**2) / 2)
        out *= bell.reshape([-1 if n == axis else 1 for n in range(len(patch))])
    return np.asarray(np.maximum(out, _LEAST), np.float32)
