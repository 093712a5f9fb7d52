"""What the receiver needs of the house: where objects go, what is kept, who keeps the log."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from medloop.dicom.net.commitment import Ledger


class Incoming(Protocol):
    """One object that is arriving."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Add bytes, or raise `ServiceError`."""

    def start(self, limit: int) -> bytes:
        """Return the first bytes that were written."""

    def keep(self) -> str:
        """Make it durable, or raise `ServiceError`."""

    def drop(self) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What one association brought, for the audit trail; no patient data."""

    caller: str
    address: str
    stored: int
    refused: int
    ended: str  # released, aborted, rejected
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Inlet:
    """The way in.

    `open` begins an object from a source; `intact` maps the UIDs of those asked for that are
    durable and undamaged to their SOP class; `visited` notes one association; `ledger` is where
    a PACS' reports of storage commitment go.
    """

    open: Callable[[str], Incoming]
    intact: Callable[[Sequence[str]], Mapping[str, str]]
    visited: Callable[[Visit], None]
    ledger: Ledger | None = None
