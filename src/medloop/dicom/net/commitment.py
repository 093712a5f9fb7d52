"""Storage commitment: a PACS promises to keep what it was sent (PS3.4 annex J).

The promise (N-EVENT-REPORT) may come on the association on which it was asked for, or minutes
later on one that the PACS opens to the node's receiver, which is another process. A `Ledger`, a
folder that both know, is where the one finds what the other was told.
"""

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydicom import Dataset
from pynetdicom import AE, evt

from medloop.core.errors import ServiceError
from medloop.dicom.foreign import quiet

PUSH_MODEL: Final = "1.2.840.10008.1.20.1"  # SOP class
WELL_KNOWN: Final = "1.2.840.10008.1.20.1.1"  # its one SOP instance
_SUCCESS, _FAILURES = 1, 2  # event types (PS3.4 J.3.3.1.1)
_UID: Final = re.compile(r"[0-9.]{1,64}")
_KEPT_S: Final = 14 * 86_400.0
_PROCESSING_FAILURE, _NO_SUCH_EVENT = 0x0110, 0x0113


@dataclass(frozen=True, slots=True)
class Report:
    """What a PACS says of one request; `failed` maps SOP Instance UIDs to reasons."""

    stored: frozenset[str]
    failed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Requests that were made and reports that came, one small file each."""

    folder: Path

    def ask(self, transaction: str, subject: str) -> None:
        """Note a request before it is made; `subject` names what it is about."""
        self._write(f"{transaction}.asked", subject)

    def take(self, transaction: str, report: Report) -> bool:
        """Keep a report, if it was asked for; False for one that nobody waits for.

        Raises
        ------
        ServiceError
            If it cannot be written.
        """
        if not _UID.fullmatch(transaction) or not self._path(f"{transaction}.asked").exists():
            return False
        said = {"stored": sorted(report.stored), "failed": dict(report.failed)}
        self._write(f"{transaction}.json", json.dumps(said))
        return True

    def report(self, transaction: str) -> Report | None:
        """Look up what came for a request."""
        try:
            said = json.loads(self._path(f"{transaction}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return Report(frozenset(said["stored"]), said["failed"])

    def reports(self, subject: str) -> tuple[Report, ...]:
        """Look up what came, ever, about a subject; forgets what is two weeks old."""
        found = []
        for asked in sorted(self.folder.glob("*.asked")):
            try:
                is_old = time.time() - asked.stat().st_mtime > _KEPT_S
                is_mine = asked.read_text(encoding="utf-8") == subject
            except OSError:
                continue
            report = self.report(asked.stem)
            if is_mine and report is not None:
                found.append(report)
            if is_old:
                self._forget(asked.stem)
        return tuple(found)

    def close(self, subject: str) -> None:
        """Forget all requests about a subject."""
        for asked in self.folder.glob("*.asked"):
            if asked.read_text(encoding="utf-8") == subject:
                self._forget(asked.stem)

    def _forget(self, transaction: str) -> None:
        for ending in ("asked", "json"):
            self._path(f"{transaction}.{ending}").unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / name

    def _write(self, name: str, text: str) -> None:
        part = self.folder / f".{name}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="utf-8")
            part.replace(self._path(name))
        except OSError as error:
            raise ServiceError(f"commitments cannot be noted: {error.strerror}") from error


def subject_of(destination: str, uids: Sequence[str]) -> str:
    """Name what a request is about: these objects at this destination."""
    return hashlib.sha256("\0".join((destination, *sorted(uids))).encode()).hexdigest()


def action_information(transaction: str, objects: Mapping[str, str]) -> Dataset:
    """Ask for `objects`, SOP Instance UID -> SOP Class UID (PS3.4 table J.3-2)."""
    asked = Dataset()
    asked.TransactionUID = transaction
    asked.ReferencedSOPSequence = []
    for uid, sop_class in objects.items():
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class
        item.ReferencedSOPInstanceUID = uid
        asked.ReferencedSOPSequence.append(item)
    return asked


def read_report(event: evt.Event) -> tuple[str, Report] | None:
    """Read an N-EVENT-REPORT (PS3.4 table J.3-3): transaction UID and report; None if none."""
    if getattr(event.request, "EventTypeID", None) not in (_SUCCESS, _FAILURES):
        return None
    with quiet():
        said = event.event_information
        stored = {
            str(i.ReferencedSOPInstanceUID) for i in said.get("ReferencedSOPSequence") or ()
        }
        failed = {
            str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason") or 0)
            for item in said.get("FailedSOPSequence") or ()
        }
        return str(said.get("TransactionUID", "")), Report(frozenset(stored), failed)


def take_report(event: evt.Event, ledger: Ledger) -> tuple[int, None]:
    """Answer an N-EVENT-REPORT that came on an association of the PACS' own.

    For a receiver: ``(evt.EVT_N_EVENT_REPORT, take_report, [ledger])``, with `listen`.
    """
    try:
        read = read_report(event)
        if read is None:
            return _NO_SUCH_EVENT, None
        ledger.take(*read)
    except (ServiceError, AttributeError, TypeError, ValueError):
        return _PROCESSING_FAILURE, None
    return 0x0000, None


def listen(ae: AE) -> None:
    """Let a receiver accept reports: the PACS proposes the SCP role for itself (J.3.3)."""
    ae.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
