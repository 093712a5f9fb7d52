"""The optic disc: where it is and how large, from the photograph alone or from a network's map.

The disc is where bright round edges (a Hough transform on gradients, over several radii), light
and the vessel tree agree, and where photographs have it: seldom far above or below the middle,
and beside the middle when the macula is in it. Its outline is the closed path of greatest
inward gradient.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Integer
from numpy import ndarray

from medloop.imaging.fundus import Field, blur
from medloop.imaging.vessels import View, convergence

DISC_RADIUS = 0.154  # of the field radius: median of 54 outlines of IDRiD (0.116 to 0.192)
_HOUGH_RADII = (0.115, 0.13, 0.145, 0.16, 0.175, 0.195)
_ANGLES = 72
_MAP_RADIUS_PX = 400.0  # maps are read at this field radius; networks answer no finer


@dataclass(frozen=True, slots=True)
class Disc:
    """The optic disc: centroid of its outline, radius of the circle of equal area."""

    center_px: tuple[float, float]
    radius_px: float
    confidence: float


def hough(view: View) -> Float[ndarray, "y x"]:
    """Votes for the center of a bright disc: each edge pixel votes along its gradient."""
    light, radius = view.light, view.field.radius_px
    gx = cv2.Sobel(light, cv2.CV_32F, 1, 0, ksize=3)
    gy = cv2.Sobel(light, cv2.CV_32F, 0, 1, ksize=3)
    strength = np.hypot(gx, gy)
    strength[~view.field.mask(light.shape, shrink=0.95)] = 0
    y, x = np.nonzero(strength > np.percentile(strength, 80))
    weight = np.minimum(strength[y, x], np.percentile(strength, 98))
    dx, dy = gx[y, x] / strength[y, x], gy[y, x] / strength[y, x]
    rows, columns = light.shape
    best = np.zeros((rows, columns), np.float32)
    for fraction in _HOUGH_RADII:
        r = fraction * radius
        u, v = np.rint(x + r * dx).astype(int), np.rint(y + r * dy).astype(int)
        inside = (u >= 0) & (v >= 0) & (u < columns) & (v < rows)
        flat = v[inside] * columns + u[inside]
        votes = np.bincount(flat, weights=weight[inside], minlength=rows * columns)
        votes = votes.reshape(rows, columns).astype(np.float32)
        best = np.maximum(best, cv2.GaussianBlur(votes, (0, 0), 0.025 * radius) / fraction)
    return best


def find_disc(view: View) -> Disc:
    """Locate the disc where Hough votes, vessels, light and habit agree, then outline it."""
    mask = view.field.mask(view.light.shape, shrink=0.97)
    radius = view.field.radius_px
    light = blur(view.light, sigma_px=0.1 * radius) - blur(view.light, sigma_px=0.3 * radius)
    score = (
        _relative(hough(view), mask)
        + 0.65 * _relative(convergence(view), mask)
        + 0.2 * _relative(light, mask)
        - _unusual(view.field, view.light.shape)
    )
    score = np.where(mask, score, -np.inf)
    y, x = np.unravel_index(int(np.argmax(score)), score.shape)
    confidence = _lead(score, (float(x), float(y)), radius)
    center, r = _outline(view, (float(x), float(y)))
    return Disc(view.to_picture(*center), r / view.factor, confidence)


def disc_from_map(probability: Float[ndarray, "y x"], *, field_radius_px: float) -> Disc | None:
    """Read the disc from a network's probability map, or None where the map is unsure.

    Sure is: the largest component has a disc's size, is nearly as full as an ellipse, its mean
    probability is 0.7, and no other component is such a disc too.
    """
    step = max(1, int(field_radius_px / _MAP_RADIUS_PX))
    probability = probability[step // 2 :: step, step // 2 :: step]
    found = np.asarray(probability > 0.5).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(found)
    by_size = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA])
    discs = [
        _disc_of(probability, labels, stats[label], int(label), field_radius_px / step)
        for label in by_size[:2]
    ]
    if not discs or discs[0] is None or any(other is not None for other in discs[1:]):
        return None
    (x, y), radius = discs[0].center_px, discs[0].radius_px
    center = (x * step + step // 2, y * step + step // 2)
    return Disc(center, radius * step, discs[0].confidence)


def _disc_of(
    probability: Float[ndarray, "y x"],
    labels: Integer[ndarray, "y x"],
    stats: Integer[ndarray, "5"],
    label: int,
    field_radius_px: float,
) -> Disc | None:
    """Return a component of a map as disc, if it looks like one."""
    x0, y0, width, height, area = (int(v) for v in stats)
    radius = float(np.sqrt(area / np.pi))
    fullness = area / (np.pi / 4 * width * height)
    inside = labels[y0 : y0 + height, x0 : x0 + width] == label
    part = probability[y0 : y0 + height, x0 : x0 + width].astype(np.float32)
    mean = float(part[inside].mean())
    if not 0.09 < radius / field_radius_px < 0.26 or fullness < 0.75 or mean < 0.7:
        return None
    y, x = np.nonzero(inside)
    return Disc((float(x.mean()) + x0, float(y.mean()) + y0), radius, mean)


def _unusual(field: Field, size: tuple[int, int]) -> Float[ndarray, "y x"]:
    """Penalty for places where photographs seldom have the disc."""
    y, x = np.ogrid[: size[0], : size[1]]
    beside = np.abs(x - field.center_px[0]) / field.radius_px
    above = np.abs(y - field.center_px[1]) / field.radius_px
    middle = 0.25 * np.clip((0.5 - beside) / 0.25, 0, 1)
    return np.asarray(middle + 1.5 * np.clip(above - 0.35, 0, None), np.float32)


def _relative(
    values: Float[ndarray, "y x"], mask: Bool[ndarray, "y x"]
) -> Float[ndarray, "y x"]:
    """Scale so that the field's median is 0 and its maximum 1."""
    median = np.median(values[mask])
    return (values - median) / max(float(values[mask].max() - median), 1e-6)


