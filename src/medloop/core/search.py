"""What a search over stored objects asks for (DICOM query, PS3.4 C.2.2.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

TagPath = tuple[str, ...]  # eight hexadecimal digits each; more than one lead into sequences


class Level(StrEnum):
    """What one answer is about."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


class Match(StrEnum):
    """How a value is compared."""

    ANY_OF = "any of"  # equal to one of the values
    WILDCARD = "wildcard"  # one pattern: * is any text, ? one character
    NAME = "name"  # such a pattern for a person's name, in any case, in any group
    RANGE = "range"  # two values, from and to, both included; empty is open
    NUMBER = "number"  # one number, as text


@dataclass(frozen=True, slots=True)
class Term:
    """One key of a search."""

    path: TagPath
    match: Match
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """A search: objects of a level that meet all terms, `limit` of them after `offset`.

    `include` names attributes wanted beside the usual ones; `includes_all` wants all there are.
    """

    level: Level
    terms: tuple[Term, ...] = ()
    include: tuple[TagPath, ...] = ()
    includes_all: bool = False
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """One answer. `header` is DICOM JSON of the object, or of the first of its group.

    `study` maps tags to what is said of the study; `series` and `instances` count its members.
    """

    study: Mapping[str, str]
    header: Mapping[str, Any]  # as JSON has it
    series_uid: str
    sop_uid: str
    series: int
    instances: int
