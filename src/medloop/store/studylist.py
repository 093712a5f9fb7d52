"""Studies in the order in which they should be read, filtered, page by page."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    Case,
    ColumnElement,
    Connection,
    Row,
    Subquery,
    and_,
    case,
    func,
    literal,
    or_,
    select,
)

from medloop.core.study import StudyUid
from medloop.store.job import JobState
from medloop.store.sql import Database
from medloop.store.tables import jobs, readings, results, studies, versions
from medloop.store.worklist import Line, lines_of

HURRIED = 2  # the urgency of a study while a job of more than usual priority is not done
_BACKSLASH = "\\"


class StudyState(StrEnum):
    """Where a study stands, by its jobs: what has to happen first is named first."""

    ARRIVING = "arriving"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"  # analyzed, to be read
    FAILED = "failed"
    REVIEWED = "reviewed"
    SKIPPED = "skipped"  # no analysis suits it


OPEN = frozenset(StudyState) - {StudyState.REVIEWED, StudyState.SKIPPED}
ANALYZING = frozenset({StudyState.ARRIVING, StudyState.RUNNING, StudyState.WAITING})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which studies: of these states, with a modality, of these days (YYYYMMDD, both within).

    `words` stand in the name, the identifier or the accession number.
    """

    states: frozenset[StudyState] = frozenset(StudyState)
    modality: str = ""
    since: str = ""
    until: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class StudyJob:
    """A job of a study of the list, and what makes its result urgent."""

    id: int
    analysis: str
    state: JobState
    priority: int
    started: datetime | None
    because: str
    reason: str = ""
    products: tuple[str, ...] = ()

    @property
    def is_kept(self) -> bool:
        """Whether it has a result."""
        return self.state in (JobState.DONE, JobState.REVIEWED, JobState.SENDING)

    @property
    def can_retry(self) -> bool:
        """Whether `steering.again` may let it wait once more."""
        return self.state in (JobState.FAILED, JobState.SKIPPED)


@dataclass(frozen=True, slots=True)
class Read:
    """Who reads or has read a study; `is_signed` once a final report is."""

    reader: str
    is_done: bool
    is_signed: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A study of the list; the highest `urgency` is read first."""

    line: Line
    state: StudyState
    urgency: int
    is_hurried: bool
    jobs: tuple[StudyJob, ...]
    read: tuple[Read, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list; `counts` of studies by state, whatever state was asked for."""

    studies: tuple[Listed, ...]
    counts: Mapping[StudyState, int]
    total: int


@dataclass(frozen=True, slots=True)
class StudyList:
    """Looks studies up for readers."""

    database: Database

    def find(self, wanted: Wanted, *, limit: int, offset: int = 0) -> Listing:
        """Return one page, the most urgent first, then the latest arrival."""
        standing = _standing()
        state = _state(standing).label("state")
        hurried = func.coalesce(standing.c.hurried, 0)
        urgency = case(
            (and_(hurried > 0, studies.c.urgency < HURRIED), HURRIED),
            else_=studies.c.urgency,
        ).label("rank")
        every = studies.outerjoin(standing, standing.c.study_uid == studies.c.uid)
        conditions = _conditions(wanted)
        asked = (
            select(studies.c.uid, state, urgency, hurried.label("hurried"))
            .select_from(every)
            .where(*conditions, state.in_([each.value for each in wanted.states]))
            .order_by(urgency.desc(), studies.c.arrived.desc(), studies.c.uid)
        )
        counted = select(state, func.count()).select_from(every).where(*conditions)
        with self.database.reading() as connection:
            found = connection.execute(asked.limit(limit).offset(offset)).all()
            told = connection.execute(counted.group_by(state))
            counts = {StudyState(name): number for name, number in told}
            return Listing(
                _listed(connection, found),
                counts,
                sum(counts.get(each, 0) for each in wanted.states),
            )

    def stamp(self) -> str:
        """Return a text that is another once anything of the list has changed."""
        asked = (
            select(func.max(studies.c.arrived)),
            select(func.max(studies.c.settled)),
            select(func.count()).select_from(studies),
            select(func.max(jobs.c.changed)),
            select(func.count()).select_from(jobs),
            select(func.max(readings.c.changed)),
        )
        with self.database.reading() as connection:
            return "|".join(str(connection.execute(each).scalar()) for each in asked)

    def running(self) -> tuple[tuple[int, str, datetime], ...]:
        """Name the jobs that run: number, analysis, since when."""
        asked = select(jobs.c.id, jobs.c.analysis, jobs.c.started).where(
            jobs.c.state == JobState.RUNNING.value, jobs.c.started.is_not(None)
        )
        with self.database.reading() as connection:
            return tuple((row[0], row[1], row[2]) for row in connection.execute(asked))

    def modalities(self) -> tuple[str, ...]:
        """Name the modalities that there are."""
        with self.database.reading() as connection:
            told = connection.execute(select(studies.c.modalities).distinct()).scalars()
            return tuple(
                sorted({word for each in told for word in each.split(_BACKSLASH)} - {""})
            )

    def of_patient(self, line: Line, *, limit: int = 20) -> tuple[Line, ...]:
        """List other studies of whoever has the same identifier and birth date."""
        patient = line.patient
        if not patient.identifier:
            return ()
        asked = (
            select(studies)
            .where(
                studies.c.patient_identifier == patient.identifier,
                studies.c.patient_birth_date == patient.birth_date,
                studies.c.uid != line.uid,
            )
            .order_by(studies.c.date.desc(), studies.c.uid)
            .limit(limit)
        )
        with self.database.reading() as connection:
            return lines_of(connection, connection.execute(asked).mappings().all())

    def jobs_of(self, study: StudyUid) -> tuple[StudyJob, ...]:
        """List the jobs of a study, the first made first."""
        with self.database.reading() as connection:
            return _jobs(connection, [study]).get(study, ())

    def read_of(self, study: StudyUid) -> tuple[Read, ...]:
        """Say who reads or has read a study."""
        with self.database.reading() as connection:
            return _read(connection, [study]).get(study, ())


