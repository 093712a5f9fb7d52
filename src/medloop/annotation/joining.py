"""Label maps of several readers, in which one number is one object for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Integer
from numpy import ndarray

from medloop.annotation.consensus import consensus
from medloop.annotation.draft import Draft, Drafted
from medloop.annotation.masks import present
from medloop.annotation.matching import is_there, side_by_side
from medloop.annotation.merging import unlike
from medloop.core.finding import Finding
from medloop.core.image import Segment


@dataclass(frozen=True, slots=True)
class Common:
    """A finding that more than half of the readers see, as the first of them describes it.

    `is_typed` says that all of them typed the same sizes.
    """

    finding: Finding
    is_typed: bool


@dataclass(frozen=True, slots=True)
class Numbering:
    """Which number each reader's label gets, and what these then stand for.

    `tables` lead from a reader's numbers to the common ones, reader by reader.
    """

    tables: tuple[Mapping[int, int], ...]
    segments: Mapping[int, Segment]
    findings: tuple[Common, ...]


def numbering_of(drafts: Sequence[Draft]) -> Numbering:
    """Give objects common numbers: those of one finding get one number, others never the same.

    Labels that stand for several findings, as kinds of lesions do, keep theirs.
    """
    tables: list[dict[int, int]] = [{} for _ in drafts]
    kinds = {n for draft in drafts for n in draft.segments if draft.count(n) > 1}
    given: set[int] = set()
    last = max((n for draft in drafts for n in draft.segments), default=0)
    findings: list[Common] = []
    for row in side_by_side({str(n): draft for n, draft in enumerate(drafts)}).rows:
        said = list(row.said.values())
        own = {
            n: label
            for n, each in enumerate(said)
            if each is not None
            and (label := each.finding.segment) is not None
            and label not in kinds
        }
        number = min(own.values(), default=None)
        if number in given:
            number = last = last + 1
        if number is not None:
            given.add(number)
            for n, label in own.items():
                tables[n].setdefault(label, number)
        findings.extend(_common(said, number))
    for table, draft in zip(tables, drafts, strict=True):
        for label in sorted(draft.segments.keys() - table.keys()):
            if label in given and label not in kinds:  # another reader's object has the number
                last += 1
            table[label] = last if label in given and label not in kinds else label
    return Numbering(tuple(tables), _segments(tables, drafts), tuple(findings))


def joined(
    drawn: Sequence[tuple[Integer[ndarray, "*shape"], Mapping[int, int]]],
) -> Integer[ndarray, "*shape"]:
    """Join readers' label maps by STAPLE, each with its table: each object with its like."""
    return consensus([_through(labels, table) for labels, table in drawn])


def _through(
    labels: Integer[ndarray, "*shape"], table: Mapping[int, int]
) -> Integer[ndarray, "*shape"]:
    if all(label == number for label, number in table.items()):
        return labels
    known = {label: label for label in present(labels)} | dict(table)
    lookup = np.zeros(max(known) + 1, np.uint16)
    lookup[list(known)] = list(known.values())
    return lookup[labels]


def _common(said: Sequence[Drafted | None], number: int | None) -> tuple[Common, ...]:
    there = [each for each in said if each is not None and is_there(each)]
    if 2 * len(there) <= len(said):
        return ()
    finding = there[0].finding
    if number is not None:
        finding = replace(finding, segment=number)
    sizes = {each.finding.measurements for each in there}
    return (Common(finding, len(sizes) == 1 and all(each.is_typed for each in there)),)


def _segments(
    tables: Sequence[Mapping[int, int]], drafts: Sequence[Draft]
) -> Mapping[int, Segment]:
    found: dict[int, Segment] = {}
    for table, draft in zip(tables, drafts, strict=True):
        for label, number in table.items():
            segment = draft.segments.get(label)
            if segment is not None and number not in found:
                found[number] = unlike(segment, number, found)
    return dict(sorted(found.items()))
