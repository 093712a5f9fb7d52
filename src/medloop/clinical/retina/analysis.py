"""The retina analysis: from one photograph to a graded, explained result. Pure."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray

import medloop
from medloop.clinical.answer import provenance_of, require_finite
from medloop.clinical.content import content_of
from medloop.clinical.retina.codes import LABELS
from medloop.clinical.retina.findings import (
    Lesion,
    Limit,
    Scene,
    count_lesions,
    describe,
    find_lesions,
    nearest_exudate_dd,
)
from medloop.clinical.retina.notices import disagreements, doubts
from medloop.clinical.retina.scales import (
    FOUR_CLASS_MAP,
    cn1984,
    etdrs_range,
    four_class,
    four_class_probabilities,
    is_referable,
)
from medloop.core.errors import UnsuitableError
from medloop.core.finding import Assessment, Provenance, Result, Weights
from medloop.core.image import HeatMap, Patch, Picture
from medloop.core.study import Case, Content, Selection, Study
from medloop.imaging.fundus import Field, find_field
from medloop.imaging.landmarks import Landmarks, find_landmarks
from medloop.imaging.likely import leveled, likely_patch
from medloop.imaging.quality import judge_quality
from medloop.imaging.suitability import (
    measure_traits,
    require_color,
    require_field,
    require_retina,
)
from medloop.imaging.vessels import View, open_view
from medloop.models.evidence import Outlined, evidence, fovea_of, opinion, outline
from medloop.models.plan import Plan
from medloop.models.predict import Predictor, answered
from medloop.models.retina import Grading, grade

PHOTOGRAPHIC = frozenset({"", "OP", "XC", "SC", "OT"})

Rgb = UInt8[ndarray, "y x 3"]
Opinion = Float[ndarray, " k"] | None
Grade = Callable[[Predictor, Rgb, Field, Plan, Opinion], Grading]
Outlining = Callable[[Predictor, Rgb, Field, Plan], Outlined]


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A bundle ready to answer: its predictor, its plan, and whom to blame.

    `forest` reads the grade off the lesions, where the bundle has one.
    """

    predictor: Predictor
    plan: Plan
    identity: Weights
    forest: Predictor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RetinaAnalysis:
    """Grade diabetic retinopathy on color fundus photographs, one photograph a run.

    `now` gives the time a result is finished (aware, UTC); `clock` counts seconds for timings;
    `four_classes` adds the four-class grade together with its class map.
    """

    grading: Network
    lesions: Network
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.perf_counter
    grade: Grade = grade
    outline: Outlining = outline
    four_classes: bool = False

    @property
    def name(self) -> str:
        """Short name, as in ``--analysis retina``."""
        return "retina"

    def select(self, study: Study) -> Sequence[Selection]:
        """Choose every photograph, each for a run of its own.

        Raises
        ------
        UnsuitableError
            If the study has none.
        """
        chosen = [
            Selection((replace(series, instances=(instance,)),))
            for series in study.series
            if series.content is Content.PICTURES and series.modality in PHOTOGRAPHIC
            for instance in series.instances
            if instance.frames > 0
        ]
        if not chosen:
            held = sorted({content_of(each) for each in study.series})
            raise UnsuitableError(f"no photograph in the study: {', '.join(held) or 'empty'}")
        return tuple(chosen)

    def analyze(self, case: Case) -> Result:
        """Answer for one photograph; an ungradable one is graded with a warning.

        Raises
        ------
        UnsuitableError
            If the picture is no color photograph of a retina.
        InputError
            If a network's answer is not finite.
        """
        started = self.clock()
        picture = _picture(case)
        rgb, field, view = _prepare(picture)
        prepared = self.clock()
        outlined = self.outline(self.lesions.predictor, rgb, field, self.lesions.plan)
        maps = outlined.on_picture()
        landmarks = find_landmarks(view, disc_map=maps.get("OD"))
        grading = self.grade(
            self.grading.predictor,
            rgb,
            field,
            self.grading.plan,
            self._opinion(outlined, landmarks),
        )
        require_finite(_values(grading), self.grading.identity)
        inferred = self.clock()
        scene = Scene(picture.size, field, landmarks, picture.spacing_mm)
        plan = self.lesions.plan
        limits = {
            name: Limit(threshold, peak)
            for name, threshold, peak in zip(
                plan.classes, plan.thresholds, plan.peaks or plan.thresholds, strict=True
            )
        }
        lesions, labels = find_lesions(maps, limits, scene)
        quality = judge_quality(rgb, field, landmarks=landmarks)
        warnings = (
            *quality.notices,
            *doubts(landmarks, stated=case.selection.series[0].laterality),
            *disagreements(
                grading.icdr,
                grading.dme,
                count_lesions(lesions),
                nearest_exudate_dd(lesions, scene),
                placed=landmarks.fovea is not None,
            ),
        )
        assessments = _assess(grading, lesions, landmarks, gradable=quality.gradable)
        if self.four_classes:
            assessments |= {
                "four_class": four_class(grading.icdr),
                "four_class_probabilities": _shares(
                    four_class_probabilities(grading.icdr_probabilities.tolist())
                ),
                "four_class_map": FOUR_CLASS_MAP,
            }
        findings = describe(lesions, scene)
        heat_map = _heat_map(grading)
        return Result(
            provenance=self._provenance(case),
            findings=findings,
            assessments=assessments,
            labels=labels,
            heat_maps=(heat_map,),
            likely=_likely(outlined, limits),
            warnings=warnings,
            timings_s={
                "prepare": prepared - started,
                "infer": inferred - prepared,
                "post": self.clock() - inferred,
            },
        )

    def _opinion(self, outlined: Outlined, landmarks: Landmarks) -> Opinion:
        """Ask the lesions for the grade, if the bundle does."""
        if self.grading.forest is None:
            return None
        return opinion(self.grading.forest, evidence(outlined, fovea_of(landmarks)))

    @property
    def _version(self) -> str:
        """Name the mode too: objects with other content need other UIDs."""
        return medloop.__version__ + ("+four.class" if self.four_classes else "")

    def _provenance(self, case: Case) -> Provenance:
        return provenance_of(
            case,
            analysis=self.name,
            version=self._version,
            weights=tuple(
                answered(each.identity, each.predictor) for each in (self.grading, self.lesions)
            ),
            finished=self.now(),
        )


