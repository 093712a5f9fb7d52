"""What follows for organs at risk when a reader corrects, accepts or rejects outlines."""

from collections.abc import Mapping
from dataclasses import replace

from medloop.clinical.radiotherapy.codes import ORGANS
from medloop.clinical.report.reviewed import Reviewed, Verdict
from medloop.core.finding import Assessment, Result

_SETTLED = (Verdict.ACCEPTED, Verdict.CHANGED, Verdict.ADDED, Verdict.REJECTED)


def revise_head_neck(corrected: Result, reviewed: Reviewed) -> Result:
    """Count organs again; what the reader has looked at needs no second look any more."""
    looked_at = reviewed.drawn | {
        each.finding.segment
        for each in reviewed.findings
        if each.verdict in _SETTLED and each.finding.segment is not None
    }
    settled = {name for name, organ in ORGANS.items() if organ.label in looked_at}
    held: dict[str, Assessment] = dict(corrected.assessments)
    for name in settled:
        was = held.get(name)
        held[name] = {**(was if isinstance(was, Mapping) else {}), "review": "none"}
    present = {each.segment for each in corrected.findings}
    reviews = [held.get(name) for name in ORGANS]
    held["organs"] = sum(organ.label in present for organ in ORGANS.values())
    held["organs_to_review"] = sum(
        isinstance(each, Mapping) and each.get("review", "none") != "none" for each in reviews
    )
    kept = tuple(
        notice
        for notice in corrected.warnings
        if not (notice.code.startswith("oar-") and notice.code.partition("_")[2] in settled)
    )
    return replace(corrected, assessments=held, warnings=kept)
