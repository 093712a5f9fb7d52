"""The head and neck analysis: from a planning CT to outlined organs at risk. Pure."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from medloop.clinical.answer import SegmentingNetwork, provenance_of, require_finite
from medloop.clinical.radiotherapy import codes
from medloop.clinical.radiotherapy.atlas import load_atlas
from medloop.clinical.radiotherapy.codes import ORGANS
from medloop.clinical.radiotherapy.notices import doubts
from medloop.clinical.radiotherapy.organs import (
    Outlined,
    answer_twice,
    outline_organs,
)
from medloop.clinical.radiotherapy.suitability import (
    choose,
    is_unframed,
    remarks,
    require_head_and_neck,
)
from medloop.core.errors import InputError, UnsuitableError
from medloop.core.finding import Assessment, Finding, Measurement, Provenance, Result, Weights
from medloop.core.structure import RoiKind, Structure
from medloop.core.study import Case, Selection, Study
from medloop.imaging.hounsfield import check_hu
from medloop.models.predict import Predictor, answered
from medloop.models.segment import likely_patches, prepare
from medloop.models.segmentation_plan import VOLUMES, SegmentationPlan

LEAST_FOUND: Final = 2  # organs; fewer are chance findings somewhere else


@dataclass(frozen=True, slots=True, eq=False)
class HeadNeckAnalysis:
    """Outline organs at risk on the best planning CT of a study.

    `now` gives the time a result is finished (aware, UTC); `clock` counts seconds for timings.
    `build` makes one and checks that the network is of the right kind.
    """

    network: SegmentingNetwork
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.perf_counter

    @property
    def name(self) -> str:
        """Short name, as in ``--analysis head_neck``."""
        return "head_neck"

    def select(self, study: Study) -> Sequence[Selection]:
        """Choose the thinnest suitable axial CT; one run a study.

        Raises
        ------
        UnsuitableError
            If the study has none; names the reasons.
        """
        return (choose(study),)

    def analyze(self, case: Case) -> Result:
        """Answer for one CT.

        Raises
        ------
        UnsuitableError
            If the volume is no CT of head and neck, or none of the organs is found on it.
        InputError
            If the network's answer is not finite.
        """
        started = self.clock()
        volume, region = require_head_and_neck(case.images[0])
        plan, grid = self.network.plan, volume.grid
        prepared = prepare(volume.array[None], grid, plan)
        ready = self.clock()
        answers = answer_twice(self.network.predictor, prepared, region, plan, rows_of(plan))
        require_finite(answers.array, self.network.identity)
        inferred = self.clock()
        found, labels = outline_organs(answers, prepared, grid)
        if len(found) < LEAST_FOUND:
            raise UnsuitableError(
                f"{len(found)} of {len(ORGANS)} organs at risk found: no CT of head and neck"
            )
        reasons, notices = doubts(found, load_atlas())
        rows = {ORGANS[name].label: answers.rows[name] for name in found}
        series = case.selection.series[0]
        drawn = {} if is_unframed(series) else found
        return Result(
            provenance=self._provenance(case),
            findings=tuple(_finding(name, each) for name, each in found.items()),
            assessments=_assess(found, reasons),
            labels=labels,
            likely=likely_patches(answers.array, prepared, rows),
            structures=tuple(_structure(name, each) for name, each in drawn.items()),
            warnings=(
                *remarks(series, check_hu(volume)),
                *notices,
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
) -> HeadNeckAnalysis:
    """Make the analysis of an opened bundle.

    Raises
    ------
    InputError
        If the network reads something else than one channel of volumes, or has other classes
        than the seven organs, by name.
    """
    wanted = [organ.network for organ in ORGANS.values()]
    named = sorted(_plain(name) for name in plan.classes)
    if plan.frame != VOLUMES or len(plan.channels) != 1 or named != sorted(wanted):
        raise InputError(
            f"bundle {identity.bundle} labels {', '.join(plan.classes)} from"
            f" {len(plan.channels)} channels of {plan.frame}; the analysis wants"
            f" {', '.join(wanted)} from 1 channel of {VOLUMES}"
        )
    return HeadNeckAnalysis(SegmentingNetwork(predictor, plan, identity), now)


def rows_of(plan: SegmentationPlan) -> dict[str, int]:
    """Row of each organ in a network's answer, by its key in `ORGANS` and in that order."""
    rows = {_plain(name): row for row, name in enumerate(plan.classes, start=1)}
    return {key: rows[organ.network] for key, organ in ORGANS.items()}


def _plain(name: str) -> str:
    return name.lower().replace("_", " ").strip()


def _finding(name: str, each: Outlined) -> Finding:
    organ = ORGANS[name]
    values = (
        (codes.VOLUME, each.volume_mm3 / 1000, "cm3"),
        (codes.SURE, each.low_mm3 / 1000, "cm3"),
        (codes.POSSIBLE, each.high_mm3 / 1000, "cm3"),
        (codes.EXPECTED_DICE, each.expected_dice, "1"),
        (codes.MIRROR_DICE, each.mirror_dice, "1"),
    )
    return Finding(
        organ.concept,
        organ.site,
        tuple(Measurement(concept, round(value, 3), unit) for concept, value, unit in values),
        probability=round(each.probability, 4),
        center_lps_mm=each.center_lps_mm,
        segment=organ.label,
    )


def _structure(name: str, each: Outlined) -> Structure:
    organ = ORGANS[name]
    return Structure(
        number=organ.label,
        name=organ.tg263,
        contours=each.contours,
        color=organ.color,
        kind=RoiKind.ORGAN,
        concept=organ.concept,
        site=organ.side,
    )


def _assess(
    found: Mapping[str, Outlined], reasons: Mapping[str, tuple[str, ...]]
) -> dict[str, Assessment]:
    """How many organs were found, how many need a second look, and why, by organ."""
    out: dict[str, Assessment] = {
        "organs": len(found),
        "organs_to_review": sum(bool(why) for why in reasons.values()),
        "target_volumes": "not drawn",
    }
    for name, why in reasons.items():
        out[name] = {"name": ORGANS[name].tg263, "review": ", ".join(why) or "none"}
    return out