def state_of(states: Collection[JobState], *, is_settled: bool) -> StudyState:
    """Say where a study stands whose jobs are in these states, as the list does."""
    order = (
        ({JobState.RUNNING, JobState.SENDING}, StudyState.RUNNING),
        ({JobState.WAITING}, StudyState.WAITING),
        ({JobState.DONE}, StudyState.DONE),
        ({JobState.FAILED}, StudyState.FAILED),
        ({JobState.REVIEWED}, StudyState.REVIEWED),
    )
    found = next((state for wanted, state in order if wanted & set(states)), None)
    return found or (StudyState.SKIPPED if is_settled else StudyState.ARRIVING)


def _standing() -> Subquery:
    """Aggregate the jobs of each study, from one index alone."""

    def has(*states: JobState) -> ColumnElement[int]:
        names = [each.value for each in states]
        return func.max(case((jobs.c.state.in_(names), 1), else_=0))

    is_open = jobs.c.state.in_([JobState.WAITING.value, JobState.RUNNING.value])
    return (
        select(
            jobs.c.study_uid,
            has(JobState.RUNNING, JobState.SENDING).label("running"),
            has(JobState.WAITING).label("waiting"),
            has(JobState.FAILED).label("failed"),
            has(JobState.DONE).label("done"),
            has(JobState.REVIEWED).label("reviewed"),
            func.max(case((and_(is_open, jobs.c.priority > 0), 1), else_=0)).label("hurried"),
        )
        .group_by(jobs.c.study_uid)
        .subquery("standing")
    )


def _state(standing: Subquery) -> Case[str]:
    return case(
        (standing.c.running == 1, StudyState.RUNNING.value),
        (standing.c.waiting == 1, StudyState.WAITING.value),
        (standing.c.done == 1, StudyState.DONE.value),
        (standing.c.failed == 1, StudyState.FAILED.value),
        (standing.c.reviewed == 1, StudyState.REVIEWED.value),
        (studies.c.settled.is_(None), StudyState.ARRIVING.value),
        else_=StudyState.SKIPPED.value,
    )


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.modality:
        within = literal(_BACKSLASH) + studies.c.modalities + literal(_BACKSLASH)
        found.append(within.contains(f"\\{wanted.modality}\\", autoescape=True))
    if wanted.since:
        found.append(studies.c.date >= wanted.since)
    if wanted.until:
        found.append(and_(studies.c.date <= wanted.until, studies.c.date != ""))
    for word in wanted.words.split():
        columns = (
            studies.c.patient_name,
            studies.c.patient_identifier,
            studies.c.accession,
        )
        found.append(or_(*(column.icontains(word, autoescape=True) for column in columns)))
    return found


def _listed(
    connection: Connection, found: Sequence[Row[tuple[str, str, int, int]]]
) -> tuple[Listed, ...]:
    uids = [row.uid for row in found]
    asked = select(studies).where(studies.c.uid.in_(uids))
    lines = {
        line.uid: line
        for line in lines_of(connection, connection.execute(asked).mappings().all())
    }
    made, read = _jobs(connection, uids), _read(connection, uids)
    return tuple(
        Listed(
            lines[row.uid],
            StudyState(row.state),
            row.rank,
            bool(row.hurried),
            made.get(row.uid, ()),
            read.get(row.uid, ()),
        )
        for row in found
    )


def _jobs(connection: Connection, uids: Sequence[str]) -> Mapping[str, tuple[StudyJob, ...]]:
    asked = (
        select(jobs, results.c.because, results.c.products)
        .outerjoin(results, results.c.job_id == jobs.c.id)
        .where(jobs.c.study_uid.in_(uids))
        .order_by(jobs.c.id)
    )
    found: dict[str, tuple[StudyJob, ...]] = {}
    for row in connection.execute(asked).mappings():
        job = StudyJob(
            id=row["id"],
            analysis=row["analysis"],
            state=JobState(row["state"]),
            priority=row["priority"],
            started=row["started"],
            because=row["because"] or "",
            reason=row["reason"],
            products=tuple(json.loads(row["products"] or "[]")),
        )
        found[row["study_uid"]] = (*found.get(row["study_uid"], ()), job)
    return found


def _read(connection: Connection, uids: Sequence[str]) -> Mapping[str, tuple[Read, ...]]:
    final = select(versions.c.reading_id).where(versions.c.meaning == "final")
    signed = case((readings.c.id.in_(final), 1), else_=0)
    is_done = case((readings.c.state == "done", 1), else_=0)
    asked = (
        select(jobs.c.study_uid, readings.c.reader, func.max(is_done), func.max(signed))
        .join(jobs, jobs.c.id == readings.c.job_id)
        .where(jobs.c.study_uid.in_(uids))
        .group_by(jobs.c.study_uid, readings.c.reader)
        .order_by(func.min(readings.c.id))
    )
    found: dict[str, tuple[Read, ...]] = {}
    for uid, reader, done, was_signed in connection.execute(asked):
        read = Read(reader, bool(done), bool(was_signed))
        found[uid] = (*found.get(uid, ()), read)
    return found
