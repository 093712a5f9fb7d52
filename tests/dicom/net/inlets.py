"""A receiver on a free port, with a spool behind it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE

from medloop.dicom.net.inlet import Inlet, Visit
from medloop.dicom.net.limits import Listening
from medloop.dicom.net.receiver import receiving
from medloop.store.spool import Spool


@dataclass
class Desk:
    """What came in."""

    spool: Spool
    visits: list[Visit] = field(default_factory=list)
    intact: dict[str, str] = field(default_factory=dict)
    port: int = 0

    def promise(self, uids: Sequence[str]) -> Mapping[str, str]:
        return {uid: self.intact[uid] for uid in uids if uid in self.intact}

    def inlet(self, **more) -> Inlet:
        return replace(Inlet(self.spool.open, self.promise, self.visits.append), **more)

    def objects(self) -> list[bytes]:
        """Read what was kept, every time from the start."""
        reader = Spool(self.spool.root)
        with reader.reading():
            return [b"".join(each.chunks()) for each in reader.waiting(10_000)]


@contextmanager
def a_receiver(
    folder: Path, *, inlet: Mapping[str, object] | None = None, **listening
) -> Iterator[Desk]:
    """Receive in threads of this process."""
    desk = Desk(Spool(folder / "spool", reserve_bytes=0, segment_bytes=4 << 20))
    told = Listening(**{"port": 0, "idle_s": 10.0} | listening)
    try:
        with receiving(told, desk.inlet(**(inlet or {}))) as receiver:
            desk.port = receiver.port
            yield desk
    finally:
        desk.spool.close()


def associate(port: int, *sop_classes: str, syntax=ExplicitVRLittleEndian, title: str = "SCU"):
    """Open an association as a sender."""
    ae = AE(ae_title=title)
    for each in sop_classes or ("1.2.840.10008.1.1",):
        ae.add_requested_context(each, syntax)
    ae.acse_timeout = ae.dimse_timeout = ae.connection_timeout = 10
    return ae.associate("127.0.0.1", port, ae_title="MEDLOOP")


def store(port: int, dataset: Dataset, *, sop_class: str = "") -> int:
    """Send one object, and return the status."""
    association = associate(port, sop_class or dataset.SOPClassUID)
    assert association.is_established
    try:
        return association.send_c_store(dataset).Status
    finally:
        association.release()
