"""Jobs as a table that people look at: page by page, without what they read or of whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from medloop.core.study import StudyUid
from medloop.store.job import QUARANTINED, JobState
from medloop.store.sql import Database
from medloop.store.tables import jobs, results, studies


@dataclass(frozen=True, slots=True)
class WantedJobs:
    """Which jobs: in a state, of an analysis, of a study; or only those in quarantine."""

    state: JobState | None = None
    analysis: str | None = None
    study: StudyUid | None = None
    is_quarantined: bool = False


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as a row: `kept` is when its result was there, `name` the study's, no patient's."""

    id: int
    study: StudyUid
    name: str
    analysis: str
    state: JobState
    reason: str
    attempts: int
    crashes: int
    priority: int
    worker: str
    due: datetime
    started: datetime | None
    changed: datetime
    kept: datetime | None
    has_input: bool

    @property
    def is_quarantined(self) -> bool:
        """Whether too many workers were lost on it."""
        return self.state is JobState.FAILED and self.reason.startswith(QUARANTINED)

    @property
    def can_retry(self) -> bool:
        """Whether `steering.again` would let it wait."""
        return self.state in (JobState.FAILED, JobState.SKIPPED) and self.has_input

    @property
    def can_cancel(self) -> bool:
        """Whether `steering.cancel` would skip it."""
        return self.state in (JobState.WAITING, JobState.RUNNING)


def job_rows(
    database: Database, wanted: WantedJobs, *, limit: int, before: int | None = None
) -> tuple[JobRow, ...]:
    """List jobs, the newest first; those with numbers below `before`."""
    conditions = _conditions(wanted)
    if before is not None:
        conditions.append(jobs.c.id < before)
    with database.reading() as connection:
        return _rows(connection, conditions, limit)


def job_row(database: Database, number: int) -> JobRow | None:
    """Look one job up."""
    with database.reading() as connection:
        found = _rows(connection, [jobs.c.id == number], 1)
    return found[0] if found else None


def job_counts(database: Database) -> Mapping[tuple[str, JobState], int]:
    """Count jobs by analysis and state."""
    key = (jobs.c.analysis, jobs.c.state)
    with database.reading() as connection:
        found = connection.execute(select(*key, func.count()).group_by(*key))
        return {(name, JobState(state)): count for name, state, count in found}


def _conditions(wanted: WantedJobs) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.is_quarantined:
        found += [
            jobs.c.state == JobState.FAILED.value,
            jobs.c.reason.startswith(QUARANTINED),
        ]
    if wanted.state is not None:
        found.append(jobs.c.state == wanted.state.value)
    if wanted.analysis is not None:
        found.append(jobs.c.analysis == wanted.analysis)
    if wanted.study is not None:
        found.append(jobs.c.study_uid == wanted.study)
    return found


def _rows(
    connection: Connection, conditions: list[ColumnElement[bool]], limit: int
) -> tuple[JobRow, ...]:
    columns = [column for column in jobs.c if column.name not in ("selection", "selection_key")]
    asked = (
        select(
            *columns,
            studies.c.name,
            results.c.kept,
            (jobs.c.selection != "[]").label("has_input"),
        )
        .join(studies, studies.c.uid == jobs.c.study_uid)
        .outerjoin(results, results.c.job_id == jobs.c.id)
        .where(*conditions)
        .order_by(jobs.c.id.desc())
        .limit(limit)
    )
    return tuple(_row(row) for row in connection.execute(asked).mappings())


def _row(row: RowMapping) -> JobRow:
    return JobRow(
        id=row["id"],
        study=StudyUid(row["study_uid"]),
        name=row["name"],
        analysis=row["analysis"],
        state=JobState(row["state"]),
        reason=row["reason"],
        attempts=row["attempts"],
        crashes=row["crashes"],
        priority=row["priority"],
        worker=row["worker"],
        due=row["due"],
        started=row["started"],
        changed=row["changed"],
        kept=row["kept"],
        has_input=bool(row["has_input"]),
    )
