"""Study x analysis in a table of states; workers on one or many machines share it.

A worker claims a job for a while (its lease), and asks for more while it works. If the worker
dies, the lease runs out, and another worker claims the job again; a job that several workers
were lost on is quarantined. `Job.claims` numbers the claims, so that a worker that comes back
from the dead cannot end a job which is no longer its own.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    case,
    delete,
    func,
    not_,
    or_,
    select,
    update,
)

from medloop.core.errors import InputError
from medloop.core.study import SopUid, StudyUid
from medloop.store.claiming import claiming
from medloop.store.job import (
    CRASHES,
    LEASE,
    LEGAL,
    QUARANTINED,
    TRIES,
    Job,
    JobState,
    TakenOverError,
    backoff,
)
from medloop.store.precedence import has_earlier, raise_earlier
from medloop.store.sql import Database
from medloop.store.tables import jobs as table

__all__ = [
    "CRASHES",
    "LEASE",
    "LEGAL",
    "QUARANTINED",
    "TRIES",
    "Job",
    "JobState",
    "Jobs",
    "TakenOverError",
    "backoff",
    "job_of",
    "moved",
]


@dataclass(frozen=True, slots=True)
class Jobs:
    """The table of jobs. A state changes only as `LEGAL` allows."""

    database: Database

    def add(
        self,
        study: StudyUid,
        analysis: str,
        selection: Sequence[SopUid],
        *,
        now: datetime,
        priority: int = 0,
    ) -> bool:
        """Let a job wait; False if it is in the table already, in whatever state.

        What it waits for becomes as urgent: the same analysis of the patient's earlier studies.
        That the analysis was refused, when less of the study was there, no longer counts.
        """
        row = _row(study, analysis, selection, now=now) | {"priority": priority}
        return self._insert(row, instead_of=_refused(_row(study, analysis, (), now=now)))

    def refuse(
        self,
        study: StudyUid,
        analysis: str,
        reason: str,
        *,
        now: datetime,
        is_bad: bool = False,
    ) -> bool:
        """Note that an analysis will not run on a study: skipped, or failed for bad data.

        What was said of the study before, when less of it was there, no longer counts.
        """
        state = JobState.FAILED if is_bad else JobState.SKIPPED
        said = {"state": state.value, "reason": reason}
        row = _row(study, analysis, (), now=now)
        if self._insert(row | said):
            return True
        differs = or_(table.c.state != said["state"], table.c.reason != reason)
        before = and_(_refused(row), differs)
        with self.database.writing() as connection:
            connection.execute(update(table).where(before).values(said | {"changed": now}))
        return False

    def claim(
        self, worker: str, analyses: Sequence[str], *, now: datetime, lease: timedelta = LEASE
    ) -> Job | None:
        """Take the most urgent job that is due, of these the one due first; None without any.

        No two workers get the same job while its lease lasts. What too many workers were lost
        on is left to `take_back`, what is being sent to `Deliveries`. Of a patient's studies
        the earlier is analyzed first: a job waits while the same analysis of an earlier study
        is due or running.
        """
        running = and_(table.c.state == JobState.RUNNING, table.c.lease <= now)
        lapsed = and_(running, table.c.crashes + 1 < CRASHES)
        is_due = and_(table.c.state == JobState.WAITING, table.c.due <= now)
        ready = and_(is_due, not_(has_earlier(now)))
        taken = claiming(
            table,
            and_(or_(ready, lapsed), table.c.analysis.in_(analyses)),
            now=now,
            lease=lease,
            before=(table.c.priority.desc(),),
            state=JobState.RUNNING.value,
            crashes=table.c.crashes + case((running, 1), else_=0),
            worker=worker,
            started=now,
        ).returning(table)
        with self.database.writing() as connection:
            row = connection.execute(taken).mappings().one_or_none()
        return job_of(row) if row else None

    def has_due(self, *, now: datetime) -> bool:
        """Whether a job is due, or a lease ran out; asked often, so nothing is locked."""
        due = and_(table.c.state == JobState.WAITING, table.c.due <= now)
        lapsed = and_(table.c.state == JobState.RUNNING, table.c.lease <= now)
        asked = select(table.c.id).where(or_(due, lapsed)).limit(1)
        with self.database.reading() as connection:
            return connection.execute(asked).one_or_none() is not None

    def take_back(
        self, reason: str, *, now: datetime, worker: str = "", job: Job | None = None
    ) -> tuple[Job, ...]:
        """Count a lost worker on running jobs: of a `worker`, a `job`, or whose lease ran out.

        They wait for a while and are tried again, or, after `CRASHES` workers, fail as
        quarantined until a person lets them wait. Returns them as they are now.
        """
        lost = table.c.lease <= now
        if job is not None:
            lost = _is_still(job)
        elif worker:
            lost = table.c.worker == worker
        is_poison = table.c.crashes + 1 >= CRASHES
        said = f"{QUARANTINED}: {CRASHES} workers were lost on it, the last: {reason}"
        changed = (
            update(table)
            .where(table.c.state == JobState.RUNNING, lost)
            .values(
                state=case((is_poison, JobState.FAILED.value), else_=JobState.WAITING.value),
                reason=case((is_poison, said), else_=f"worker lost: {reason}"),
                crashes=table.c.crashes + 1,
                lease=None,
                due=case(
                    (is_poison, table.c.due),
                    (table.c.crashes == 0, now + backoff(1)),
                    else_=now + backoff(2),
                ),
                changed=now,
            )
            .returning(table)
        )
        with self.database.writing() as connection:
            return tuple(job_of(row) for row in connection.execute(changed).mappings())

    def renew(self, job: Job, *, now: datetime, lease: timedelta = LEASE) -> None:
        """Ask for more time, or raise `TakenOverError` if the job is not the worker's own."""
        self._change(job, lease=now + lease, changed=now)

    def move(
        self, job: Job, to: JobState, *, now: datetime, reason: str = "", folder: str = ""
    ) -> Job:
        """End a claim, or a wait for a person, in another state; `folder` holds the products.

        Raises
        ------
        ValueError
            If there is no way from the job's state to this one.
        TakenOverError
            If somebody else has changed the job meanwhile.
        """
        with self.database.writing() as connection:
            return moved(connection, job, to, now=now, reason=reason, folder=folder)

    def release(self, job: Job, *, now: datetime) -> None:
        """Give a claimed job back untried, as a worker does that is told to stop."""
        self.postpone(job, job.reason, now=now, wait=timedelta(0))

    def postpone(self, job: Job, reason: str, *, now: datetime, wait: timedelta) -> Job:
        """Give a claimed job back for a while; unlike `retry` this does not count."""
        return self._change(
            job,
            state=JobState.WAITING.value,
            reason=reason,
            attempts=job.attempts - 1,
            lease=None,
            due=now + wait,
            changed=now,
        )

    def retry(self, job: Job, reason: str, *, now: datetime) -> Job:
        """Try again later, at growing intervals, and fail after `TRIES` attempts.

        Raises
        ------
        TakenOverError
            If the job is no longer the worker's own.
        """
        if job.attempts >= TRIES:
            said = f"gave up after {TRIES} attempts: {reason}"
            return self.move(job, JobState.FAILED, now=now, reason=said)
        due = now + backoff(job.attempts)
        waiting = JobState.WAITING.value
        return self._change(job, state=waiting, reason=reason, lease=None, due=due, changed=now)

    def get(self, number: int) -> Job:
        """Look a job up, or raise `InputError`."""
        with self.database.reading() as connection:
            found = connection.execute(select(table).where(table.c.id == number))
            row = found.mappings().one_or_none()
        if row is None:
            raise InputError(f"there is no job {number}")
        return job_of(row)

    def all(self, *, state: JobState | None = None) -> tuple[Job, ...]:
        """List jobs, oldest first."""
        asked = select(table).order_by(table.c.id)
        if state is not None:
            asked = asked.where(table.c.state == state.value)
        with self.database.reading() as connection:
            return tuple(job_of(row) for row in connection.execute(asked).mappings())

    def counts(self) -> Mapping[JobState, int]:
        """Count jobs by state; every state is there."""
        asked = select(table.c.state, func.count()).group_by(table.c.state)
        with self.database.reading() as connection:
            found = {JobState(s): n for s, n in connection.execute(asked)}
        return dict.fromkeys(JobState, 0) | found

    def _insert(
        self, row: Mapping[str, object], *, instead_of: ColumnElement[bool] | None = None
    ) -> bool:
        with self.database.writing() as connection:
            is_new = bool(self.database.insert_new(connection, table, [row]))
            if is_new and row["priority"]:
                raise_earlier(connection)
            if instead_of is not None:  # last, so that no number is given twice
                connection.execute(delete(table).where(instead_of))
        return is_new

    def _change(self, job: Job, **values: str | int | datetime | None) -> Job:
        with self.database.writing() as connection:
            return _changed(connection, job, values)


