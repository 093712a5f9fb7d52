"""From lesion maps to what a report says: lesions, labels, findings by quadrant.

Quadrants lie about the fovea: superior is up in the picture, nasal the side of the optic disc.
Lesions are found at a working width (the network's own is no finer); only the labels
are carried back to the pixels of the picture, once.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from medloop.clinical.retina.codes import (
    AREA,
    AREA_ESTIMATED,
    AREA_SHARE,
    CONCEPTS,
    COUNT,
    FOVEA_DISTANCE,
    LABELS,
    QUADRANT_SITES,
    SEGMENTS,
)
from medloop.clinical.retina.scales import LesionCounts
from medloop.core.finding import Box, Finding, Measurement
from medloop.core.image import LabelMap
from medloop.imaging.components import Parts, find_parts
from medloop.imaging.fundus import Field
from medloop.imaging.landmarks import Landmarks

WORKING_WIDTH_PX = 1200
DISC_MM = 1.8
_DISC_LIMITS_MM = (1.0, 3.0)  # no human disc is smaller or larger
KINDS = ("MA", "HE", "EX", "SE")
_PAINT_ORDER = ("SE", "HE", "EX", "MA")  # small ones last, so that large ones do not hide them
_MIN_AREA_PX = {"MA": 2, "HE": 4, "EX": 2, "SE": 8}  # at the working width
_NOT_ON_DISC = frozenset({"EX", "SE"})  # the disc's own brightness is taken for these


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion; places, box and area on the picture's pixels.

    `quadrant` is ST, SN, IT, IN, or empty where the fovea is not known.
    """

    kind: str
    center_px: tuple[float, float]
    box: tuple[int, int, int, int]
    area_px: float
    probability: float
    quadrant: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A pixel from `threshold` on is part of a lesion; the surest must reach `peak`."""

    threshold: float
    peak: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What places and sizes lesions: the field, the landmarks, the pixels of the picture."""

    size: tuple[int, int]
    field: Field
    landmarks: Landmarks
    spacing_mm: tuple[float, float] | None = None

    @property
    def retinal_spacing_mm(self) -> tuple[float, float] | None:
        """The picture's spacing, if it can be the retina's, not that of a screen or film."""
        if self.spacing_mm is None:
            return None
        low, high = _DISC_LIMITS_MM
        is_retinal = all(
            low <= self.disc_diameter_px * each <= high for each in self.spacing_mm
        )
        return self.spacing_mm if is_retinal else None

    @property
    def disc_diameter_px(self) -> float:
        """The unit of distances on a retina."""
        return 2 * self.landmarks.disc.radius_px

    def quadrant(self, x: float, y: float) -> str:
        """Name the quadrant of a place, or nothing where the fovea is not known."""
        fovea = self.landmarks.fovea
        if fovea is None:
            return ""
        fx, fy = fovea.center_px
        nasal = (x > fx) == (self.landmarks.disc.center_px[0] > fx)
        return ("S" if y < fy else "I") + ("N" if nasal else "T")


