"""What follows for a chest CT when a reader corrects its nodules."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from medloop.clinical.lung import codes
from medloop.clinical.lung.comparison import Change, followed
from medloop.clinical.lung.fleischner import Risk, advise
from medloop.clinical.lung.lung_rads import ORDER, category_of
from medloop.clinical.lung.nodule import Axes, Course, Nodule, Place, Texture
from medloop.clinical.lung.notices import disagreement
from medloop.clinical.lung.phrases import OTHERS
from medloop.clinical.lung.sizes import is_resized, settled, size_of
from medloop.clinical.report.reviewed import Judged, Reviewed, Verdict
from medloop.core.finding import Assessment, Finding, Result
from medloop.core.image import LabelMap, Segment
from medloop.core.study import Notice

_BENIGN: Final = ("diffuse", "central")
_COURSES: Final[Mapping[str, Course]] = {
    Change.GROWN: Course.GROWING,
    Change.GROWN_SLOWLY: Course.SLOWLY_GROWING,
    Change.STABLE: Course.STABLE,
    Change.SHRUNK: Course.STABLE,
    Change.NEW: Course.NEW,
}
_NUMBERED: Final = frozenset({"lung-disagreement", "lung-volume-growth"})

Qualities = Mapping[str, str]


def revise_lung(corrected: Result, reviewed: Reviewed) -> Result:
    """Derive categories and advice again, and number the nodules from 1 on.

    A nodule's category, and what became of it since the study before, are derived again where
    the reader measured it. One without a size has no category, and a notice says so; what is no
    nodule has none and is not counted. The study's category is that of its worst nodule, unless
    the reader stated it.
    """
    kept = reviewed.kept
    findings = [_sized(f, each) for f, each in zip(corrected.findings, kept, strict=True)]
    told = [_qualities(corrected, each.key) for each in kept]
    for n, each in enumerate(kept):
        if findings[n].concept in OTHERS:
            told[n] = {}
        elif _is_measured(each, reviewed) or "Lung-RADS" not in told[n]:
            findings[n], said = followed(findings[n], told[n])
            told[n] = _categorized(findings[n], said)
    corrected = replace(corrected, findings=tuple(findings))
    labels, numbered = _renumbered(corrected)
    revised = replace(corrected, findings=numbered, labels=labels)
    held = _assessments(revised, told, reviewed)
    own = {each.key: n for n, each in enumerate(kept, start=1)}
    notices = (*_notices(corrected, own), *_doubts(numbered, told))
    return replace(revised, assessments=held, warnings=notices)


def _sized(finding: Finding, judged: Judged) -> Finding:
    """Let sizes that the reader typed govern the others."""
    is_theirs = judged.verdict in (Verdict.CHANGED, Verdict.ADDED)
    return settled(finding, judged.before) if is_theirs else finding


def _is_measured(judged: Judged, reviewed: Reviewed) -> bool:
    """Whether a size that stands there is the reader's."""
    if judged.finding.segment in reviewed.drawn or judged.verdict is Verdict.ADDED:
        return True
    return judged.verdict is Verdict.CHANGED and is_resized(judged.finding, judged.before)


def nodule_of(finding: Finding, told: Qualities) -> Nodule | None:
    """Return a nodule as the rules see it, from what a result says of it; None without size."""
    axes = size_of(finding)
    if axes is None:
        return None
    texture = _texture(told.get("texture", ""))
    solid_mm = finding.measured(codes.SOLID_MEAN)
    solid = axes if solid_mm is None else Axes(solid_mm, solid_mm)
    at_pleura = "yes" in (told.get("juxtapleural"), told.get("perifissural"))
    return Nodule(
        texture=texture,
        size=axes,
        solid=solid if texture is Texture.PART_SOLID else None,
        course=_COURSES.get(told.get("change", ""), Course.BASELINE),
        place=Place.JUXTAPLEURAL if at_pleura else Place.PARENCHYMA,
        is_benign=told.get("calcification") in _BENIGN or told.get("fat") == "yes",
        is_smooth=told.get("smooth") == "yes",
        is_suspicious=told.get("spiculated") == "yes",
        prior_category=told.get("prior_category", ""),
    )


def _texture(name: str) -> Texture:
    return Texture(name) if name in tuple(Texture) else Texture.SOLID


def _qualities(result: Result, key: str) -> dict[str, str]:
    held = result.assessments.get(f"nodule_{key}")
    return dict(held) if isinstance(held, Mapping) else {}


def _categorized(finding: Finding, told: Qualities) -> dict[str, str]:
    nodule = nodule_of(finding, told)
    if nodule is None:
        return {key: text for key, text in told.items() if key not in ("Lung-RADS", "because")}
    category = category_of(nodule)
    described = {"texture": nodule.texture.value, **told}
    return {"Lung-RADS": category.name, "because": category.because} | {
        key: text for key, text in described.items() if key not in ("Lung-RADS", "because")
    }


