"""Ending a job: its new state, its result and what the audit log says of it, all or none."""

from collections.abc import Sequence

from medloop.store.audit import Entry
from medloop.store.database import Store
from medloop.store.jobs import Job, JobState, moved
from medloop.store.results import Kept


def end_job(  # noqa: PLR0913 - what ends together is said together
    store: Store,
    job: Job,
    to: JobState,
    entry: Entry,
    *,
    reason: str = "",
    kept: Kept | None = None,
    destinations: Sequence[str] = (),
) -> Job:
    """End a claimed job, and keep its result if it has one; it then waits for `destinations`.

    Raises
    ------
    ValueError
        If there is no way from the job's state to this one.
    TakenOverError
        If the job is no longer the worker's own; then nothing is kept.
    """
    folder = kept.folder if kept else ""
    with store.database.writing() as connection:
        ended = moved(connection, job, to, now=entry.at, reason=reason, folder=folder)
        if kept is not None:
            store.results.keep_within(connection, kept)
            store.deliveries.expect_within(connection, job.id, destinations, now=entry.at)
        store.audit.append_within(connection, entry)
    return ended
