"""Axes and volumes of an outlined nodule, finer than its voxels."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage

from medloop.imaging.nodule_cube import Frame
from medloop.imaging.nodule_outline import Outline

BLUR_MM = 0.65  # sigma of a usual lung kernel's point spread
_TAIL_MM = 1.5  # border voxels beyond hold nothing more of the nodule
_TIE = 0.98  # lengths as near to the longest count as equal
_SMALLEST_SOLID_MM3 = 4.0  # less is a vessel seen end on, or noise

Place = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Size:
    """Sizes of a nodule or of its solid part.

    Attributes
    ----------
    long_mm, short_mm
        Longest axis in the axial plane where the nodule's area is greatest, and the longest
        chord across it. Where directions are equally long within 2 % the one nearest to the
        shape's principal axis counts, so that noise does not turn the axes.
    greatest_mm
        Longest diameter in space.
    volume_mm3, diameter_mm
        Volume, and the diameter of a ball of that volume.
    long_line, short_line
        Ends of both axes, as the crop's indices (k, j, i).
    """

    long_mm: float
    short_mm: float
    greatest_mm: float
    volume_mm3: float
    long_line: tuple[Place, Place]
    short_line: tuple[Place, Place]

    @property
    def mean_mm(self) -> float:
        """Mean of both axes (Lung-RADS v2022, note 3; Bankier 2017)."""
        return (self.long_mm + self.short_mm) / 2

    @property
    def diameter_mm(self) -> float:
        """Diameter of a ball as large."""
        return float(np.cbrt(6 * self.volume_mm3 / np.pi))


def measure(nodule: Outline) -> Size:
    """Measure the whole nodule.

    Borders lie where the density has gone half the way from nodule to lung, between voxels. A
    curved border seen through blur moves inward by the blur's variance times the curvature (van
    Vliet 1993); axes are corrected for that with `BLUR_MM` and the slices' distance. Volume
    counts border voxels by their density's share (partial volume, Kuhnigk 2006).
    """
    levels = nodule.levels
    rise = (nodule.even_hu - levels.threshold_hu) / (levels.nodule_hu - levels.lung_hu)
    rise = np.minimum(rise, nodule.depth_mm / nodule.frame.step_mm)
    return _size(rise, nodule.inside, nodule)


def measure_solid(nodule: Outline) -> Size | None:
    """Measure the largest solid part (its volume: of all); None without one."""
    levels = nodule.levels
    solid = nodule.inside & (nodule.hu > levels.solid_hu)
    solid = _without_specks(solid, _SMALLEST_SOLID_MM3 / nodule.frame.step_mm**3)
    if not solid.any():
        return None
    if levels.nodule_hu >= levels.core_hu and solid.sum() > 0.9 * nodule.inside.sum():
        return measure(nodule)
    contrast_hu = max(levels.core_hu - levels.nodule_hu, 2 * (levels.core_hu - levels.solid_hu))
    rise = (nodule.hu - levels.solid_hu) / max(contrast_hu, 100.0)
    return _size(rise, solid, replace(nodule, smoothing_mm=0.0))


def _size(
    rise: Float[ndarray, "n n n"], inside: Bool[ndarray, "n n n"], nodule: Outline
) -> Size:
    frame, step_mm = nodule.frame, nodule.frame.step_mm
    near = ndimage.distance_transform_edt(~inside) * step_mm < _TAIL_MM
    share = np.where(inside | (rise <= 0), np.clip(rise + 0.5, 0, 1), 0)
    volume_mm3 = float(share[near].sum()) * step_mm**3
    outside = np.where(rise > 0, -0.5, np.minimum(rise, -1e-3))  # what was cut off ends halfway
    field = np.where(inside, np.maximum(rise, 1e-3), outside)
    field = np.pad(field, 1, constant_values=-0.5)
    layer = int(inside.sum((1, 2)).argmax()) + 1
    long_line, short_line = _axes(field[layer])
    border = np.concatenate(
        [np.insert(_crossings(plane), 0, k, axis=1) for k, plane in enumerate(field)]
    )
    variance_mm2 = BLUR_MM**2 + nodule.smoothing_mm**2 + frame.spacing_mm[0] ** 2 / 12
    long_mm, short_mm, greatest_mm = (
        length + 2 * variance_mm2 / max(length, 3.0)
        for length in (
            _length(long_line) * step_mm,
            _length(short_line) * step_mm,
            _length(_farthest(border)) * step_mm,
        )
    )
    return Size(
        long_mm=long_mm,
        short_mm=min(short_mm, long_mm),
        greatest_mm=max(greatest_mm, long_mm),
        volume_mm3=volume_mm3,
        long_line=_in_crop(long_line, layer, frame),
        short_line=_in_crop(short_line, layer, frame),
    )


def _crossings(field: Float[ndarray, "j i"]) -> Float[ndarray, "n 2"]:
    """Find where a field changes its sign along rows and columns, by linear interpolation."""
    found = []
    for axis in (0, 1):
        low = field[:-1] if axis == 0 else field[:, :-1]
        high = field[1:] if axis == 0 else field[:, 1:]
        at = np.argwhere((low > 0) != (high > 0))
        a, b = low[tuple(at.T)], high[tuple(at.T)]
        points = at.astype(float)
        points[:, axis] += a / (a - b)
        found.append(points)
    return np.concatenate(found)


def _axes(field: Float[ndarray, "j i"]) -> tuple[ndarray, ndarray]:
    """Give the ends of the long axis and of the longest chord across it, in pixels."""
    points = _crossings(field)
    hull = _corners(points)
    apart = hull[:, None] - hull[None]
    lengths = np.sqrt((apart**2).sum(-1))
    pairs = np.argwhere(np.triu(lengths) >= _TIE * lengths.max())
    units = apart[pairs[:, 0], pairs[:, 1]] / lengths[pairs[:, 0], pairs[:, 1]][:, None]
    pixels = np.argwhere(field > 0)
    moments = np.cov(pixels.T) if len(pixels) > 2 else np.eye(2)
    main = np.linalg.eigh(moments)[1][:, 1]
    best = int(np.abs(units @ main).argmax())
    longest = np.unravel_index(lengths.argmax(), lengths.shape)
    middle, half = hull[pairs[best]].mean(0), lengths[longest] / 2 * units[best]
    return np.stack([middle - half, middle + half]), _chord(field, points, units[best])


def _chord(
    field: Float[ndarray, "j i"], points: Float[ndarray, "n 2"], along: Float[ndarray, " 2"]
) -> Float[ndarray, "2 2"]:
    """Find the longest chord across a direction, from the first to the last border."""
    across = np.array([-along[1], along[0]])
    s, t = points @ along, points @ across
    rows = np.linspace(s.min(), s.max(), 50)[1:-1]
    columns = np.arange(t.min() - 1, t.max() + 1.5, 0.5)
    places = rows[:, None, None] * along + columns[:, None] * across
    values = ndimage.map_coordinates(
        field, places.reshape(-1, 2).T, order=1, mode="nearest"
    ).reshape(len(rows), -1)
    values[:, [0, -1]] = np.minimum(values[:, [0, -1]], -1e-3)
    is_in = values > 0
    row = np.arange(len(rows))
    first, last = is_in.argmax(1), is_in.shape[1] - 1 - is_in[:, ::-1].argmax(1)
    first, last = np.maximum(first, 1), np.minimum(last, is_in.shape[1] - 2)
    low = columns[first] - 0.5 * _share(values[row, first], values[row, first - 1])
    high = columns[last] + 0.5 * _share(values[row, last], values[row, last + 1])
    chords = np.where(is_in.any(1), high - low, 0)
    best = int(chords.argmax())
    return np.stack([rows[best] * along + t * across for t in (low[best], high[best])])


def _share(inner: ndarray, outer: ndarray) -> ndarray:
    """How far from an inner to an outer value the border lies."""
    return np.asarray(np.clip(inner / np.maximum(inner - outer, 1e-9), 0, 1))


def _corners(points: Float[ndarray, "n d"]) -> Float[ndarray, "m d"]:
    from scipy.spatial import ConvexHull, QhullError  # noqa: PLC0415 (slow to load)

    try:
        return points[ConvexHull(points).vertices]
    except QhullError:  # flat, or too few
        return points


def _farthest(points: Float[ndarray, "n d"]) -> Float[ndarray, "2 d"]:
    from scipy.spatial.distance import pdist  # noqa: PLC0415 (slow to load)

    hull = _corners(points)
    apart = pdist(hull, "sqeuclidean")
    a, b = np.triu_indices(len(hull), 1)
    best = int(apart.argmax())
    return np.stack([hull[a[best]], hull[b[best]]])


def _length(line: Float[ndarray, "2 d"]) -> float:
    return float(np.linalg.norm(line[1] - line[0]))


def _in_crop(line: Float[ndarray, "2 2"], layer: int, frame: Frame) -> tuple[Place, Place]:
    """Carry the padded cube's pixels to the crop's indices."""
    ends = []
    for j, i in line - 1:
        at = zip((layer - 1, j, i), frame.start, frame.spacing_mm, strict=True)
        k, y, x = (start + index * frame.step_mm / mm for index, start, mm in at)
        ends.append((float(k), float(y), float(x)))
    return ends[0], ends[1]


def _without_specks(mask: Bool[ndarray, "n n n"], least: float) -> Bool[ndarray, "n n n"]:
    """Keep the largest part, and none smaller than so many voxels."""
    parts, count = ndimage.label(mask)
    if not count:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax()) & (sizes.max() >= least)
