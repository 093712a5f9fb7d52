"""Lesions that a reader drew on a photograph, counted by kind and quadrant."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Bool
from numpy import ndarray
from scipy import ndimage

from medloop.clinical.retina.codes import (
    AREA,
    AREA_ESTIMATED,
    AREA_SHARE,
    CONCEPTS,
    COUNT,
    FOVEA_DISTANCE,
    LABELS,
    QUADRANT_SITES,
)
from medloop.clinical.retina.lesions import kind_of, quadrant_of
from medloop.clinical.retina.scales import QUADRANTS
from medloop.core.code import Code
from medloop.core.finding import Box, Finding, Measurement, Result
from medloop.core.image import LabelMap

_DISC_MM: Final = 1.8
_KINDS: Final = ("MA", "HE", "EX", "SE")
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Landmarks:
    fovea: tuple[float, ...]
    disc: tuple[float, ...]

    def quadrant(self, x: float, y: float) -> str:
        """Name the quadrant of a place, or nothing where the landmarks are not known."""
        if len(self.fovea) != 2 or len(self.disc) != 2:
            return ""
        nasal = (x > self.fovea[0]) == (self.disc[0] > self.fovea[0])
        return ("S" if y < self.fovea[1] else "I") + ("N" if nasal else "T")


def redrawn_lesions(result: Result, labels: LabelMap, drawn: Collection[int]) -> Result:
    """Put what is drawn in place of the findings of the same kinds.

    Each connected part is a lesion. Areas in mm2 and shares of the field are in the proportion
    of the findings that were there before; without one they are left out.
    """
    kinds = [kind for kind in _KINDS if LABELS[kind] in drawn]
    if not kinds or result.provenance.analysis != "retina":
        return result
    landmarks, scales = _landmarks(result), _scales(result)
    concepts = {CONCEPTS[kind] for kind in kinds}
    kept = [each for each in result.findings if each.concept not in concepts]
    made = [
        finding
        for kind in kinds
        for finding in _findings(kind, labels.array == LABELS[kind], landmarks, scales)
    ]
    order = {CONCEPTS[kind]: n for n, kind in enumerate(_KINDS)}
    findings = sorted((*kept, *made), key=lambda each: order.get(each.concept, len(order)))
    return replace(result, findings=tuple(findings))


def without_quadrants(
    result: Result,
    labels: LabelMap,
    rejected: Collection[tuple[str, str]],
    *,
    before: LabelMap | None = None,
) -> LabelMap:
    """Erase the lesions of some kinds and quadrants, each a pair (``"HE"``, ``"ST"``).

    Given what stood there `before`, lesions stay that a reader drew or drew on.
    """
    landmarks = _landmarks(result)
    array = labels.array.copy()
    for kind, quadrant in rejected:
        parts, count = ndimage.label(array == LABELS[kind], np.ones((3, 3), int))
        numbers = range(1, count + 1)
        centers = ndimage.center_of_mass(parts > 0, parts, numbers) if count else []
        added = () if before is None else parts[before.array != LABELS[kind]]
        theirs = {int(n) for n in np.unique(added)}
        gone = [
            n
            for n, (y, x) in zip(numbers, centers, strict=True)
            if n not in theirs and landmarks.quadrant(float(x), float(y)) == quadrant
        ]
        array[np.isin(parts, gone) & (parts > 0)] = 0
    return LabelMap(array, labels.segments, labels.grid)


def rejected_lesions(findings: Iterable[Finding]) -> frozenset[tuple[str, str]]:
    """Name kind and quadrant of findings, as `without_quadrants` wants them."""
    return frozenset(
        (kind, "" if (where := quadrant_of(each.site)) not in QUADRANTS else where)
        for each in findings
        if (kind := kind_of(each.concept)) is not None
    )


def _landmarks(result: Result) -> _Landmarks:
    held = result.assessments
    places = (held.get("fovea_center_px"), held.get("disc_center_px"))
    fovea, disc = (place if isinstance(place, tuple) else () for place in places)
    return _Landmarks(fovea, disc)


def _scales(result: Result) -> Mapping[_Key, float]:
    """Say by how much an area in pixels is multiplied for each other measure of area."""
    for finding in result.findings:
        pixels = _measured(finding, AREA, "{pixels}")
        if pixels:
            others = ((AREA_SHARE, "%"), (AREA, "mm2"), (AREA_ESTIMATED, "mm2"))
            return {
                (code.value, unit): value / pixels
                for code, unit in others
                if (value := _measured(finding, code, unit)) is not None
            }
    return {}


def _measured(finding: Finding, concept: Code, unit: str) -> float | None:
    found = (m.value for m in finding.measurements if m.concept == concept and m.unit == unit)
    return next(found, None)


def _findings(
    kind: str,
    mask: Bool[ndarray, "y x"],
    landmarks: _Landmarks,
    scales: Mapping[_Key, float],
) -> list[Finding]:
    parts, count = ndimage.label(mask, np.ones((3, 3), int))
    if not count:
        return []
    numbers = range(1, count + 1)
    centers = ndimage.center_of_mass(mask, parts, numbers)
    areas = np.bincount(parts.ravel())[1:]
    boxes = ndimage.find_objects(parts)
    groups: dict[str, list[int]] = {}
    for n, (y, x) in enumerate(centers):
        groups.setdefault(landmarks.quadrant(float(x), float(y)), []).append(n)
    out = []
    for quadrant, members in sorted(groups.items()):
        largest = max(members, key=lambda n: areas[n])
        rows, columns = zip(*(boxes[n] for n in members), strict=True)
        y, x = centers[largest]
        low = (float(min(s.start for s in columns)), float(min(s.start for s in rows)))
        high = (float(max(s.stop for s in columns) - 1), float(max(s.stop for s in rows) - 1))
        area = float(sum(areas[n] for n in members))
        near = [(centers[n][1], centers[n][0], float(areas[n])) for n in members]
        out.append(
            Finding(
                CONCEPTS[kind],
                QUADRANT_SITES.get(quadrant),
                (
                    Measurement(COUNT, float(len(members)), "1"),
                    *_areas(area, scales),
                    *(_distance(near, landmarks, scales) if kind == "EX" else ()),
                ),
                center_px=(float(x), float(y)),
                box=Box(low, high),
                segment=LABELS[kind],
            )
        )
    return out


def _areas(pixels: float, scales: Mapping[_Key, float]) -> tuple[Measurement, ...]:
    codes = ((AREA_SHARE, "%"), (AREA, "mm2"), (AREA_ESTIMATED, "mm2"))
    return (
        Measurement(AREA, pixels, "{pixels}"),
        *(
            Measurement(code, pixels * scales[code.value, unit], unit)
            for code, unit in codes
            if (code.value, unit) in scales
        ),
    )


def _distance(
    lesions: list[tuple[float, float, float]],
    landmarks: _Landmarks,
    scales: Mapping[_Key, float],
) -> tuple[Measurement, ...]:
    """Measure in disc diameters how near the nearest lies to the fovea, if both are known."""
    square = scales.get((AREA_ESTIMATED.value, "mm2"))
    if len(landmarks.fovea) != 2 or not square:
        return ()
    fx, fy = landmarks.fovea
    diameter_px = _DISC_MM / np.sqrt(square)
    nearest = min(np.hypot(x - fx, y - fy) - np.sqrt(area / np.pi) for x, y, area in lesions)
    return (
        Measurement(FOVEA_DISTANCE, float(max(nearest, 0.0) / diameter_px), "{disc_diameters}"),
    )
