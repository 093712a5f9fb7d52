"""Values that stand in for others: dummies by value representation, and shifted dates."""

import re
from datetime import date, timedelta
from typing import Final

REMOVED: Final = "REMOVED"
_DUMMIES: Final[dict[str, object]] = {
    "AE": REMOVED,
    "AS": "000Y",
    "CS": REMOVED,
    "DA": "20000101",
    "DS": "0",
    "DT": "20000101000000",
    "IS": "0",
    "LO": REMOVED,
    "LT": REMOVED,
    "PN": "ANONYMOUS",
    "SH": REMOVED,
    "ST": REMOVED,
    "TM": "000000",
    "UC": REMOVED,
    "UR": "urn:removed",
    "UT": REMOVED,
    "FL": 0.0,
    "FD": 0.0,
    "SL": 0,
    "SS": 0,
    "SV": 0,
    "UL": 0,
    "US": 0,
    "UV": 0,
    "AT": 0,
}
_DATE: Final = re.compile(r"^(\d{4})[.]?(\d{2})[.]?(\d{2})")


def dummy(vr: str) -> object:
    """Return a value of this representation that says nothing (action D)."""
    return _DUMMIES.get(vr, b"\0\0")


def shifted(value: str, days: int) -> str:
    """Move a DA or DT by whole days; empty where it is no complete, valid date.

    The time of day and the offset from UTC of a DT stay.
    """
    found = _DATE.match(value.strip())
    if found is None:
        return ""
    try:
        moved = date(*map(int, found.groups())) + timedelta(days)
    except (ValueError, OverflowError):
        return ""
    return f"{moved:%Y%m%d}".zfill(8) + value.strip()[found.end() :]


def capped_age(value: str) -> str:
    """Give ages over 89 as 90 years (45 CFR 164.514(b)(2)(i)(C))."""
    years = value.strip()
    if re.fullmatch(r"\d{3}Y", years) and int(years[:3]) > 89:
        return "090Y"
    return value
