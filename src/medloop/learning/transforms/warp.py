"""Where each voxel of the output comes from: one map for every spatial change.

A place u of the output goes through grid distortion (each axis on its own), then an elastic
displacement (a cubic B-spline), then an affine map, to a place of the source. Cubic B-splines
reproduce affine maps, and a distortion by axis only shifts where the splines are evaluated, so
the whole map of a grid of voxels is one tensor product: a few small matrix products.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

_NEWTON_STEPS = 60
_HALVINGS = 8  # of a step
_CLOSE = 1e-9  # output voxels


@dataclass(frozen=True, slots=True, eq=False)
class Warp:
    """A map from places of the output to places of the source, both as indices.

    ``source = matrix @ (elastic(distort(u)) - middle of the output) + center``
    """

    shape: tuple[int, ...]  # of the output
    matrix: Float[ndarray, "d d"]  # source voxels per output voxel
    center: Float[ndarray, " d"]  # source index shown in the middle of the output
    lines: tuple[Float[ndarray, " n"], ...] | None = None  # by axis, where even lines come from
    nodes: Float[ndarray, " d *n"] | None = None  # spline nodes' displacements, output voxels

    @property
    def middle(self) -> Float[ndarray, " d"]:
        """Index of the middle of the output."""
        return (np.array(self.shape) - 1) / 2

    @property
    def cells(self) -> tuple[int, ...]:
        """Spline cells along each axis of the output."""
        return () if self.nodes is None else tuple(n - 3 for n in self.nodes.shape[1:])

    @property
    def is_exact(self) -> bool:
        """Whether voxels only change places: turns by quarters, flips and whole shifts."""
        steps = np.abs(self.matrix)
        offset = self.center - self.matrix @ self.middle
        return bool(
            self.lines is None
            and self.nodes is None
            and ((steps == 0) | (steps == 1)).all()
            and (steps.sum(axis=0) == 1).all()
            and (offset == np.rint(offset)).all()
        )


def coordinates(warp: Warp, region: tuple[slice, ...]) -> Float32[ndarray, " d *region"]:
    """Give the source index of every voxel in a region of the output."""
    bases = [_basis(warp, axis)[part] for axis, part in enumerate(region)]
    control = _control(warp).astype(np.float32)
    out = control.reshape(-1, control.shape[-1]) @ bases[-1].T
    for basis in reversed(bases[:-1]):
        after = out.shape[-1]
        out = basis @ out.reshape(-1, basis.shape[1], after)
        out = out.reshape(len(out), -1)
    return out.reshape(len(warp.shape), *(len(basis) for basis in bases))


def to_source(warp: Warp, places: Float[ndarray, "n d"]) -> Float[ndarray, "n d"]:
    """Map places of the output to places of the source, in double precision.

    Beyond the output the elastic displacement of its nearest edge goes on.
    """
    even = _distort(warp, np.asarray(places, float))
    moved = even if warp.nodes is None else even + _displacement(warp, even)
    return (moved - warp.middle) @ warp.matrix.T + warp.center


def to_output(warp: Warp, places: Float[ndarray, "n d"]) -> Float[ndarray, "n d"]:
    """Map places of the source to places of the output: the inverse of `to_source`.

    The elastic part is inverted by Newton's method with step halving; it has one solution
    where the nodes' displacements keep the bound of `medloop.learning.transforms.spatial`.
    """
    wanted = (np.asarray(places, float) - warp.center) @ np.linalg.inv(warp.matrix).T
    wanted = wanted + warp.middle
    even = wanted if warp.nodes is None else _undisplaced(warp, wanted)
    return _distort(warp, even, inverse=True)


def _undisplaced(warp: Warp, wanted: Float[ndarray, "n d"]) -> Float[ndarray, "n d"]:
    place = wanted - _displacement(warp, wanted)
    missing = wanted - place - _displacement(warp, place)
    for _ in range(_NEWTON_STEPS):
        size = np.abs(missing).max(axis=1, initial=0)
        if size.max(initial=0) < _CLOSE:
            break
        step = np.linalg.solve(_slope(warp, place), missing[..., None])[..., 0]
        share = np.ones((len(place), 1))
        trial = place + step
        rest = wanted - trial - _displacement(warp, trial)
        for _ in range(_HALVINGS):
            worse = np.abs(rest).max(axis=1) > size
            if not worse.any():
                break
            share[worse] /= 2
            trial = place + share * step
            rest = wanted - trial - _displacement(warp, trial)
        place, missing = trial, rest
    return place


def _distort(
    warp: Warp, places: Float[ndarray, "n d"], *, inverse: bool = False
) -> Float[ndarray, "n d"]:
    """Move places with the grid lines of their axis; beyond the output nothing moves."""
    if warp.lines is None:
        return places
    out = places.copy()
    for axis, (lines, side) in enumerate(zip(warp.lines, warp.shape, strict=True)):
        even = np.linspace(0, side - 1, len(lines))
        inside = (places[:, axis] > 0) & (places[:, axis] < side - 1)
        known, wanted = (lines, even) if inverse else (even, lines)
        out[inside, axis] = np.interp(places[inside, axis], known, wanted)
    return out


def _control(warp: Warp) -> Float[ndarray, " d *n"]:
    """Source index of each node of the spline, or of the corners where nothing is elastic."""
    if warp.nodes is None:
        knots = [np.arange(min(side, 2)) * (side - 1.0) for side in warp.shape]
    else:
        knots = [
            np.arange(-1, cells + 2) * _cell(side, cells)
            for side, cells in zip(warp.shape, warp.cells, strict=True)
        ]
    at = np.stack(np.meshgrid(*knots, indexing="ij"))
    if warp.nodes is not None:
        at = at + warp.nodes
    moved = np.tensordot(warp.matrix, at, axes=1)
    offset = warp.center - warp.matrix @ warp.middle
    return moved + offset.reshape(-1, *[1] * len(warp.shape))


def _basis(warp: Warp, axis: int) -> Float32[ndarray, "side n"]:
    """Weight of each node of an axis at each of the output's indices."""
    side = warp.shape[axis]
    at = np.arange(side, dtype=float)
    if warp.lines is not None:
        lines = warp.lines[axis]
        at = np.interp(at, np.linspace(0, side - 1, len(lines)), lines)
    if warp.nodes is not None:
        return _spline(at, side, warp.cells[axis]).astype(np.float32)
    if side == 1:
        return np.ones((1, 1), np.float32)
    share = at / (side - 1)
    return np.stack([1 - share, share], axis=1).astype(np.float32)


