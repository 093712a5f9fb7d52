"""What routes about readings do: begin, look, correct, draw, hand in; each noted in the log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fastapi import HTTPException

from medloop.annotation import masks
from medloop.annotation.checks import Scales, checked, segment_mistakes
from medloop.annotation.draft import Draft, mask_to_plain
from medloop.annotation.fields import Extent
from medloop.apps.web.context import Context
from medloop.apps.web.images import Desk, images_of
from medloop.apps.web.reading_access import own_reading, require_may_begin, seen_reading
from medloop.apps.web.security import Principal
from medloop.clinical.choices import choices_for, contradiction, settled_finding, uncountable
from medloop.clinical.report.language import Language
from medloop.core.edit import Action, Edit
from medloop.core.errors import InputError
from medloop.core.image import Segment
from medloop.core.plain import (
    Record,
    code_to_plain,
    finding_to_plain,
    segment_from_plain,
    segment_to_plain,
)
from medloop.core.study import Content
from medloop.store import Entry
from medloop.store.reading import Meaning, Purpose, Reading, ReadingState, StaleError
from medloop.workflow.lightbox import Shown
from medloop.workflow.reviewing import (
    Review,
    add_edit,
    mask_edit,
    model_labels,
    review_of,
)

_PLACED: Final = (Action.ADD, Action.CHANGE)
MOST_SEGMENTS: Final = 500


@dataclass(frozen=True, slots=True)
class Spent:
    """What a change took: seconds, clicks."""

    seconds: float
    clicks: int


@dataclass(frozen=True, slots=True)
class ReadingDesk:
    """Readings of one node, as whoever asks may see and change them."""

    context: Context
    images: Desk

    def begin(self, who: Principal, job: int, purpose: Purpose) -> Review:
        """Begin or resume one's own reading of a job: 404 without a result, 403 out of turn."""
        looked = self.images.look_up(job)
        store, now = self.context.store, self.context.now()
        mine = (who.name, purpose)
        if mine not in {(each.reader, each.purpose) for each in store.readings.of_job(job)}:
            require_may_begin(self.context, who, looked.job, purpose)
        details = {"job": str(job), "purpose": purpose.value}
        entry = Entry(now, who.name, "began reading", looked.study.uid, details)
        self.context.trail.saw(who.name, looked.study.uid)
        reading = store.readings.open(job, who.name, purpose, now=now, entry=entry)
        return review_of(store, reading)

    def look(self, who: Principal, number: int) -> Review:
        """Put a reading together that somebody may see: 404 if there is none, 403 blinded."""
        reading = seen_reading(self.context, who, number)
        self.context.trail.saw(who.name, reading.study)
        return review_of(self.context.store, reading)

    def own(self, who: Principal, number: int, expected: int) -> Review:
        """Put together what one will change: 409 if the page is behind, or it is in."""
        reading = own_reading(self.context, who, number)
        if reading.state is ReadingState.DONE and not self.has_final(reading):
            raise HTTPException(409, "the reading was handed in: it stays as it is")
        review = review_of(self.context.store, reading)
        if review.reading.number != expected:
            raise HTTPException(409, f"the reading is at edit {review.reading.number} by now")
        return review

    def correct(
        self, who: Principal, review: Review, edit: Edit, language: Language = Language.ENGLISH
    ) -> Review:
        """Keep an edit: 422 with all that is wrong with it, 409 if another was faster.

        Of sizes that follow from each other those stay which the edit changed.
        """
        extent = self._extent(review) if edit.action in _PLACED else Extent()
        scales = _scales(review.looked.job.analysis)
        try:
            full, draft = checked(review.draft, edit, extent, masks=review.masks, scales=scales)
        except InputError as error:
            raise HTTPException(422, str(error)) from error
        if edit.action is Action.ASSESS:
            said = uncountable(review.looked.job.analysis, edit.target, language)
            if said is not None:
                raise HTTPException(422, said)
        if edit.action in _PLACED:
            full = _sensible(review, full, draft, language)
        return self.keep(who, review, full)

    def draw(
        self, who: Principal, review: Review, data: bytes, *, named: str, spent: Spent
    ) -> Review:
        """Keep a label map: 422 if it does not fit the image; the same one twice is one edit.

        `named` is JSON: a list of what labels stand for that are new, or have a new name.
        """
        shown = self.images.shown(review.looked)
        try:
            segments = {**review.draft.segments, **_segments(named, review)}
            if shown.grid is None:
                labels = masks.decode_flat(data, shown.size_px[::-1], segments)
            else:
                labels = masks.decode(data, shown.grid, segments)
        except InputError as error:
            raise HTTPException(422, str(error)) from error
        edit = mask_edit(self.context.store, review, labels, segments, shown.grid)
        if edit.after == mask_to_plain(review.draft.mask, review.draft.segments):
            return review
        return self.keep(who, review, replace(edit, seconds=spent.seconds, clicks=spent.clicks))

    def mask(self, review: Review, *, of_model: bool) -> Path | bytes:
        """Return the label map that stands, or the model's, as pages take it."""
        store, draft = self.context.store, review.draft
        if draft.mask is not None and not of_model:
            return store.archive.checked(draft.mask)
        shown = self.images.shown(review.looked)
        if shown.grid is None:
            labels = model_labels(store, review.looked, None, shown.size_px[::-1])
            return masks.encode_flat(labels.array)
        return self._model_mask(review, shown)

    def hand_in(self, who: Principal, number: int) -> Review:
        """Say that one's own reading is done; a second time changes nothing."""
        reading = own_reading(self.context, who, number)
        now = self.context.now()
        details = {"reading": str(number), "edits": str(reading.number)}
        entry = Entry(now, who.name, "handed in reading", reading.study, details)
        store = self.context.store
        return review_of(store, store.readings.hand_in(number, now=now, entry=entry))

    def has_final(self, reading: Reading) -> bool:
        """Whether a final report of a reading was signed: an addendum may follow."""
        signed = self.context.store.readings.versions(reading.id)
        return any(version.meaning is Meaning.FINAL for version in signed)

    def keep(self, who: Principal, review: Review, edit: Edit) -> Review:
        """Keep an edit that fits, or 409 if another was faster."""
        expected, now = review.reading.number, self.context.now()
        try:
            return add_edit(
                self.context.store, review, edit, expected=expected, now=now, actor=who.name
            )
        except StaleError as error:
            raise HTTPException(409, str(error)) from error

    def _extent(self, review: Review) -> Extent:
        shown = self.images.shown(review.looked)
        return Extent(shown.grid, shown.size_px)

    def _model_mask(self, review: Review, shown: Shown) -> Path:
        """Turn the model's labels to the viewing grid once; they lie beside the image then."""
        assert shown.grid is not None, "asked of a volume"  # noqa: S101
        kept = review.looked.kept
        file = shown.file.with_name(f"labels-{kept.job}-{kept.kept:%Y%m%d%H%M%S%f}.nii.gz")
        if not file.is_file():
            labels = model_labels(self.context.store, review.looked, shown.grid)
            part = file.with_name(f".{file.name}.{id(labels)}.part")
            part.write_bytes(masks.encode(labels.array, shown.grid))
            part.replace(file)
        return file


