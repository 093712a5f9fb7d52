"""What the receiver is given: a spool, promises of what is indexed, and the audit log."""

import pytest

from medloop.store.spool import Spool
from medloop.workflow.receiving import inlet, intact_soon
from medloop.workflow.reception import Reception
from tests.dicom.slices import a_slice, save

pytest.importorskip("pynetdicom")


@pytest.fixture
def reception(store, tmp_path):
    spool = Spool(tmp_path / "spool", reserve_bytes=0, segment_bytes=1 << 20)
    yield Reception(store, spool)
    spool.close()


def an_object(tmp_path) -> tuple[str, bytes]:
    piece = a_slice()
    return str(piece.SOPInstanceUID), save(piece, tmp_path / "a.dcm").read_bytes()


def test_a_promise_waits_until_what_was_acknowledged_is_indexed(reception, tmp_path):
    uid, data = an_object(tmp_path)
    incoming = inlet(reception).open("CT1")
    incoming.write(data)
    incoming.keep()
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            reception.take_in(reception.now())

    found = intact_soon(reception, [uid, uid], sleep=sleep)
    assert (found, len(waits)) == ({uid: "1.2.840.10008.5.1.4.1.1.2"}, 2)


def test_patience_for_what_never_came_has_an_end(reception, tmp_path):
    times = iter(range(0, 1000, 10))
    found = intact_soon(
        reception, ["9.9"], patience_s=30, clock=lambda: next(times), sleep=lambda _: None
    )
    assert found == {}


def test_an_association_is_one_line_of_the_audit_log(reception):
    from medloop.dicom.net.inlet import Visit  # noqa: PLC0415 (after the check that it is there)

    inlet(reception).visited(Visit("CT1", "10.0.0.1", 133, 1, "released", 70_000_000))
    (line,) = reception.store.audit.entries()
    assert (line.actor, line.action) == ("dicom:CT1", "sent")
    assert line.details == {
        "address": "10.0.0.1",
        "stored": "133",
        "refused": "1",
        "bytes": "70000000",
        "ended": "released",
    }
