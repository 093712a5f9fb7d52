"""Study x analysis in a table of states; workers on one or many machines share it.

A worker claims a job for a while (its lease). If the worker dies, the lease runs out, and
another worker claims the job again. `Job.claims` numbers the claims, so that a worker that
comes back from the dead cannot end a job which is no longer its own.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, RowMapping, and_, case, func, not_, or_, select, update

from medloop.core.errors import InputError, ServiceError
from medloop.core.study import SopUid, StudyUid
from medloop.store.sql import Database
from medloop.store.tables import jobs as table
from medloop.store.tables import studies

LEASE = timedelta(minutes=30)
TRIES = 8  # a job whose service fails this often, or whose workers die this often, fails


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
    JobState.WAITING: frozenset({JobState.RUNNING}),
    JobState.RUNNING: frozenset(
        {
            JobState.WAITING,
            JobState.SENDING,
            JobState.DONE,
            JobState.SKIPPED,
            JobState.FAILED,
        }
    ),
    JobState.SENDING: frozenset({JobState.SENDING, JobState.DONE, JobState.FAILED}),
    JobState.DONE: frozenset({JobState.REVIEWED}),
    JobState.SKIPPED: frozenset({JobState.WAITING}),
    JobState.FAILED: frozenset({JobState.WAITING}),
    JobState.REVIEWED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One analysis of one selection of a study; `folder` is empty until products are there."""

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


