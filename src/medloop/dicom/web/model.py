"""Answers of a DICOMweb server as DICOM JSON (PS3.18 F.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydicom.datadict import dictionary_VR

from medloop.core.search import Found, Level, Search
from medloop.dicom.web import levels

Json = dict[str, Any]
_NAME_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_ANSWERS: Final = {
    Level.STUDY: levels.STUDY_ANSWER,
    Level.SERIES: levels.SERIES_ANSWER,
    Level.INSTANCE: levels.INSTANCE_ANSWER,
}
# PS3.18 table I.2-2; conflicts after PS3.7 C.5.
FAILURES: Final = {
    "conflict": 0x0111,  # another object has this UID
    "refused": 0xC000,  # cannot be understood
    "full": 0xA700,  # out of resources
    "study": 0xC409,  # not of the study that was named
    "media": 0xC122,  # not application/dicom
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one object that was sent; `failure` is 0 if it is kept."""

    study: str
    series: str
    uid: str
    sop_class: str
    failure: int = 0


def search_answer(found: Found, search: Search, root: str, *, names_study: bool) -> Json:
    """Return one object of an answer to a search.

    With `names_study` the address named the study: its attributes are not repeated.
    """
    level = search.level
    answer = {tag: found.header[tag] for tag in _wanted(found, search) if tag in found.header}
    if level is Level.STUDY or not names_study:
        for tag, text in found.study.items():
            answer[tag] = element(tag, text)
    else:
        answer[levels.STUDY_UID] = element(levels.STUDY_UID, found.study[levels.STUDY_UID])
    answer |= _counts(found, level)
    if level is not Level.STUDY:
        answer[levels.SERIES_UID] = element(levels.SERIES_UID, found.series_uid)
    answer[levels.RETRIEVE_URL] = {"vr": "UR", "Value": [_url(found, level, root)]}
    answer[levels.AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
    return dict(sorted(answer.items()))


def element(tag: str, text: str) -> Json:
    """Return an attribute of the dictionary, from text as it stands in a file."""
    vr = _vr(tag)
    parts = [part for part in text.split("\\") if part]
    if not parts:
        return {"vr": vr}
    if vr != "PN":
        return {"vr": vr, "Value": parts}
    names = [
        {
            group: said
            for group, said in zip(_NAME_GROUPS, part.split("="), strict=False)
            if said
        }
        for part in parts
    ]
    return {"vr": vr, "Value": names}


@cache
def _vr(tag: str) -> str:
    return dictionary_VR(int(tag, 16))


def store_answer(receipts: Sequence[Receipt], root: str) -> Json:
    """Return the response of a store request (PS3.18 table 10.5.3-1)."""
    kept = [each for each in receipts if not each.failure]
    failed = [each for each in receipts if each.failure]
    answer: Json = {}
    studies = {each.study for each in kept}
    if len(studies) == 1:
        answer["00081190"] = _text("UR", f"{root}/studies/{studies.pop()}")
    if failed:
        answer["00081198"] = {"vr": "SQ", "Value": [_failed(each) for each in failed]}
    if kept:
        answer["00081199"] = {"vr": "SQ", "Value": [_kept(each, root) for each in kept]}
    return answer


def _wanted(found: Found, search: Search) -> tuple[str, ...]:
    level = search.level
    usual = (*_ANSWERS[level], *(path[0] for path in search.include))
    if not search.includes_all:
        return usual
    if level is Level.INSTANCE:
        return tuple(found.header)
    series = levels.SERIES_ATTRIBUTES if level is Level.SERIES else frozenset[str]()
    return tuple(tag for tag in found.header if tag in levels.STUDY_ATTRIBUTES | series)


def _counts(found: Found, level: Level) -> Json:
    if level is Level.STUDY:
        return {
            levels.STUDY_SERIES: {"vr": "IS", "Value": [found.series]},
            levels.STUDY_INSTANCES: {"vr": "IS", "Value": [found.instances]},
        }
    if level is Level.SERIES:
        return {levels.SERIES_INSTANCES: {"vr": "IS", "Value": [found.instances]}}
    return {}


def _url(found: Found, level: Level, root: str) -> str:
    url = f"{root}/studies/{found.study[levels.STUDY_UID]}"
    if level is Level.STUDY:
        return url
    url += f"/series/{found.series_uid}"
    return url if level is Level.SERIES else f"{url}/instances/{found.sop_uid}"


def _text(vr: str, value: str) -> Json:
    return {"vr": vr, "Value": [value]} if value else {"vr": vr}


def _failed(receipt: Receipt) -> Json:
    return {
        "00081150": _text("UI", receipt.sop_class),
        "00081155": _text("UI", receipt.uid),
        "00081197": {"vr": "US", "Value": [receipt.failure]},
    }


def _kept(receipt: Receipt, root: str) -> Json:
    place = f"{root}/studies/{receipt.study}/series/{receipt.series}/instances/{receipt.uid}"
    return {
        "00081150": _text("UI", receipt.sop_class),
        "00081155": _text("UI", receipt.uid),
        "00081190": _text("UR", place),
    }
