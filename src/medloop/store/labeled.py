"""Results that hold labels of a volume, and how far readers are with each."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from medloop.core.errors import InputError
from medloop.core.study import SeriesUid, SopUid, StudyUid
from medloop.store.reading import Purpose, ReadingState
from medloop.store.sql import Database
from medloop.store.tables import arrivals, edits, instances, jobs, readings, results

LABELS = "labels.nii.gz"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one reader is with a result."""

    reading: int
    reader: str
    purpose: Purpose
    state: ReadingState
    has_mask: bool  # labels of the reader's own


@dataclass(frozen=True, slots=True)
class Labeled:
    """A job whose result holds labels of a volume; `selection` is what was analyzed."""

    job: int
    study: StudyUid
    analysis: str
    selection: tuple[SopUid, ...]
    marks: tuple[Mark, ...]

    def is_labeled(self, by: str | None = None) -> bool:
        """Whether a reader, or anybody, has drawn labels of it or handed it in."""
        return any(
            each.has_mask or each.state is ReadingState.DONE
            for each in self.marks
            if by in (None, each.reader)
        )


@dataclass(frozen=True, slots=True)
class LabeledJobs:
    """Results with a file of labels, the oldest job first."""

    database: Database

    def all(self) -> tuple[Labeled, ...]:
        """List them."""
        with self.database.reading() as connection:
            return _labeled(connection, _asked())

    def find(self, key: str) -> tuple[Labeled, ...]:
        """List those of a job's number, of a series or of a study, by UID."""
        with self.database.reading() as connection:
            if key.isascii() and key.isdecimal() and len(key) < 10:
                return _labeled(connection, _asked().where(jobs.c.id == int(key)))
            of_study = _labeled(connection, _asked().where(jobs.c.study_uid == key))
            return of_study or _of_series(connection, key)

    def series(self, labeled: Labeled) -> SeriesUid:
        """Name the series that was analyzed, or raise `InputError` if it is here no more."""
        first = labeled.selection[:1]
        with self.database.reading() as connection:
            for table in (arrivals, instances):  # an instance's series as it came, then split
                asked = select(table.c.series_uid).where(table.c.uid.in_(first))
                found = connection.execute(asked).scalars().first()
                if found is not None:
                    return SeriesUid(found)
        raise InputError(f"the images of job {labeled.job} are here no more")


def _asked() -> Select[Any]:
    return (
        select(jobs.c.id, jobs.c.study_uid, jobs.c.analysis, jobs.c.selection)
        .join(results, results.c.job_id == jobs.c.id)
        .where(results.c.products.contains(f'"{LABELS}"', autoescape=True))
        .order_by(jobs.c.id)
    )


def _of_series(connection: Connection, uid: str) -> tuple[Labeled, ...]:
    uids: set[str] = set()
    studies: set[str] = set()
    for table in (arrivals, instances):
        asked = select(table.c.uid, table.c.study_uid).where(table.c.series_uid == uid)
        for sop, study in connection.execute(asked):
            uids.add(sop)
            studies.add(study)
    if not studies:
        return ()
    candidates = _labeled(connection, _asked().where(jobs.c.study_uid.in_(studies)))
    return tuple(each for each in candidates if uids.intersection(each.selection))


def _labeled(connection: Connection, asked: Select[Any]) -> tuple[Labeled, ...]:
    rows = connection.execute(asked).mappings().all()
    marks = _marks(connection, [row["id"] for row in rows])
    return tuple(_one(row, marks.get(row["id"], ())) for row in rows)


def _marks(connection: Connection, numbers: Sequence[int]) -> Mapping[int, tuple[Mark, ...]]:
    drawn = select(edits.c.number).where(
        edits.c.reading_id == readings.c.id, edits.c.mask.is_not(None)
    )
    asked = select(readings, drawn.exists().label("has_mask")).order_by(readings.c.id)
    if len(numbers) < 500:
        asked = asked.where(readings.c.job_id.in_(numbers))
    found: dict[int, list[Mark]] = {}
    for row in connection.execute(asked).mappings():
        found.setdefault(row["job_id"], []).append(_mark(row))
    return {job: tuple(each) for job, each in found.items()}


def _mark(row: RowMapping) -> Mark:
    purpose, state = Purpose(row["purpose"]), ReadingState(row["state"])
    return Mark(row["id"], row["reader"], purpose, state, bool(row["has_mask"]))


def _one(row: RowMapping, marks: Iterable[Mark]) -> Labeled:
    return Labeled(
        job=row["id"],
        study=StudyUid(row["study_uid"]),
        analysis=row["analysis"],
        selection=tuple(SopUid(uid) for uid in json.loads(row["selection"])),
        marks=tuple(marks),
    )
