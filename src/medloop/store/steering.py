"""What a person does with jobs: find them, cancel them, let them wait again, hurry them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from medloop.core.errors import InputError
from medloop.core.study import StudyUid
from medloop.store.database import Store
from medloop.store.job import QUARANTINED, Job, JobState, TakenOverError
from medloop.store.jobs import job_of, moved
from medloop.store.precedence import raise_earlier
from medloop.store.tables import deliveries, edits, jobs, readings, studies

_CANCELABLE = (JobState.WAITING, JobState.RUNNING)
_REPEATABLE = (JobState.FAILED, JobState.SKIPPED)


@dataclass(frozen=True, slots=True)
class Listed:
    """A job, and whose it is: ask for these names only if somebody needs them."""

    job: Job
    patient_name: str
    patient_identifier: str


def find_jobs(
    store: Store,
    *,
    state: JobState | None = None,
    study: StudyUid | None = None,
    limit: int | None = None,
) -> tuple[Listed, ...]:
    """List jobs, the newest last; at most the `limit` newest."""
    asked = (
        select(jobs, studies.c.patient_name, studies.c.patient_identifier)
        .join(studies, studies.c.uid == jobs.c.study_uid)
        .order_by(jobs.c.id.desc())
        .limit(limit)
    )
    if state is not None:
        asked = asked.where(jobs.c.state == state.value)
    if study is not None:
        asked = asked.where(jobs.c.study_uid == study)
    with store.database.reading() as connection:
        rows = connection.execute(asked).mappings().all()
    return tuple(
        Listed(job_of(row), row["patient_name"], row["patient_identifier"])
        for row in reversed(rows)
    )


def cancel(store: Store, number: int, reason: str, *, now: datetime) -> Job:
    """Skip a job that waits or runs; its worker notices when it next asks for more time.

    Raises
    ------
    InputError
        If there is no such job, or it has ended or is being delivered.
    """
    job = store.jobs.get(number)
    if job.state not in _CANCELABLE:
        raise InputError(
            f"job {number} is {job.state}; only what waits or runs can be canceled"
        )
    try:
        with store.database.writing() as connection:
            return moved(connection, job, JobState.SKIPPED, now=now, reason=reason)
    except TakenOverError as meanwhile:
        raise InputError(f"job {number} has changed just now; look again") from meanwhile


def again(store: Store, number: int, *, now: datetime) -> Job:
    """Let a failed, quarantined or skipped job wait, or only its deliveries that failed.

    Raises
    ------
    InputError
        If there is no such job, it did not fail, nothing of the study suits the analysis, or
        somebody has corrected its result.
    """
    job = store.jobs.get(number)
    if job.state not in _REPEATABLE:
        raise InputError(f"job {number} is {job.state}; only one that failed is tried again")
    if not job.selection:
        raise InputError(f"job {number} has nothing to read: {job.reason}")
    its = (deliveries.c.job_id == number, deliveries.c.state == "failed")
    anew = update(deliveries).where(*its)
    anew = anew.values(state="waiting", attempts=0, due=now, lease=None, changed=now)
    try:
        with store.database.writing() as connection:
            is_sent = job.state is JobState.FAILED and connection.execute(anew).rowcount > 0
            to = JobState.SENDING if is_sent else JobState.WAITING
            corrected = select(edits.c.number).join(readings).where(readings.c.job_id == number)
            if to is JobState.WAITING and connection.execute(corrected.limit(1)).first():
                raise InputError(f"job {number} was corrected by a reader; its result stays")
            return moved(connection, job, to, now=now)
    except TakenOverError as meanwhile:
        raise InputError(f"job {number} has changed just now; look again") from meanwhile


def prioritize(store: Store, number: int, priority: int, *, now: datetime) -> Job:
    """Let a waiting job go before all of less priority, with what it waits for itself.

    Raises
    ------
    InputError
        If there is no such job, or it does not wait.
    """
    changed = (
        update(jobs)
        .where(jobs.c.id == number, jobs.c.state == JobState.WAITING)
        .values(priority=priority, changed=now)
        .returning(jobs)
    )
    with store.database.writing() as connection:
        row = connection.execute(changed).mappings().one_or_none()
        raise_earlier(connection)
    if row is None:
        job = store.jobs.get(number)
        raise InputError(f"job {number} is {job.state}; only one that waits has a priority")
    return store.jobs.get(number)


def give_back(store: Store, worker: str, *, now: datetime) -> int:
    """Let wait what a worker held that was told to stop; it was not tried. Returns how many."""
    freed = (
        update(jobs)
        .where(jobs.c.worker == worker, jobs.c.state == JobState.RUNNING)
        .values(
            state=JobState.WAITING.value,
            attempts=jobs.c.attempts - 1,
            lease=None,
            due=now,
            changed=now,
        )
    )
    with store.database.writing() as connection:
        return connection.execute(freed).rowcount


def quarantined(store: Store) -> tuple[Job, ...]:
    """List the jobs that too many workers were lost on."""
    failed = store.jobs.all(state=JobState.FAILED)
    return tuple(job for job in failed if job.reason.startswith(QUARANTINED))
