"""One job: where it stands, and from where it may go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from medloop.core.errors import ServiceError
from medloop.core.study import SopUid, StudyUid

LEASE = timedelta(minutes=2)  # a worker renews it several times while it lasts
TRIES = 8  # a job whose service fails this often fails
CRASHES = 3  # a job that this many workers were lost on is quarantined
QUARANTINED = "quarantined"  # how the reason of such a job begins


class TakenOverError(ServiceError):
    """A job is no longer the worker's own: its lease ran out, or a person canceled it."""


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    SENDING = "sending"  # products are written, and being or waiting to be delivered
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    REVIEWED = "reviewed"


LEGAL: Mapping[JobState, frozenset[JobState]] = {
    JobState.WAITING: frozenset({JobState.RUNNING, JobState.SKIPPED}),
    JobState.RUNNING: frozenset(
        {
            JobState.WAITING,
            JobState.SENDING,
            JobState.DONE,
            JobState.SKIPPED,
            JobState.FAILED,
        }
    ),
    JobState.SENDING: frozenset(
        {JobState.SENDING, JobState.DONE, JobState.FAILED, JobState.REVIEWED}
    ),
    JobState.DONE: frozenset({JobState.REVIEWED}),
    JobState.SKIPPED: frozenset({JobState.WAITING}),
    JobState.FAILED: frozenset(
        {JobState.WAITING, JobState.SENDING, JobState.REVIEWED}  # reviewed: it has a result
    ),
    JobState.REVIEWED: frozenset({JobState.FAILED}),  # what was signed did not arrive
}


@dataclass(frozen=True, slots=True)
class Job:
    """One analysis of one selection of a study; `folder` is empty until products are there.

    The highest `priority` goes first; `crashes` counts the workers that were lost on the job.
    """

    id: int
    study: StudyUid
    analysis: str
    selection: tuple[SopUid, ...]
    state: JobState
    reason: str
    attempts: int
    claims: int
    due: datetime
    folder: str
    priority: int = 0
    crashes: int = 0
    worker: str = ""
    started: datetime | None = None
    changed: datetime | None = None


def tries_within(span: timedelta) -> int:
    """Count the attempts that `backoff` spreads over a span, `TRIES` at least."""
    attempts, waited = 1, timedelta()
    while waited < span:
        waited += backoff(attempts)
        attempts += 1
    return max(attempts, TRIES)


def backoff(attempts: int) -> timedelta:
    """Wait 10 s after the first attempt, then four times as long each, an hour at most."""
    return min(timedelta(seconds=10 * 4 ** min(attempts - 1, 8)), timedelta(hours=1))
