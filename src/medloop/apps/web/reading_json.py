"""A reading as pages and programs are told it."""

from dataclasses import dataclass

from medloop.annotation.draft import Drafted
from medloop.clinical.naming import finding_name, segment_name
from medloop.clinical.report.language import Language
from medloop.core.plain import Plain, Record, finding_to_plain, segment_to_plain, to_plain
from medloop.store.reading import ReadingState, Version
from medloop.workflow.reviewing import Review


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: whether their role may correct, and whether they know what others say.

    Who is barred from a reading apart because they know does not go on with it.
    """

    name: str
    may_correct: bool
    is_barred: bool


def told(
    review: Review,
    language: Language,
    *,
    versions: tuple[Version, ...] = (),
    is_flat: bool = False,
    viewer: Viewer,
) -> Record:
    """Describe a reading; `viewer` is who asks, `is_flat` that it is about a picture."""
    reading, draft, looked = review.reading, review.draft, review.looked
    analysis = looked.job.analysis
    is_own = reading.reader == viewer.name
    has_final = any(version.meaning == "final" for version in versions)
    address = f"/api/readings/{reading.id}/mask.nii.gz"
    return {
        "id": reading.id,
        "job": reading.job,
        "study": str(looked.study.uid),
        "analysis": analysis,
        "reader": reading.reader,
        "purpose": reading.purpose.value,
        "state": reading.state.value,
        "is_own": is_own,
        "may_edit": (
            is_own
            and viewer.may_correct
            and not viewer.is_barred
            and (reading.state is ReadingState.OPEN or has_final)
        ),
        "is_barred": viewer.is_barred,
        "opened": reading.opened.isoformat(),
        "changed": reading.changed.isoformat(),
        "number": reading.number,
        "seconds": round(draft.seconds, 3),
        "clicks": draft.clicks,
        "findings": [_finding(each, analysis, language) for each in draft.findings],
        "added": draft.added,
        "removed": [each.key for each in draft.removed],
        "assessments": {name: to_plain(value) for name, value in draft.assessments.items()},
        "proposed": {
            name: to_plain(value)
            for name, value in looked.recorded.result.assessments.items()
            if name in draft.assessed
        },
        "segments": [
            {**segment_to_plain(n, segment), "label": segment_name(segment.name, language)}
            for n, segment in draft.segments.items()
        ],
        "mask": {
            "sha256": draft.mask,
            "url": f"{address}?v={draft.mask or 'model'}",
            "kind": "png" if is_flat else "nifti",
        },
        "conclusion": draft.conclusion,
        "versions": [_version(each) for each in versions],
    }


def _finding(each: Drafted, analysis: str, language: Language) -> Record:
    plain: Record = {
        "key": each.key,
        "state": each.state.value,
        "label": finding_name(each.finding, analysis, language),
        **finding_to_plain(each.finding),
    }
    if each.comment:
        plain["comment"] = each.comment
    if each.before is not None:
        said = finding_name(each.before, analysis, language)
        plain["before"] = {"label": said, **finding_to_plain(each.before)}
    return plain


def _version(version: Version) -> Plain:
    return {
        "number": version.number,
        "meaning": version.meaning.value,
        "signer": version.signer,
        "at": version.at.isoformat(),
        "language": version.language,
        "conclusion": version.conclusion,
        "edits": version.edits,
    }