def desk_of(context: Context) -> ReadingDesk:
    """Make the desk of a node."""
    return ReadingDesk(context, images_of(context))


def is_flat(review: Review) -> bool:
    """Whether a reading is about a picture."""
    return review.looked.selection.series[0].content is Content.PICTURES


def _sensible(review: Review, edit: Edit, draft: Draft, language: Language) -> Edit:
    """Return an edit of a finding with all that follows from it, or 422 what contradicts."""
    analysis, drafted = review.looked.job.analysis, draft.finding(edit.target)
    known = {each.key: each.finding for each in review.draft.findings}
    found, before = drafted.finding, known.get(edit.target)
    proposed = drafted.before.measurements if drafted.before else None
    if found.measurements == proposed:  # as it was: the analysis answers for that
        return edit
    said = contradiction(analysis, found, before, language)
    if said is not None:
        raise HTTPException(422, said)
    measured = settled_finding(analysis, found, before)
    if measured == found or not isinstance(edit.after, dict):
        return edit
    sizes = finding_to_plain(measured)["measurements"]
    return replace(edit, after={**edit.after, "measurements": sizes})


def _scales(analysis: str) -> Scales:
    scales = choices_for(analysis).scales
    return {scale.name: tuple(value for value, _ in scale.values) for scale in scales}


def _segments(named: str, review: Review) -> Mapping[int, Segment]:
    """Read what labels stand for; codes that are left out are those of the question.

    Raises
    ------
    InputError
        If the text is no list of segments.
    """
    if not named:
        return {}
    try:
        listed = json.loads(named)
    except (ValueError, RecursionError) as error:
        raise InputError("segments is no JSON") from error
    if not isinstance(listed, list) or len(listed) > MOST_SEGMENTS:
        raise InputError(f"segments is a list of at most {MOST_SEGMENTS}")
    choices = choices_for(review.looked.job.analysis)
    usual: Record = {
        "category": code_to_plain(choices.category),
        "concept": code_to_plain(choices.segment.code),
        "site": code_to_plain(choices.site) if choices.site else None,
    }
    found: dict[int, Segment] = {}
    for each in listed:
        if not isinstance(each, dict):
            raise InputError("a segment is an object with number, name and color")
        number = each.get("number")
        known = review.draft.segments.get(number) if isinstance(number, int) else None
        begun = usual if known is None else segment_to_plain(int(number or 0), known)
        full: Record = {**begun, **each}
        if mistakes := "; ".join(segment_mistakes(full)):
            raise InputError(mistakes)
        label, segment = segment_from_plain(full)
        found[label] = segment
    return found