def _cell(side: int, cells: int) -> float:
    return max(side - 1, 1) / cells


def _spline(
    at: Float[ndarray, " n"], side: int, cells: int, *, slope: bool = False
) -> Float[ndarray, "n nodes"]:
    """Uniform cubic B-spline weights, or their slopes, held beyond the output."""
    cell = _cell(side, cells)
    t = np.clip(at / cell, 0, cells)
    first = np.minimum(t.astype(int), cells - 1)
    f = t - first
    if slope:
        parts = [-((1 - f) ** 2) / 2, (3 * f**2 - 4 * f) / 2, (1 + 2 * f - 3 * f**2) / 2]
        inside = ((at >= 0) & (at <= side - 1)) / cell
        weights = np.stack([*parts, f**2 / 2]) * inside
    else:
        parts = [(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, 1 + 3 * f + 3 * f**2 - 3 * f**3]
        weights = np.stack([*parts, f**3]) / 6
    out = np.zeros((len(at), cells + 3))
    for n, weight in enumerate(weights):
        out[np.arange(len(at)), first + n] = weight
    return out


def _displacement(warp: Warp, places: Float[ndarray, "n d"]) -> Float[ndarray, "n d"]:
    return _contract(warp, places, None)


def _slope(warp: Warp, places: Float[ndarray, "n d"]) -> Float[ndarray, "n d d"]:
    """How fast a displaced place moves with the place."""
    slopes = [_contract(warp, places, axis) for axis in range(len(warp.shape))]
    return np.eye(len(warp.shape)) + np.stack(slopes, axis=2)


def _contract(
    warp: Warp, places: Float[ndarray, "n d"], steep: int | None
) -> Float[ndarray, "n d"]:
    """Evaluate the spline, or its slope along the axis `steep`."""
    bases = [
        _spline(places[:, axis], side, cells, slope=axis == steep)
        for axis, (side, cells) in enumerate(zip(warp.shape, warp.cells, strict=True))
    ]
    if warp.nodes is None:
        raise ValueError("this warp has no elastic part")
    axes = "abc"[: len(bases)]
    terms = ",".join(f"n{letter}" for letter in axes)
    return np.einsum(f"{terms},d{axes}->nd", *bases, warp.nodes, optimize=True)
