"""What follows for a hippocampus when a reader corrects its outline or volumes."""

from dataclasses import replace

from medloop.clinical.brain.codes import CONCEPTS, HIPPOCAMPUS, PARTS, VOLUME
from medloop.clinical.brain.sentences import DOUBTS
from medloop.clinical.report.reviewed import Reviewed, Verdict
from medloop.core.code import Code
from medloop.core.finding import Finding, Measurement, Result


def revise_hippocampus(corrected: Result, reviewed: Reviewed) -> Result:
    """Let the whole be the sum of its parts, and assessments say what findings do.

    Ranges come from the network's probabilities: what the reader measured has none. Doubts
    about the network's outline are settled once the reader has drawn it. What was rejected is
    in no sum, and no assessment tells its volume.
    """
    corrected = _sided(corrected, reviewed)
    described = [each for each in reviewed.kept if reviewed.is_described(each)]
    if not described and not reviewed.drawn and not reviewed.count(Verdict.REJECTED):
        return corrected
    parts = {name: _volume(corrected, CONCEPTS[name]) for name in PARTS}
    is_whole = any(each.finding.concept == HIPPOCAMPUS for each in described)
    total = _volume(corrected, HIPPOCAMPUS) if is_whole else sum(parts.values())
    findings = tuple(
        _measuring(each, total) if each.concept == HIPPOCAMPUS and not is_whole else each
        for each in corrected.findings
    )
    held = {key: value for key, value in corrected.assessments.items() if "range" not in key}
    held.pop("hippocampus_expected_mm3", None)
    volumes = {"hippocampus_mm3": total} | {f"{name}_mm3": parts[name] for name in PARTS}
    there = {each.concept for each in corrected.findings}
    concepts = {f"{name}_mm3": CONCEPTS[name] for name in PARTS}
    concepts["hippocampus_mm3"] = HIPPOCAMPUS
    for key in volumes.keys() - reviewed.assessed:
        held.pop(key, None)
    held |= {
        key: value
        for key, value in volumes.items()
        if key not in reviewed.assessed and concepts[key] in there
    }
    kept = tuple(
        each for each in corrected.warnings if not reviewed.drawn or each.code not in DOUBTS
    )
    return replace(corrected, findings=findings, assessments=held, warnings=kept)


def _sided(corrected: Result, reviewed: Reviewed) -> Result:
    """Let a side that the reader stated be from nowhere else, and settle the doubt about it."""
    if "side" not in reviewed.assessed:
        return corrected
    held = {**corrected.assessments, "side_from": "reader"}
    kept = tuple(each for each in corrected.warnings if each.code != "hippocampus_side")
    return replace(corrected, assessments=held, warnings=kept)


def _volume(result: Result, concept: Code) -> float:
    found = next((each for each in result.findings if each.concept == concept), None)
    return (found.measured(VOLUME) or 0.0) if found else 0.0


def _measuring(finding: Finding, volume_mm3: float) -> Finding:
    return replace(
        finding, measurements=(Measurement(VOLUME, volume_mm3, "mm3"),), probability=None
    )
