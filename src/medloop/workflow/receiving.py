"""The receiver's way into the house: objects to the spool, promises from the catalog, audit."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from medloop.core.study import SopUid
from medloop.store import Entry
from medloop.workflow.reception import Reception

if TYPE_CHECKING:  # pynetdicom is there only where a node is served
    from medloop.dicom.net.commitment import Ledger
    from medloop.dicom.net.inlet import Inlet, Visit

PATIENCE_S: Final = 30.0  # for what was acknowledged to be indexed
_LOOK_S: Final = 0.5


def inlet(reception: Reception, *, ledger: "Ledger | None" = None) -> "Inlet":
    """Put together what a receiver needs of a reception; `ledger` takes reports of a PACS."""
    from medloop.dicom.net.inlet import Inlet  # noqa: PLC0415 (needs pynetdicom)

    def visited(visit: "Visit") -> None:
        reception.store.audit.append(entry(reception, visit))

    return Inlet(
        open=reception.spool.open,
        intact=lambda uids: intact_soon(reception, uids),
        visited=visited,
        ledger=ledger,
    )


def intact_soon(
    reception: Reception,
    uids: Sequence[str],
    *,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Mapping[str, str]:
    """Map those of the UIDs that are kept and undamaged to their SOP classes.

    What has just been acknowledged may not be in the catalog yet: this waits for it a while.

    Raises
    ------
    ServiceError
        If database or disk cannot be read now.
    """
    wanted = [SopUid(uid) for uid in uids]
    ends = clock() + patience_s
    while len(reception.store.arrivals.held(wanted)) < len(set(wanted)) and clock() < ends:
        sleep(_LOOK_S)
    return {str(uid): kind for uid, kind in reception.intact(wanted).items()}


def entry(reception: Reception, visit: "Visit") -> Entry:
    """Make one line of the audit log of an association."""
    return Entry(
        at=reception.now(),
        actor=f"dicom:{visit.caller}",
        action="sent",
        subject="",
        details={
            "address": visit.address,
            "stored": str(visit.stored),
            "refused": str(visit.refused),
            "bytes": str(visit.bytes),
            "ended": visit.ended,
        },
    )
