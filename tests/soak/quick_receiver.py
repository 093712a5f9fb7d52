"""One part of a node's way in, as a process to be killed: ``receive`` or ``index``.

python -m tests.soak.quick_receiver receive|index FOLDER PORT
"""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

SEGMENT_BYTES = 4 << 20  # small ones are soon used again


def receive(folder: Path, port: int) -> None:
    """Receive into the spool until the end."""
    from medloop.dicom.net.receiver import Inlet, Listening, serve  # noqa: PLC0415
    from medloop.store.spool import Spool  # noqa: PLC0415

    spool = Spool(folder / "spool", reserve_bytes=0, segment_bytes=SEGMENT_BYTES)
    spool.prepare(2)
    serve(
        Listening(port=port),
        Inlet(spool.open, lambda _uids: {}, lambda _visit: None),
        ready=lambda _port: (folder / "ready").touch(),
    )


def index(folder: Path) -> None:
    """Index what is spooled, for ever."""
    from medloop.store import open_store  # noqa: PLC0415
    from medloop.store.spool import Spool  # noqa: PLC0415
    from medloop.workflow.indexing import LOOK_S, Indexing  # noqa: PLC0415
    from medloop.workflow.reception import Reception  # noqa: PLC0415

    spool = Spool(folder / "spool", reserve_bytes=0, segment_bytes=SEGMENT_BYTES)
    indexing = Indexing(Reception(open_store(folder / "store"), spool))
    while True:
        if not indexing.look(datetime.now(UTC)):
            time.sleep(LOOK_S)


if __name__ == "__main__":
    part, where, number = sys.argv[1:4]
    if part == "receive":
        receive(Path(where), int(number))
    else:
        index(Path(where))
