"""One reader's work on one result, and the reports signed of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from medloop.core.attestation import Meaning
from medloop.core.errors import InputError
from medloop.core.study import StudyUid

__all__ = ["SIGNED", "Meaning", "Purpose", "Reading", "ReadingState", "StaleError", "Version"]

SIGNED: Final = "signed.json"  # what was signed, in the folder of a version


class StaleError(InputError):
    """The reading has changed since the page was loaded: load it again."""


class Purpose(StrEnum):
    """Why somebody reads: for themselves, or to decide between others."""

    READ = "read"
    ADJUDICATE = "adjudicate"


class ReadingState(StrEnum):
    """Whether the reader still works on it, or has handed it in."""

    OPEN = "open"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading; `number` is that of its last edit, 0 before the first."""

    id: int
    job: int
    study: StudyUid
    analysis: str
    reader: str
    purpose: Purpose
    state: ReadingState
    opened: datetime
    changed: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Version:
    """A signed report; `folder` (below the store's results) holds its `products`, once made.

    `record` is the SHA-256 of what was signed (`SIGNED`, in the archive too); `edits` is how
    many edits of the reading it holds, None for all there are when it is signed. The store
    gives the `number`.
    """

    number: int
    meaning: Meaning
    signer: str
    at: datetime
    language: str
    conclusion: str
    folder: str
    record: str
    products: tuple[str, ...] = ()
    edits: int | None = None
