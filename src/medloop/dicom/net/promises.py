"""Storage commitment as its provider: promises only what is durable and intact (PS3.4 J)."""

import logging
import threading
from collections.abc import Mapping
from typing import Final

from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_role
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from medloop.core.errors import FOREIGN_ERRORS, MedloopError
from medloop.dicom.foreign import quiet
from medloop.dicom.net.commitment import WELL_KNOWN
from medloop.dicom.net.inlet import Inlet
from medloop.dicom.net.limits import Listening

log = logging.getLogger(__name__)

_REQUEST: Final = 1  # action type (PS3.4 J.3.2.1)
_ALL, _SOME = 1, 2  # event types (PS3.4 J.3.3.1.1)
_PROCESSING, _NO_SUCH_OBJECT, _OTHER_CLASS = 0x0110, 0x0112, 0x0119
_NO_SUCH_ACTION, _BAD_ARGUMENT, _NO_SUCH_INSTANCE = 0x0123, 0x0115, 0x0112
_MOST: Final = 100_000  # objects in one request


def promise(event: evt.Event, listening: Listening, inlet: Inlet) -> tuple[int, Dataset | None]:
    """Answer an N-ACTION; the report follows on its own."""
    request = event.request
    if request.ActionTypeID != _REQUEST:  # type: ignore[union-attr]
        return _NO_SUCH_ACTION, None
    if request.RequestedSOPInstanceUID != WELL_KNOWN:  # type: ignore[union-attr]
        return _NO_SUCH_INSTANCE, None
    with quiet():
        try:
            asked = event.action_information
            transaction = str(asked.TransactionUID)
            wanted = [
                (str(item.ReferencedSOPInstanceUID), str(item.ReferencedSOPClassUID))
                for item in asked.ReferencedSOPSequence
            ]
        except FOREIGN_ERRORS:
            return _BAD_ARGUMENT, None
    if not transaction or not 0 < len(wanted) <= _MOST:
        return _BAD_ARGUMENT, None
    association = event.assoc
    title = association.requestor.ae_title
    peer = listening.peers.get(title)
    report = threading.Thread(
        target=_report,
        args=(association, (title, *peer) if peer else None, transaction, wanted),
        kwargs={"listening": listening, "inlet": inlet},
        daemon=True,
    )
    report.start()
    return 0x0000, None


def _report(
    association: Association,
    peer: tuple[str, str, int] | None,
    transaction: str,
    wanted: list[tuple[str, str]],
    *,
    listening: Listening,
    inlet: Inlet,
) -> None:
    try:
        intact = inlet.intact([uid for uid, _ in wanted])
        kind, said = _said(transaction, wanted, intact)
    except MedloopError as trouble:
        log.warning("storage commitment: %s", trouble)
        kind, said = _said(transaction, wanted, None)
    try:
        sent = _send_to(peer, kind, said, listening) if peer else _send(association, kind, said)
    except FOREIGN_ERRORS as error:
        log.warning("storage commitment was not reported: %s", type(error).__name__)
        return
    if not sent:
        log.warning("storage commitment was not reported: the peer did not take it")


def _said(
    transaction: str, wanted: list[tuple[str, str]], intact: Mapping[str, str] | None
) -> tuple[int, Dataset]:
    """Make the report (PS3.4 table J.3-3); None: whether they are kept cannot be told now."""
    kept, failed = [], []
    for uid, sop_class in wanted:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class
        item.ReferencedSOPInstanceUID = uid
        if intact is not None and intact.get(uid) == sop_class:
            kept.append(item)
            continue
        item.FailureReason = _PROCESSING
        if intact is not None:
            item.FailureReason = _OTHER_CLASS if uid in intact else _NO_SUCH_OBJECT
        failed.append(item)
    said = Dataset()
    said.TransactionUID = transaction
    if kept:
        said.ReferencedSOPSequence = kept
    if failed:
        said.FailedSOPSequence = failed
    return (_SOME if failed else _ALL), said


def _send(association: Association, kind: int, said: Dataset) -> bool:
    """Report on an association that is there."""
    if not association.is_established:
        return False
    status, _ = association.send_n_event_report(
        said, kind, StorageCommitmentPushModel, WELL_KNOWN
    )
    return status.get("Status") == 0x0000


def _send_to(
    peer: tuple[str, str, int], kind: int, said: Dataset, listening: Listening
) -> bool:
    """Report on an association of our own; we are the SCP on it (PS3.4 J.3.3)."""
    title, host, port = peer
    ae = AE(ae_title=listening.ae_title)
    ae.add_requested_context(StorageCommitmentPushModel)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = 10
    role = build_role(StorageCommitmentPushModel, scp_role=True)
    association = ae.associate(host, port, ae_title=title, ext_neg=[role])
    try:
        return _send(association, kind, said)
    finally:
        if association.is_established:
            association.release()
