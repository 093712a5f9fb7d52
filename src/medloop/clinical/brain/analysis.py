"""The hippocampus analysis: from a region of T1-weighted MR to measured, coded parts. Pure."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from medloop.clinical.answer import SegmentingNetwork, provenance_of, require_finite
from medloop.clinical.brain.codes import (
    BRAIN,
    CONCEPTS,
    EXPECTED,
    HIPPOCAMPUS,
    LABELS,
    PARTS,
    POSSIBLE,
    SEGMENTS,
    SURE,
    VOLUME,
)
from medloop.clinical.brain.notices import doubts, side_doubt
from medloop.clinical.brain.suitability import reason_against, require_region
from medloop.clinical.brain.volumes import Measured, measure, measure_parts
from medloop.core.errors import InputError, UnsuitableError
from medloop.core.finding import Assessment, Finding, Measurement, Provenance, Result, Weights
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Patch
from medloop.core.study import Case, Selection, Study
from medloop.imaging.shape import shape_of
from medloop.models.predict import Predictor, answered
from medloop.models.segment import (
    Prepared,
    labels_of,
    likely_patches,
    on_image,
    prepare,
    probabilities,
)
from medloop.models.segmentation_plan import VOLUMES, SegmentationPlan

# A hippocampus lies about 25 mm from the midline, and a scanner's x = 0 near it.
_NEAREST_MM: Final = 10.0
_FARTHEST_MM: Final = 60.0
_STATED: Final[Mapping[str, str]] = {"R": "right", "L": "left"}


@dataclass(frozen=True, slots=True, eq=False)
class HippocampusAnalysis:
    """Measure the anterior and posterior part of one hippocampus, one volume a run.

    `now` gives the time a result is finished (aware, UTC); `clock` counts seconds for timings.
    `build` makes one and checks that the network is of the right kind.
    """

    network: SegmentingNetwork
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.perf_counter

    @property
    def name(self) -> str:
        """Short name, as in ``--analysis hippocampus``."""
        return "hippocampus"

    def select(self, study: Study) -> Sequence[Selection]:
        """Choose every volume that may be T1-weighted MR, each for a run of its own.

        Raises
        ------
        UnsuitableError
            If the study has none; names the reasons.
        """
        reasons = {series.uid: reason_against(series) for series in study.series}
        chosen = [Selection((s,)) for s in study.series if not reasons[s.uid]]
        if not chosen:
            why = "; ".join(sorted(set(reasons.values()))) or "empty"
            raise UnsuitableError(f"no T1-weighted MR volume in the study: {why}")
        return tuple(chosen)

    def analyze(self, case: Case) -> Result:
        """Answer for one volume.

        Raises
        ------
        UnsuitableError
            If the volume is not the region around one hippocampus, or none is found in it.
        InputError
            If the network's answer is not finite.
        """
        started = self.clock()
        volume = require_region(case.images[0])
        plan, grid = self.network.plan, volume.grid
        prepared = prepare(volume.array[None], grid, plan)
        ready = self.clock()
        answer = probabilities(self.network.predictor, prepared, plan)
        require_finite(answer, self.network.identity)
        inferred = self.clock()
        labels, maps = _on_volume(answer, prepared, plan)
        parts = measure_parts(labels, maps, grid)
        whole = measure(labels > 0, sum(maps.values(), np.zeros(grid.shape, np.float32)), grid)
        if whole is None:
            raise UnsuitableError("no hippocampus found: no voxel of the volume is labelled")
        stated = _STATED.get(case.selection.series[0].laterality, "")
        seen = side_of(whole, grid)
        return Result(
            provenance=self._provenance(case),
            findings=_findings(whole, parts),
            assessments=_assess(whole, parts, stated, seen),
            labels=LabelMap(labels, SEGMENTS, grid),
            likely=_likely(answer, prepared, plan),
            warnings=(
                *side_doubt(stated, seen),
                *doubts(whole, parts, shape_of(labels > 0, grid)),
            ),
            timings_s={
                "prepare": ready - started,
                "infer": inferred - ready,
                "post": self.clock() - inferred,
            },
        )

    def _provenance(self, case: Case) -> Provenance:
        return provenance_of(
            case,
            analysis=self.name,
            weights=(answered(self.network.identity, self.network.predictor),),
            finished=self.now(),
        )


def build(
    predictor: Predictor,
    plan: SegmentationPlan,
    identity: Weights,
    *,
    now: Callable[[], datetime],
) -> HippocampusAnalysis:
    """Make the analysis of an opened bundle.

    Raises
    ------
    InputError
        If the network reads something else than one channel of volumes, or lacks a class
        "anterior" or "posterior".
    """
    named = tuple(name.lower() for name in plan.classes)
    fits = plan.frame == VOLUMES and len(plan.channels) == 1 and set(named) == set(PARTS)
    if not fits or len(named) != len(PARTS):
        raise InputError(
            f"bundle {identity.bundle} labels {', '.join(plan.classes)} from"
            f" {len(plan.channels)} channels of {plan.frame}; the analysis wants"
            f" {', '.join(PARTS)} from 1 channel of {VOLUMES}"
        )
    return HippocampusAnalysis(SegmentingNetwork(predictor, plan, identity), now)


def side_of(whole: Measured, grid: Grid) -> str:
    """Tell ``"right"`` or ``"left"`` by the place in the scanner, else ``"unknown"``.

    Only a frame of reference gives x = 0 a meaning (PS3.3 C.7.4.1): of a region that was cut
    out and stored elsewhere the origin is arbitrary.
    """
    x = whole.center_lps_mm[0]
    if grid.frame_of_reference is None or not _NEAREST_MM <= abs(x) <= _FARTHEST_MM:
        return "unknown"
    return "left" if x > 0 else "right"


def _on_volume(
    answer: Float32[ndarray, "n z y x"], prepared: Prepared, plan: SegmentationPlan
) -> tuple[UInt8[ndarray, "k j i"], Mapping[int, Float32[ndarray, "k j i"]]]:
    """Labels and probabilities on the voxels of the volume, in the order of `PARTS`."""
    own = {n: LABELS[name.lower()] for n, name in enumerate(plan.classes, start=1)}
    table = np.array([0, *(own[n] for n in sorted(own))], np.uint8)
    maps = {label: on_image(answer[n], prepared) for n, label in own.items()}
    return table[labels_of(answer, prepared)], dict(sorted(maps.items()))


def _likely(
    answer: Float32[ndarray, "n z y x"], prepared: Prepared, plan: SegmentationPlan
) -> Mapping[int, Patch]:
    """Probability of each part by its label, on the network's voxels."""
    rows = {LABELS[name.lower()]: n for n, name in enumerate(plan.classes, start=1)}
    return likely_patches(answer, prepared, dict(sorted(rows.items())))