def _lead(score: Float[ndarray, "y x"], best: tuple[float, float], radius: float) -> float:
    """How far the best place leads the best elsewhere, 0 (no lead) to 1."""
    y, x = np.ogrid[: score.shape[0], : score.shape[1]]
    away = (x - best[0]) ** 2 + (y - best[1]) ** 2 > (0.3 * radius) ** 2
    second = float(np.max(score, where=away, initial=0.0))
    top = float(score[int(best[1]), int(best[0])])
    return float(np.clip((top - second) / max(top, 1e-6) * 2, 0, 1))


def _outline(view: View, start: tuple[float, float]) -> tuple[tuple[float, float], float]:
    """Centroid and radius of the disc whose edge is strongest around `start`."""
    radius = view.field.radius_px
    center, r = _best_circle(view.light, start, radius, reach=0.10, step=0.0125)
    center, r = _best_circle(view.light, center, radius, reach=0.02, step=0.005)
    for _ in range(2):
        center, r = _closed_path(view.light, center, r)
    return center, r


def _directions() -> tuple[Float[ndarray, " a"], Float[ndarray, " a"]]:
    angles = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _best_circle(
    light: Float[ndarray, "y x"],
    start: tuple[float, float],
    radius: float,
    *,
    reach: float,
    step: float,
) -> tuple[tuple[float, float], float]:
    """Circle with the greatest inward gradient (Daugman 1993), searched around `start`."""
    shifts = np.arange(-reach, reach + step / 2, step) * radius
    radii = np.arange(0.11, 0.2, max(step, 0.01)) * radius
    cos, sin = _directions()
    d = 0.012 * radius
    dy, dx = np.meshgrid(shifts, shifts, indexing="ij")
    cx, cy = (start[0] + dx).ravel(), (start[1] + dy).ravel()
    best, found = -np.inf, (start, DISC_RADIUS * radius)
    for r in radii:
        inner = _sample(light, cx[:, None] + (r - d) * cos, cy[:, None] + (r - d) * sin)
        outer = _sample(light, cx[:, None] + (r + d) * cos, cy[:, None] + (r + d) * sin)
        edge = np.clip(inner - outer, -0.1, 0.25).mean(axis=1)
        i = int(np.argmax(edge))
        if edge[i] > best:
            best, found = float(edge[i]), ((float(cx[i]), float(cy[i])), float(r))
    return found


def _closed_path(
    light: Float[ndarray, "y x"], center: tuple[float, float], r: float
) -> tuple[tuple[float, float], float]:
    """Refine a circle to the smooth closed outline of greatest inward gradient.

    Dynamic programming over polar coordinates; the radius may change by one step an angle.
    """
    cos, sin = _directions()
    radii = np.linspace(0.7 * r, 1.35 * r, 40)
    d = 0.06 * r
    x, y = center[0] + radii[:, None] * cos, center[1] + radii[:, None] * sin
    edge = _sample(light, x - d * cos, y - d * sin) - _sample(light, x + d * cos, y + d * sin)
    edge = np.clip(edge, -0.1, 0.3) - 0.15 * np.abs(radii / r - 1)[:, None]
    path = _best_cycle(edge)
    rho = radii[path]
    px, py = rho * cos, rho * sin
    nx, ny = np.roll(px, -1), np.roll(py, -1)
    cross = px * ny - nx * py
    area = cross.sum() / 2
    cx = ((px + nx) * cross).sum() / (6 * area)
    cy = ((py + ny) * cross).sum() / (6 * area)
    return (float(center[0] + cx), float(center[1] + cy)), float(np.sqrt(area / np.pi))


def _best_cycle(gain: Float[ndarray, "r a"]) -> ndarray:
    """Row per column of the greatest sum, neighbors at most one row apart, around the cycle."""
    rows, columns = gain.shape
    twice = np.concatenate([gain, gain], axis=1)  # the second round has forgotten its start
    total = np.full((rows + 2,), -np.inf)
    total[1:-1] = twice[:, 0]
    back = np.zeros((rows, 2 * columns), np.int64)
    for k in range(1, 2 * columns):
        options = np.stack([total[:-2], total[1:-1], total[2:]])
        choice = options.argmax(axis=0)
        back[:, k] = choice - 1
        total[1:-1] = options.max(axis=0) + twice[:, k]
    row = int(np.argmax(total[1:-1]))
    path = np.zeros(2 * columns, np.int64)
    for k in range(2 * columns - 1, -1, -1):
        path[k] = row
        row += back[row, k]
    half = columns // 2
    return np.roll(path[half : half + columns], half)


def _sample(
    image: Float[ndarray, "y x"], x: Float[ndarray, "..."], y: Float[ndarray, "..."]
) -> Float[ndarray, "..."]:
    """Bilinear values at (x, y), borders repeated."""
    flat = cv2.remap(
        image,
        np.atleast_2d(x).astype(np.float32),
        np.atleast_2d(y).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(flat).reshape(x.shape)