def find_lesions(
    maps: Mapping[str, Float[ndarray, "y x"]], limits: Mapping[str, Limit], scene: Scene
) -> tuple[tuple[Lesion, ...], LabelMap]:
    """Find the lesions of each kind, and label them and the disc on the picture's pixels."""
    step = max(1, -(-scene.size[1] // WORKING_WIDTH_PX))
    rows, columns = (-(-n // step) for n in scene.size)
    canvas = np.zeros((rows, columns), np.uint8)
    _paint_disc(canvas, scene, step)
    lesions: list[Lesion] = []
    for kind in _PAINT_ORDER:
        if kind in maps:
            small = _sample(maps[kind], step, (rows, columns))
            parts = find_parts(
                small, threshold=limits[kind].threshold, min_area_px=_MIN_AREA_PX[kind]
            )
            sure = np.flatnonzero(parts.peak >= limits[kind].peak)
            kept = [int(n) for n in sure if _counts(kind, parts, int(n), canvas)]
            lesions.extend(_lesion(kind, parts, n, scene, step) for n in kept)
            chosen = np.zeros(len(parts.area_px) + 1, bool)
            chosen[np.asarray(kept, np.intp) + 1] = True
            canvas[chosen[parts.labels]] = LABELS[kind]
    full = canvas.repeat(step, axis=0).repeat(step, axis=1)[: scene.size[0], : scene.size[1]]
    # a kind that lies wholly under others has no pixel, but findings that speak of its segment
    known = {int(n) for n in np.unique(canvas) if n} | {LABELS[each.kind] for each in lesions}
    present = {n: SEGMENTS[n] for n in sorted(known)}
    return tuple(lesions), LabelMap(np.ascontiguousarray(full), present)


def count_lesions(lesions: Sequence[Lesion]) -> LesionCounts:
    """Count by kind and quadrant."""
    counts: dict[str, dict[str, int]] = {}
    for (kind, quadrant), number in Counter((e.kind, e.quadrant) for e in lesions).items():
        counts.setdefault(kind, {})[quadrant] = number
    return LesionCounts(counts)


def nearest_exudate_dd(lesions: Sequence[Lesion], scene: Scene) -> float | None:
    """Distance in disc diameters from the fovea to the nearest hard exudate, if both are known.

    To the exudate's center less the radius of the circle of its area.
    """
    fovea = scene.landmarks.fovea
    if fovea is None:
        return None
    fx, fy = fovea.center_px
    distances = [
        np.hypot(e.center_px[0] - fx, e.center_px[1] - fy) - np.sqrt(e.area_px / np.pi)
        for e in lesions
        if e.kind == "EX"
    ]
    return float(max(min(distances), 0.0) / scene.disc_diameter_px) if distances else None


def describe(lesions: Sequence[Lesion], scene: Scene) -> tuple[Finding, ...]:
    """Make one finding a kind and quadrant: number, area, place of the largest, probability.

    At most 20, however many lesions; none for what is absent. Totals are the sums of these.
    """
    field_px = _field_px(scene)
    groups: dict[tuple[str, str], list[Lesion]] = {}
    for lesion in lesions:
        groups.setdefault((lesion.kind, lesion.quadrant), []).append(lesion)
    order = {kind: n for n, kind in enumerate(KINDS)}
    keys = sorted(groups, key=lambda key: (order[key[0]], key[1]))
    return tuple(_finding(groups[key], scene, field_px) for key in keys)


def _field_px(scene: Scene) -> float:
    """Area of the visible field on the picture's pixels, counted at the working width."""
    step = max(1, -(-scene.size[1] // WORKING_WIDTH_PX))
    size = (-(-scene.size[0] // step), -(-scene.size[1] // step))
    return float(scene.field.scaled(1 / step).mask(size).sum() * step**2)


def _finding(group: Sequence[Lesion], scene: Scene, field_px: float) -> Finding:
    kind, quadrant = group[0].kind, group[0].quadrant
    largest = max(group, key=lambda each: each.area_px)
    area_px = sum(each.area_px for each in group)
    boxes = np.array([each.box for each in group])
    x0, y0 = boxes[:, :2].min(axis=0)
    x1, y1 = boxes[:, 2:].max(axis=0)
    return Finding(
        concept=CONCEPTS[kind],
        site=QUADRANT_SITES.get(quadrant),
        measurements=(
            Measurement(COUNT, float(len(group)), "1"),
            *_areas(area_px, scene, field_px),
            *_distance(group, scene),
        ),
        probability=max(each.probability for each in group),
        center_px=largest.center_px,
        box=Box((float(x0), float(y0)), (float(x1 - 1), float(y1 - 1))),
        segment=LABELS[kind],
    )


def _areas(area_px: float, scene: Scene, field_px: float) -> tuple[Measurement, ...]:
    spacing_mm = scene.retinal_spacing_mm
    if spacing_mm is not None:
        square, concept = spacing_mm[0] * spacing_mm[1], AREA
    else:
        square, concept = (DISC_MM / scene.disc_diameter_px) ** 2, AREA_ESTIMATED
    return (
        Measurement(AREA, area_px, "{pixels}"),
        Measurement(AREA_SHARE, 100 * area_px / max(field_px, 1.0), "%"),
        Measurement(concept, area_px * square, "mm2"),
    )


def _distance(group: Sequence[Lesion], scene: Scene) -> tuple[Measurement, ...]:
    nearest = nearest_exudate_dd(group, scene)
    if nearest is None:
        return ()
    return (Measurement(FOVEA_DISTANCE, nearest, "{disc_diameters}"),)


def _sample(
    probability: Float[ndarray, "y x"], step: int, size: tuple[int, int]
) -> Float[ndarray, "v u"]:
    """Take the middle pixel of each block; the maps were enlarged from coarser ones."""
    small = np.zeros(size, np.float32)
    taken = probability[step // 2 :: step, step // 2 :: step]
    small[: taken.shape[0], : taken.shape[1]] = taken
    return small


def _paint_disc(canvas: UInt8[ndarray, "v u"], scene: Scene, step: int) -> None:
    """Draw the disc into `canvas`."""
    disc = scene.landmarks.disc
    x, y = ((c + 0.5) / step - 0.5 for c in disc.center_px)
    place, radius = (round(x), round(y)), max(1, round(disc.radius_px / step))
    cv2.circle(canvas, place, radius, LABELS["OD"], thickness=-1)


def _counts(kind: str, parts: Parts, n: int, canvas: UInt8[ndarray, "v u"]) -> bool:
    """Whether a part is a lesion: bright parts lying mostly on the disc are the disc."""
    if kind not in _NOT_ON_DISC:
        return True
    x0, y0, x1, y1 = parts.box[n]
    part = parts.labels[y0:y1, x0:x1] == n + 1
    on_disc = (canvas[y0:y1, x0:x1] == LABELS["OD"]) & part
    return bool(on_disc.sum() * 2 <= part.sum())


def _lesion(kind: str, parts: Parts, n: int, scene: Scene, step: int) -> Lesion:
    x, y = ((c + 0.5) * step - 0.5 for c in parts.center_px[n])
    x0, y0, x1, y1 = (int(v) * step for v in parts.box[n])
    return Lesion(
        kind,
        (float(x), float(y)),
        (x0, y0, min(x1, scene.size[1]), min(y1, scene.size[0])),
        float(parts.area_px[n] * step**2),
        float(parts.mean[n]),
        scene.quadrant(float(x), float(y)),
    )
