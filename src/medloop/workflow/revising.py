"""What a reading says: the model's result with the reader's edits, and all that follows.

Without its image a reading is told in milliseconds (`Revising.read`), except that a mask the
reader drew is measured first; what that gives is remembered. With the image it is complete
(`Revising.whole`): labels are the reader's, and pictures can be drawn.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from medloop.annotation import masks
from medloop.annotation.draft import Draft, Drafted, FindingState, corrected, draft_of
from medloop.clinical.remeasure import drawn_labels, remeasured, without_rejected
from medloop.clinical.report.reviewed import Judged, Reviewed, Verdict
from medloop.clinical.revision import revised
from medloop.core.attestation import Drawn
from medloop.core.edit import Action, Edit
from medloop.core.finding import Finding, Result
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Picture, Volume
from medloop.core.study import Case
from medloop.store import Store
from medloop.store.reading import Reading
from medloop.workflow.lightbox import lightbox_of
from medloop.workflow.ports import Archive
from medloop.workflow.reviewing import model_labels, model_segments
from medloop.workflow.scene import Looked, look_up

_REMEMBERED: Final = 64
_ANY: Final = range(1, 65_536)  # labels
_OF_PRINTING: Final = frozenset({"report_pdf_left_out"})
_ABOUT_FINDINGS: Final = frozenset(Action) - {Action.CONCLUDE}
_Key = tuple[int, str, tuple[Finding, ...], tuple[tuple[str, str | None], ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Revision:
    """A reading at one of its edits.

    `model` is what the analysis said, `result` what the reader makes of it. `case` has the
    pixels only where they were asked for. `numbers` leads from the draft's labels to those of
    `result`. `drawn` says of each of these who drew it, `described` which findings (from 1) the
    reader described. `edits` are those that it holds.
    """

    reading: Reading
    looked: Looked
    case: Case
    draft: Draft
    reviewed: Reviewed
    model: Result
    result: Result
    is_stale: bool
    drawn: Mapping[int, Drawn] = field(default_factory=dict)
    numbers: Mapping[int, int] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()

    @property
    def described(self) -> tuple[int, ...]:
        """Places of findings that are not as the analysis described them."""
        said = {_plain(each) for each in self.model.findings}
        return tuple(
            n
            for n, each in enumerate(self.result.findings, start=1)
            if _plain(each) not in said
        )


@dataclass(frozen=True, slots=True)
class _Measured:
    """What measuring a drawn mask gave: its labels, and findings as measured."""

    drawn: frozenset[int]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Revising:
    """Plays readings back; one a process, since it remembers what masks measured."""

    store: Store
    archive: Archive
    _known: dict[_Key, _Measured] = field(default_factory=dict)
    _models: dict[str, LabelMap] = field(default_factory=dict)  # of the folder asked for last
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, number: int, *, edits: int | None = None) -> Revision:
        """Tell what a reading says, after so many `edits` or all; without pixels and labels.

        Raises
        ------
        InputError
            If there is no such reading, or what it is of has gone.
        ServiceError
            If database or archive cannot be read now.
        """
        reading, looked, known = self._opened(number, edits)
        bare = Case(looked.study, looked.selection, (_nothing(),))
        draft = self._draft(looked, known)
        model = looked.recorded.result
        result = corrected(model, draft)
        drawn: frozenset[int] = frozenset()
        if draft.mask is not None:
            measured = self._measured(looked, draft, result)
            drawn, result = measured.drawn, replace(result, findings=measured.findings)
        reviewed = reviewed_of(draft, drawn)
        return Revision(
            reading=reading,
            looked=looked,
            case=bare,
            draft=draft,
            reviewed=reviewed,
            model=model,
            result=_told(revised(result, reviewed, model)),
            is_stale=is_stale(known),
            edits=tuple(known),
        )

    def whole(self, number: int, *, edits: int | None = None) -> Revision:
        """Tell what a reading says, with image and labels; raises as `read`."""
        reading, looked, known = self._opened(number, edits)
        case = self.archive.case(looked.study, looked.selection)
        image = case.images[0]
        grid = image.grid if isinstance(image, Volume) else None
        size = image.size if isinstance(image, Picture) else (0, 0)
        draft = self._draft(looked, known)
        before = _small(model_labels(self.store, looked, grid, size))
        now = before
        if draft.mask is not None:
            now = self._labels(draft, grid, size)
        model = looked.recorded.result
        result = corrected(model, draft, now if now.segments else None)
        drawn: frozenset[int] = frozenset()
        if draft.mask is not None:
            drawn = drawn_labels(now, before)
            left = self._left(result, draft, now, before)
            shown = _shown(result.labels, left, drawn)
            result = _measure(replace(result, labels=left), draft, drawn, shown)
        reviewed = reviewed_of(draft, drawn)
        ruled = revised(result, reviewed, model)
        numbers = _numbers(result, ruled)
        return Revision(
            reading=reading,
            looked=looked,
            case=case,
            draft=draft,
            reviewed=reviewed,
            model=replace(model, labels=before if before.segments else None),
            result=_told(ruled),
            is_stale=is_stale(known),
            drawn={numbers[n]: who for n, who in _drawn(drawn, before).items() if n in numbers},
            numbers=numbers,
            edits=tuple(known),
        )

    def _opened(self, number: int, edits: int | None) -> tuple[Reading, Looked, Sequence[Edit]]:
        reading = self.store.readings.get(number)
        known = self.store.readings.edits(number)
        return reading, look_up(self.store, reading.job), known[:edits]

    def _draft(self, looked: Looked, known: Sequence[Edit]) -> Draft:
        return draft_of(looked.recorded, known, segments=model_segments(self.store, looked))

    def _measured(self, looked: Looked, draft: Draft, result: Result) -> _Measured:
        """Measure what the reader drew, or remember it: a large mask takes a second or two."""
        key = (looked.job.id, draft.mask or "", result.findings, _stood(draft))
        with self._lock:
            if key in self._known:
                return self._known[key]
            grid, size = self._place(looked)
            before = self._before(looked, grid, size)
            now = self._labels(draft, grid, size)
            drawn = drawn_labels(now, before)
            left = self._left(result, draft, now, before)
            made = _measure(replace(result, labels=left), draft, drawn, None)
            while len(self._known) >= _REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[key] = _Measured(drawn, made.findings)
            return self._known[key]

    def _before(self, looked: Looked, grid: Grid | None, size: tuple[int, int]) -> LabelMap:
        """Read the model's labels, or remember them: a mask is saved again and again."""
        folder = looked.kept.folder
        if folder not in self._models:
            self._models.clear()
            self._models[folder] = _small(model_labels(self.store, looked, grid, size))
        return self._models[folder]

    def _place(self, looked: Looked) -> tuple[Grid | None, tuple[int, int]]:
        """Say on which voxels labels lie; an image that nobody looked at is prepared."""
        box = lightbox_of(self.store.root)
        shown = box.find(looked.study.uid, looked.selection)
        if shown is None:
            shown = box.prepare(self.archive.case(looked.study, looked.selection))
        if shown.grid is not None:
            return shown.grid, (0, 0)
        width, height = shown.size_px
        return None, (height, width)

    def _left(self, result: Result, draft: Draft, now: LabelMap, before: LabelMap) -> LabelMap:
        """Leave out of what was drawn what the reader has rejected of a photograph's lesions.

        Edits count in their order: what stood there when a finding was rejected goes with it,
        what was drawn later stays.
        """
        left = now
        if now.grid is not None:
            return left
        for key, mask in _stood(draft):
            stood = before
            if mask is not None:
                data = self.store.archive.read(mask)
                size = (now.array.shape[0], now.array.shape[1])
                stood = LabelMap(masks.decode_flat(data, size, _ANY), draft.segments)
            left = without_rejected(result, left, stood, [draft.finding(key).finding])
        return left

    def _labels(self, draft: Draft, grid: Grid | None, size: tuple[int, int]) -> LabelMap:
        data = self.store.archive.read(draft.mask or "")
        if grid is None:
            flat = masks.decode_flat(data, size, draft.segments)
            return LabelMap(flat, draft.segments)
        return LabelMap(masks.decode(data, grid, draft.segments), draft.segments, grid)


