"""How far spatial changes may go, and drawing one of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from medloop.learning.transforms.warp import Warp

MOST_ELASTIC = (
    0.4  # of a cell: below 1/2.479 no fold (Choi and Lee 2000, doi 10.1006/gmod.2000.0531)
)
_EQUAL = 0.01  # relative difference of spacings that are taken as equal


@dataclass(frozen=True, slots=True)
class SpatialRanges:
    """How far a draw may go; angles and factors are half-widths around "unchanged".

    Rotations are rotations in mm: a thick slice is tilted by the angle that was drawn, not by
    the angle that its voxels would show.
    """

    rotation_deg: float = 20.0  # in the plane of the last two axes
    tilt_deg: float = 20.0  # out of that plane, about each of its axes; 3-D only
    scale: float = 0.2  # natural logarithm of the factor for all axes
    stretch: float = 0.05  # natural logarithm of the factor for each axis
    shear: float = 0.0  # mm per mm
    shift: float = 0.0  # of the output's side, around the drawn or given center
    affine_chance: float = 1.0  # of drawing the above
    elastic: float = 0.3  # largest displacement of a node, of a cell; at most 0.4
    elastic_cells: int = 5  # along the output's longest side in mm
    elastic_chance: float = 0.5
    distortion: float = 0.3  # change of the distance between grid lines, below 1
    distortion_cells: int = 5  # between grid lines along each axis
    distortion_chance: float = 0.0
    flip_chance: float = 0.5  # for each axis
    flip_axes: tuple[int, ...] | None = None  # all by default
    quarter_chance: float = 0.0  # of turning by 90, 180 or 270 degrees in a plane

    def __post_init__(self) -> None:
        """Refuse what would fold or mean nothing.

        Raises
        ------
        ValueError
            If a limit is out of its bounds.
        """
        for name, low, high in (
            ("elastic", 0.0, MOST_ELASTIC),
            ("distortion", 0.0, 0.9),
            ("shear", 0.0, 0.5),
            ("affine_chance", 0.0, 1.0),
            ("elastic_chance", 0.0, 1.0),
            ("distortion_chance", 0.0, 1.0),
            ("flip_chance", 0.0, 1.0),
            ("quarter_chance", 0.0, 1.0),
            ("elastic_cells", 1, 64),
            ("distortion_cells", 1, 64),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}, must lie in {low}..{high}")


def draw_warp(
    rng: np.random.Generator,
    ranges: SpatialRanges,
    *,
    spacing_mm: tuple[float, ...],
    shape: tuple[int, ...],
    patch: tuple[int, ...] | None = None,
    center: tuple[float, ...] | None = None,
) -> Warp:
    """Draw one spatial change of an image of `shape`, 2-D or 3-D.

    Parameters
    ----------
    spacing_mm, shape
        Of the source, by axis.
    patch
        Shape of the output, the source's by default.
    center
        Index of the source that comes to the output's middle; drawn by default, so that the
        unchanged patch lies within the source where it fits.

    Raises
    ------
    ValueError
        If the axes are not two or three, disagree, or one to flip is not there.
    """
    size = patch or shape
    if len(shape) not in {2, 3} or len(spacing_mm) != len(shape) or len(size) != len(shape):
        raise ValueError(f"shape {shape}, patch {size} and spacing {spacing_mm} disagree")
    spacing = np.array(spacing_mm, float)
    middle = _center(rng, shape, size) if center is None else np.array(center, float)
    turn = _quarters(rng, ranges, spacing) @ _flips(rng, ranges, len(shape))
    matrix = turn
    if rng.random() < ranges.affine_chance:
        matrix = (_affine_mm(rng, ranges, len(shape)) * spacing) / spacing[:, None] @ turn
        middle = middle + rng.uniform(-1, 1, len(shape)) * ranges.shift * np.array(size)
    elastic = rng.random() < ranges.elastic_chance and ranges.elastic > 0
    nodes = _nodes(rng, ranges, spacing, size) if elastic else None
    distorted = rng.random() < ranges.distortion_chance and ranges.distortion > 0
    lines = tuple(_lines(rng, ranges, side) for side in size) if distorted else None
    if matrix is turn:  # keeps voxels on voxels
        offset = middle - matrix @ (np.array(size) - 1) / 2
        middle = middle - (offset - np.floor(offset))
    return Warp(tuple(size), matrix, middle, lines, nodes)


def _center(
    rng: np.random.Generator, shape: tuple[int, ...], size: tuple[int, ...]
) -> Float[ndarray, " d"]:
    room = np.array(shape) - np.array(size)
    start = np.where(room > 0, rng.integers(0, np.maximum(room, 0) + 1), room // 2)
    return start + (np.array(size) - 1) / 2


def _flips(rng: np.random.Generator, ranges: SpatialRanges, d: int) -> Float[ndarray, "d d"]:
    axes = range(d) if ranges.flip_axes is None else ranges.flip_axes
    if not all(0 <= axis < d for axis in axes):
        raise ValueError(f"flip_axes {ranges.flip_axes} must lie in 0..{d - 1}")
    flipped = (rng.random(d) < ranges.flip_chance) & np.isin(np.arange(d), list(axes))
    return np.diag(np.where(flipped, -1.0, 1.0))


def _quarters(
    rng: np.random.Generator, ranges: SpatialRanges, spacing: Float[ndarray, " d"]
) -> Float[ndarray, "d d"]:
    """Turn in a plane whose two spacings are equal, by one to three quarters."""
    d = len(spacing)
    planes = [
        (a, b)
        for a in range(d)
        for b in range(a + 1, d)
        if abs(spacing[a] - spacing[b]) <= _EQUAL * spacing[a]
    ]
    out = np.eye(d)
    if rng.random() >= ranges.quarter_chance or not planes:
        return out
    a, b = planes[int(rng.integers(len(planes)))]
    quarter = np.eye(d)
    quarter[[a, b]] = quarter[[b, a]]
    quarter[a] *= -1
    return np.linalg.matrix_power(quarter, int(rng.integers(1, 4)))


def _affine_mm(
    rng: np.random.Generator, ranges: SpatialRanges, d: int
) -> Float[ndarray, "d d"]:
    """Rotation, scale, stretch and shear in mm, from output to source."""
    out = np.eye(d)
    planes = [(d - 2, d - 1, ranges.rotation_deg)]
    if d == 3:
        planes += [(0, 1, ranges.tilt_deg), (0, 2, ranges.tilt_deg)]
    for a, b, limit in planes:
        angle = np.deg2rad(rng.uniform(-limit, limit))
        turn = np.eye(d)
        turn[[a, a, b, b], [a, b, a, b]] = [
            np.cos(angle),
            -np.sin(angle),
            np.sin(angle),
            np.cos(angle),
        ]
        out = out @ turn
    skew = np.triu(rng.uniform(-ranges.shear, ranges.shear, (d, d)), 1)
    scale = rng.uniform(-ranges.scale, ranges.scale)
    factors = np.exp(scale + rng.uniform(-ranges.stretch, ranges.stretch, d))
    return out @ (np.eye(d) + skew) * factors


def _nodes(
    rng: np.random.Generator,
    ranges: SpatialRanges,
    spacing: Float[ndarray, " d"],
    size: tuple[int, ...],
) -> Float[ndarray, " d *n"]:
    """Displace each node evenly within a share of its cell, whose sides in mm are alike."""
    sides_mm = spacing * np.array(size)
    cells = np.rint(ranges.elastic_cells * sides_mm / sides_mm.max()).astype(int)
    cells = np.maximum(cells, 1)
    reach = ranges.elastic * np.maximum(np.array(size) - 1, 0) / cells
    drawn = rng.uniform(-1, 1, (len(size), *(cells + 3)))
    return drawn * reach.reshape(-1, *[1] * len(size))


def _lines(rng: np.random.Generator, ranges: SpatialRanges, side: int) -> Float[ndarray, " n"]:
    """Widen and narrow the gaps between even lines; the first and the last stay."""
    gaps = 1 + rng.uniform(-ranges.distortion, ranges.distortion, ranges.distortion_cells)
    at = np.concatenate([[0.0], np.cumsum(gaps)])
    return at / at[-1] * (side - 1)
