"""A reader's work on a result, put together: the record, the edits, and the label map."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from jaxtyping import Integer
from numpy import ndarray

from medloop.annotation import masks
from medloop.annotation.draft import (
    Draft,
    applied,
    before,
    corrected,
    draft_of,
    mask_to_plain,
)
from medloop.core.edit import Action, Edit
from medloop.core.errors import InputError
from medloop.core.finding import Result
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Segment
from medloop.files.nifti import read_nifti
from medloop.store import Entry, Store
from medloop.store.reading import Reading, StaleError
from medloop.workflow.scene import Looked, look_up

LABELS = "labels.nii.gz"
SEGMENTATION = "seg.dcm"


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """A reading with what it is about, its edits, and what they come to."""

    reading: Reading
    looked: Looked
    edits: tuple[Edit, ...]
    draft: Draft

    @property
    def masks(self) -> frozenset[str]:
        """The label maps that this reading has had, by SHA-256."""
        found = (
            edit.after["sha256"]
            for edit in self.edits
            if edit.action is Action.MASK and isinstance(edit.after, dict)
        )
        return frozenset(each for each in found if isinstance(each, str))


def review_of(store: Store, reading: Reading) -> Review:
    """Put a reading together.

    Raises
    ------
    InputError
        If its result or study is gone, or an edit cannot be read.
    """
    looked = look_up(store, reading.job)
    edits = store.readings.edits(reading.id)
    draft = draft_of(looked.recorded, edits, segments=model_segments(store, looked))
    last = edits[-1].number if edits else 0
    return Review(replace(reading, number=last), looked, edits, draft)


def model_segments(store: Store, looked: Looked) -> Mapping[int, Segment]:
    """Say what the model's labels stand for: by the record, else by its segmentation."""
    if looked.recorded.segments is not None:
        return looked.recorded.segments
    if SEGMENTATION not in looked.kept.products:
        return {}
    from medloop.dicom.read_labels import read_segments  # noqa: PLC0415 - loads what reads DICOM

    return read_segments(store.results_folder / looked.kept.folder / SEGMENTATION)


def model_labels(
    store: Store, looked: Looked, grid: Grid | None, size: tuple[int, int] = (0, 0)
) -> LabelMap:
    """Return the model's label map: on a volume's `grid`, or a picture of (height, width).

    Where nothing was labeled it is empty.

    Raises
    ------
    InputError
        If what was kept is gone or does not lie on the grid.
    """
    segments = model_segments(store, looked)
    folder = store.results_folder / looked.kept.folder
    if grid is not None and LABELS in looked.kept.products:
        read = read_nifti(folder / LABELS)
        if read.array.shape != grid.shape:
            raise InputError(f"labels are {read.array.shape}, the volume {grid.shape}")
        is_small = read.array.dtype in (np.uint8, np.uint16)
        array = read.array if is_small else read.array.astype(np.uint16)
        return LabelMap(array, segments, grid)
    if SEGMENTATION in looked.kept.products:
        from medloop.dicom.read_labels import read_labels  # noqa: PLC0415 - as above

        found = read_labels(folder / SEGMENTATION, grid=grid)
        return LabelMap(found.array, {**found.segments, **segments}, grid)
    return LabelMap(np.zeros(size if grid is None else grid.shape, np.uint8), segments, grid)


def current_labels(
    store: Store, review: Review, grid: Grid | None, size: tuple[int, int] = (0, 0)
) -> LabelMap:
    """Return the reader's label map, the model's while they drew none; as `model_labels`."""
    draft = review.draft
    if draft.mask is None:
        found = model_labels(store, review.looked, grid, size)
        return LabelMap(found.array, {**found.segments, **draft.segments}, grid)
    data = store.archive.read(draft.mask)
    if grid is None:
        array = masks.decode_flat(data, size, draft.segments)
    else:
        array = masks.decode(data, grid, draft.segments)
    return LabelMap(array, draft.segments, grid)


def corrected_result(
    store: Store, review: Review, grid: Grid | None, size: tuple[int, int] = (0, 0)
) -> Result:
    """Return the result as the reader has corrected it, labels included.

    Raises
    ------
    InputError
        As `model_labels` does.
    """
    labels = current_labels(store, review, grid, size)
    result = review.looked.recorded.result
    return corrected(result, review.draft, labels if labels.segments else None)


def add_edit(
    store: Store, review: Review, edit: Edit, *, expected: int, now: datetime, actor: str
) -> Review:
    """Keep an edit that was checked, with what stood there before; returns the reading then.

    Raises
    ------
    StaleError
        If the reading has another last edit than the page knew.
    InputError
        If the edit does not fit, or the reading was handed in.
    """
    if review.reading.number != expected:
        raise StaleError(
            f"reading {review.reading.id} is at edit {review.reading.number}, "
            f"the page knows {expected}"
        )
    full = replace(
        edit, number=expected + 1, before=before(review.draft, edit.action, edit.target), at=now
    )
    draft = applied(review.draft, full)
    details = {
        "reading": str(review.reading.id),
        "edit": str(full.number),
        "what": f"{full.action} {full.target}".strip(),
        "seconds": f"{full.seconds:g}",
        "clicks": str(full.clicks),
    }
    entry = Entry(now, actor, "corrected", review.looked.study.uid, details)
    kept = store.readings.append(
        review.reading.id, full, expected=expected, now=now, entry=entry
    )
    reading = replace(review.reading, number=kept.number, changed=now)
    return Review(reading, review.looked, (*review.edits, kept), draft)


def mask_edit(
    store: Store,
    review: Review,
    labels: Integer[ndarray, "*shape"],
    segments: Mapping[int, Segment],
    grid: Grid | None,
) -> Edit:
    """Keep a label map in the archive, and return the edit that puts it in its place.

    Raises
    ------
    ServiceError
        If the archive cannot be written.
    """
    data = masks.encode_flat(labels) if grid is None else masks.encode(labels, grid)
    after = mask_to_plain(store.archive.put(data), segments)
    return Edit(0, Action.MASK, "", None, after, 0.0, 0, review.reading.opened)
