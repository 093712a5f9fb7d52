"""Cases and results of the retina analysis, composed from a phantom photograph's truth."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from medloop.clinical.retina.codes import (
    AREA_SHARE,
    CONCEPTS,
    COUNT,
    LABELS,
    QUADRANT_SITES,
    SEGMENTS,
)
from medloop.core.finding import Finding, Measurement, Provenance, Result, Weights
from medloop.core.image import HeatMap, LabelMap, Picture
from medloop.core.study import (
    Case,
    Content,
    Instance,
    Notice,
    Patient,
    Selection,
    Series,
    SeriesUid,
    SopUid,
    Study,
    StudyUid,
)
from tests.phantoms import LESION_KINDS, Fundus

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)

_PATIENT = Patient("WANG^XiaoDong=王^小东", "PID-0042", "19620714", "M")


def a_case(
    picture: Picture, *, patient: Patient = _PATIENT, side: str = "R", date: str = "20260312"
) -> Case:
    """Wrap a photograph as a study of one picture."""
    instance = Instance(SopUid("2.25.42"), "", Path("eye.jpg"), "ab" * 32)
    series = Series(
        SeriesUid("2.25.41"),
        "OP",
        "",
        Content.PICTURES,
        (instance,),
        "eye.jpg",
        laterality=side,
    )
    study = Study(StudyUid("2.25.40"), "eye", (series,), patient, date, accession="A-1001")
    return Case(study, Selection((series,)), (picture,))


def a_result(fundus: Fundus, *, icdr: int = 2, warnings: tuple[Notice, ...] = ()) -> Result:
    """Say of a phantom what a perfect analysis would, with a made-up but fixed confidence."""
    shares = [0.04] * 5
    shares[icdr] = 0.71
    shares[min(icdr + 1, 4) if icdr < 4 else 3] += 0.13
    return Result(
        provenance=Provenance(
            "retina",
            "0.1.0",
            (
                Weights("retina_grading", "1", "0123456789abcdef" * 4),
                Weights("retina_lesions", "1", "fedcba9876543210" * 4),
            ),
            (SopUid("2.25.42"),),
            "cafe" * 16,
            NOW,
        ),
        findings=_findings(fundus),
        assessments={
            "ICDR": icdr,
            "ICDR_probabilities": tuple(shares),
            "DME": 2,
            "DME_probabilities": (0.1, 0.22, 0.68),
            "CN1984": "III",
            "ETDRS_range": "43-47",
            "referable": icdr >= 2,
            "referable_probability": 0.91,
            "gradable": True,
            "disc_center_px": fundus.disc_center_px,
            "fovea_center_px": fundus.fovea_center_px,
        },
        labels=_labels(fundus),
        heat_maps=(_heat_map(fundus),),
        warnings=warnings,
    )


def with_assessments(result: Result, **changes: bool | float | str | None) -> Result:
    """Return the result with some assessments changed."""
    return replace(result, assessments={**result.assessments, **changes})


def _labels(fundus: Fundus) -> LabelMap:
    array = np.zeros(fundus.picture.size, np.uint8)
    for kind, mask in fundus.masks.items():
        array[mask] = LABELS[kind]
    return LabelMap(array, {int(n): SEGMENTS[int(n)] for n in np.unique(array) if n})


def _findings(fundus: Fundus) -> tuple[Finding, ...]:
    """One finding a kind and quadrant of the fovea; temporal is away from the disc."""
    x0, y0 = fundus.fovea_center_px
    nasal = np.sign(fundus.disc_center_px[0] - x0)
    counts: dict[tuple[str, str], list[float]] = {}
    for lesion in fundus.lesions:
        quadrant = "S" if lesion.y < y0 else "I"
        quadrant += "N" if np.sign(lesion.x - x0) == nasal else "T"
        counts.setdefault((lesion.kind, quadrant), []).append(lesion.radius)
    pixels = float(fundus.field.sum())
    return tuple(
        Finding(
            CONCEPTS[kind],
            site=QUADRANT_SITES[quadrant],
            measurements=(
                Measurement(COUNT, float(len(radii)), "1"),
                Measurement(AREA_SHARE, 100 * sum(np.pi * r**2 for r in radii) / pixels, "%"),
            ),
            segment=LABELS[kind],
        )
        for (kind, quadrant), radii in sorted(counts.items())
    )


def _heat_map(fundus: Fundus) -> HeatMap:
    found = np.zeros(fundus.picture.size, np.float32)
    for kind in LESION_KINDS:
        found[fundus.masks[kind]] = 1
    blurred = cv2.GaussianBlur(found, (0, 0), fundus.picture.size[0] / 14)
    array = (255 * blurred / max(blurred.max(), 1e-6)).astype(np.uint8)
    return HeatMap("grade", array, "class activation")
