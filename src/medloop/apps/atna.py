"""Audit rows as DICOM audit messages: the XML of PS3.15 A.5.1, events of A.5.3."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from medloop.store.audit import Entry

_UID: Final = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Event:
    """A kind of event: its code (CID 400), what is done (C, R, U, D or E), how it ended."""

    code: str
    meaning: str
    action: str
    outcome: str = "0"
    kind: tuple[str, str] | None = None  # CID 401


_LOGIN: Final = ("110122", "Login")
_AUTHENTICATION: Final = ("110114", "User Authentication")
_ALERT: Final = ("110113", "Security Alert")
_ACCESSED: Final = ("110103", "DICOM Instances Accessed")
_TRANSFERRED: Final = ("110104", "DICOM Instances Transferred")
_ACTIVITY: Final = Event("110100", "Application Activity", "E")
_PROCEDURE: Final = Event("110111", "Procedure Record", "U")
_CHANGED: Final = Event(*_ALERT, "U", kind=("110137", "User security Attributes Changed"))
# Whatever is not here changes what is done for a study, if it is about one; or else it is an
# activity of the node.
EVENTS: Final[Mapping[str, Event]] = {
    "signed in": Event(*_AUTHENTICATION, "E", kind=_LOGIN),
    "signed out": Event(*_AUTHENTICATION, "E", kind=("110123", "Logout")),
    "was refused to sign in": Event(*_AUTHENTICATION, "E", "4", _LOGIN),
    "users role": Event(*_ALERT, "U", kind=("110136", "Security Roles Changed")),
    "was refused": Event(*_ALERT, "E", "4"),
    "looked": Event(*_ACCESSED, "R"),
    "searched": Event("110112", "Query", "E"),
    "retrieved": Event(*_TRANSFERRED, "R"),
    "delivered": Event(*_TRANSFERRED, "R"),
    "stored": Event(*_TRANSFERRED, "C"),
    "sent": Event(*_TRANSFERRED, "C"),
    "pulled": Event("110107", "Import", "C"),
    "exported": Event("110106", "Export", "R"),
    "names shown": Event(*_ACCESSED, "R"),
    "analyzed": Event(*_ACCESSED, "R"),
    "study removed": Event("110105", "DICOM Study Deleted", "D"),
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Who reports: the name of this node and its host."""

    source: str
    host: str


def event_of(entry: Entry) -> Event:
    """Choose the kind of event of a row."""
    if entry.action.startswith("users ") and entry.action not in EVENTS:
        return _CHANGED
    otherwise = _PROCEDURE if _UID.fullmatch(entry.subject) else _ACTIVITY
    event = EVENTS.get(entry.action, otherwise)
    is_failed = entry.details.get("outcome") == "failed"
    return replace(event, outcome="4") if is_failed else event


def message(entry: Entry, origin: Origin, *, patient: str = "") -> bytes:
    """Write the message of a row; `patient` is the ID of whom its study shows, if known."""
    event = event_of(entry)
    root = Element("AuditMessage")
    identified = SubElement(
        root,
        "EventIdentification",
        EventActionCode=event.action,
        EventDateTime=entry.at.isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=event.outcome,
    )
    _coded(identified, "EventID", event.code, "DCM", event.meaning)
    if event.kind is not None:
        _coded(identified, "EventTypeCode", event.kind[0], "DCM", event.kind[1])
    _coded(identified, "EventTypeCode", _clean(entry.action), "99MEDLOOP", _clean(entry.action))
    _participants(root, entry, event, origin)
    source = SubElement(root, "AuditSourceIdentification", AuditSourceID=origin.source)
    SubElement(source, "AuditSourceTypeCode", {"csd-code": "4"})
    if entry.subject:
        _object(root, entry)
    if patient:
        _patient(root, patient)
    return tostring(root, encoding="utf-8")


def _participants(root: Element, entry: Entry, event: Event, origin: Origin) -> None:
    person = {"UserID": _clean(entry.actor), "UserIsRequestor": "true"}
    address = entry.details.get("address", "")
    if address:
        person |= {"NetworkAccessPointID": _clean(address), "NetworkAccessPointTypeCode": "2"}
    node = {
        "UserID": origin.source,
        "UserIsRequestor": "false",
        "NetworkAccessPointID": origin.host,
        "NetworkAccessPointTypeCode": "1",
    }
    first = SubElement(root, "ActiveParticipant", person)
    second = SubElement(root, "ActiveParticipant", node)
    if event.code in ("110104", "110106", "110107"):  # somebody gives, somebody takes
        gives, takes = (first, second) if event.action == "C" else (second, first)
        _coded(gives, "RoleIDCode", "110153", "DCM", "Source Role ID")
        _coded(takes, "RoleIDCode", "110152", "DCM", "Destination Role ID")
    else:
        _coded(second, "RoleIDCode", "110150", "DCM", "Application")


def _object(root: Element, entry: Entry) -> None:
    is_study = _UID.fullmatch(entry.subject) is not None
    found = SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_clean(entry.subject),
        ParticipantObjectTypeCode="2",
        ParticipantObjectTypeCodeRole="3" if is_study else "13",
    )
    if is_study:
        _coded(found, "ParticipantObjectIDTypeCode", "110180", "DCM", "Study Instance UID")
    else:
        _coded(found, "ParticipantObjectIDTypeCode", "110182", "DCM", "Node ID")
    SubElement(found, "ParticipantObjectName").text = _clean(entry.subject)
    for key, value in sorted(entry.details.items()):
        kept = base64.b64encode(value.encode(errors="replace")).decode()
        SubElement(found, "ParticipantObjectDetail", type=_clean(key), value=kept)


def _patient(root: Element, patient: str) -> None:
    found = SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_clean(patient),
        ParticipantObjectTypeCode="1",
        ParticipantObjectTypeCodeRole="1",
    )
    _coded(found, "ParticipantObjectIDTypeCode", "2", "RFC-3881", "Patient Number")
    SubElement(found, "ParticipantObjectName")


def _coded(parent: Element, name: str, code: str, scheme: str, meaning: str) -> None:
    facts = {"csd-code": code, "codeSystemName": scheme, "originalText": meaning}
    SubElement(parent, name, facts)


def _clean(text: str) -> str:
    """Replace what XML cannot hold: titles of callers come from outside."""
    return _NO_XML.sub("\ufffd", text)
