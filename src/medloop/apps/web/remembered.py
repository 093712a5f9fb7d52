"""What takes a while to find out, kept for a moment for all who ask."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Remembered(Generic[T]):
    """Calls `find` when somebody asks and the last answer is older than `lasts_s`.

    One finds out at a time. Meanwhile the others are given the last answer, or wait for the
    first.
    """

    find: Callable[[], T]
    lasts_s: float
    clock: Callable[[], float] = time.monotonic
    _last: list[tuple[float, T]] = field(default_factory=list)
    _turns: list[None] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> T:
        """Return what is known."""
        last = self._last[:1]  # one look: others change the list
        if last and self.clock() - last[0][0] <= self.lasts_s:
            return last[0][1]
        if not self._lock.acquire(blocking=not last):
            return last[0][1]
        try:
            last = self._last[:1]
            if not last or self.clock() - last[0][0] > self.lasts_s:
                last = [(self.clock(), self._found())]
            return last[0][1]
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Let the next who asks find out anew."""
        self._turns.append(None)
        self._last.clear()

    def _found(self) -> T:
        """Find out, and keep it unless somebody said meanwhile that it has changed."""
        turn = len(self._turns)
        found = self.find()
        if turn == len(self._turns):
            self._last[:] = [(self.clock(), found)]
        return found
