"""What a node does again and again, each duty at its own pace; none can hold up another."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from medloop.core.errors import MedloopError

log = logging.getLogger(__name__)

_LONGEST_S: Final = 60.0  # between tries while something fails


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to do every `every_s` seconds; at once again while it says it did something."""

    name: str
    act: Callable[[], object]
    every_s: float


def keep_at(duties: Sequence[Duty], stop: threading.Event) -> None:
    """Do all duties, each in a thread of its own, until told to stop.

    What the world does to a duty (`MedloopError`, `OSError`) is logged once until it changes,
    and the duty is tried again, up to a minute later. A bug ends no other duty either: it is
    logged with its class and place, and the duty tried again as well.
    """
    threads = [
        threading.Thread(target=_go_on, args=(duty, stop), name=duty.name, daemon=True)
        for duty in duties
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _go_on(duty: Duty, stop: threading.Event) -> None:
    trouble, wait = "", duty.every_s
    while not stop.is_set():
        started = time.monotonic()
        try:
            did = duty.act()
        except (MedloopError, OSError) as error:
            said = str(error)
        except Exception as bug:  # one duty's bug must not end the node
            said = type(bug).__name__
            if said != trouble:
                log.exception("%s has a bug", duty.name)
        else:
            if trouble:
                log.warning("%s goes on", duty.name)
            trouble, wait = "", 0.0 if did else duty.every_s
            stop.wait(max(0.0, wait - (time.monotonic() - started)))
            continue
        if said != trouble:
            log.warning("%s waits: %s", duty.name, said)
        trouble, wait = said, min(max(2 * wait, 1.0, duty.every_s), _LONGEST_S)
        stop.wait(wait)