def _renumbered(result: Result) -> tuple[LabelMap | None, tuple[Finding, ...]]:
    """Let the label of each nodule be its number; labels that no nodule has come after."""
    numbers: dict[int, int] = {}
    findings = []
    for n, finding in enumerate(result.findings, start=1):
        if finding.segment is not None:
            numbers.setdefault(finding.segment, n)
            finding = replace(finding, segment=numbers[finding.segment])  # noqa: PLW2901
        findings.append(finding)
    labels = result.labels
    if labels is None:
        return None, tuple(findings)
    spare = len(findings)
    for label in sorted(labels.segments.keys() - numbers.keys()):
        spare += 1
        numbers[label] = spare
    if all(label == n for label, n in numbers.items()):
        return labels, tuple(findings)
    table = np.zeros(max(int(labels.array.max()), *numbers) + 1, np.uint16)
    for label, n in numbers.items():
        table[label] = n
    small = table.astype(np.uint8) if table.max() < 256 else table
    segments = {
        numbers[label]: _segment(labels.segments[label], numbers[label])
        for label in sorted(labels.segments, key=lambda each: numbers[each])
    }
    array = np.zeros(labels.array.shape, small.dtype)
    for plane, was in zip(array, labels.array, strict=True):
        if was.any():  # most slices have no nodule
            plane[:] = small[was]
    return LabelMap(array, segments, labels.grid), tuple(findings)


def _segment(segment: Segment, number: int) -> Segment:
    """Describe a segment by its new number; what is no nodule stays what it is."""
    if segment.concept not in OTHERS:
        return codes.segment_of(number)
    return replace(segment, name=f"{segment.concept.meaning} {number}"[:64])


def _assessments(
    result: Result, told: Sequence[Qualities], reviewed: Reviewed
) -> dict[str, Assessment]:
    held: dict[str, Assessment] = {
        key: value
        for key, value in result.assessments.items()
        if not key.startswith("nodule_")
        and (not key.startswith("Fleischner_") or key in reviewed.assessed)
    }
    ranked = [each["Lung-RADS"] for each in told if each.get("Lung-RADS") in ORDER]
    counted = {
        n: (finding, each)
        for n, (finding, each) in enumerate(zip(result.findings, told, strict=True), start=1)
        if finding.concept not in OTHERS
    }
    worst = max(ranked, key=ORDER.index, default="1" if not counted else "0")
    if "Lung-RADS" in reviewed.assessed:
        held["Lung-RADS_because"] = "stated by the reader"
    else:
        because = [each.get("because", "") for each in told if each.get("Lung-RADS") == worst]
        held |= {"Lung-RADS": worst, "Lung-RADS_because": next(iter(because), "no nodule")}
    held["nodules"] = len(counted)
    nodules = [nodule_of(finding, each) for finding, each in counted.values()]
    known = [nodule for nodule in nodules if nodule is not None]
    if "prior" not in held:
        advised = {f"Fleischner_{risk}": advise(known, risk).advice for risk in Risk}
        held |= {key: each for key, each in advised.items() if key not in reviewed.assessed}
    return held | {f"nodule_{n}": dict(each) for n, (_, each) in counted.items()}


def _notices(result: Result, own: Mapping[str, int]) -> tuple[Notice, ...]:
    """Leave out notices that name a nodule by a number which it no longer has."""
    same = {n for key, n in own.items() if key == str(n)}
    return tuple(
        each
        for each in result.warnings
        if each.code not in _NUMBERED
        or (each.code != "lung-disagreement" and dict(each.values).get("nodule") in same)
    )


def _doubts(findings: Sequence[Finding], told: Sequence[Qualities]) -> tuple[Notice, ...]:
    notices: list[Notice] = []
    for n, (finding, each) in enumerate(zip(findings, told, strict=True), start=1):
        suspicion, category = finding.measured(codes.SUSPICION), each.get("Lung-RADS", "")
        if suspicion is not None and category:
            notices += disagreement(n, suspicion, category)
        if not category and finding.concept not in OTHERS:
            text = f"Nodule {n} was not measured: Lung-RADS counts the others alone."
            notices.append(Notice("lung-unsized", text, (("nodule", n),)))
        is_part_solid = category and each.get("texture") == Texture.PART_SOLID
        if is_part_solid and finding.measured(codes.SOLID_MEAN) is None:
            text = f"The solid part of nodule {n} was not measured: all of it counts as solid."
            notices.append(Notice("lung-solid-unsized", text, (("nodule", n),)))
    return tuple(notices)
