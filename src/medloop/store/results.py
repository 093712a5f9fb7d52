"""What analyses have answered: each job's record and where its products are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, func, select, update

from medloop.core.errors import InputError
from medloop.core.record import Record, from_json, to_json
from medloop.core.study import Patient, StudyUid
from medloop.store.sql import Database
from medloop.store.tables import jobs, studies
from medloop.store.tables import results as table


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept result. `folder` is relative to the store's results; `products` are file names.

    The highest `urgency` is read first, `because` of what it names.
    """

    job: int
    folder: str
    products: tuple[str, ...]
    record: Record
    kept: datetime
    urgency: int = 0
    because: str = ""


@dataclass(frozen=True, slots=True)
class Unranked:
    """The text of a record whose urgency nobody has told."""

    job: int
    record: str
    kept: datetime


@dataclass(frozen=True, slots=True)
class OfPatient:
    """A kept result, and whose it is: `date` is of the study (YYYYMMDD)."""

    kept: Kept
    study: StudyUid
    patient: Patient
    date: str


@dataclass(frozen=True, slots=True)
class Results:
    """One result a job; keeping a second one replaces the first."""

    database: Database

    def keep(
        self, job: int, record: Record, folder: str, products: Sequence[str], *, now: datetime
    ) -> None:
        """Keep the record of a job and the names of its products."""
        with self.database.writing() as connection:
            self.keep_within(connection, Kept(job, folder, tuple(products), record, now))

    def keep_within(self, connection: Connection, kept: Kept) -> None:
        """Keep a result together with the change that it belongs to."""
        row = {
            "job_id": kept.job,
            "folder": kept.folder,
            "products": json.dumps(sorted(kept.products)),
            "record": to_json(kept.record),
            "kept": kept.kept,
            "urgency": kept.urgency,
            "because": kept.because,
        }
        connection.execute(delete(table).where(table.c.job_id == kept.job))
        self.database.insert_new(connection, table, [row])
        _rank_studies(connection, [kept.job])

    def unranked(self, *, after: int, limit: int) -> tuple[Unranked, ...]:
        """List so many results that have no urgency, of jobs with a number above `after`."""
        asked = (
            select(table.c.job_id, table.c.record, table.c.kept)
            .where(table.c.job_id > after, table.c.urgency == 0, table.c.because == "")
            .order_by(table.c.job_id)
            .limit(limit)
        )
        with self.database.reading() as connection:
            return tuple(Unranked(*row) for row in connection.execute(asked))

    def rank(self, ranked: Sequence[tuple[Unranked, int, str]]) -> None:
        """Keep how urgent results are; those that were replaced meanwhile stay."""
        with self.database.writing() as connection:
            for each, urgency, because in ranked:
                connection.execute(
                    update(table)
                    .where(table.c.job_id == each.job, table.c.kept == each.kept)
                    .values(urgency=urgency, because=because)
                )
            _rank_studies(connection, [each.job for each, _, _ in ranked])

    def get(self, job: int) -> Kept:
        """Look the result of a job up, or raise `InputError`."""
        with self.database.reading() as connection:
            found = connection.execute(select(table).where(table.c.job_id == job))
            row = found.mappings().one_or_none()
        if row is None:
            raise InputError(f"job {job} has no result")
        return kept_of(row)

    def of_study(self, study: StudyUid) -> tuple[Kept, ...]:
        """List the results about a study, oldest job first."""
        asked = (
            select(table)
            .join(jobs, jobs.c.id == table.c.job_id)
            .where(jobs.c.study_uid == study)
            .order_by(table.c.job_id)
        )
        with self.database.reading() as connection:
            return tuple(kept_of(row) for row in connection.execute(asked).mappings())

    def of_patient(self, identifier: str, analysis: str) -> tuple[OfPatient, ...]:
        """List one analysis' results about the studies under an identifier, oldest job first.

        The same identifier may be of several patients: compare what else they state.
        """
        asked = (
            select(table, studies)
            .join(jobs, jobs.c.id == table.c.job_id)
            .join(studies, studies.c.uid == jobs.c.study_uid)
            .where(studies.c.patient_identifier == identifier, jobs.c.analysis == analysis)
            .order_by(table.c.job_id)
        )
        with self.database.reading() as connection:
            return tuple(_of_patient(row) for row in connection.execute(asked).mappings())


def _rank_studies(connection: Connection, numbers: Sequence[int]) -> None:
    """Let the studies of some jobs be as urgent as the most urgent of their results."""
    asked = select(jobs.c.study_uid).where(jobs.c.id.in_(numbers))
    most = (
        select(func.max(table.c.urgency))
        .join(jobs, jobs.c.id == table.c.job_id)
        .where(jobs.c.study_uid == studies.c.uid)
        .scalar_subquery()
    )
    connection.execute(update(studies).where(studies.c.uid.in_(asked)).values(urgency=most))


def _of_patient(row: RowMapping) -> OfPatient:
    patient = Patient(
        name=row["patient_name"],
        identifier=row["patient_identifier"],
        birth_date=row["patient_birth_date"],
        sex=row["patient_sex"],
    )
    return OfPatient(kept_of(row), StudyUid(row["uid"]), patient, row["date"])


def kept_of(row: RowMapping) -> Kept:
    """Read a row of the table."""
    return Kept(
        job=row["job_id"],
        folder=row["folder"],
        products=tuple(json.loads(row["products"])),
        record=from_json(row["record"]),
        kept=row["kept"],
        urgency=row["urgency"],
        because=row["because"],
    )
