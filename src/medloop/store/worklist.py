"""What a person sees first: studies with how many objects and jobs they have, page by page."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, func, select

from medloop.core.errors import InputError
from medloop.core.study import Patient, StudyUid
from medloop.store.job import Job, JobState
from medloop.store.jobs import job_of
from medloop.store.query import modalities_left
from medloop.store.sql import Database
from medloop.store.tables import arrivals, instances, jobs, series, studies

_BACKSLASH = "\\"


@dataclass(frozen=True, slots=True)
class Line:
    """One study of the list; `is_settled` once it was split into series and routed."""

    uid: StudyUid
    name: str
    patient: Patient
    date: str  # YYYYMMDD
    description: str
    accession: str
    modalities: tuple[str, ...]
    arrived: datetime
    is_settled: bool
    instances: int
    jobs: Mapping[JobState, int]


@dataclass(frozen=True, slots=True)
class Worklist:
    """Studies and jobs as lists, the newest first."""

    database: Database

    def studies(
        self, *, limit: int, offset: int = 0, without: Collection[str] = ()
    ) -> tuple[tuple[Line, ...], int]:
        """Return one page of the studies, the latest arrival first, and how many there are.

        Instances named by `without` count as if they had never arrived.
        """
        asked = (
            select(studies)
            .order_by(studies.c.arrived.desc(), studies.c.uid)
            .limit(limit)
            .offset(offset)
        )
        with self.database.reading() as connection:
            rows = connection.execute(asked).mappings().all()
            total = connection.execute(select(func.count()).select_from(studies)).scalar_one()
            return lines_of(connection, rows, without), total

    def study(self, uid: StudyUid, *, without: Collection[str] = ()) -> Line:
        """Look one study up, or raise `InputError`; `without` as for `studies`."""
        with self.database.reading() as connection:
            asked = select(studies).where(studies.c.uid == uid)
            rows = connection.execute(asked).mappings().all()
            if not rows:
                raise InputError("no such study has arrived")
            return lines_of(connection, rows, without)[0]

    def jobs(
        self,
        *,
        limit: int,
        offset: int = 0,
        study: StudyUid | None = None,
        state: JobState | None = None,
    ) -> tuple[tuple[Job, ...], int]:
        """Return one page of the jobs, the newest first, and how many there are."""
        conditions = []
        if study is not None:
            conditions.append(jobs.c.study_uid == study)
        if state is not None:
            conditions.append(jobs.c.state == state.value)
        asked = select(jobs).where(*conditions).order_by(jobs.c.id.desc())
        counted = select(func.count()).select_from(jobs).where(*conditions)
        with self.database.reading() as connection:
            rows = connection.execute(asked.limit(limit).offset(offset)).mappings().all()
            total = connection.execute(counted).scalar_one()
        return tuple(job_of(row) for row in rows), total


def lines_of(
    connection: Connection, rows: Sequence[RowMapping], without: Collection[str] = ()
) -> tuple[Line, ...]:
    """Read rows of the table of studies, and count what belongs to them."""
    uids = [row["uid"] for row in rows]
    came = _counts(connection, arrivals.c.study_uid, uids, arrivals.c.uid.not_in(without))
    left = modalities_left(connection, without)
    files = _counts(connection, instances.c.study_uid, uids)  # pictures are no arrivals
    of_series = _of_series(connection, uids)
    asked = select(jobs.c.study_uid, jobs.c.state, func.count())
    grouped = asked.where(jobs.c.study_uid.in_(uids)).group_by(jobs.c.study_uid, jobs.c.state)
    states: dict[str, dict[JobState, int]] = {}
    for uid, state, count in connection.execute(grouped):
        states.setdefault(uid, {})[JobState(state)] = count
    found = []
    for row in rows:
        uid = row["uid"]
        count = max(came.get(uid, 0), files.get(uid, 0))
        modalities = left.get(uid, row["modalities"]).split(_BACKSLASH)
        if uid in of_series:  # else nothing of it was split into series yet
            modalities = [each for each in modalities if each in of_series[uid]]
        found.append(_line(row, count, modalities, states.get(uid, {})))
    return tuple(found)


def _of_series(connection: Connection, uids: Sequence[str]) -> Mapping[str, Collection[str]]:
    """Say of each study which modalities came: what analyses made of it is no series there."""
    asked = select(series.c.study_uid, series.c.modality).where(series.c.study_uid.in_(uids))
    found: dict[str, set[str]] = {}
    for uid, modality in connection.execute(asked.distinct()):
        found.setdefault(uid, set()).add(modality)
    return found


def _counts(
    connection: Connection,
    column: Column[Any],
    uids: Iterable[str],
    *conditions: ColumnElement[bool],
) -> dict[str, int]:
    asked = select(column, func.count()).where(column.in_(uids), *conditions)
    return {row[0]: row[1] for row in connection.execute(asked.group_by(column))}


def _line(
    row: RowMapping, count: int, modalities: Sequence[str], states: Mapping[JobState, int]
) -> Line:
    return Line(
        uid=StudyUid(row["uid"]),
        name=row["name"],
        patient=Patient(
            name=row["patient_name"],
            identifier=row["patient_identifier"],
            birth_date=row["patient_birth_date"],
            sex=row["patient_sex"],
        ),
        date=row["date"],
        description=row["description"],
        accession=row["accession"],
        modalities=tuple(each for each in modalities if each),
        arrived=row["arrived"],
        is_settled=row["settled"] is not None,
        instances=count,
        jobs=states,
    )