@dataclass(frozen=True, slots=True)
class Jobs:
    """The table of jobs. A state changes only as `LEGAL` allows."""

    database: Database

    def add(
        self, study: StudyUid, analysis: str, selection: Sequence[SopUid], *, now: datetime
    ) -> bool:
        """Let a job wait; False if it is in the table already, in whatever state."""
        return self._insert(study, analysis, selection, now=now)

    def refuse(
        self,
        study: StudyUid,
        analysis: str,
        reason: str,
        *,
        now: datetime,
        is_bad: bool = False,
    ) -> bool:
        """Note that an analysis will not run on a study: skipped, or failed for bad data."""
        state = JobState.FAILED if is_bad else JobState.SKIPPED
        return self._insert(study, analysis, (), now=now, ended=(state, reason))

    def claim(
        self, worker: str, analyses: Sequence[str], *, now: datetime, lease: timedelta = LEASE
    ) -> Job | None:
        """Take the job that is due first, to run or to send; None if there is none.

        No two workers get the same job while its lease lasts. What several workers have died of
        is not tried again. Of a patient's studies the earlier is analyzed first: a job waits
        while the same analysis of an earlier study is due or running.
        """
        lapsed = and_(
            table.c.state.in_((JobState.RUNNING, JobState.SENDING)), table.c.lease <= now
        )
        ready = and_(
            table.c.state.in_((JobState.WAITING, JobState.SENDING)),
            table.c.lease.is_(None),
            table.c.due <= now,
            or_(table.c.state == JobState.SENDING, not_(_has_earlier(now))),
        )
        first = (
            select(table.c.id)
            .where(or_(ready, lapsed), table.c.analysis.in_(analyses))
            .order_by(table.c.due, table.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        is_sending = table.c.state == JobState.SENDING
        taken = (
            update(table)
            .where(table.c.id == first)
            .values(
                state=case((is_sending, JobState.SENDING.value), else_=JobState.RUNNING.value),
                attempts=table.c.attempts + 1,
                claims=table.c.claims + 1,
                lease=now + lease,
                worker=worker,
                changed=now,
            )
            .returning(table)
        )
        given_up = (
            update(table)
            .where(lapsed, table.c.attempts >= TRIES)
            .values(
                state=JobState.FAILED.value,
                reason=f"gave up after {TRIES} workers were lost",
                lease=None,
                changed=now,
            )
        )
        with self.database.writing() as connection:
            connection.execute(given_up)
            row = connection.execute(taken).mappings().one_or_none()
        return _job(row) if row else None

    def renew(self, job: Job, *, now: datetime, lease: timedelta = LEASE) -> None:
        """Ask for more time; raises `ServiceError` if the job is no longer the worker's own."""
        self._change(job, lease=now + lease, changed=now)

    def move(
        self, job: Job, to: JobState, *, now: datetime, reason: str = "", folder: str = ""
    ) -> Job:
        """End a claim, or a wait for a person, in another state; `folder` holds the products.

        Raises
        ------
        ValueError
            If there is no way from the job's state to this one.
        ServiceError
            If somebody else has changed the job meanwhile.
        """
        if to not in LEGAL[job.state]:
            raise ValueError(f"a job that is {job.state} cannot become {to}")
        return self._change(
            job,
            state=to.value,
            reason=reason,
            folder=folder or job.folder,
            attempts=0,
            lease=None,
            due=now,
            changed=now,
        )

    def release(self, job: Job, *, now: datetime) -> None:
        """Give a claimed job back untried, as a worker does that is told to stop."""
        state = JobState.WAITING if job.state is JobState.RUNNING else job.state
        fewer = job.attempts - 1
        self._change(job, state=state.value, attempts=fewer, lease=None, due=now, changed=now)

    def retry(self, job: Job, reason: str, *, now: datetime) -> Job:
        """Try again later, at growing intervals, and fail after `TRIES` attempts.

        Raises
        ------
        ServiceError
            If the job is no longer the worker's own.
        """
        if job.attempts >= TRIES:
            said = f"gave up after {TRIES} attempts: {reason}"
            return self.move(job, JobState.FAILED, now=now, reason=said)
        again = JobState.WAITING if job.state is JobState.RUNNING else job.state
        return self._change(
            job,
            state=again.value,
            reason=reason,
            lease=None,
            due=now + backoff(job.attempts),
            changed=now,
        )

    def get(self, number: int) -> Job:
        """Look a job up, or raise `InputError`."""
        with self.database.reading() as connection:
            found = connection.execute(select(table).where(table.c.id == number))
            row = found.mappings().one_or_none()
        if row is None:
            raise InputError(f"there is no job {number}")
        return _job(row)

    def all(self, *, state: JobState | None = None) -> tuple[Job, ...]:
        """List jobs, oldest first."""
        asked = select(table).order_by(table.c.id)
        if state is not None:
            asked = asked.where(table.c.state == state.value)
        with self.database.reading() as connection:
            return tuple(_job(row) for row in connection.execute(asked).mappings())

    def counts(self) -> Mapping[JobState, int]:
        """Count jobs by state; every state is there."""
        asked = select(table.c.state, func.count()).group_by(table.c.state)
        with self.database.reading() as connection:
            found = {JobState(s): n for s, n in connection.execute(asked)}
        return dict.fromkeys(JobState, 0) | found

    def _insert(
        self,
        study: StudyUid,
        analysis: str,
        selection: Sequence[SopUid],
        *,
        now: datetime,
        ended: tuple[JobState, str] = (JobState.WAITING, ""),
    ) -> bool:
        names = json.dumps([str(uid) for uid in selection])
        row = {
            "study_uid": study,
            "analysis": analysis,
            "selection_key": hashlib.sha256(names.encode()).hexdigest(),
            "selection": names,
            "state": ended[0].value,
            "reason": ended[1],
            "attempts": 0,
            "claims": 0,
            "due": now,
            "lease": None,
            "worker": "",
            "folder": "",
            "changed": now,
        }
        with self.database.writing() as connection:
            return bool(self.database.insert_new(connection, table, [row]))

    def _change(self, job: Job, **values: str | int | datetime | None) -> Job:
        changed = update(table).where(_is_still(job)).values(values).returning(table)
        with self.database.writing() as connection:
            row = connection.execute(changed).mappings().one_or_none()
        if row is None:
            raise ServiceError(f"job {job.id} was taken over while it was {job.state}")
        return _job(row)


def backoff(attempts: int) -> timedelta:
    """Wait 10 s after the first attempt, then four times as long each, an hour at most."""
    return min(timedelta(seconds=10 * 4 ** min(attempts - 1, 8)), timedelta(hours=1))


def _is_still(job: Job) -> ColumnElement[bool]:
    return and_(
        table.c.id == job.id,
        table.c.state == job.state.value,
        table.c.claims == job.claims,
    )


def _job(row: RowMapping) -> Job:
    return Job(
        id=row["id"],
        study=StudyUid(row["study_uid"]),
        analysis=row["analysis"],
        selection=tuple(SopUid(uid) for uid in json.loads(row["selection"])),
        state=JobState(row["state"]),
        reason=row["reason"],
        attempts=row["attempts"],
        claims=row["claims"],
        due=row["due"],
        folder=row["folder"],
    )


def _has_earlier(now: datetime) -> ColumnElement[bool]:
    """Whether the same analysis of an earlier study of the patient is due or running."""
    other, mine, its = table.alias("other"), studies.alias("mine"), studies.alias("its")
    is_open = or_(
        other.c.state == JobState.RUNNING,
        and_(other.c.state == JobState.WAITING, other.c.due <= now),
    )
    return (
        select(other.c.id)
        .join(its, its.c.uid == other.c.study_uid)
        .join(mine, mine.c.patient_identifier == its.c.patient_identifier)
        .where(
            mine.c.uid == table.c.study_uid,
            mine.c.patient_identifier != "",
            its.c.date != "",
            its.c.date < mine.c.date,
            other.c.analysis == table.c.analysis,
            is_open,
        )
        .correlate(table)
        .exists()
    )
