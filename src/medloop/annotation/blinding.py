"""Readers apart: who may see whose reading, and when all are in."""

from collections.abc import Sequence
from dataclasses import dataclass

from medloop.store.reading import Purpose, Reading, ReadingState


@dataclass(frozen=True, slots=True)
class Panel:
    """The readings of one result, of which `wanted` are made apart from each other."""

    readings: tuple[Reading, ...]
    wanted: int = 1

    @property
    def handed_in(self) -> tuple[Reading, ...]:
        """Readings whose readers are done, without adjudication."""
        return tuple(
            each
            for each in self.readings
            if each.purpose is Purpose.READ and each.state is ReadingState.DONE
        )

    @property
    def is_complete(self) -> bool:
        """Whether as many readings are in as are wanted, two of them at least."""
        return len(self.handed_in) >= max(self.wanted, 2)

    @property
    def decided(self) -> Reading | None:
        """The adjudication that was handed in last, which counts; None before."""
        done = [
            each
            for each in self.readings
            if each.purpose is Purpose.ADJUDICATE and each.state is ReadingState.DONE
        ]
        return max(done, key=lambda each: (each.changed, each.id), default=None)

    def may_see(self, viewer: str, reading: Reading) -> bool:
        """Whether somebody may look at a reading: their own, or any once all are in.

        Where one reading is wanted there is nothing to keep apart. Whoever still works on a
        reading of their own sees no other, though all that were wanted be in; an administrator
        is no exception, for administrators read too.
        """
        if reading.reader == viewer or self.wanted < 2:
            return True
        return self.is_complete and not self.is_reading(viewer)

    def may_read(self, reader: str) -> bool:
        """Whether somebody may read apart: not whoever began to decide between the others."""
        decides = any(
            each.reader == reader and each.purpose is Purpose.ADJUDICATE
            for each in self.readings
        )
        return self.wanted < 2 or not decides

    def may_adjudicate(self, reader: str) -> bool:
        """Whether somebody may decide between the others: all are in, and their own too."""
        return self.is_complete and not self.is_reading(reader)

    def is_reading(self, reader: str) -> bool:
        """Whether somebody works on a reading that is not in; to open one is not to work."""
        return any(
            each.reader == reader
            and each.purpose is Purpose.READ
            and each.state is ReadingState.OPEN
            and each.number > 0
            for each in self.readings
        )


def panel(readings: Sequence[Reading], *, wanted: int) -> Panel:
    """Put the readings of one result together."""
    return Panel(tuple(readings), wanted)
