"""Connected voxels around a place, without what hangs on them by a neck."""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage

OPENING_SHARE = 0.64  # of the nodule's half thickness: thinner things are vessels or strands
OPENING_MM = 5.0  # vessels in the lung are thinner than 10 mm
_KEPT_MM = 0.8  # what stands out less stays
_KEPT_SHARE = 0.06  # of the half thickness
_WEDGE_MM = 2.0
_WEDGE_KEPT_MM = 0.2


def region(
    above: Bool[ndarray, "n n n"], depth_mm: Float[ndarray, "n n n"], *, step_mm: float
) -> Bool[ndarray, "n n n"]:
    """Take the part of `above` that surrounds the cube's middle, and cut off vessels.

    The part is eroded until tubes vanish, the piece nearest to the middle is grown again, and
    what remains farther from it than a border's roughness is cut where it begins (after
    Kuhnigk 2006). Less than 2 mm under the lung's surface, in `depth_mm`, roughness is cut too:
    blur fills the wedge between wall and nodule.
    """
    part = _part_in_middle(above)
    if not part.any():
        return part
    box = bounds(part)
    whole = np.zeros_like(part)
    middle = np.array(
        [(n - 1) / 2 - side.start for n, side in zip(part.shape, box, strict=True)]
    )
    whole[box] = _opened(part[box], depth_mm[box], middle, step_mm)
    return whole


def bounds(mask: Bool[ndarray, "a b c"], margin: int = 1) -> tuple[slice, slice, slice]:
    """Give the box around a mask, with a margin where there is room."""
    sides = []
    for axis in range(3):
        at = np.flatnonzero(mask.any(tuple(a for a in range(3) if a != axis)))
        low, high = (int(at[0]), int(at[-1])) if len(at) else (0, 0)
        sides.append(slice(max(0, low - margin), min(mask.shape[axis], high + margin + 1)))
    return sides[0], sides[1], sides[2]


def sphericity(inside: Bool[ndarray, "a b c"]) -> float:
    """Divide the surface of a ball of the same volume by the surface (Wadell 1935).

    The surface is the sum of the blurred mask's gradient, as steps of voxels would enlarge it.
    """
    soft = ndimage.gaussian_filter(np.pad(inside, 3).astype(np.float32), 1.0)
    gradient = np.gradient(soft)
    surface = float(np.sqrt(sum(part**2 for part in gradient)).sum())
    ball = np.cbrt(np.pi) * (6 * float(inside.sum())) ** (2 / 3)
    return float(min(ball / max(surface, 1e-6), 1.0))


def convexity(inside: Bool[ndarray, "a b c"]) -> float:
    """Divide the volume by its convex hull's; voxels' centers span both."""
    from scipy.spatial import ConvexHull, QhullError  # noqa: PLC0415 (slow to load)

    border = inside & ~ndimage.binary_erosion(inside)
    corners = np.concatenate(
        [
            np.argwhere(border) + np.eye(3)[axis] * side
            for axis in range(3)
            for side in (-0.5, 0.5)
        ]
    )
    try:
        return float(min(inside.sum() / ConvexHull(corners).volume, 1.0))
    except QhullError:
        return 1.0


def _opened(
    part: Bool[ndarray, "a b c"],
    depth_mm: Float[ndarray, "a b c"],
    middle: Float[ndarray, " 3"],
    step_mm: float,
) -> Bool[ndarray, "a b c"]:
    part = ndimage.binary_fill_holes(part)
    deep_mm = ndimage.distance_transform_edt(part) * step_mm - step_mm / 2
    half_mm = _half_thickness(deep_mm, middle, step_mm)
    radius_mm = min(OPENING_SHARE * half_mm, OPENING_MM)
    core = _part_in_middle(deep_mm > radius_mm, middle)
    if not core.any():
        return part
    away_mm = ndimage.distance_transform_edt(~core) * step_mm - step_mm / 2
    beyond_mm = away_mm - radius_mm
    kept_mm = max(_KEPT_MM, _KEPT_SHARE * half_mm, 1.2 * step_mm)
    far = part & (beyond_mm > kept_mm)
    cut = far | ((beyond_mm > _WEDGE_KEPT_MM) & (depth_mm < _WEDGE_MM))
    if far.any():
        to_far_mm = ndimage.distance_transform_edt(~far) * step_mm
        cut |= (beyond_mm > 0.25 * step_mm) & (to_far_mm <= kept_mm + 0.75 * step_mm)
    return _part_in_middle(part & ~cut, middle)


def _half_thickness(
    deep_mm: Float[ndarray, "a b c"], middle: Float[ndarray, " 3"], step_mm: float
) -> float:
    """Climb from the middle to the deepest place around, as far as that is deep."""
    inside = np.argwhere(deep_mm > 0)
    at = inside[((inside - middle) ** 2).sum(1).argmin()].astype(float)
    reach_mm, deepest = 2.0, 0.0
    for _ in range(4):
        n = max(1, int(reach_mm / step_mm))
        low = np.maximum(0, np.rint(at).astype(int) - n)
        box = deep_mm[tuple(slice(a, a + 2 * n + 1) for a in low)]
        best = np.array(np.unravel_index(box.argmax(), box.shape)) + low
        deepest = float(box.max())
        if (best == np.rint(at)).all():
            break
        at, reach_mm = best.astype(float), max(1.0, 0.4 * deepest)
    return max(deepest, step_mm / 2)


def _part_in_middle(
    mask: Bool[ndarray, "a b c"], middle: Float[ndarray, " 3"] | None = None
) -> Bool[ndarray, "a b c"]:
    """Take the connected part that is nearest to a place, the cube's middle unless given."""
    parts, count = ndimage.label(mask)
    if count <= 1:
        return mask
    at = (np.array(mask.shape) - 1) / 2 if middle is None else middle
    z, y, x = ((np.arange(n) - a) ** 2 for n, a in zip(mask.shape, at, strict=True))
    away = z[:, None, None] + y[:, None] + x
    nearest = np.where(mask, away, np.inf).argmin()
    return np.asarray(parts == parts.ravel()[nearest])
