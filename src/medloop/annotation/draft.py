"""A result as a reader has corrected it so far: edits played back on the record.

A draft is a function of the record and the list of edits; nothing else is kept of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import numpy as np

from medloop.core.code import Code
from medloop.core.edit import Action, Edit
from medloop.core.errors import InputError
from medloop.core.finding import Assessment, Finding, Result
from medloop.core.image import LabelMap, Segment
from medloop.core.notice import Notice
from medloop.core.plain import (
    Plain,
    Record,
    assessment_from_plain,
    finding_from_plain,
    finding_to_plain,
    segment_from_plain,
    segment_to_plain,
    to_plain,
)
from medloop.core.record import Recorded

CORRECTED: Final = "corrected-by-reader"
PLACES: Final = ("center_lps_mm", "center_px", "box", "segment")  # a null takes one away
# Colors of segments that readers begin, one after the other (Okabe & Ito 2008).
_COLORS: Final = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167))
_ABNORMAL: Final = Code("SCT", "49755003", "Morphologically Altered Structure")


class FindingState(StrEnum):
    """What a reader has made of a finding."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CHANGED = "changed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Drafted:
    """A finding as it stands; `before` is what was proposed, where a reader changed it.

    `comment` is a remark of the reader, who may write one on any finding.
    """

    key: str
    state: FindingState
    finding: Finding
    before: Finding | None = None
    comment: str = ""

    @property
    def is_typed(self) -> bool:
        """Whether its sizes are those that a reader typed."""
        proposed = self.before.measurements if self.before else ()
        is_theirs = self.state in (FindingState.CHANGED, FindingState.ADDED)
        return is_theirs and self.finding.measurements not in ((), proposed)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a reading says by now.

    `mask` is the SHA-256 of the reader's label map, None while the model's stands; `segments`
    are what its labels stand for. `conclusion` is None while the generated text stands.
    `assessed` names the assessments that the reader has set. `number` is the last edit's;
    `seconds` and `clicks` are what all of them took. `rejected_in` holds, for each finding that
    is rejected, the label map that stood then: what was drawn later is none of it.
    """

    findings: tuple[Drafted, ...]
    assessments: Mapping[str, Assessment]
    segments: Mapping[int, Segment]
    mask: str | None = None
    conclusion: str | None = None
    assessed: frozenset[str] = frozenset()
    removed: tuple[Drafted, ...] = ()
    rejected_in: Mapping[str, str | None] = field(default_factory=dict)
    added: int = 0
    number: int = 0
    seconds: float = 0.0
    clicks: int = 0

    def count(self, label: int) -> int:
        """Count the findings that name a segment by its label."""
        return sum(each.finding.segment == label for each in self.findings)

    def finding(self, key: str) -> Drafted:
        """Look a finding up, or raise `InputError`."""
        for each in self.findings:
            if each.key == key:
                return each
        raise InputError(f"there is no finding {key}")

    @property
    def is_changed(self) -> bool:
        """Whether a reader has changed what the model says; accepting it changes nothing."""
        kept = (FindingState.PROPOSED, FindingState.ACCEPTED)
        return (
            any(each.state not in kept for each in self.findings)
            or self.mask is not None
            or bool(self.assessed)
        )


def draft_of(
    recorded: Recorded,
    edits: Sequence[Edit] = (),
    *,
    segments: Mapping[int, Segment] | None = None,
) -> Draft:
    """Play edits back on a record.

    `segments` are what the model's labels stand for, where the record does not say.

    Raises
    ------
    InputError
        If an edit does not fit what stands there when its turn comes.
    """
    result = recorded.result
    draft = Draft(
        findings=tuple(
            Drafted(str(n), FindingState.PROPOSED, finding)
            for n, finding in enumerate(result.findings, start=1)
        ),
        assessments=dict(result.assessments),
        segments=dict(recorded.segments or segments or {}),
    )
    for edit in edits:
        draft = applied(draft, edit)
    return draft


def applied(draft: Draft, edit: Edit) -> Draft:
    """Return a draft with one more edit.

    Raises
    ------
    InputError
        If the edit does not fit the draft.
    """
    try:
        edited = _STEPS[edit.action](draft, edit)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"edit {edit.number} cannot be read: {error}") from error
    return replace(
        edited,
        number=edit.number,
        seconds=draft.seconds + edit.seconds,
        clicks=draft.clicks + edit.clicks,
    )


def before(draft: Draft, action: Action, target: str) -> Plain:
    """Say what stands where an edit goes: what `Edit.before` keeps.

    Raises
    ------
    InputError
        If there is no such finding.
    """
    match action:
        case Action.ADD:
            return None
        case Action.MASK:
            return mask_to_plain(draft.mask, draft.segments)
        case Action.CONCLUDE:
            return draft.conclusion
        case Action.ASSESS:
            return to_plain(draft.assessments.get(target))
        case _:
            gone = {each.key: each for each in draft.removed}
            found = gone.get(target) or draft.finding(target)
            state = "removed" if target in gone else found.state.value
            said = {"comment": found.comment} if found.comment else {}
            return {"state": state, **finding_to_plain(found.finding), **said}


def mask_to_plain(sha256: str | None, segments: Mapping[int, Segment]) -> Record:
    """Describe a label map: what an edit of the mask holds."""
    return {
        "sha256": sha256,
        "segments": [segment_to_plain(n, segment) for n, segment in segments.items()],
    }


def key_for_added(draft: Draft) -> str:
    """Return the key that the next added finding gets; no key is used twice."""
    return f"a{draft.added + 1}"


def changed(finding: Finding, fields: Record) -> Finding:
    """Return a finding with some fields changed, in the words of the record.

    Raises
    ------
    KeyError, TypeError, ValueError
        If a field is of the wrong kind.
    """
    plain = finding_to_plain(finding) | fields
    return finding_from_plain(
        {key: value for key, value in plain.items() if value is not None or key not in PLACES}
    )


def segment_for(number: int, finding: Finding) -> Segment:
    """Describe a segment that a reader begins for a finding."""
    color = _COLORS[(number - 1) % len(_COLORS)]
    name = f"{finding.concept.meaning} {number}"
    return Segment(name[:64], _ABNORMAL, finding.concept, color, finding.site)


def corrected(result: Result, draft: Draft, labels: LabelMap | None = None) -> Result:
    """Return the result as the reader has corrected it.

    Rejected findings are left out, with segments that only they name; `labels` (the reader's,
    or the model's where they drew none) take the place of the result's. Of an untouched draft
    this is the result itself.
    """
    kept = tuple(each for each in draft.findings if each.state is not FindingState.REJECTED)
    shown = labels if labels is not None else result.labels
    if not draft.is_changed:
        return replace(result, labels=shown)
    named = {each.finding.segment for each in kept}
    rejected = (each for each in draft.findings if each.state is FindingState.REJECTED)
    gone = {
        each.finding.segment
        for each in rejected
        if each.finding.segment is not None and each.finding.segment not in named
    }
    counts = {
        "rejected": len(draft.findings) - len(kept),
        "changed": sum(each.state is FindingState.CHANGED for each in kept),
        "added": sum(each.state is FindingState.ADDED for each in kept),
    }
    said = ", ".join(f"{count} {what}" for what, count in counts.items())
    notice = Notice(
        CORRECTED, f"A reader has corrected this result: {said}.", (*counts.items(),)
    )
    return replace(
        result,
        findings=tuple(each.finding for each in kept),
        assessments=dict(draft.assessments),
        labels=_without(shown, gone) if shown is not None else None,
        warnings=(*result.warnings, notice),
    )


def _without(labels: LabelMap, numbers: set[int]) -> LabelMap:
    """Leave labels out."""
    out = [number for number in numbers if number in labels.segments]
    if not out:
        return labels
    array = labels.array.copy()
    for plane in array if array.ndim == 3 else array[None]:
        if plane.any():  # most slices of most masks are empty
            plane[np.isin(plane, out)] = 0
    left = {n: segment for n, segment in labels.segments.items() if n not in out}
    return LabelMap(array, left, labels.grid)


def _put(draft: Draft, finding: Drafted) -> Draft:
    """Put a finding where one of its key stands, and begin the segment that it names."""
    findings = tuple(finding if each.key == finding.key else each for each in draft.findings)
    return _with_segment(replace(draft, findings=findings), finding.finding)


def _with_segment(draft: Draft, finding: Finding) -> Draft:
    number = finding.segment
    if number is None or number in draft.segments:
        return draft
    segments = {**draft.segments, number: segment_for(number, finding)}
    return replace(draft, segments=dict(sorted(segments.items())))


def _accept(draft: Draft, edit: Edit) -> Draft:
    found = draft.finding(edit.target)
    if found.state is FindingState.ADDED:
        raise InputError(f"finding {found.key} was added: there is nothing to accept")
    state = FindingState.ACCEPTED if found.before is None else FindingState.CHANGED
    return _put(draft, replace(found, state=state))


def _reject(draft: Draft, edit: Edit) -> Draft:
    found = draft.finding(edit.target)
    if found.state is FindingState.ADDED:
        raise InputError(f"finding {found.key} was added: remove it")
    stood = {**draft.rejected_in, found.key: draft.mask}
    rejected = replace(found, state=FindingState.REJECTED)
    return _put(replace(draft, rejected_in=stood), rejected)


def _change(draft: Draft, edit: Edit) -> Draft:
    found = draft.finding(edit.target)
    fields = dict(_object(edit.after))
    comment = _comment(fields.pop("comment", found.comment))
    finding = changed(found.finding, fields)
    is_same = finding_to_plain(finding) == finding_to_plain(found.finding)
    if is_same or found.state is FindingState.ADDED:
        return _put(draft, replace(found, finding=finding, comment=comment))
    proposed, state = found.before or found.finding, FindingState.CHANGED
    return _put(draft, Drafted(found.key, state, finding, proposed, comment))


def _add(draft: Draft, edit: Edit) -> Draft:
    if edit.target != key_for_added(draft):
        raise InputError(f"the next added finding is {key_for_added(draft)}, not {edit.target}")
    fields = dict(_object(edit.after))
    comment = _comment(fields.pop("comment", ""))
    finding = finding_from_plain(fields)
    added = Drafted(edit.target, FindingState.ADDED, finding, comment=comment)
    longer = replace(draft, findings=(*draft.findings, added), added=draft.added + 1)
    return _with_segment(longer, finding)


def _remove(draft: Draft, edit: Edit) -> Draft:
    found = draft.finding(edit.target)
    if found.state is not FindingState.ADDED:
        raise InputError(f"finding {found.key} was proposed by the analysis: reject it")
    left = tuple(each for each in draft.findings if each.key != found.key)
    return replace(draft, findings=left, removed=(*draft.removed, found))


def _restore(draft: Draft, edit: Edit) -> Draft:
    back = next((each for each in draft.removed if each.key == edit.target), None)
    if back is not None:
        removed = tuple(each for each in draft.removed if each.key != edit.target)
        findings = tuple(sorted((*draft.findings, back), key=_order))
        return replace(draft, findings=findings, removed=removed)
    found = draft.finding(edit.target)
    if found.state is FindingState.ADDED:
        raise InputError(f"finding {found.key} was added: there is nothing to restore")
    proposed = found.before or found.finding
    return _put(draft, Drafted(found.key, FindingState.PROPOSED, proposed))


def _mask(draft: Draft, edit: Edit) -> Draft:
    after = _object(edit.after)
    sha256, listed = after["sha256"], after["segments"]
    if sha256 is not None and not isinstance(sha256, str):
        raise TypeError("sha256 is not text")
    if not isinstance(listed, list):
        raise TypeError("segments is not a list")
    segments = dict(segment_from_plain(_object(each)) for each in listed)
    return replace(draft, mask=sha256, segments=segments)


def _conclude(draft: Draft, edit: Edit) -> Draft:
    if edit.after is not None and not isinstance(edit.after, str):
        raise TypeError("a conclusion is text")
    return replace(draft, conclusion=edit.after)


def _assess(draft: Draft, edit: Edit) -> Draft:
    values = {**draft.assessments, edit.target: assessment_from_plain(edit.after)}
    return replace(draft, assessments=values, assessed=draft.assessed | {edit.target})


def _order(finding: Drafted) -> tuple[bool, int]:
    """Proposed findings come first, in the record's order; then the added ones."""
    is_added = finding.key.startswith("a")
    return is_added, int(finding.key.removeprefix("a"))


def _comment(plain: Plain) -> str:
    if not isinstance(plain, str):
        raise TypeError("a comment is text")
    return plain


def _object(plain: Plain) -> Record:
    if not isinstance(plain, dict):
        raise TypeError("an object belongs here")
    return plain


_STEPS: Final[Mapping[Action, Callable[[Draft, Edit], Draft]]] = {
    Action.ACCEPT: _accept,
    Action.REJECT: _reject,
    Action.CHANGE: _change,
    Action.ADD: _add,
    Action.REMOVE: _remove,
    Action.RESTORE: _restore,
    Action.MASK: _mask,
    Action.CONCLUDE: _conclude,
    Action.ASSESS: _assess,
}
