"""Objects that several readers drew, in one label map: each keeps its voxels.

Readers who add objects number them alike, so that what one calls 3 is another object than what
the next calls 3. What is taken over gets a number that nothing else has, and findings with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Integer
from numpy import ndarray

from medloop.annotation.draft import Draft, Drafted
from medloop.annotation.matching import counterpart, is_there, side_by_side
from medloop.core.errors import InputError
from medloop.core.image import Segment

_MINE: Final = "mine"
_THEIRS: Final = "theirs"
Labels = Integer[ndarray, "*shape"]


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """What one says, with the label map that is meant: a reader's own, or the analysis'."""

    draft: Draft
    labels: Labels


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """A label map with objects of several; `numbers` are those of findings, by their keys."""

    labels: Labels
    segments: Mapping[int, Segment]
    numbers: Mapping[str, int]


def with_object(mine: Drawing, theirs: Drawing, key: str, wanted: Drafted) -> Merged:
    """Put the object of one of their findings among mine.

    `key` is the finding's in the record, or any other for one that was added; the number it
    gets stands under this key. Labels that stand for several findings, as kinds of lesions do,
    are no objects and stay as they are.

    Raises
    ------
    InputError
        If it lies where the object of another finding does.
    """
    label = wanted.finding.segment
    segments = dict(mine.draft.segments)
    if label is None or not is_there(wanted):
        return Merged(mine.labels, segments, {})
    same = counterpart(mine.draft, key, wanted)
    own = same.key if same is not None else ""
    segment = theirs.draft.segments.get(label)
    is_kind = theirs.draft.count(label) > 1 and label in segments
    if segment is None or (is_kind and segments[label].name == segment.name):
        return Merged(mine.labels, segments, {key: label})
    drawn = theirs.labels == label
    number = _number(mine, theirs, own, label, drawn)
    labels = _placed(mine, own, number, drawn)
    begun = {**segments, number: unlike(segment, number, segments)}
    return Merged(labels, dict(sorted(begun.items())), {key: number})


def with_all(mine: Drawing, theirs: Drawing) -> Merged:
    """Take their label map, with the objects of my findings that they do not have.

    `numbers` has those of my findings that get another one.

    Raises
    ------
    InputError
        If an object that only I have lies where one of theirs does.
    """
    rows = side_by_side({_MINE: mine.draft, _THEIRS: theirs.draft}).rows
    merged = Drawing(replace(mine.draft, segments=theirs.draft.segments), theirs.labels)
    numbers: dict[str, int] = {}
    for row in rows:
        me, them = row.said[_MINE], row.said[_THEIRS]
        if me is None or not is_there(me) or me.finding.segment is None:
            continue
        label = me.finding.segment
        if them is not None and them.finding.segment is not None:
            number = them.finding.segment
        elif _is_kind(mine.draft, theirs.draft, label):
            number = label
        else:
            drawn = mine.labels == label
            alone = Drawing(
                replace(merged.draft, findings=theirs.draft.findings), merged.labels
            )
            number = _free(label, alone.draft, mine.draft)
            labels = _placed(alone, "", number, drawn)
            segments = dict(merged.draft.segments)
            segments[number] = unlike(mine.draft.segments[label], number, segments)
            merged = Drawing(
                replace(merged.draft, segments=dict(sorted(segments.items()))), labels
            )
        if number != label:
            numbers[me.key] = number
    return Merged(merged.labels, merged.draft.segments, numbers)


def _is_kind(mine: Draft, theirs: Draft, label: int) -> bool:
    """Whether a label of mine stands for several findings, and for the same with them."""
    known = theirs.segments.get(label)
    is_shared = mine.count(label) > 1
    return is_shared and known is not None and known.name == mine.segments[label].name


def _number(
    mine: Drawing, theirs: Drawing, own: str, label: int, drawn: Bool[ndarray, "*shape"]
) -> int:
    """Choose the number of an object: its own, the one that its finding has, or a new one."""
    others = _others(mine.draft, own)
    has = next((e.finding.segment for e in mine.draft.findings if e.key == own), None)
    is_proposed = own.isdecimal()
    if label not in others and (
        is_proposed
        or label not in mine.draft.segments
        or np.array_equal(mine.labels == label, drawn)
    ):
        return label
    if has is not None and has not in others:
        return has
    return _free(label, mine.draft, theirs.draft)


def _free(label: int, *drafts: Draft) -> int:
    """Return a number that nobody has; the label itself if only its own reader has it."""
    taken = {n for draft in drafts for n in draft.segments} | {
        each.finding.segment or 0 for draft in drafts for each in draft.findings
    }
    first = drafts[0]
    if label not in first.segments and first.count(label) == 0:
        return label
    return max(taken, default=0) + 1


def _others(draft: Draft, own: str) -> Mapping[int, str]:
    """Say which labels are of other findings than `own`, and of which."""
    return {
        each.finding.segment: each.key
        for each in draft.findings
        if each.key != own and is_there(each) and each.finding.segment is not None
    }


def _placed(mine: Drawing, own: str, number: int, drawn: Bool[ndarray, "*shape"]) -> Labels:
    """Draw an object in place of what its finding had; what no finding has gives way."""
    others = _others(mine.draft, own)
    under = mine.labels[drawn]
    for label, key in others.items():
        count = int(np.count_nonzero(under == label))
        if label != number and count:
            raise InputError(
                f"it lies on finding {key} in {count} voxels: a voxel is of one object alone; "
                f"reject one of them, or draw them in the reading page"
            )
    has = next((e.finding.segment for e in mine.draft.findings if e.key == own), None)
    gone = {number} | ({has} if has is not None and has not in others else set())
    labels = np.where(np.isin(mine.labels, sorted(gone)), 0, mine.labels)
    labels[drawn] = number
    kind = np.result_type(mine.labels.dtype, np.min_scalar_type(number))
    if kind != labels.dtype:
        labels = labels.astype(kind)
        labels[drawn] = number
    if np.array_equal(labels, mine.labels):
        return mine.labels
    return labels


def unlike(segment: Segment, number: int, known: Mapping[int, Segment]) -> Segment:
    """Keep a segment's name, but with a number where another segment has the name."""
    taken = {each.name for n, each in known.items() if n != number}
    if segment.name not in taken:
        return segment
    stem = segment.name.rstrip("0123456789 ") or segment.name
    names = (f"{stem[:55]} {n}" for n in range(number, number + len(taken) + 1))
    return replace(segment, name=next(name for name in names if name not in taken))
