"""The round field of a fundus photograph: where it is, and views of it that show more.

A fundus camera projects a disc of retina on a dark frame. Sensors and file formats cut the
disc above and below (45 degree cameras on 3:2 sensors), or cut the frame away. Everything
measured on a fundus photograph is measured in radii of that disc, because files rarely know
millimetres.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

WORKING_SIDE_PX = 512
_TRIALS = 300
_TOLERANCE = 0.012  # of the radius: distance at which an edge point still lies on the circle
_MIN_COVERED = 0.5  # of the lit part's box must be the circle's, else it is some other arc
_MIN_ROUND = 0.35  # of the edge points must lie on the circle, else there is no circle


@dataclass(frozen=True, slots=True)
class Field:
    """The field of view: a circle, and the part of it the picture shows.

    `center_px` is (x, y), 0-based pixel centers; the circle may reach beyond the picture. `box`
    is (x0, y0, x1, y1), half open. `roundness` is the share of the field's free edge (the edge
    that the picture's border does not cut) that lies on the circle; 0 where no free edge was
    seen and the circle is only the one around the picture.
    """

    center_px: tuple[float, float]
    radius_px: float
    box: tuple[int, int, int, int]
    roundness: float = 1.0

    def scaled(self, factor: float) -> "Field":
        """Return the same field on a picture resized by `factor`."""
        x, y = ((c + 0.5) * factor - 0.5 for c in self.center_px)
        x0, y0 = (int(np.floor(v * factor)) for v in self.box[:2])
        x1, y1 = (int(np.ceil(v * factor)) for v in self.box[2:])
        return Field((x, y), self.radius_px * factor, (x0, y0, x1, y1), self.roundness)

    def mask(self, size: tuple[int, int], *, shrink: float = 1.0) -> Bool[ndarray, "y x"]:
        """Draw the visible field on a picture of `size` (rows, columns); shrink the radius."""
        y, x = np.ogrid[: size[0], : size[1]]
        cx, cy = self.center_px
        inside = (x - cx) ** 2 + (y - cy) ** 2 <= (self.radius_px * shrink) ** 2
        x0, y0, x1, y1 = self.box
        visible = np.zeros(size, dtype=bool)
        visible[y0:y1, x0:x1] = True
        return np.asarray(inside & visible)


def shrink_to(rgb: UInt8[ndarray, "y x *c"], *, side_px: int) -> UInt8[ndarray, "v u *c"]:
    """Shrink by area averaging until the longer side is at most `side_px`; never enlarge."""
    factor = min(1.0, side_px / max(rgb.shape[:2]))
    if factor == 1.0:
        return rgb
    rows, columns = (max(1, round(n * factor)) for n in rgb.shape[:2])
    if factor < 0.25 and min(rows, columns) > 1:  # averaging some of the pixels is enough
        step = int(0.5 / factor)
        rgb = np.ascontiguousarray(rgb[step // 2 :: step, step // 2 :: step])
    small = cv2.resize(rgb, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def find_field(rgb: UInt8[ndarray, "y x 3"]) -> Field | None:
    """Find the lit disc: threshold, largest component, circle through its free edge.

    The circle is a consensus fit (RANSAC, then least squares on the points that agree), so
    cut edges, the registration notch and dark corners of the field do not pull it. A picture
    without a dark frame is all field: its circle is the one around the picture.

    Returns
    -------
    Field or None
        None if nothing is lit: less than a twentieth of the picture stands out of the dark.
    """
    small = shrink_to(rgb, side_px=WORKING_SIDE_PX)
    lit = _lit(small)
    if lit is None:
        return None
    rows, columns = lit.shape
    edge = _free_edge(lit)
    circle, roundness = _fit_circle(edge, max_radius=float(max(rows, columns)))
    extent = _extent(lit)
    if circle is None or _covered(extent, circle) < _MIN_COVERED:
        roundness = 0.0
        x0, y0, x1, y1 = extent
        center = ((x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2)
        circle = (*center, float(np.hypot(x1 - x0, y1 - y0)) / 2)
    return _on_picture(circle, extent, roundness, small=lit.shape, full=rgb.shape[:2])


def green_clahe(
    rgb: UInt8[ndarray, "y x 3"], *, clip: float = 2.0, tiles: int = 8
) -> UInt8[ndarray, "y x"]:
    """Return the green channel, where blood absorbs most, with contrast evened out.

    Contrast-limited adaptive histogram equalization (Zuiderveld 1994), `tiles` a side.
    """
    clahe = cv2.createCLAHE(clipLimit=clip, tileGridSize=(tiles, tiles))
    return np.asarray(clahe.apply(np.ascontiguousarray(rgb[..., 1])), dtype=np.uint8)


def flatten(
    channel: UInt8[ndarray, "y x"], field: Field, *, sigma: float = 0.12
) -> Float[ndarray, "y x"]:
    """Divide by the local background and subtract 1: +0.2 is a fifth brighter than around it.

    The background is a Gaussian mean of `sigma` field radii over the field alone (normalized
    convolution), so the dark frame does not darken the rim. 0 outside the field.
    """
    mask = field.mask(channel.shape[:2], shrink=0.985)
    weight = mask.astype(np.float32)
    values = channel.astype(np.float32) * weight
    background = blur(values, sigma_px=sigma * field.radius_px)
    background /= np.maximum(blur(weight, sigma_px=sigma * field.radius_px), 1e-3)
    flat = values / np.maximum(background, 4.0) - 1
    return np.where(mask, flat, 0.0).astype(np.float32)


def blur(image: Float[ndarray, "y x"], *, sigma_px: float) -> Float[ndarray, "y x"]:
    """Gaussian mean with borders mirrored; wide ones are computed on a shrunken copy."""
    factor = max(1, int(sigma_px / 6))
    if factor == 1:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), max(sigma_px, 0.1)))
    rows, columns = image.shape
    size = (-(-columns // factor), -(-rows // factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / factor)
    return np.asarray(cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR))


def _lit(small: UInt8[ndarray, "y x 3"]) -> Bool[ndarray, "y x"] | None:
    """Largest connected part that stands out of the dark, with holes filled."""
    bright = cv2.medianBlur(np.ascontiguousarray(small.max(axis=2)), 5)
    floor = float(np.percentile(bright, 1))
    threshold = np.clip(floor + 0.1 * (np.percentile(bright, 95) - floor), 14, 40)
    above = (bright > threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=4)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < 0.05 * above.size:
        return None
    part = (labels == largest).astype(np.uint8)
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(part), outlines, -1, 1, thickness=-1)
    return np.asarray(filled).astype(bool)


def _free_edge(lit: Bool[ndarray, "y x"]) -> Float[ndarray, "n 2"]:
    """Return the hull's edge points (x, y) that the picture's border does not cut."""
    rows, columns = lit.shape
    outlines, _ = cv2.findContours(
        lit.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    points = np.asarray(max(outlines, key=len)).reshape(-1, 2)
    x, y = points.T
    free = (x > 2) & (y > 2) & (x < columns - 3) & (y < rows - 3)
    points = points[free]
    step = max(1, len(points) // 500)
    return points[::step].astype(np.float64)


def _fit_circle(
    edge: Float[ndarray, "n 2"], *, max_radius: float
) -> tuple[tuple[float, float, float] | None, float]:
    """Circle (x, y, radius) most edge points agree on, and the share that agrees."""
    if len(edge) < 24:
        return None, 0.0
    draw = np.random.default_rng(0)  # fixed: the same picture always has the same field
    triples = edge[draw.integers(0, len(edge), (_TRIALS, 3))]
    centers, radii = _circumscribed(triples)
    usable = (radii > 0.2 * max_radius) & (radii < max_radius)
    centers, radii = centers[usable], radii[usable]
    if len(radii) == 0:
        return None, 0.0
    distance = np.linalg.norm(edge[None] - centers[:, None], axis=2)
    agree = np.abs(distance - radii[:, None]) < _TOLERANCE * radii[:, None]
    best = int(np.argmax(agree.sum(axis=1)))
    on_circle, circle = agree[best], (*centers[best], radii[best])
    for _ in range(3):
        circle = _least_squares_circle(edge[on_circle])
        off = np.abs(np.linalg.norm(edge - circle[:2], axis=1) - circle[2])
        on_circle = off < _TOLERANCE * circle[2]
        if on_circle.sum() < 12:
            return None, 0.0
    roundness = float(on_circle.mean())
    if roundness < _MIN_ROUND:
        return None, 0.0
    return (float(circle[0]), float(circle[1]), float(circle[2])), roundness


def _circumscribed(
    triples: Float[ndarray, "n 3 2"],
) -> tuple[Float[ndarray, "n 2"], Float[ndarray, " n"]]:
    """Centers and radii of the circles through three points each; infinite where collinear."""
    a, b, c = triples[:, 0], triples[:, 1], triples[:, 2]
    ab, ac = b - a, c - a
    cross = 2 * (ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0])
    cross = np.where(np.abs(cross) < 1e-6, 1e-12, cross)
    ab2, ac2 = (ab**2).sum(axis=1), (ac**2).sum(axis=1)
    ux = (ac[:, 1] * ab2 - ab[:, 1] * ac2) / cross
    uy = (ab[:, 0] * ac2 - ac[:, 0] * ab2) / cross
    return a + np.stack([ux, uy], axis=1), np.hypot(ux, uy)


def _least_squares_circle(points: Float[ndarray, "n 2"]) -> tuple[float, float, float]:
    """Algebraic circle fit (Kasa 1976): x, y, radius."""
    mean = points.mean(axis=0)
    x, y = (points - mean).T
    system = np.stack([x, y, np.ones_like(x)], axis=1)
    (p, q, r), *_ = np.linalg.lstsq(system, x**2 + y**2, rcond=None)
    radius = np.sqrt(max(r + (p**2 + q**2) / 4, 1e-9))
    return float(mean[0] + p / 2), float(mean[1] + q / 2), float(radius)


def _extent(lit: Bool[ndarray, "y x"]) -> tuple[int, int, int, int]:
    """Box (x0, y0, x1, y1) of the lit part, half open."""
    x = np.flatnonzero(lit.any(axis=0))
    y = np.flatnonzero(lit.any(axis=1))
    return int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1


def _covered(extent: tuple[int, int, int, int], circle: tuple[float, float, float]) -> float:
    """Share of a box that lies in the square around a circle."""
    x, y, radius = circle
    x0, y0, x1, y1 = extent
    width = max(0.0, min(x1, x + radius) - max(x0, x - radius))
    height = max(0.0, min(y1, y + radius) - max(y0, y - radius))
    return width * height / ((x1 - x0) * (y1 - y0))


def _on_picture(
    circle: tuple[float, float, float],
    extent: tuple[int, int, int, int],
    roundness: float,
    *,
    small: tuple[int, ...],
    full: tuple[int, ...],
) -> Field:
    """Carry circle and extent from the working copy to the pixels of the picture."""
    sy, sx = full[0] / small[0], full[1] / small[1]
    x, y, radius = (circle[0] + 0.5) * sx - 0.5, (circle[1] + 0.5) * sy - 0.5, circle[2] * sx
    # The lit part ends where the circle does, or earlier where something cuts it; a notch on
    # the rim or stray light beyond it does not count.
    x0 = max(round(extent[0] * sx), int(np.floor(x - radius)))
    y0 = max(round(extent[1] * sy), int(np.floor(y - radius)))
    x1 = min(round(extent[2] * sx), int(np.ceil(x + radius)) + 1, full[1])
    y1 = min(round(extent[3] * sy), int(np.ceil(y + radius)) + 1, full[0])
    return Field((x, y), radius, (x0, y0, x1, y1), roundness)
