"""Saying that a run goes on, and ending one that takes too long or is no longer the worker's.

A thread renews the lease of the job at hand. Where nobody supervises the process, a run that
took too long or was canceled cannot be stopped; but its end will be refused.
"""

import faulthandler
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from medloop.core.errors import ServiceError

if TYPE_CHECKING:
    from medloop.store import Job, Store

log = logging.getLogger(__name__)

# A process that holds the interpreter and cannot even say so is ended this much later.
DEAF_S = 60.0


@dataclass(frozen=True, slots=True)
class Pulse:
    """How often a worker says that it lives, and how long a run may take.

    `limits_s` are by analysis. `end` ends the process, where somebody will start it again; it
    is told why.
    """

    beat_s: float = 20.0
    limit_s: float = 900.0
    limits_s: Mapping[str, float] = field(default_factory=dict)
    end: Callable[[str], None] | None = None

    def limit_of(self, analysis: str) -> float:
        """Say how long a run of an analysis may take, in seconds."""
        return self.limits_s.get(analysis, self.limit_s)


@contextmanager
def beating(
    store: "Store", job: "Job", pulse: Pulse, now: Callable[[], datetime]
) -> Iterator[Callable[[], None]]:
    """Keep the lease of a job while the block runs.

    The block calls what is yielded once it has analyzed: no limit holds from there on.
    """
    stop, analyzed = threading.Event(), threading.Event()
    beat = _Beat(store, job, pulse, now, stop, analyzed)
    thread = threading.Thread(target=beat.run, name="medloop-pulse", daemon=True)
    if pulse.end:
        faulthandler.dump_traceback_later(pulse.limit_of(job.analysis) + DEAF_S, exit=True)
    thread.start()

    def settle() -> None:
        analyzed.set()
        if pulse.end:
            faulthandler.cancel_dump_traceback_later()

    try:
        yield settle
    finally:
        settle()
        stop.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class _Beat:
    store: "Store"
    job: "Job"
    pulse: Pulse
    now: Callable[[], datetime]
    stop: threading.Event
    analyzed: threading.Event

    def run(self) -> None:
        """Renew the lease until told to stop; give up a run that takes too long."""
        limit_s = self.pulse.limit_of(self.job.analysis)
        last = time.monotonic() + limit_s
        said = ""
        while not self.stop.wait(self._wait_s(last)):
            if self._is_late(last):
                reason = f"took longer than {limit_s:g} s"
                with suppress(ServiceError):  # then its lease will say so
                    self.store.jobs.take_back(reason, now=self.now(), job=self.job)
                self._give_up(reason)
                return
            trouble = self._renew()
            if trouble is None:
                return
            if trouble and trouble != said:
                log.warning("job %d: its lease cannot be renewed: %s", self.job.id, trouble)
            said = trouble

    def _wait_s(self, last: float) -> float:
        if self.analyzed.is_set():
            return self.pulse.beat_s
        return max(0.0, min(self.pulse.beat_s, last - time.monotonic()))

    def _is_late(self, last: float) -> bool:
        return not self.analyzed.is_set() and time.monotonic() >= last

    def _renew(self) -> str | None:
        """Say what is in the way, if anything is; None if the job is not ours any more."""
        from medloop.store import TakenOverError  # noqa: PLC0415 - whoever has a store loaded it

        try:
            self.store.jobs.renew(self.job, now=self.now())
        except TakenOverError:
            if not self.analyzed.is_set():  # else it has just ended
                self._give_up("canceled or taken over")
            return None
        except ServiceError as trouble:
            return str(trouble)
        return ""

    def _give_up(self, reason: str) -> None:
        log.warning("job %d, %s: %s", self.job.id, self.job.analysis, reason)
        if self.pulse.end:
            self.pulse.end(reason)
