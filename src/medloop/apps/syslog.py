"""The audit log is also sent away: DICOM audit messages by syslog over TLS.

Messages of RFC 5424 in the frames of RFC 5425. Syslog acknowledges nothing, so a batch counts
as sent once the other side has read to its end and closed the connection; what was under way
when it broke is sent again. The last row that arrived is remembered in a file of the store.
"""

import json
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Final

from medloop.apps.atna import Origin, message
from medloop.apps.output import write_text
from medloop.apps.site import AuditSettings, SyslogSettings
from medloop.core.errors import InputError, ServiceError
from medloop.core.names import StudyUid
from medloop.store import Store
from medloop.store.audit import Audit, Wanted

log = logging.getLogger(__name__)

PLACE: Final = "audit.sent"
BATCH: Final = 200
_TIMEOUT_S: Final = 15.0
_PRIORITY: Final = 10 * 8 + 5  # security, notice
_BOM: Final = b"\xef\xbb\xbf"  # RFC 5424: what follows is UTF-8


def forward(store: Store, settings: AuditSettings, *, most: int = 10 * BATCH) -> int:
    """Send the rows that were not sent yet, in their order; return how many went.

    Does nothing where no repository is set.

    Raises
    ------
    ServiceError
        If the repository cannot be reached; the rest is sent by the next call.
    """
    if settings.syslog is None:
        return 0
    origin = Origin(settings.source, socket.gethostname())
    place = store.root / PLACE
    patient = cache(partial(_patient, store))
    after, count = _last_sent(store.audit, place), 0
    while count < most and (rows := store.audit.page(Wanted(), after=after, limit=BATCH)):
        frames = [
            frame(
                message(row.entry, origin, patient=patient(row.entry.subject)),
                row.entry.at,
                origin,
            )
            for row in rows
        ]
        send(settings.syslog, frames)
        after = rows[-1].number
        count += len(rows)
        write_text(place, json.dumps({"row": after, "hash": rows[-1].hash}))
    return count


def frame(content: bytes, at: datetime, origin: Origin) -> bytes:
    """Put a message into its envelope, and its length before that."""
    time = at.isoformat(timespec="milliseconds")
    head = (
        f"<{_PRIORITY}>1 {time} {_word(origin.host)} {_word(origin.source)} - DICOM+RFC3881 - "
    )
    whole = head.encode("ascii") + _BOM + content
    return b"%d %s" % (len(whole), whole)


def send(settings: SyslogSettings, frames: Sequence[bytes]) -> None:
    """Send frames on a connection of their own, and wait until they are read.

    Raises
    ------
    ServiceError
        If they may not have arrived.
    """
    try:
        trust = ssl.create_default_context(cafile=settings.authority)
        # Whoever refuses our certificate says so before we write (in TLS 1.3, perhaps never).
        trust.maximum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate is not None:
            trust.load_cert_chain(settings.certificate, settings.key)
        place = (settings.host, settings.port)
        with (
            socket.create_connection(place, timeout=_TIMEOUT_S) as plain,
            trust.wrap_socket(plain, server_hostname=settings.host) as secure,
        ):
            secure.sendall(b"".join(frames))
            _close(secure.unwrap)
    except (OSError, ValueError) as error:
        raise ServiceError(f"audit repository cannot be reached: {_said(error)}") from error


def _close(unwrap: Callable[[], socket.socket]) -> None:
    """Say that nothing follows, and hear the same.

    Whoever refuses our certificate does so after we have written (TLS 1.3), perhaps by hanging
    up: an end without a word may mean that nothing was read.
    """
    with suppress(ssl.SSLZeroReturnError):
        unwrap()


def _last_sent(audit: Audit, place: Path) -> int:
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        number, head = int(kept["row"]), str(kept["hash"])
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, KeyError, TypeError):
        log.warning("what was sent to the audit repository is forgotten: all is sent again")
        return 0
    found = audit.page(Wanted(), after=number - 1, limit=1)
    if not found or found[0].hash != head:
        log.warning("the audit log is another one than was sent: all is sent again")
        return 0
    return number


def _patient(store: Store, subject: str) -> str:
    """Look up whom a study shows; the log itself has no patients."""
    try:
        return store.catalog.study(StudyUid(subject)).patient.identifier
    except InputError:
        return ""


def _word(text: str) -> str:
    """Write a field of the envelope: printable ASCII without spaces (RFC 5424 6)."""
    kept = "".join(each if "!" <= each <= "~" else "_" for each in text)
    return kept[:48] or "-"


def _said(error: BaseException) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or type(error).__name__
