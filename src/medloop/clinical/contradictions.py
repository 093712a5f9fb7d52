"""Where a reader's corrections contradict what stands beside them.

The reader's word stays. Each pair of values that depend on each other is a line of `PAIRS`; it
is told only where the reader stated one of the two.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from medloop.clinical.brain.codes import CONCEPTS, HIPPOCAMPUS, PARTS
from medloop.clinical.brain.codes import VOLUME as PART_VOLUME
from medloop.clinical.lung.codes import LONG_AXIS, MEAN_DIAMETER, SHORT_AXIS
from medloop.clinical.radiotherapy.codes import VOLUME as ORGAN_VOLUME
from medloop.clinical.report.reviewed import Judged, Reviewed, Verdict
from medloop.clinical.retina.lesions import lesion_counts, nearest_exudate
from medloop.clinical.retina.scales import (
    CN_TO_ICDR,
    dme_from_exudates,
    four_class,
    is_referable,
    least_icdr,
)
from medloop.core.code import Code
from medloop.core.finding import Result
from medloop.core.study import Notice

# What is counted of findings and outlines: nobody states it.
COUNTED: Final[Mapping[str, frozenset[str]]] = {
    "lung": frozenset({"nodules", "Lung-RADS_because"}),
    "head_neck": frozenset({"organs", "organs_to_review"}),
    "hippocampus": frozenset({"side_from"}),
}
OUTLINE_KEPT: Final = "reader-outline-kept"
_SAME_MM3: Final = 1.0  # of volumes: what rounding may make of one
_SIZES: Final[Mapping[str, tuple[Code, ...]]] = {
    "lung": (LONG_AXIS, SHORT_AXIS, MEAN_DIAMETER),
    "hippocampus": (PART_VOLUME,),
    "head_neck": (ORGAN_VOLUME,),
}


def contradictions(result: Result, reviewed: Reviewed, model: Result) -> tuple[Notice, ...]:
    """Say what of a corrected result contradicts what the reader stated."""
    found = [
        notice
        for check in PAIRS.get(result.provenance.analysis, ())
        for notice in check(result, reviewed, model)
    ]
    return (*found, *_outlines_kept(result, reviewed))


def _referable(result: Result, reviewed: Reviewed, _model: Result) -> Iterator[Notice]:
    """Compare referral with ICDR and macular edema."""
    held = result.assessments
    icdr, dme, now = (held.get(key) for key in ("ICDR", "DME", "referable"))
    if "referable" not in reviewed.assessed or not isinstance(now, bool):
        return
    if not isinstance(icdr, int) or not isinstance(dme, int) or is_referable(icdr, dme) is now:
        return
    values = (("icdr", icdr), ("dme", dme))
    grades = f"ICDR grade {icdr} with macular edema grade {dme}"
    if now:
        text = f"{grades} is not referable by rule; the reader set referable"
        yield Notice("contradiction-referable", text, values)
    else:
        text = f"{grades} is referable by rule; the reader set not referable"
        yield Notice("contradiction-not-referable", text, values)


def _four_class(result: Result, reviewed: Reviewed, _model: Result) -> Iterator[Notice]:
    """Compare the grade of four classes with ICDR, which it follows from."""
    icdr, four = (result.assessments.get(key) for key in ("ICDR", "four_class"))
    if "four_class" in reviewed.assessed and isinstance(icdr, int) and 0 <= icdr <= 4:
        wanted = four_class(icdr)
        if four != wanted:
            text = f"four-class grade {four} was set; ICDR grade {icdr} is {wanted} of them"
            values = (("four", str(four)), ("icdr", icdr), ("rule", wanted))
            yield Notice("contradiction-four-class", text, values)


def _lesions(result: Result, reviewed: Reviewed, _model: Result) -> Iterator[Notice]:
    """Compare grades that the reader stated with the lesions that are listed."""
    icdr, dme = (result.assessments.get(key) for key in ("ICDR", "DME"))
    least = least_icdr(lesion_counts(result))
    if "ICDR" in reviewed.assessed and isinstance(icdr, int) and icdr < least:
        text = (
            f"ICDR grade {icdr} was set; the lesions that are listed ask for {least} at least: "
            "reject those that are none, or grade again"
        )
        yield Notice("contradiction-lesions", text, (("icdr", icdr), ("least", least)))
    is_placed = result.assessments.get("fovea_center_px") is not None
    by_rule = dme_from_exudates(nearest_exudate(result)) if is_placed else 0
    if "DME" in reviewed.assessed and isinstance(dme, int) and dme < by_rule:
        text = (
            f"macular edema grade {dme} was set; the hard exudates that are listed ask for "
            f"{by_rule}: reject those that are none, or grade again"
        )
        yield Notice("contradiction-exudates", text, (("dme", dme), ("rule", by_rule)))


def _stage(result: Result, reviewed: Reviewed, _model: Result) -> Iterator[Notice]:
    """Compare ICDR with the stage of China's scale of 1984."""
    icdr, stage = result.assessments.get("ICDR"), str(result.assessments.get("CN1984"))
    if not {"ICDR", "CN1984"} <= reviewed.assessed or not isinstance(icdr, int):
        return
    if stage in CN_TO_ICDR and icdr not in CN_TO_ICDR[stage]:
        text = (
            f"ICDR grade {icdr} and stage {stage} of 1984 were set, which no eye has together"
        )
        yield Notice("contradiction-stage", text, (("icdr", icdr), ("stage", stage)))


