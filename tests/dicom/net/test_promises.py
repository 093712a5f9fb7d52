"""Storage commitment is given for what is kept, to whoever asks, on either association."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.presentation import build_role
from pynetdicom.sop_class import StorageCommitmentPushModel

from medloop.core.errors import ServiceError
from medloop.dicom.net.commitment import WELL_KNOWN, Ledger, action_information
from tests.dicom.net.inlets import a_receiver
from tests.peers import wait_until

CT = "1.2.840.10008.5.1.4.1.1.2"


class Scanner:
    """A modality that asks for commitment and hears the answer."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, Dataset]] = []
        self._came = threading.Event()

    def hear(self, event) -> tuple[int, None]:
        self.heard.append((event.request.EventTypeID, event.event_information))
        self._came.set()
        return 0x0000, None

    def ask(self, port: int, objects: dict[str, str], *, action: int = 1) -> int:
        ae = AE(ae_title="SCANNER")
        ae.add_requested_context(StorageCommitmentPushModel)
        ae.acse_timeout = ae.dimse_timeout = 10
        handlers = [(evt.EVT_N_EVENT_REPORT, self.hear)]
        association = ae.associate("127.0.0.1", port, ae_title="MEDLOOP", evt_handlers=handlers)
        assert association.is_established
        asked = action_information("1.2.3.9", objects)
        status, _ = association.send_n_action(
            asked, action, StorageCommitmentPushModel, WELL_KNOWN
        )
        if status.Status == 0x0000:
            self._came.wait(10)
        association.release()
        return status.Status

    @contextmanager
    def listening(self) -> Iterator[int]:
        ae = AE(ae_title="SCANNER")
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
        handlers = [(evt.EVT_N_EVENT_REPORT, self.hear)]
        server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def names(items) -> set[str]:
    return {str(item.ReferencedSOPInstanceUID) for item in items or ()}


def test_what_is_intact_is_promised_and_the_rest_is_named(tmp_path):
    with a_receiver(tmp_path) as desk:
        desk.intact = {"1.1": CT, "1.2": CT, "1.3": "1.2.840.10008.5.1.4.1.1.4"}
        scanner = Scanner()
        asked = dict.fromkeys(("1.1", "1.2", "1.3", "1.4"), CT)
        assert scanner.ask(desk.port, asked) == 0x0000
    ((kind, said),) = scanner.heard
    assert (kind, said.TransactionUID) == (2, "1.2.3.9")
    assert names(said.ReferencedSOPSequence) == {"1.1", "1.2"}
    failed = {str(i.ReferencedSOPInstanceUID): i.FailureReason for i in said.FailedSOPSequence}
    assert failed == {"1.3": 0x0119, "1.4": 0x0112}


def test_when_all_is_kept_the_report_says_so(tmp_path):
    with a_receiver(tmp_path) as desk:
        desk.intact = {"1.1": CT}
        scanner = Scanner()
        scanner.ask(desk.port, {"1.1": CT})
    ((kind, said),) = scanner.heard
    assert (kind, names(said.ReferencedSOPSequence)) == (1, {"1.1"})
    assert "FailedSOPSequence" not in said


def test_a_known_caller_gets_the_report_on_an_association_of_its_own(tmp_path):
    scanner, heard = Scanner(), Scanner()
    with (
        heard.listening() as port,
        a_receiver(tmp_path, peers={"SCANNER": ("127.0.0.1", port)}) as desk,
    ):
        desk.intact = {"1.1": CT}
        heard_thread = threading.Thread(
            target=scanner.ask, args=(desk.port, {"1.1": CT}), daemon=True
        )
        heard_thread.start()
        wait_until(lambda: heard.heard)
        scanner._came.set()
        heard_thread.join(20)
    assert scanner.heard == []
    assert names(heard.heard[0][1].ReferencedSOPSequence) == {"1.1"}


def test_nothing_is_promised_while_it_cannot_be_told(tmp_path):
    def broken(_uids):
        raise ServiceError("database: away")

    with a_receiver(tmp_path, inlet={"intact": broken}) as desk:
        scanner = Scanner()
        scanner.ask(desk.port, {"1.1": CT})
    ((kind, said),) = scanner.heard
    assert (kind, said.FailedSOPSequence[0].FailureReason) == (2, 0x0110)


@pytest.mark.parametrize(
    ("objects", "action", "status"), [({}, 1, 0x0115), ({"1.1": CT}, 2, 0x0123)]
)
def test_what_is_no_request_for_commitment_is_refused(tmp_path, objects, action, status):
    with a_receiver(tmp_path) as desk:
        assert Scanner().ask(desk.port, objects, action=action) == status


def test_a_report_of_a_pacs_is_noted(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    ledger.ask("1.2.3.9", "subject")
    said = action_information("1.2.3.9", {"1.1": CT})
    with a_receiver(tmp_path, inlet={"ledger": ledger}) as desk:
        ae = AE(ae_title="PACS")
        ae.add_requested_context(StorageCommitmentPushModel)
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        association = ae.associate("127.0.0.1", desk.port, ae_title="MEDLOOP", ext_neg=[role])
        status, _ = association.send_n_event_report(
            said, 1, StorageCommitmentPushModel, WELL_KNOWN
        )
        association.release()
    assert status.Status == 0x0000
    assert ledger.report("1.2.3.9").stored == {"1.1"}
