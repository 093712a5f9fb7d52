"""Finding runs whose worker is gone: killed, hung, or on a machine that is off."""

import logging
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medloop.store import Job, Store

log = logging.getLogger(__name__)


def look_after(
    store: "Store", *, now: datetime, worker: str = "", reason: str = "its lease ran out"
) -> int:
    """Take back jobs whose lease ran out, or all of a `worker` that is known to be dead.

    They are tried again, or quarantined, which the audit log is told. Returns how many jobs
    were taken back.

    Raises
    ------
    ServiceError
        If the database cannot be reached.
    """
    from medloop.store import Entry, JobState  # noqa: PLC0415 - whoever has a store has loaded it

    taken = store.jobs.take_back(reason, now=now, worker=worker)
    for job in taken:
        log.warning("job %d, %s: %s", job.id, job.analysis, job.reason)
        if job.state is JobState.FAILED:
            store.audit.append(Entry(now, "watchdog", "quarantined", job.study, _details(job)))
    return len(taken)


def _details(job: "Job") -> dict[str, str]:
    return {"job": str(job.id), "analysis": job.analysis, "crashes": str(job.crashes)}
