"""What a catalog keeps of an object on arrival, as DICOM JSON (PS3.18 F.2)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from medloop.core.arrival import Arrival
from medloop.core.names import SeriesUid, SopUid, StudyUid
from medloop.dicom.deflate import is_deflated
from medloop.dicom.header import decoded_text, read_header_with
from medloop.dicom.scan import NotPlainError, Values, items, scan
from medloop.dicom.series import study_name

# Tables 10.6.3-3 to 10.6.3-5 of PS3.18, and what lists of studies show beside them.
_KINDS: Final = {
    0x00080008: "CS",
    0x00080016: "UI",
    0x00080018: "UI",
    0x00080020: "DA",
    0x00080021: "DA",
    0x00080030: "TM",
    0x00080031: "TM",
    0x00080050: "SH",
    0x00080060: "CS",
    0x00080070: "LO",
    0x00080090: "PN",
    0x00080201: "SH",
    0x00081030: "LO",
    0x0008103E: "LO",
    0x00100010: "PN",
    0x00100020: "LO",
    0x00100030: "DA",
    0x00100040: "CS",
    0x00180015: "CS",
    0x0020000D: "UI",
    0x0020000E: "UI",
    0x00200010: "SH",
    0x00200011: "IS",
    0x00200013: "IS",
    0x00200052: "UI",
    0x00280008: "IS",
    0x00280010: "US",
    0x00280011: "US",
    0x00280100: "US",
    0x00400244: "DA",
    0x00400245: "TM",
}
_REQUEST: Final = 0x00400275  # the only sequence among them, with its two members
_REQUESTED: Final = {0x00400009: "SH", 0x00401001: "SH"}
_KEYS: Final = {tag: f"{tag:08X}" for tag in _KINDS}
_MORE: Final = frozenset([*_KINDS, _REQUEST])
_CHARACTER_SET: Final = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}
_TRANSFER_SYNTAX: Final = 0x00020010
_IMPLICIT: Final = "1.2.840.10008.1.2"
_EXPLICIT: Final = "1.2.840.10008.1.2.1"
_DEFLATED: Final = "1.2.840.10008.1.2.1.99"
_CHARSET: Final = 0x00080005
_TIME, _REFERRING, _STUDY_ID = 0x00080030, 0x00080090, 0x00200010
_STEP, _PROCEDURE = 0x00400009, 0x00401001
_SOP_CLASS, _UID, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_TEXT_LIMIT: Final = 1024
_META_LIMIT: Final = 64 * 1024
_CHUNK: Final = 1 << 20

_Json = dict[str, object]


def read_arrival(path: Path) -> Arrival:
    """Read what is kept of one object.

    Raises
    ------
    InputError
        If it is no DICOM object that can be indexed, in one line.
    """
    header, values = read_header_with(path, _MORE)
    named = {
        _SOP_CLASS: header.sop_class,
        _UID: header.uid,
        _STUDY: header.study_uid,
        _SERIES: header.series_uid,
    }
    answers: dict[str, object] = dict(_CHARACTER_SET)
    for tag, kind in _KINDS.items():
        if tag in named:
            answers[_KEYS[tag]] = {"vr": "UI", "Value": [named[tag]]}
        elif tag in values:
            answers[_KEYS[tag]] = _element(values, tag, kind)
    if values.get(_REQUEST):
        answers[f"{_REQUEST:08X}"] = _request(values)
    request = _first(answers, _REQUEST)
    asked = request if isinstance(request, dict) else {}
    return Arrival(
        uid=SopUid(header.uid),
        study=StudyUid(header.study_uid),
        study_name=study_name(header.study_uid),
        series=SeriesUid(header.series_uid),
        sop_class=header.sop_class,
        transfer_syntax=_syntax(path, values),
        modality=header.modality,
        number=min(max(header.number, -(2**31)), 2**31 - 1),
        patient=header.patient,
        date=header.study_date,
        time=_plain(values.get(_TIME, b"")),
        description=header.study_description,
        accession=header.accession,
        referring=_line(decoded_text(values, _REFERRING)),
        header=json.dumps(answers, ensure_ascii=False, separators=(",", ":")),
        study_id=str(_first(answers, _STUDY_ID) or ""),
        step=str(_first(asked, _STEP) or ""),
        procedure=str(_first(asked, _PROCEDURE) or ""),
    )


def _first(answers: Mapping[str, object], tag: int) -> object:
    """Pick the first value of an attribute, if it has one."""
    element = answers.get(f"{tag:08X}")
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if values else None


def _syntax(path: Path, values: Values) -> str:
    """Name the transfer syntax of the file; reading has inflated what was deflated."""
    named = _plain(values.get(_TRANSFER_SYNTAX, b"")) or _IMPLICIT
    return _DEFLATED if named == _EXPLICIT and is_deflated(path) else named


def is_same_object(first: Path, second: Path) -> bool:
    """Whether two files hold one data set in one encoding, whatever their file meta groups."""
    try:
        with first.open("rb") as one, second.open("rb") as other:
            syntaxes = _to_data_set(one), _to_data_set(other)
            if None in syntaxes or syntaxes[0] != syntaxes[1]:
                return False
            while (chunk := one.read(_CHUNK)) == other.read(_CHUNK):
                if not chunk:
                    return True
    except OSError:
        return False
    return False


def _to_data_set(file: BinaryIO) -> str | None:
    """Go to where the data set starts, and say its transfer syntax; None if not plain."""
    front = file.read(144)
    if front[128:138] != b"DICM\x02\x00\x00\x00UL":
        return None
    length = int.from_bytes(front[140:144], "little")
    if length > _META_LIMIT:
        return None
    try:
        values = scan(front + file.read(length), frozenset([_TRANSFER_SYNTAX]), is_whole=True)
    except NotPlainError:
        return None
    return _plain(values.get(_TRANSFER_SYNTAX, b""))


def _element(values: Values, tag: int, kind: str) -> _Json:
    """One attribute of the DICOM JSON model; an empty or damaged value is left out."""
    found: list[object]
    if kind == "US":
        raw = values[tag]
        found = [int.from_bytes(raw[:2], "little")] if len(raw) >= 2 else []
    else:
        text = decoded_text(values, tag)[:_TEXT_LIMIT]
        parts = [_line(part).strip(" \0") for part in text.split("\\")] if text else []
        found = _values_of(parts, kind)
    return {"vr": kind, "Value": found} if found else {"vr": kind}


def _request(values: Values) -> _Json:
    """Tell what the series was requested as; nothing where that is damaged."""
    is_explicit = _plain(values.get(_TRANSFER_SYNTAX, b"")) != _IMPLICIT
    try:
        found = items(values[_REQUEST], frozenset(_REQUESTED), is_explicit=is_explicit)
    except NotPlainError:
        return {"vr": "SQ"}
    letters = {_CHARSET: values[_CHARSET]} if _CHARSET in values else {}
    told = [
        {
            f"{tag:08X}": _element(item | letters, tag, kind)
            for tag, kind in _REQUESTED.items()
            if tag in item
        }
        for item in found
    ]
    return {"vr": "SQ", "Value": told} if told else {"vr": "SQ"}


def _values_of(parts: list[str], kind: str) -> list[object]:
    if kind == "PN":
        return [_name(part) for part in parts]
    if kind == "IS":
        return [int(part) for part in parts if _is_whole(part)]
    return [part or None for part in parts]


def _is_whole(part: str) -> bool:
    """Whether this is an integer string (PS3.5 6.2)."""
    return part.isascii() and part.lstrip("+-").isdigit() and len(part) <= 12


def _name(part: str) -> _Json | None:
    """Components of a name (PS3.18 F.2.2): as letters, ideographs and sound."""
    groups = part.split("=")[:3]
    kinds = ("Alphabetic", "Ideographic", "Phonetic")
    return {
        kind: group.strip() for kind, group in zip(kinds, groups, strict=False) if group.strip()
    } or None


def _line(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def _plain(raw: bytes) -> str:
    text = raw[:66].decode("latin-1").strip("\0 ")
    return text if text.isascii() and text.isprintable() else ""