def _ungradable(result: Result, reviewed: Reviewed, _model: Result) -> Iterator[Notice]:
    """Compare whether a photograph can be graded with its grades."""
    graded = sorted(reviewed.assessed & {"ICDR", "DME", "CN1984"})
    if (
        "gradable" in reviewed.assessed
        and result.assessments.get("gradable") is False
        and graded
    ):
        scales = ", ".join(graded)
        text = f"the photograph was set to be ungradable, and {scales} with it"
        yield Notice("contradiction-ungradable", text, (("scales", scales),))


def _landmarks(_result: Result, reviewed: Reviewed, _model: Result) -> Iterator[Notice]:
    """Compare disc and fovea with quadrants and distances of lesions."""
    if reviewed.assessed & {"disc_center_px", "fovea_center_px"}:
        text = "disc or fovea was moved; quadrants and distances of lesions are as before"
        yield Notice("contradiction-landmarks", text)


def _no_nodule(result: Result, reviewed: Reviewed, _model: Result) -> Iterator[Notice]:
    """Compare the study's category with the nodules that it is of."""
    category = result.assessments.get("Lung-RADS")
    is_stated = "Lung-RADS" in reviewed.assessed and category not in ("0", "1", "2")
    if is_stated and result.assessments.get("nodules") == 0:
        text = f"Lung-RADS {category} was set, and no nodule is listed: add it, or set 1"
        yield Notice("contradiction-no-nodule", text, (("category", str(category)),))


def _volumes(result: Result, reviewed: Reviewed, _model: Result) -> Iterator[Notice]:
    """Compare volumes as assessed with those of the findings."""
    concepts = {"hippocampus": HIPPOCAMPUS} | {name: CONCEPTS[name] for name in PARTS}
    found = {name: _volume(result, concept) for name, concept in concepts.items()}
    for name, volume in found.items():
        said = result.assessments.get(f"{name}_mm3")
        if f"{name}_mm3" not in reviewed.assessed or not isinstance(said, int | float):
            continue
        if volume is not None and abs(said - volume) > _SAME_MM3:
            text = f"{name} {said:.0f} mm3 was set; its finding measures {volume:.0f} mm3"
            values = (("name", name), ("now", round(said)), ("rule", round(volume)))
            yield Notice("contradiction-volume", text, values)


def _sum(result: Result, reviewed: Reviewed, _model: Result) -> Iterator[Notice]:
    """Compare the volume of the whole hippocampus with those of its parts."""
    parts = [_volume(result, CONCEPTS[name]) for name in PARTS]
    whole = _volume(result, HIPPOCAMPUS)
    known = [each for each in parts if each is not None]
    is_theirs = any(reviewed.is_described(each) for each in reviewed.kept)
    if not is_theirs or whole is None or len(known) < len(parts):
        return
    if abs(whole - sum(known)) > _SAME_MM3:
        text = f"the whole measures {whole:.0f} mm3, its parts together {sum(known):.0f} mm3"
        values = (("whole", round(whole)), ("parts", round(sum(known))))
        yield Notice("contradiction-sum", text, values)


def _side(result: Result, reviewed: Reviewed, model: Result) -> Iterator[Notice]:
    """Compare the side with what header or place in the scanner say."""
    now, was = (each.assessments.get("side") for each in (result, model))
    if "side" in reviewed.assessed and now != was and was in ("left", "right"):
        text = f"side {now} was set; header or place in the scanner say {was}"
        yield Notice("contradiction-side", text, (("now", str(now)), ("was", str(was))))


def _outlines_kept(result: Result, reviewed: Reviewed) -> Iterator[Notice]:
    """Compare sizes that the reader typed with outlines that nobody drew anew."""
    sizes = _SIZES.get(result.provenance.analysis, ())
    for number, judged in enumerate(reviewed.kept, start=1):
        is_left = judged.finding.segment is not None
        if (
            is_left
            and judged.finding.segment not in reviewed.drawn
            and _is_typed(judged, sizes)
        ):
            text = (
                f"sizes of finding {number} were typed; its outline is as the analysis drew it"
            )
            yield Notice(OUTLINE_KEPT, text, (("number", number),))


def _is_typed(judged: Judged, sizes: tuple[Code, ...]) -> bool:
    before = judged.before
    if judged.verdict is not Verdict.CHANGED or before is None:
        return False
    return any(judged.finding.measured(size) != before.measured(size) for size in sizes)


def _volume(result: Result, concept: Code) -> float | None:
    found = next((each for each in result.findings if each.concept == concept), None)
    return None if found is None else found.measured(PART_VOLUME)


Check = Callable[[Result, Reviewed, Result], Iterator[Notice]]
PAIRS: Final[Mapping[str, tuple[Check, ...]]] = {
    "retina": (_referable, _four_class, _lesions, _stage, _ungradable, _landmarks),
    "lung": (_no_nodule,),
    "hippocampus": (_volumes, _sum, _side),
}


def is_counted(analysis: str, name: str) -> bool:
    """Whether an assessment is counted of findings, so that nobody states it."""
    return name in COUNTED.get(analysis, ())