def reviewed_of(draft: Draft, drawn: frozenset[int] = frozenset()) -> Reviewed:
    """Tell clinical rooms what a draft holds."""
    return Reviewed(tuple(_judged(each) for each in draft.findings), draft.assessed, drawn)


def is_stale(edits: Sequence[Edit]) -> bool:
    """Whether findings changed since the reader last wrote a conclusion of their own."""
    last = max(
        (n for n, each in enumerate(edits) if each.action is Action.CONCLUDE), default=-1
    )
    if last < 0 or not edits[last].after:
        return False
    return any(each.action in _ABOUT_FINDINGS for each in edits[last + 1 :])


def _measure(
    result: Result, draft: Draft, drawn: frozenset[int], shown: LabelMap | None
) -> Result:
    """Measure findings of drawn labels, but for those whose sizes the reader typed."""
    kept = [each for each in draft.findings if each.state.value != Verdict.REJECTED]
    typed = {n for n, each in enumerate(kept) if each.is_typed}
    measured = remeasured(result, drawn)
    if result.labels is None or result.labels.grid is None:  # lesions are counted anew
        return replace(measured, labels=shown)
    findings = tuple(
        old if n in typed else new
        for n, (old, new) in enumerate(zip(result.findings, measured.findings, strict=True))
    )
    return replace(measured, findings=findings, labels=shown)


