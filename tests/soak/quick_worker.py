"""A worker process with one quick analysis, to be killed: python -m tests.soak.quick_worker.

What a picture is like decides what becomes of its analysis: bright ones crash or hang it.
"""

import ctypes
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from medloop.apps.supervisor import stop_with_supervisor
from medloop.core.finding import Result
from medloop.core.record import to_json, to_record
from medloop.core.study import Case
from medloop.store import open_store
from medloop.workflow.folders import fresh_folder
from medloop.workflow.heartbeat import Pulse
from medloop.workflow.stored import StoreArchive
from medloop.workflow.worker import Bench, work
from tests.apps.fakes import Redness

USUAL, CRASHING, HANGING = 90, 200, 220
LIMIT_S = 2.0
PRODUCT = b"<p>report</p>" * 1000


@dataclass(frozen=True)
class Moody:
    """Says how red a picture is, or crashes, or hangs."""

    name: str = "redness"

    def select(self, study):
        return Redness().select(study)

    def analyze(self, case: Case) -> Result:
        brightest = int(case.images[0].array.max())
        if brightest == CRASHING:
            ctypes.string_at(0)  # a segmentation fault
        if brightest == HANGING:
            time.sleep(3600)
        time.sleep(0.02)
        return Redness().analyze(case)


def write(case: Case, result: Result, folder: Path) -> None:
    """Write two products, slowly enough to be killed between."""
    with fresh_folder(folder) as part:
        text = to_json(to_record(result, case.study, case.selection.source))
        (part / "result.json").write_text(text, encoding="utf-8")
        time.sleep(0.01)
        (part / "report.html").write_bytes(PRODUCT)


def main(life: str, home: str, url: str) -> None:
    """Work until told to stop."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stop_with_supervisor(5.0)
    store = open_store(Path(home), url or None)
    (Path(home) / "pids" / str(os.getpid())).touch()
    pulse = Pulse(beat_s=0.2, limit_s=LIMIT_S, end=lambda _reason: os._exit(75))
    bench = Bench(life, StoreArchive(store), write, pulse=pulse, idle_s=0.05)
    try:
        work(store, [Moody()], bench, once=False)
    except KeyboardInterrupt:
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
