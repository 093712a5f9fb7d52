"""Sending what was kept: each result to each of its destinations, a retryable step of its own.

A keeper process calls `deliver` in a loop. A destination that is away holds up nobody else if
each has a loop of its own. The class of an error decides, as it does for analyses:
`ServiceError` is tried again later, `InputError` and a bug end the delivery, and
`UnsuitableError` says that this result has nothing for this destination.
"""

import logging
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from medloop.core.errors import InputError, ServiceError, UnsuitableError
from medloop.store.job import TRIES
from medloop.workflow.ports import Destination

if TYPE_CHECKING:  # as in the worker: a database is loaded by whoever has a store
    from medloop.store import Store
    from medloop.store.deliveries import Delivery

log = logging.getLogger(__name__)

KEEPER = "keeper"


@dataclass(frozen=True, slots=True)
class _Desk:
    """Who sends, by which clock, and how often it is tried."""

    worker: str
    now: Callable[[], datetime]
    tries: int


def deliver(
    store: "Store",
    destinations: Mapping[str, Destination],
    now: Callable[[], datetime],
    *,
    worker: str = KEEPER,
    known: Collection[str] | None = None,
    tries: int = TRIES,
) -> int:
    """Send what is due to these destinations, and return how many deliveries have ended.

    After a failure a destination has its rest until the next call. What waits for a
    destination that is not among the `known` (these, unless said), and that no other node
    offers, fails with that reason. One `worker` sends to a destination from one place at a
    time: what it holds when it is called is left over from a life that was cut short, and is
    sent again at once. A delivery that fails is given up after so many `tries`.

    Raises
    ------
    ServiceError
        If the database cannot be reached.
    """
    own = destinations if known is None else known
    store.deliveries.abandon(own, now=now(), node=worker)
    ended = 0
    for name, destination in destinations.items():
        store.deliveries.release(worker, name, now=now())
        is_well = True
        while is_well:
            delivery = store.deliveries.claim(worker, name, now=now(), tries=tries)
            if delivery is None:
                break
            is_well = _send(store, delivery, destination, _Desk(worker, now, tries))
            ended += is_well
    return ended


def _send(
    store: "Store",
    delivery: "Delivery",
    destination: Destination,
    desk: "_Desk",
) -> bool:
    """Try one delivery; False if it has to be tried again, or was given up for its failures."""
    from medloop.store import Entry  # noqa: PLC0415 - whoever has a store has loaded it

    job = store.jobs.get(delivery.job)
    details = {
        "job": str(job.id),
        "analysis": job.analysis,
        "destination": delivery.destination,
        "attempt": str(delivery.attempts),
    }
    if delivery.issue:
        details["issue"] = str(delivery.issue)

    def entry(outcome: str) -> Entry:
        return Entry(
            desk.now(), desk.worker, "delivered", job.study, details | {"outcome": outcome}
        )

    about = f"job {job.id}, {job.analysis}, {delivery.destination}"
    try:
        folder = job.folder if not delivery.issue else store.issues.get(delivery.issue).folder
        destination.send(store.catalog.study(job.study), store.results_folder / folder)
    except UnsuitableError as unsuitable:
        store.deliveries.complete(delivery, entry("nothing to send"), reason=str(unsuitable))
        log.info("%s: nothing to send: %s", about, unsuitable)
    except InputError as bad:
        store.deliveries.fail(delivery, str(bad), entry("failed"))
        log.warning("%s: not delivered: %s", about, bad)
    except ServiceError as trouble:
        if delivery.attempts >= desk.tries:
            reason = f"gave up after {desk.tries} attempts: {trouble}"
            store.deliveries.fail(delivery, reason, entry("failed"))
        else:
            reason = f"attempt {delivery.attempts} of {desk.tries}: {trouble}"
            store.deliveries.retry(delivery, str(trouble), now=desk.now())
        log.warning("%s: not delivered: %s", about, reason)
        return False
    except Exception as bug:  # noqa: BLE001 (the boundary of a delivery, as of a job)
        # Where, but not what: the text of a foreign exception may quote the patient's data.
        frames = "".join(traceback.format_tb(bug.__traceback__))
        log.error("%s has a bug: %s\n%s", about, type(bug).__name__, frames)  # noqa: TRY400
        store.deliveries.fail(
            delivery, f"internal error: {type(bug).__name__}", entry("failed")
        )
    else:
        store.deliveries.complete(delivery, entry("done"))
        log.info("%s: delivered", about)
    return True