def _picture(case: Case) -> Picture:
    picture = case.images[0]
    if not isinstance(picture, Picture):
        raise UnsuitableError("not a color fundus photograph: a volume")
    require_color(picture.array)
    return picture


def _prepare(picture: Picture) -> tuple[Rgb, Field, View]:
    """Bring to 8 bits, find the field, and refuse what is no retina."""
    rgb = _to_8_bit(picture.array)
    field = require_field(find_field(rgb))
    view = open_view(rgb, field)
    require_retina(measure_traits(view))
    return rgb, field, view


def _to_8_bit(array: Shaped[ndarray, "y x 3"]) -> Rgb:
    """Scale deeper pictures so that their brightest value is 255."""
    if array.dtype == np.uint8:
        return array
    top = max(float(array.max()), 1.0)
    return (array.astype(np.float32) * (255 / top)).astype(np.uint8)


def _values(grading: Grading) -> tuple[float, ...]:
    grades = (*grading.icdr_probabilities, *grading.dme_probabilities)
    return (*grades, grading.referable_probability)


def _assess(
    grading: Grading, lesions: Sequence[Lesion], landmarks: Landmarks, *, gradable: bool
) -> dict[str, Assessment]:
    """Put every scale beside the others, in the order reports show them."""
    counts = count_lesions(lesions)
    return {
        "ICDR": grading.icdr,
        "ICDR_probabilities": _shares(grading.icdr_probabilities),
        "DME": grading.dme,
        "DME_probabilities": _shares(grading.dme_probabilities),
        "CN1984": cn1984(counts),
        "ETDRS_range": etdrs_range(grading.icdr, counts),
        "referable": is_referable(grading.icdr, grading.dme),
        "referable_probability": round(float(grading.referable_probability), 6),
        "gradable": gradable,
        "disc_center_px": _place(landmarks.disc.center_px),
        "fovea_center_px": _place(landmarks.fovea.center_px) if landmarks.fovea else None,
    }


def _shares(probabilities: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(share), 6) for share in probabilities)


def _place(center_px: tuple[float, float]) -> tuple[float, ...]:
    return round(center_px[0], 2), round(center_px[1], 2)


def _likely(outlined: Outlined, limits: Mapping[str, Limit]) -> Mapping[int, Patch]:
    """Probability of each kind by its label, as fine as the network sees it.

    Scaled so that the level at which lesions of a kind are outlined is 0.5.
    """
    kept = {
        LABELS[name]: likely_patch(leveled(outlined.as_seen(name), limits[name].threshold))
        for name in outlined.plan.classes
        if name in LABELS
    }
    return {label: patch for label, patch in sorted(kept.items()) if patch is not None}


def _heat_map(grading: Grading) -> HeatMap:
    array = np.clip(grading.activation, 0, 1) * np.float32(255)
    return HeatMap(
        "grade",
        np.rint(array).astype(np.uint8),
        "class activation map",
        {"assessment": "ICDR", "value": grading.icdr},
    )
