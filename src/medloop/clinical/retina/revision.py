"""What follows for a retina when a reader corrects lesions or grades."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from medloop.clinical.report.reviewed import Reviewed, Verdict
from medloop.clinical.retina.codes import FOVEA_DISTANCE
from medloop.clinical.retina.lesions import kind_of, lesion_counts, nearest_exudate
from medloop.clinical.retina.notices import disagreements
from medloop.clinical.retina.redrawn import rejected_lesions, without_quadrants
from medloop.clinical.retina.scales import (
    LesionCounts,
    cn1984,
    etdrs_range,
    four_class,
    is_referable,
)
from medloop.core.finding import Assessment, Result
from medloop.core.study import Notice

_GRADES: Final = ("ICDR", "DME")
_RULED: Final = frozenset({"grade_disagrees", "dme_disagrees"})


def revise_retina(corrected: Result, reviewed: Reviewed) -> Result:
    """Derive stage, range and referral again.

    A grade that the reader stated has no probabilities; the network's grade stays where the
    reader stated none, and is compared with the lesions as corrected.
    """
    held = dict(corrected.assessments)
    stated = reviewed.assessed
    counts = lesion_counts(corrected)
    icdr, dme = (_grade(held, scale) for scale in _GRADES)
    graded = stated & set(_GRADES)
    for scale in graded:
        held.pop(f"{scale}_probabilities", None)
    derived: dict[str, Assessment] = {"CN1984": cn1984(counts)}
    if icdr is not None:
        derived["ETDRS_range"] = etdrs_range(icdr, counts)
    if graded and icdr is not None and dme is not None:
        derived["referable"] = is_referable(icdr, dme)
    if "ICDR" in graded and icdr is not None and "four_class" in held:
        derived["four_class"] = four_class(icdr)
        held.pop("four_class_probabilities", None)
    held |= {scale: value for scale, value in derived.items() if scale not in stated}
    if graded or "referable" in stated:
        held.pop("referable_probability", None)
    kept = tuple(each for each in corrected.warnings if each.code not in _RULED)
    notices = _disagreements(corrected, counts, (icdr, dme), reviewed)
    labels = corrected.labels
    rejected = rejected_lesions(
        each.finding
        for each in reviewed.findings
        if each.verdict is Verdict.REJECTED and each.finding.segment not in reviewed.drawn
    )
    if labels is not None and rejected:
        labels = without_quadrants(corrected, labels, rejected)
    return replace(corrected, assessments=held, labels=labels, warnings=(*kept, *notices))


def _grade(held: Mapping[str, Assessment], scale: str) -> int | None:
    value = held.get(scale)
    is_grade = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 4
    return value if isinstance(value, int) and is_grade else None


def _disagreements(
    result: Result,
    counts: LesionCounts,
    grades: tuple[int | None, int | None],
    reviewed: Reviewed,
) -> tuple[Notice, ...]:
    """Compare the network's grades with the lesions; what the reader stated is not doubted."""
    icdr, dme = grades
    if icdr is None or dme is None:
        return ()
    found = disagreements(
        icdr,
        dme,
        counts,
        nearest_exudate(result),
        placed=result.assessments.get("fovea_center_px") is not None
        and not _has_unplaced_exudate(reviewed),
    )
    settled = {"ICDR": "grade_disagrees", "DME": "dme_disagrees"}
    silent = {settled[scale] for scale in reviewed.assessed & set(_GRADES)}
    return tuple(each for each in found if each.code not in silent)


def _has_unplaced_exudate(reviewed: Reviewed) -> bool:
    """Whether the reader added an exudate whose distance to the fovea nobody measured."""
    return any(
        each.verdict is Verdict.ADDED
        and kind_of(each.finding.concept) == "EX"
        and each.finding.measured(FOVEA_DISTANCE) is None
        for each in reviewed.kept
    )
