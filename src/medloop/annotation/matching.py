"""What several readers say of one result, side by side: their findings matched by place."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from medloop.annotation.draft import PLACES, Draft, Drafted, FindingState
from medloop.core.finding import Assessment, Finding
from medloop.core.plain import Plain, finding_to_plain

NEAR_MM: Final = 10.0  # two added findings no farther apart are one
NEAR_PX: Final = 40.0
_FAR: Final = 1e9


class Difference(StrEnum):
    """In what readers differ about one finding."""

    PRESENCE = "presence"  # whether it is there
    CONCEPT = "concept"
    SITE = "site"
    MEASUREMENTS = "measurements"
    PLACE = "place"


@dataclass(frozen=True, slots=True)
class Row:
    """One finding as each reader sees it; None where a reader has not added it.

    `key` is the finding's in the record, or ``+1``, ``+2``, ... for what readers added.
    """

    key: str
    said: Mapping[str, Drafted | None]

    @property
    def finding(self) -> Finding:
        """The finding as it was proposed, or as the first who has it describes it."""
        first = next(each for each in self.said.values() if each is not None)
        return first.before or first.finding

    @property
    def differences(self) -> frozenset[Difference]:
        """In what the readers differ; empty where they agree."""
        there = [each.finding for each in self.said.values() if each and is_there(each)]
        found = set()
        if 0 < len(there) < len(self.said):
            found.add(Difference.PRESENCE)
        for one, other in pairwise(there):
            found |= _differences(one, other)
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Grade:
    """One assessment as each reader gives it."""

    scale: str
    said: Mapping[str, Assessment]

    @property
    def is_agreed(self) -> bool:
        """Whether all say the same."""
        return len({repr(value) for value in self.said.values()}) <= 1


@dataclass(frozen=True, slots=True)
class SideBySide:
    """What readers say of one result."""

    rows: tuple[Row, ...]
    grades: tuple[Grade, ...]
    masks: Mapping[str, str | None]

    @property
    def count(self) -> int:
        """How many findings, grades and label maps they differ about."""
        rows = sum(bool(each.differences) for each in self.rows)
        grades = sum(not each.is_agreed for each in self.grades)
        return rows + grades + (len(set(self.masks.values())) > 1)


def is_there(said: Drafted | None) -> bool:
    """Whether a reader says that the finding exists."""
    return said is not None and said.state is not FindingState.REJECTED


def side_by_side(drafts: Mapping[str, Draft]) -> SideBySide:
    """Put readers' drafts of one result beside each other; `drafts` is by reader.

    Findings that were proposed are matched by their key, added ones by place.

    Raises
    ------
    ValueError
        If there is no draft.
    """
    if not drafts:
        raise ValueError("no reading to compare")
    first = next(iter(drafts.values()))
    proposed = [each.key for each in first.findings if each.state is not FindingState.ADDED]
    rows = [
        Row(key, {reader: draft.finding(key) for reader, draft in drafts.items()})
        for key in proposed
    ]
    added = {
        reader: [each for each in draft.findings if each.state is FindingState.ADDED]
        for reader, draft in drafts.items()
    }
    rows += [
        Row(f"+{number}", {reader: group.get(reader) for reader in drafts})
        for number, group in enumerate(_matched(added), start=1)
    ]
    scales = list(dict.fromkeys(scale for draft in drafts.values() for scale in _graded(draft)))
    grades = [
        Grade(scale, {reader: draft.assessments.get(scale) for reader, draft in drafts.items()})
        for scale in scales
    ]
    masks = {reader: draft.mask for reader, draft in drafts.items()}
    return SideBySide(tuple(rows), tuple(grades), masks)


def distance(one: Finding, other: Finding) -> float:
    """How far apart two findings are: 1 where they cease to be one; infinite if not alike.

    Findings of different concepts are never one. Without a place, those of one concept and one
    site are.
    """
    if one.concept != other.concept:
        return math.inf
    for place, near in (("center_lps_mm", NEAR_MM), ("center_px", NEAR_PX)):
        ours, theirs = getattr(one, place), getattr(other, place)
        if ours is not None and theirs is not None:
            return math.dist(ours, theirs) / near
    ours, theirs = _middle(one), _middle(other)
    if ours is not None and theirs is not None and len(ours) == len(theirs):
        return math.dist(ours, theirs) / (NEAR_MM if len(ours) == 3 else NEAR_PX)
    has_place = any(
        place is not None for each in (one, other) for place in (_middle(each), each.segment)
    )
    return 0.0 if not has_place and one.site == other.site else math.inf


def counterpart(draft: Draft, key: str, wanted: Drafted) -> Drafted | None:
    """Return the finding of a draft that another reader's stands for; None if it has none.

    `key` is the finding's in the record; any other stands for one that was added, and the
    nearest added one of the same concept is meant.
    """
    for each in draft.findings:
        if each.key == key and each.state is not FindingState.ADDED:
            return each
    return nearest(draft, wanted.finding)


def nearest(draft: Draft, other: Finding) -> Drafted | None:
    """Return the added finding that lies where another does, the nearest of several."""
    added = [each for each in draft.findings if each.state is FindingState.ADDED]
    near = [each for each in added if distance(each.finding, other) <= 1]
    return min(near, key=lambda each: distance(each.finding, other), default=None)


def _middle(finding: Finding) -> tuple[float, ...] | None:
    if finding.box is not None:
        pairs = zip(finding.box.low, finding.box.high, strict=True)
        return tuple((low + high) / 2 for low, high in pairs)
    return finding.center_lps_mm or finding.center_px


def _matched(added: Mapping[str, Sequence[Drafted]]) -> list[dict[str, Drafted]]:
    """Group added findings, one of a reader at most in a group, so that distances are least."""
    groups: list[dict[str, Drafted]] = []
    for reader, mine in added.items():
        taken = _assigned(groups, mine)
        for finding, at in zip(mine, taken, strict=True):
            if at is None:
                groups.append({reader: finding})
            else:
                groups[at][reader] = finding
    return groups


def _assigned(
    groups: Sequence[Mapping[str, Drafted]], mine: Sequence[Drafted]
) -> list[int | None]:
    taken: list[int | None] = [None] * len(mine)
    if not groups or not mine:
        return taken
    apart = np.array(
        [
            [min(distance(each.finding, one.finding) for one in g.values()) for g in groups]
            for each in mine
        ]
    )
    cost = np.where(apart <= 1, apart, _FAR)
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        if cost[row, column] < _FAR:
            taken[int(row)] = int(column)
    return taken


def _graded(draft: Draft) -> list[str]:
    """Name the assessments that a person can compare: grades, numbers, words."""
    return [
        scale
        for scale, value in draft.assessments.items()
        if value is None or isinstance(value, bool | int | float | str)
    ]


def _differences(one: Finding, other: Finding) -> set[Difference]:
    checks = {
        Difference.CONCEPT: one.concept != other.concept,
        Difference.SITE: one.site != other.site,
        Difference.MEASUREMENTS: _measured(one) != _measured(other),
        Difference.PLACE: _place(one) != _place(other),
    }
    return {what for what, differs in checks.items() if differs}


def _measured(finding: Finding) -> Plain:
    return finding_to_plain(finding)["measurements"]


def _place(finding: Finding) -> dict[str, Plain]:
    plain = finding_to_plain(finding)
    placed: dict[str, Plain] = {key: plain[key] for key in PLACES if key in plain}
    if "segment" in placed:  # numbers are each reader's own; what is drawn stands in masks
        placed["segment"] = True
    return placed
