"""When to index what waits in the spool: many objects at once while they come.

Each batch costs a transaction and flushes of its own, which hold up those of the receiver.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from medloop.workflow.reception import Reception

LOOK_S: Final = 0.05  # between looks
ENOUGH: Final = 32  # objects that are worth a batch
LONGEST: Final = timedelta(seconds=0.25)  # that an object waits for others


@dataclass(slots=True)
class Indexing:
    """Takes in what waits once it is enough, has stopped growing, or has waited long."""

    reception: Reception
    _seen: int = 0
    _since: datetime | None = None

    def look(self, now: datetime) -> int:
        """Index if it is time to; returns how many objects were indexed.

        Raises
        ------
        ServiceError
            If spool, archive or database cannot be read or written now.
        """
        spool = self.reception.spool
        with spool.reading():
            count = len(spool.waiting(ENOUGH))
        self._since = self._since or now
        if self._seen < count < ENOUGH and now - self._since < LONGEST:
            self._seen = count
            return 0
        self._seen, self._since = 0, None
        return self.reception.take_in(now)
