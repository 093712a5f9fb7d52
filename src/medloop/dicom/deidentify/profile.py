"""What is asked for: the Basic Profile, what to retain beside it, and what to clean."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

EDITION: Final = "2026c"


class Retain(StrEnum):
    """What stays although it may identify (PS3.15 E.3.5 to E.3.10)."""

    UIDS = "uids"
    DEVICE = "device"
    INSTITUTION = "institution"
    PATIENT = "patient-characteristics"
    DATES_FULL = "longitudinal-full"
    DATES_SHIFTED = "longitudinal-modified"
    SAFE_PRIVATE = "safe-private"


class Clean(StrEnum):
    """What is cleaned instead of removed, or beyond the header (PS3.15 E.3.1 to E.3.5)."""

    DESCRIPTORS = "descriptors"
    STRUCTURED_CONTENT = "structured-content"
    GRAPHICS = "graphics"
    PIXELS = "pixels"
    RECOGNIZABLE = "recognizable"


# CID 7050 De-identification Method (PS3.16).
_BASIC: Final = ("113100", "Basic Application Confidentiality Profile")
_CODES: Final[dict[Retain | Clean, tuple[str, str]]] = {
    Clean.PIXELS: ("113101", "Clean Pixel Data Option"),
    Clean.RECOGNIZABLE: ("113102", "Clean Recognizable Visual Features Option"),
    Clean.GRAPHICS: ("113103", "Clean Graphics Option"),
    Clean.STRUCTURED_CONTENT: ("113104", "Clean Structured Content Option"),
    Clean.DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Retain.DATES_FULL: ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    Retain.DATES_SHIFTED: (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    ),
    Retain.PATIENT: ("113108", "Retain Patient Characteristics Option"),
    Retain.DEVICE: ("113109", "Retain Device Identity Option"),
    Retain.UIDS: ("113110", "Retain UIDs Option"),
    Retain.SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
    Retain.INSTITUTION: ("113112", "Retain Institution Identity Option"),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """The Basic Application Level Confidentiality Profile with its options (PS3.15 Annex E).

    Raises
    ------
    ValueError
        If full and modified dates are both retained.
    """

    retain: frozenset[Retain] = frozenset()
    clean: frozenset[Clean] = frozenset()

    def __post_init__(self) -> None:
        if {Retain.DATES_FULL, Retain.DATES_SHIFTED} <= self.retain:
            raise ValueError("dates are kept in full or shifted, not both")

    @property
    def temporal(self) -> str:
        """(0028,0303) Longitudinal Temporal Information Modified."""
        if Retain.DATES_FULL in self.retain:
            return "UNMODIFIED"
        return "MODIFIED" if Retain.DATES_SHIFTED in self.retain else "REMOVED"

    def codes(self, *, pixels: bool, features: bool) -> tuple[tuple[str, str], ...]:
        """Return CID 7050's (value, meaning) of what was done to one object.

        `pixels` and `features` say whether text in, and faces of, this object were cleaned.
        """
        done: dict[Retain | Clean, bool] = {
            Clean.PIXELS: pixels,
            Clean.RECOGNIZABLE: features,
        }
        asked = self.retain | self.clean
        return (
            _BASIC,
            *(code for option, code in _CODES.items() if done.get(option, option in asked)),
        )
