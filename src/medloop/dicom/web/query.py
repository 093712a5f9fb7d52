"""The query part of a QIDO-RS address (PS3.18 8.3.4): words to a `Search`."""

import re
from collections.abc import Sequence
from typing import Final

from pydicom.datadict import dictionary_VR, tag_for_keyword

from medloop.core.errors import InputError
from medloop.core.search import Level, Match, Search, TagPath, Term
from medloop.dicom.web.levels import (
    SERIES_ATTRIBUTES,
    SOP_UID,
    STUDY_ATTRIBUTES,
    STUDY_UID,
)

MAX_RESULTS: Final = 1000
MAX_OFFSET: Final = 2**31 - 1
MAX_VALUE: Final = 4096
MAX_STARS: Final = 6
MAX_DEPTH: Final = 8
MAX_KEYS: Final = 200
_NUMBERS: Final = frozenset(["DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"])
_TIMES: Final = {
    "DA": re.compile(r"\d{8}"),
    "TM": re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?"),
    "DT": re.compile(r"\d{4}(\d{2}){0,5}(\.\d{1,6})?([+-]\d{4})?"),
}
_LATEST: Final = {"DA": "99999999", "TM": "999999.999999", "DT": "99999999999999.999999"}
_SPOKEN: Final = ("limit", "offset", "fuzzymatching", "includefield", "accept", "charset")


def parse_query(level: Level, asked: Sequence[tuple[str, str]]) -> Search:
    """Read the keys and values of an address; keys are keywords or tags, dots lead inwards.

    Raises
    ------
    InputError
        If a key names no attribute of the level, or a value cannot be meant.
    """
    if len(asked) > MAX_KEYS:
        raise InputError(f"search has {len(asked)} keys; the limit is {MAX_KEYS}")
    terms: list[Term] = []
    include: list[TagPath] = []
    numbers = {"limit": MAX_RESULTS, "offset": 0}
    includes_all = False
    for key, value in asked:
        _check_text(value)
        if key in numbers:
            numbers[key] = _count(key, value)
        elif key == "fuzzymatching":
            _switch(value)
        elif key == "includefield":
            includes_all = includes_all or value == "all"
            include += [path_of(name) for name in value.split(",") if name and name != "all"]
        elif key not in _SPOKEN:
            terms += _terms(level, key, value)
    return Search(
        level=level,
        terms=tuple(terms),
        include=tuple(include),
        includes_all=includes_all,
        limit=min(numbers["limit"], MAX_RESULTS),
        offset=numbers["offset"],
    )


def _check_text(value: str) -> None:
    if len(value) > MAX_VALUE:
        raise InputError(f"value of {len(value)} characters; the limit is {MAX_VALUE}")
    if value.count("*") > MAX_STARS:  # matching them takes longer with each
        raise InputError(f"value has {value.count('*')} asterisks; the limit is {MAX_STARS}")
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in value):
        raise InputError("value holds characters that no text has")


def path_of(name: str) -> TagPath:
    """Return the tags of an attribute named by keyword or hexadecimal digits.

    Raises
    ------
    InputError
        If it is no attribute.
    """
    parts = name.split(".")
    if len(parts) > MAX_DEPTH:
        raise InputError(f"attribute lies {len(parts)} deep; the limit is {MAX_DEPTH}")
    return tuple(_tag(part) for part in parts)


def _tag(name: str) -> str:
    if re.fullmatch(r"[0-9A-Fa-f]{8}", name):
        return name.upper()
    tag = tag_for_keyword(name)
    if tag is None:
        raise InputError("query names an attribute that DICOM does not know")
    return f"{tag:08X}"


def _terms(level: Level, key: str, value: str) -> tuple[Term, ...]:
    path = path_of(key)
    _check_level(level, path)
    if value.strip("*") == "":  # universal matching
        return ()
    return (_term(path, _vr(path[-1]), value),)


def _check_level(level: Level, path: TagPath) -> None:
    of_study, of_series = path[0] in STUDY_ATTRIBUTES, path[0] in SERIES_ATTRIBUTES
    if path[0] == STUDY_UID or level is Level.INSTANCE:
        return
    if not of_study and (level is Level.STUDY or path[0] == SOP_UID or not of_series):
        raise InputError(f"attribute {path[0]} does not belong to the level of {level}")


def _vr(tag: str) -> str:
    try:
        return dictionary_VR(int(tag, 16))
    except KeyError:
        return "LO"  # private, or newer than the dictionary


def _term(path: TagPath, vr: str, value: str) -> Term:
    if vr in ("UI", "CS") and not ("*" in value or "?" in value):
        values = tuple(part for part in re.split(r"[,\\]", value) if part)
        return Term(path, Match.ANY_OF, values)
    if vr in _TIMES:
        return _time(path, vr, value)
    if vr in _NUMBERS:
        return Term(path, Match.NUMBER, (_number(value),))
    if vr == "PN":
        return Term(path, Match.NAME, (value.rstrip("^"),))
    if "*" in value or "?" in value:
        return Term(path, Match.WILDCARD, (value,))
    return Term(path, Match.ANY_OF, (value,))


def _time(path: TagPath, vr: str, value: str) -> Term:
    low, dash, high = value.partition("-")
    given = [part for part in (low, high) if part]
    if not given or not all(_TIMES[vr].fullmatch(part) for part in given):
        raise InputError(f"value of attribute {path[-1]} is no {vr}, nor a range of them")
    if not dash:
        return Term(path, Match.ANY_OF, (value,))
    return Term(path, Match.RANGE, (low, _latest(vr, high)))


def _latest(vr: str, text: str) -> str:
    """Return the last moment that begins with the text: 1015 includes 10:15:59."""
    if not text:
        return ""
    end = _LATEST[vr]
    return text + end[len(text) :]


def _number(value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        raise InputError("a number was expected in the query") from None
    return str(int(number)) if number.is_integer() else str(number)


def _count(key: str, value: str) -> int:
    if not re.fullmatch(r"\d{1,10}", value, re.ASCII) or int(value) > MAX_OFFSET:
        raise InputError(f"{key} is no whole number up to {MAX_OFFSET}")
    return int(value)


def _switch(value: str) -> None:
    if value not in ("true", "false"):
        raise InputError("fuzzymatching is neither true nor false")
