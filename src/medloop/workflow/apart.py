"""Readings of one result beside each other, and what all readers said, for agreement."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Integer
from numpy import ndarray

from medloop.annotation import masks
from medloop.annotation.blinding import Panel, panel
from medloop.annotation.draft import Draft, draft_of
from medloop.annotation.matching import side_by_side
from medloop.annotation.pairs import DECIDED, MODEL, Seen, seen_of
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import Segment
from medloop.store import Store
from medloop.store.reading import Meaning, Reading, ReadingState
from medloop.workflow.lightbox import Shown
from medloop.workflow.reviewing import model_labels, model_segments
from medloop.workflow.scene import Looked, look_up

_LABELS: Final = 65536


def counted_draft(store: Store, looked: Looked, reading: Reading) -> Draft:
    """Play back what counts of a reading: all edits, or those before its final report.

    What a reader changes after the final report may be known from the others.
    """
    edits = store.readings.edits(reading.id)
    for version in store.readings.versions(reading.id):
        if version.meaning is Meaning.FINAL and version.edits is not None:
            edits = edits[: version.edits]
            break
    return draft_of(looked.recorded, edits, segments=model_segments(store, looked))


def drafts_of(store: Store, looked: Looked, readings: Panel) -> Mapping[str, Draft]:
    """Return what counts of each reading that is in, by reader in order; then who decided.

    The analysis' own is the last, under `MODEL`; an adjudication under `DECIDED`.
    """
    found = {
        each.reader: counted_draft(store, looked, each)
        for each in sorted(readings.handed_in, key=lambda each: each.reader)
    }
    if readings.decided is not None:
        found[DECIDED] = counted_draft(store, looked, readings.decided)
    found[MODEL] = draft_of(looked.recorded, segments=model_segments(store, looked))
    return found


def label_array(
    store: Store, looked: Looked, shown: Shown, mask: str | None
) -> Integer[ndarray, "*shape"]:
    """Return a label map by its SHA-256, or the analysis' own, on the voxels of the image.

    Raises
    ------
    InputError
        If it is gone or damaged.
    """
    height_width = shown.size_px[::-1]
    if mask is None:
        return model_labels(store, looked, shown.grid, height_width).array
    return _decoded(store.archive.read(mask), shown.grid, height_width)


def counts_of(
    one: Integer[ndarray, "*shape"],
    other: Integer[ndarray, "*shape"],
    segments: Mapping[int, Segment],
) -> Mapping[str, tuple[int, int]]:
    """Count for each segment twice the common voxels, and the voxels of both."""
    place = np.zeros(_LABELS, np.int64)  # labels that nobody knows count as background
    numbers = sorted(segments)
    place[numbers] = np.arange(1, len(numbers) + 1)
    count = len(numbers) + 1
    pairs = np.zeros(count * count, np.int64)
    for a, b in zip(_planes(one), _planes(other), strict=True):
        pairs += np.bincount((place[a] * count + place[b]).ravel(), minlength=count * count)
    table = pairs.reshape(count, count)
    return {
        segments[number].name: (2 * int(table[n, n]), int(table[n].sum() + table[:, n].sum()))
        for n, number in enumerate(numbers, start=1)
    }


@dataclass(frozen=True, slots=True)
class Compared:
    """One result whose readings are all in: `differences` counts what readers differ about."""

    job: int
    analysis: str
    readers: tuple[str, ...]
    differences: int
    is_decided: bool
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Awaited:
    """One result that some have read and others are still to read."""

    job: int
    analysis: str
    handed_in: int
    wanted: int


@dataclass(slots=True)
class Ledger:
    """What all readers said of all results, kept between requests; masks are compared once.

    `images` prepares the image of a result. Comparing stops when `budget_s` has passed, and
    `waiting` counts the results that are left for the next time.
    """

    store: Store
    wanted: Callable[[str], int]
    images: Callable[[Looked], Shown]
    budget_s: float = 4.0
    waiting: int = 0
    _kept: dict[int, tuple[object, Compared]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def compared(self) -> tuple[Compared, ...]:
        """List what was said of every result whose readings are in, oldest job first."""
        ends = time.monotonic() + self.budget_s
        found: list[Compared] = []
        with self._lock:
            self.waiting = 0
            for job, readings in sorted(self._panels().items()):
                if not _is_open(readings):
                    continue
                key = tuple((each.id, each.number, each.state) for each in readings.readings)
                kept = self._kept.get(job)
                if kept is None or kept[0] != key:
                    if time.monotonic() > ends:
                        self.waiting += 1
                        continue
                    kept = self._kept[job] = (key, self._compare(job, readings))
                found.append(kept[1])
        return tuple(found)

    def awaited(self) -> tuple[Awaited, ...]:
        """List results that are read apart and of which readings are missing."""
        return tuple(
            Awaited(job, each.readings[0].analysis, len(each.handed_in), each.wanted)
            for job, each in sorted(self._panels().items())
            if each.wanted > 1 and not each.is_complete
        )

    def _panels(self) -> Mapping[int, Panel]:
        by_job: dict[int, list[Reading]] = {}
        for reading in self.store.readings.all():
            by_job.setdefault(reading.job, []).append(reading)
        return {
            job: panel(readings, wanted=self.wanted(readings[0].analysis))
            for job, readings in by_job.items()
        }

    def _compare(self, job: int, readings: Panel) -> Compared:
        analysis = readings.readings[0].analysis
        is_decided = readings.decided is not None
        try:
            looked = look_up(self.store, job)
            drafts = drafts_of(self.store, looked, readings)
        except InputError:  # its study was let go
            return Compared(job, analysis, (), 0, is_decided, ())
        people = {name: each for name, each in drafts.items() if not name.startswith("*")}
        count = side_by_side(people).count if len(people) > 1 else 0
        seen = self._seen(looked, drafts)
        return Compared(job, analysis, tuple(people), count, is_decided, seen)

    def _seen(self, looked: Looked, drafts: Mapping[str, Draft]) -> tuple[Seen, ...]:
        shown: list[Shown] = []
        segments = {n: s for draft in drafts.values() for n, s in draft.segments.items()}

        def voxels(one: str | None, other: str | None) -> Mapping[str, tuple[int, int]]:
            if one is None and other is None:
                return {}
            if not shown:
                shown.append(self.images(looked))
            arrays = [label_array(self.store, looked, shown[0], mask) for mask in (one, other)]
            return counts_of(arrays[0], arrays[1], segments)

        job, analysis = looked.job.id, looked.job.analysis
        try:
            return tuple(seen_of(job, analysis, drafts, voxels))
        except InputError:  # a label map is damaged: the rest can still be compared
            return tuple(seen_of(job, analysis, drafts))


def _is_open(readings: Panel) -> bool:
    """Whether a result may be shown in figures: all are in, or nothing is kept apart."""
    if readings.wanted < 2:
        return any(each.state is ReadingState.DONE for each in readings.readings)
    return readings.is_complete


def _decoded(
    data: bytes, grid: Grid | None, size: tuple[int, int]
) -> Integer[ndarray, "*shape"]:
    known = range(1, _LABELS)
    if grid is None:
        return masks.decode_flat(data, size, known)
    return masks.decode(data, grid, known)


def _planes(array: Integer[ndarray, "*shape"]) -> Sequence[ndarray]:
    return list(array) if array.ndim == 3 else [array]
