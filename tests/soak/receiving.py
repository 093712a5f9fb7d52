"""Kill the receiver and the indexer at random moments while objects come; none may be lost.

python -m tests.soak.receiving --kills 200 --seed 1
"""

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from medloop.core.errors import MedloopError
from medloop.store import open_store
from medloop.store.spool import Spool
from medloop.workflow.reception import Reception
from tests.dicom.slices import a_slice, save
from tests.peers import free_port, wait_until
from tests.soak.quick_receiver import SEGMENT_BYTES

ROWS = 160


@dataclass
class Figures:
    """What came of one run."""

    kills: int = 0
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_well(self) -> bool:
        return self.acknowledged > 0 and not self.lost and not self.damaged


class Part:
    """A process that is killed and started again."""

    def __init__(self, name: str, folder: Path, port: int) -> None:
        self._command = [
            sys.executable, "-m", "tests.soak.quick_receiver", name, str(folder), str(port)
        ]  # fmt: skip
        self._log = (folder / f"{name}.log").open("ab")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdout=self._log, stderr=subprocess.STDOUT
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        self.kill()
        self._log.close()


class Sender(threading.Thread):
    """Sends objects of its own, over and over the same until they are acknowledged."""

    def __init__(self, name: str, port: int, stop: threading.Event, seed: int) -> None:
        super().__init__(daemon=True)
        self.acknowledged: dict[str, str] = {}
        self._title, self._port, self._stopped = name, port, stop
        self._rng = np.random.default_rng(seed)
        self._count = 0

    def run(self) -> None:
        ae = AE(ae_title=self._title)
        ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = 5
        waiting: Dataset | None = None
        while not self._stopped.is_set():
            association = ae.associate("127.0.0.1", self._port, ae_title="MEDLOOP")
            while association.is_established and not self._stopped.is_set():
                waiting = waiting or self._draw()
                waiting = None if self._send(association, waiting) else waiting
            if association.is_established:
                association.release()
            time.sleep(0.05)

    def _draw(self) -> Dataset:
        array = self._rng.integers(0, 2000, (ROWS, ROWS), dtype=np.int16)
        self._count += 1
        uid = f"2.25.{int.from_bytes(self._title.encode())}.{self._count}"
        piece = a_slice((0.0, 0.0, float(self._count)), array=array, SOPInstanceUID=uid)
        piece.StudyInstanceUID = f"2.25.{int.from_bytes(self._title.encode())}"
        save(piece, Path("/dev/null"))
        return piece

    def _send(self, association: object, piece: Dataset) -> bool:
        try:
            status = association.send_c_store(piece)
        except (RuntimeError, ValueError):  # the association ended meanwhile
            return False
        if status.get("Status") != 0x0000:
            return False
        digest = hashlib.sha256(piece.PixelData).hexdigest()
        self.acknowledged[str(piece.SOPInstanceUID)] = digest
        return True


def run(
    folder: Path, *, kills: int, seed: int, say: Callable[[str], None] = lambda _line: None
) -> Figures:
    """Kill receiver and indexer so many times; returns what became of the objects."""
    chance = random.Random(seed)  # noqa: S311 (moments, not secrets)
    figures, began = Figures(), time.monotonic()
    port, stop = free_port(), threading.Event()
    open_store(folder / "store").close()
    parts = [Part("receive", folder, port), Part("index", folder, port)]
    senders = [Sender(f"SENDER{n}", port, stop, seed + n) for n in range(2)]
    try:
        wait_until((folder / "ready").exists, timeout_s=60)
        for each in senders:
            each.start()
        for n in range(kills):
            before = sum(len(each.acknowledged) for each in senders)
            wait_until(
                lambda: sum(len(each.acknowledged) for each in senders) > before,  # noqa: B023
                timeout_s=60,
            )
            time.sleep(chance.uniform(0, 0.3))
            part = parts[chance.random() < 0.3]
            part.kill()
            part.start()
            figures.kills += 1
            say(f"{n + 1} of {kills} kills, {before} objects acknowledged")
    finally:
        stop.set()
        for each in senders:
            each.join(30)
        for part in parts:
            part.close()
    _compare(folder, {k: v for each in senders for k, v in each.acknowledged.items()}, figures)
    figures.seconds = time.monotonic() - began
    return figures


def _compare(folder: Path, acknowledged: dict[str, str], figures: Figures) -> None:
    """Index what is left, then look for every object that was acknowledged."""
    store = open_store(folder / "store")
    spool = Spool(folder / "spool", reserve_bytes=0, segment_bytes=SEGMENT_BYTES)
    try:
        Reception(store, spool).take_in(datetime.now(UTC))
        held = store.arrivals.held(list(acknowledged))
        figures.acknowledged = len(acknowledged)
        for uid, digest in acknowledged.items():
            if uid not in held:
                figures.lost.append(uid)
                continue
            try:
                kept = dcmread(store.archive.checked(held[uid].sha256))
            except MedloopError:
                figures.damaged.append(uid)
                continue
            if hashlib.sha256(kept.PixelData).hexdigest() != digest:
                figures.damaged.append(uid)
    finally:
        spool.close()
        store.close()


def main() -> int:
    """Run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder), kills=options.kills, seed=options.seed, say=print)
    print(
        f"{figures.kills} kills in {figures.seconds:.0f} s, {figures.acknowledged} objects "
        f"acknowledged, {len(figures.lost)} lost, {len(figures.damaged)} damaged"
    )
    return 0 if figures.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