def _findings(whole: Measured, parts: Mapping[int, Measured]) -> tuple[Finding, ...]:
    """Describe the whole, then its parts; only a part has a segment."""
    by_name = {name: parts[LABELS[name]] for name in PARTS if LABELS[name] in parts}
    return (
        Finding(
            HIPPOCAMPUS,
            BRAIN,
            _measurements(whole),
            probability=whole.probability,
            center_lps_mm=whole.center_lps_mm,
        ),
        *(
            Finding(
                CONCEPTS[name],
                HIPPOCAMPUS,
                _measurements(part),
                probability=part.probability,
                center_lps_mm=part.center_lps_mm,
                segment=LABELS[name],
            )
            for name, part in by_name.items()
        ),
    )


def _measurements(of: Measured) -> tuple[Measurement, ...]:
    values = (
        (VOLUME, of.volume_mm3),
        (EXPECTED, of.expected_mm3),
        (SURE, of.low_mm3),
        (POSSIBLE, of.high_mm3),
    )
    return tuple(Measurement(concept, value, "mm3") for concept, value in values)


def _assess(
    whole: Measured, parts: Mapping[int, Measured], stated: str, seen: str
) -> dict[str, Assessment]:
    """Volumes, how far they can move, and the side; a part that was not found has 0 mm3."""
    named = {"hippocampus": whole} | {n: parts.get(LABELS[n]) for n in PARTS}
    volumes = {f"{n}_mm3": each.volume_mm3 if each else 0.0 for n, each in named.items()}
    ranges = {
        f"{n}_range_mm3": (each.low_mm3, each.high_mm3) for n, each in named.items() if each
    }
    return {
        **volumes,
        "hippocampus_expected_mm3": whole.expected_mm3,
        **ranges,
        "side": stated or seen,
        "side_from": "header" if stated else "none" if seen == "unknown" else "position",
    }