def _stood(draft: Draft) -> tuple[tuple[str, str | None], ...]:
    """Say which label map stood when each finding was rejected that still is."""
    return tuple(
        (each.key, draft.rejected_in.get(each.key))
        for each in draft.findings
        if each.state is FindingState.REJECTED
    )


def _shown(
    corrected: LabelMap | None, left: LabelMap, drawn: frozenset[int]
) -> LabelMap | None:
    """Return the labels of a corrected result; of a photograph, with all that was drawn.

    There a kind of lesion that was rejected everywhere may have been drawn anew.
    """
    if corrected is None or left.grid is not None:
        return corrected
    is_drawn = np.isin(left.array, sorted(drawn))
    rest = np.where(np.isin(corrected.array, sorted(drawn)), 0, corrected.array)
    array = np.where(is_drawn, left.array, rest).astype(left.array.dtype)
    anew = {int(n) for n in np.unique(left.array[is_drawn])}
    known = {**corrected.segments, **left.segments}
    segments = {n: known[n] for n in sorted(corrected.segments.keys() | anew)}
    return LabelMap(array, segments, None)


def _numbers(corrected: Result, ruled: Result) -> Mapping[int, int]:
    """Say which number each label has got by the rules, which number nodules anew."""
    found = {
        was.segment: now.segment
        for was, now in zip(corrected.findings, ruled.findings, strict=True)
        if was.segment is not None and now.segment is not None
    }
    if corrected.labels is None or ruled.labels is None:
        return found
    nameless = sorted(corrected.labels.segments.keys() - found.keys())
    rest = sorted(ruled.labels.segments.keys() - set(found.values()))
    return found | dict(zip(nameless, rest, strict=True))


def _drawn(drawn: frozenset[int], before: LabelMap) -> Mapping[int, Drawn]:
    """Tell apart what the reader mended from what they drew where nothing was."""
    there = masks.present(before.array)
    return {n: Drawn.SEMIAUTOMATIC if n in there else Drawn.MANUAL for n in sorted(drawn)}


def _judged(drafted: Drafted) -> Judged:
    verdict = Verdict(drafted.state.value)
    before, comment = drafted.before, drafted.comment
    return Judged(drafted.key, verdict, drafted.finding, before, comment)


def _told(result: Result) -> Result:
    """Leave out what is said about how the model's own report was printed."""
    kept = tuple(each for each in result.warnings if each.code not in _OF_PRINTING)
    return replace(result, warnings=kept)


def _small(labels: LabelMap) -> LabelMap:
    """Keep labels in bytes where they fit."""
    array = labels.array
    if array.dtype == np.uint8 or (array.size and int(array.max()) > 255):
        return labels
    return LabelMap(array.astype(np.uint8), labels.segments, labels.grid)


def _plain(finding: Finding) -> Finding:
    """Leave out what a finding is numbered and called by."""
    return replace(finding, segment=None, tracking=None)


def _nothing() -> Picture:
    return Picture(np.zeros((1, 1, 3), np.uint8))