def moved(
    connection: Connection,
    job: Job,
    to: JobState,
    *,
    now: datetime,
    reason: str = "",
    folder: str = "",
) -> Job:
    """Do what `Jobs.move` does, within a transaction that may do more."""
    if to not in LEGAL[job.state]:
        raise ValueError(f"a job that is {job.state} cannot become {to}")
    values = {
        "state": to.value,
        "reason": reason,
        "folder": folder or job.folder,
        "attempts": 0,
        "lease": None,
        "due": now,
        "changed": now,
    }
    if to is JobState.WAITING:
        values["crashes"] = 0
    return _changed(connection, job, values)


def _changed(
    connection: Connection, job: Job, values: Mapping[str, str | int | datetime | None]
) -> Job:
    changed = update(table).where(_is_still(job)).values(values).returning(table)
    row = connection.execute(changed).mappings().one_or_none()
    if row is None:
        raise TakenOverError(f"job {job.id} was taken over while it was {job.state}")
    return job_of(row)


def _refused(row: Mapping[str, object]) -> ColumnElement[bool]:
    """Whether a row says that an analysis did not suit the study of `row`, and nothing more."""
    return and_(
        table.c.study_uid == row["study_uid"],
        table.c.analysis == row["analysis"],
        table.c.selection_key == row["selection_key"],
        table.c.claims == 0,
        table.c.state.in_((JobState.SKIPPED.value, JobState.FAILED.value)),
    )


def _row(
    study: StudyUid, analysis: str, selection: Sequence[SopUid], *, now: datetime
) -> dict[str, object]:
    names = json.dumps([str(uid) for uid in selection])
    return {
        "study_uid": study,
        "analysis": analysis,
        "selection_key": hashlib.sha256(names.encode()).hexdigest(),
        "selection": names,
        "state": JobState.WAITING.value,
        "reason": "",
        "attempts": 0,
        "claims": 0,
        "due": now,
        "lease": None,
        "worker": "",
        "folder": "",
        "changed": now,
        "priority": 0,
    }


def _is_still(job: Job) -> ColumnElement[bool]:
    return and_(
        table.c.id == job.id,
        table.c.state == job.state.value,
        table.c.claims == job.claims,
    )


def job_of(row: RowMapping) -> Job:
    """Read a row of the table."""
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
        priority=row["priority"],
        crashes=row["crashes"],
        worker=row["worker"],
        started=row["started"],
        changed=row["changed"],
    )
