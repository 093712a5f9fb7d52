"""What PS3.15 A.5.1.1 lets an audit message be: its grammar, written down as tables."""

import base64
import re
from datetime import datetime
from xml.etree.ElementTree import Element, fromstring

TEXT, BOOLEAN = r"[\s\S]*", "true|false"
NUMBERS = "|".join(str(n) for n in range(1, 27))
CODE = {"csd-code": (True, r"\S.*"), "codeSystemName": (True, r"\S.*")}
CODE |= {"displayName": (False, TEXT), "originalText": (True, r"\S.*")}
# element: attributes {name: (needed, pattern)}, children [(name, least, most)] in their order
GRAMMAR = {
    "AuditMessage": (
        {},
        [
            ("EventIdentification", 1, 1),
            ("ActiveParticipant", 1, None),
            ("AuditSourceIdentification", 1, 1),
            ("ParticipantObjectIdentification", 0, None),
        ],
    ),
    "EventIdentification": (
        {
            "EventActionCode": (False, "[CRUDE]"),
            "EventDateTime": (True, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"),
            "EventOutcomeIndicator": (True, "0|4|8|12"),
        },
        [("EventID", 1, 1), ("EventTypeCode", 0, None), ("EventOutcomeDescription", 0, 1)],
    ),
    "EventID": (CODE, []),
    "EventTypeCode": (CODE, []),
    "EventOutcomeDescription": ({}, []),
    "ActiveParticipant": (
        {
            "UserID": (True, TEXT),
            "AlternativeUserID": (False, TEXT),
            "UserName": (False, TEXT),
            "UserIsRequestor": (True, BOOLEAN),
            "NetworkAccessPointID": (False, TEXT),
            "NetworkAccessPointTypeCode": (False, "[1-5]"),
        },
        [("RoleIDCode", 0, None), ("MediaIdentifier", 0, 1)],
    ),
    "RoleIDCode": (CODE, []),
    "AuditSourceIdentification": (
        {"AuditEnterpriseSiteID": (False, TEXT), "AuditSourceID": (True, r"\S.*")},
        [("AuditSourceTypeCode", 0, None)],
    ),
    "AuditSourceTypeCode": ({"csd-code": (True, "[1-9]")}, []),
    "ParticipantObjectIdentification": (
        {
            "ParticipantObjectID": (True, r"\S.*"),
            "ParticipantObjectTypeCode": (False, "[1-4]"),
            "ParticipantObjectTypeCodeRole": (False, NUMBERS),
            "ParticipantObjectDataLifeCycle": (False, NUMBERS),
            "ParticipantObjectSensitivity": (False, TEXT),
        },
        [
            ("ParticipantObjectIDTypeCode", 1, 1),
            ("ParticipantObjectName", 0, 1),
            ("ParticipantObjectQuery", 0, 1),
            ("ParticipantObjectDetail", 0, None),
            ("ParticipantObjectDescription", 0, None),
        ],
    ),
    "ParticipantObjectIDTypeCode": (CODE, []),
    "ParticipantObjectName": ({}, []),
    "ParticipantObjectQuery": ({}, []),
    "ParticipantObjectDetail": (
        {"type": (True, r"\S.*"), "value": (True, r"[A-Za-z0-9+/=]*")},
        [],
    ),
}


def parsed(message: bytes) -> Element:
    """Read a message of our own."""
    return fromstring(message)  # noqa: S314


def check(element: Element) -> None:
    """Assert that an element and all in it are as the grammar says."""
    attributes, children = GRAMMAR[element.tag]
    assert set(element.attrib) <= set(attributes), element.tag
    for name, (is_needed, pattern) in attributes.items():
        value = element.get(name)
        assert value is not None or not is_needed, f"{element.tag} lacks {name}"
        assert value is None or re.fullmatch(pattern, value), f"{element.tag} {name}: {value}"
    found = [child.tag for child in element]
    order = [name for name, _, _ in children]
    assert found == sorted(found, key=order.index), f"{element.tag}: {found}"
    for name, least, most in children:
        count = found.count(name)
        assert count >= least, f"{element.tag} lacks {name}"
        assert most is None or count <= most, f"{element.tag} has {count} {name}"
    if element.tag == "ParticipantObjectIdentification":
        either = {"ParticipantObjectName", "ParticipantObjectQuery"} & set(found)
        assert len(either) == 1
    if element.tag == "ParticipantObjectDetail":
        base64.b64decode(element.get("value"), validate=True)
    if element.tag == "EventIdentification":
        assert datetime.fromisoformat(element.get("EventDateTime")).tzinfo is not None
    for child in element:
        check(child)
