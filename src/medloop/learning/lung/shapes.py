"""Nodules that are drawn: real outlines, of drawn density, put into real lung."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float16, Float32
from numpy import ndarray
from scipy import ndimage

from medloop.learning.lung.readings import ScanReadings
from medloop.learning.lung.truth import Frame, Marked, nodules

STEP_MM: Final = 0.75
_LEAST_MM, _MOST_MM = 2.5, 34.0  # diameters that are drawn
_MARGIN_MM: Final = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The outline of one nodule as readers agreed on it.

    `field` is their share, smoothed, on voxels of 0.75 mm: the outline is where it is 0.5.
    """

    field: Float16[ndarray, "k j i"]
    diameter_mm: float


def shapes_of(
    scans: Iterable[ScanReadings], *, without: Sequence[str] = (), most: int = 600
) -> tuple[Shape, ...]:
    """Collect the outlines of nodules, not those of the patients `without`."""
    out: list[Shape] = []
    for scan in scans:
        if scan.patient in without or not scan.readings:
            continue
        for marked in nodules(scan.readings, scan.pixel_mm, scan.slice_mm):
            shape = _shape(marked, scan)
            if shape is not None:
                out.append(shape)
            if len(out) == most:
                return tuple(out)
    return tuple(out)


def _shape(marked: Marked, scan: ScanReadings) -> Shape | None:
    contours, step = marked.contours, scan.step_mm
    points = np.concatenate([c.points for c in contours])
    more = int(np.ceil(_MARGIN_MM / scan.pixel_mm))
    low, high = points.min(axis=0) - more, points.max(axis=0) + more + 1
    z_mm = np.array([c.z_mm for c in contours])
    ends = int(np.ceil(_MARGIN_MM / step)) * step
    slices = np.arange(z_mm.min() - ends, z_mm.max() + ends + step / 2, step)
    frame = Frame(
        slices,
        (int(high[1] - low[1]), int(high[0] - low[0])),
        (int(low[1]), int(low[0])),
        scan.pixel_mm,
    )
    share = np.mean([frame.mask(r) for r in marked.readings], axis=0, dtype=np.float32)
    volume_mm3 = float((share >= 0.5).sum()) * step * scan.pixel_mm**2
    diameter_mm = float(np.cbrt(6 * volume_mm3 / np.pi))
    if not _LEAST_MM <= diameter_mm <= _MOST_MM:
        return None
    zoom = np.array([step, scan.pixel_mm, scan.pixel_mm]) / STEP_MM
    fine = ndimage.zoom(share, zoom, order=1)
    return Shape(ndimage.gaussian_filter(fine, 0.9).astype(np.float16), diameter_mm)


def draw_nodule(
    hu: Float32[ndarray, "z y x"],
    spacing_mm: Sequence[float],
    shape: Shape,
    center: Float[ndarray, " 3"],
    rng: np.random.Generator,
) -> None:
    """Put a nodule into a cube of lung, in place.

    Turned, mirrored and scaled at random; solid, part-solid, non-solid or calcified; its rim
    as blurred as the drawn field and the cube's voxels are.

    Parameters
    ----------
    hu, spacing_mm
        The cube in HU, and its voxels.
    shape, center
        What is drawn, and where: [k, j, i] in voxels of the cube.
    rng
        Draws everything else.
    """
    scale = float(rng.uniform(0.8, 1.2))
    turn = _rotation(rng) * rng.choice([-1.0, 1.0], 3) / scale
    matrix = turn * np.asarray(spacing_mm) / STEP_MM
    middle = (np.array(shape.field.shape) - 1) / 2
    share = ndimage.affine_transform(
        shape.field.astype(np.float32),
        matrix,
        offset=middle - matrix @ center,
        output_shape=hu.shape,
        order=1,
    )
    edge = float(rng.uniform(0.25, 0.45))  # of the share, on either side of the outline
    cover = np.clip((share - 0.5 + edge) / (2 * edge), 0, 1)
    density = _density(hu.shape, share, rng)
    np.copyto(hu, hu * (1 - cover) + np.maximum(density, hu) * cover)


def _density(
    size: tuple[int, ...], share: Float32[ndarray, "z y x"], rng: np.random.Generator
) -> Float32[ndarray, "z y x"]:
    """Draw HU of a nodule, a little uneven."""
    uneven = ndimage.gaussian_filter(rng.standard_normal(size, np.float32), 1.2) * 4
    kind = rng.choice(4, p=[0.66, 0.14, 0.14, 0.06])
    if kind == 0:
        return float(rng.uniform(-150, 90)) + 25 * uneven
    if kind == 3:
        return float(rng.uniform(150, 700)) + 40 * uneven
    ground = float(rng.uniform(-720, -380)) + 50 * uneven
    if kind == 1:
        return ground
    core = share > float(rng.uniform(0.75, 0.95))
    return np.where(core, float(rng.uniform(-150, 60)) + 25 * uneven, ground)


def _rotation(rng: np.random.Generator) -> Float[ndarray, "3 3"]:
    """Turn by any angle about the body's axis, up to 40 degrees about the others."""
    about = [rng.uniform(-np.pi, np.pi), *rng.uniform(-0.7, 0.7, 2)]
    turn = np.eye(3)
    for axis, angle in enumerate(about):
        a, b = (n for n in range(3) if n != axis)
        part = np.eye(3)
        part[a, a] = part[b, b] = np.cos(angle)
        part[a, b], part[b, a] = -np.sin(angle), np.sin(angle)
        turn = turn @ part
    return turn
