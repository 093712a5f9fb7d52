"""The tables of readings: opened once, edits only added, reports signed one after the other."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, RowMapping, Select, func, insert, select, update

from medloop.core.edit import Action, Edit
from medloop.core.errors import InputError
from medloop.core.study import StudyUid
from medloop.store.audit import Audit, Entry
from medloop.store.job import LEGAL, JobState
from medloop.store.reading import (
    Meaning,
    Purpose,
    Reading,
    ReadingState,
    StaleError,
    Version,
)
from medloop.store.sql import Database
from medloop.store.tables import edits, jobs, results, versions
from medloop.store.tables import readings as table


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings, their edits and their signed versions. Nothing in them is overwritten.

    An `entry` given with a change stands in the audit log if, and only if, the change is kept.
    """

    database: Database

    def open(
        self,
        job: int,
        reader: str,
        purpose: Purpose = Purpose.READ,
        *,
        now: datetime,
        entry: Entry | None = None,
    ) -> Reading:
        """Begin the reading of a job's result, or return the one that was begun before.

        Raises
        ------
        InputError
            If there is no such job, or it has no result.
        """
        row = {
            "job_id": job,
            "reader": reader,
            "purpose": purpose.value,
            "state": ReadingState.OPEN.value,
            "opened": now,
            "changed": now,
        }
        mine = (
            table.c.job_id == job,
            table.c.reader == reader,
            table.c.purpose == purpose.value,
        )
        with self.database.reading() as connection:  # writers are not disturbed in vain
            found = connection.execute(_asked().where(*mine)).mappings().one_or_none()
        if found is not None:
            return _reading(found)
        with self.database.writing() as connection:
            held = select(results.c.job_id).where(results.c.job_id == job)
            if connection.execute(held).one_or_none() is None:
                raise InputError(f"job {job} has no result")
            if self.database.insert_new(connection, table, [row]):
                self._note(connection, entry)
            return _reading(connection.execute(_asked().where(*mine)).mappings().one())

    def get(self, number: int) -> Reading:
        """Look a reading up, or raise `InputError`."""
        with self.database.reading() as connection:
            return _found(connection, number)

    def of_job(self, job: int) -> tuple[Reading, ...]:
        """List the readings of a job's result, the first opened first."""
        asked = _asked().where(table.c.job_id == job).order_by(table.c.id)
        with self.database.reading() as connection:
            return tuple(_reading(row) for row in connection.execute(asked).mappings())

    def of_study(self, study: StudyUid) -> tuple[Reading, ...]:
        """List the readings of all results of a study, the first opened first."""
        asked = _asked().where(jobs.c.study_uid == study).order_by(table.c.id)
        with self.database.reading() as connection:
            return tuple(_reading(row) for row in connection.execute(asked).mappings())

    def all(
        self,
        *,
        analysis: str | None = None,
        reader: str | None = None,
        state: ReadingState | None = None,
    ) -> tuple[Reading, ...]:
        """List readings, the first opened first: of an analysis, a reader, in a state."""
        asked = _asked().order_by(table.c.id)
        if analysis is not None:
            asked = asked.where(jobs.c.analysis == analysis)
        if reader is not None:
            asked = asked.where(table.c.reader == reader)
        if state is not None:
            asked = asked.where(table.c.state == state.value)
        with self.database.reading() as connection:
            return tuple(_reading(row) for row in connection.execute(asked).mappings())

    def edits(self, number: int) -> tuple[Edit, ...]:
        """List the edits of a reading in their order."""
        asked = select(edits).where(edits.c.reading_id == number).order_by(edits.c.number)
        with self.database.reading() as connection:
            return tuple(_edit(row) for row in connection.execute(asked).mappings())

    def append(
        self,
        number: int,
        edit: Edit,
        *,
        expected: int,
        now: datetime,
        entry: Entry | None = None,
    ) -> Edit:
        """Add an edit behind edit `expected`; it gets the next number and the time `now`.

        Raises
        ------
        StaleError
            If the last edit is another one by now.
        InputError
            If there is no such reading, or it was handed in.
        """
        with self.database.writing() as connection:
            reading = _locked(connection, number)
            if reading.number != expected:
                raise StaleError(
                    f"reading {number} is at edit {reading.number}, the page knows {expected}"
                )
            if reading.state is ReadingState.DONE and not _is_final(connection, number):
                raise InputError(f"reading {number} was handed in; it stays as it is")
            added = replace(edit, number=expected + 1, at=now)
            connection.execute(insert(edits).values(_row(number, added)))
            _touch(connection, number, {"changed": now})
            self._note(connection, entry)
        return added

    def hand_in(self, number: int, *, now: datetime, entry: Entry | None = None) -> Reading:
        """Say that the reader is done; a second time changes nothing. Raises as `get`."""
        with self.database.writing() as connection:
            reading = _locked(connection, number)
            if reading.state is ReadingState.OPEN:
                _touch(connection, number, {**_DONE, "changed": now})
                self._note(connection, entry)
            return _found(connection, number)

    def sign(self, number: int, version: Version, *, entry: Entry | None = None) -> Version:
        """Keep a signed report; it gets the next number. A final one hands the reading in.

        The job of a final report becomes reviewed.

        Raises
        ------
        StaleError
            If edits were added since those that the report holds, or another report was
            signed at the same time and has its folder.
        InputError
            If there is no such reading, a final report was signed already and this is no
            addendum, or this is an addendum to none.
        """
        with self.database.writing() as connection:
            reading = _locked(connection, number)
            has_final = _is_final(connection, number)
            if has_final is not (version.meaning is Meaning.ADDENDUM):
                said = "only an addendum follows" if has_final else "an addendum needs one"
                raise InputError(f"reading {number}: final report, {said}")
            if version.edits not in (None, reading.number):
                raise StaleError(
                    f"reading {number} is at edit {reading.number}, "
                    f"the report holds {version.edits}"
                )
            taken = select(versions.c.number).where(
                versions.c.reading_id == number, versions.c.folder == version.folder
            )
            if connection.execute(taken.limit(1)).first() is not None:
                raise StaleError(f"reading {number} was signed a moment ago")
            last = select(func.coalesce(func.max(versions.c.number), 0))
            count = connection.execute(last.where(versions.c.reading_id == number)).scalar_one()
            signed = replace(version, number=count + 1, edits=reading.number)
            connection.execute(insert(versions).values(_version_row(number, signed)))
            if signed.meaning is Meaning.FINAL:
                _touch(connection, number, {**_DONE, "changed": signed.at})
                _review(connection, reading.job, signed.at)
            self._note(connection, entry)
        return signed

    def versions(self, number: int) -> tuple[Version, ...]:
        """List the signed reports of a reading in their order."""
        asked = select(versions).where(versions.c.reading_id == number)
        with self.database.reading() as connection:
            rows = connection.execute(asked.order_by(versions.c.number)).mappings()
            return tuple(version_of(row) for row in rows)

    def _note(self, connection: Connection, entry: Entry | None) -> None:
        if entry is not None:
            Audit(self.database).append_within(connection, entry)


_DONE: Mapping[str, str] = {"state": ReadingState.DONE.value}


def _asked() -> Select[tuple[object, ...]]:
    last = select(func.coalesce(func.max(edits.c.number), 0))
    last = last.where(edits.c.reading_id == table.c.id)
    return select(
        table, jobs.c.study_uid, jobs.c.analysis, last.scalar_subquery().label("number")
    ).join(jobs, jobs.c.id == table.c.job_id)


def _found(connection: Connection, number: int) -> Reading:
    asked = _asked().where(table.c.id == number)
    row = connection.execute(asked).mappings().one_or_none()
    if row is None:
        raise InputError(f"there is no reading {number}")
    return _reading(row)


def _locked(connection: Connection, number: int) -> Reading:
    """Look a reading up that nobody else changes until this transaction ends."""
    connection.execute(select(table.c.id).where(table.c.id == number).with_for_update())
    return _found(connection, number)


def _is_final(connection: Connection, number: int) -> bool:
    asked = select(versions.c.number).where(
        versions.c.reading_id == number, versions.c.meaning == Meaning.FINAL.value
    )
    return connection.execute(asked.limit(1)).one_or_none() is not None


def _touch(connection: Connection, number: int, values: Mapping[str, object]) -> None:
    connection.execute(update(table).where(table.c.id == number).values(**values))


def _review(connection: Connection, job: int, now: datetime) -> None:
    """Let a job with a result be reviewed; what of it is still sent goes on."""
    ended = [state.value for state, to in LEGAL.items() if JobState.REVIEWED in to]
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job, jobs.c.state.in_(ended))
        .values(state=JobState.REVIEWED.value, reason="", lease=None, changed=now)
    )


def mask_of(edit: Edit) -> str | None:
    """Name the object of the archive that an edit of the mask put there; None for others."""
    if edit.action is not Action.MASK or not isinstance(edit.after, dict):
        return None
    sha256 = edit.after.get("sha256")
    return sha256 if isinstance(sha256, str) else None


def _row(number: int, edit: Edit) -> dict[str, object]:
    return {
        "reading_id": number,
        "number": edit.number,
        "action": edit.action.value,
        "target": edit.target,
        "before": json.dumps(edit.before, ensure_ascii=False),
        "after": json.dumps(edit.after, ensure_ascii=False),
        "mask": mask_of(edit),
        "seconds": edit.seconds,
        "clicks": edit.clicks,
        "at": edit.at,
    }


def _version_row(number: int, version: Version) -> dict[str, object]:
    return {
        "reading_id": number,
        "number": version.number,
        "meaning": version.meaning.value,
        "signer": version.signer,
        "at": version.at,
        "language": version.language,
        "conclusion": version.conclusion,
        "folder": version.folder,
        "record": version.record,
        "products": json.dumps(sorted(version.products)),
        "edits": version.edits,
    }


def _reading(row: RowMapping) -> Reading:
    return Reading(
        id=row["id"],
        job=row["job_id"],
        study=StudyUid(row["study_uid"]),
        analysis=row["analysis"],
        reader=row["reader"],
        purpose=Purpose(row["purpose"]),
        state=ReadingState(row["state"]),
        opened=row["opened"],
        changed=row["changed"],
        number=row["number"],
    )


def _edit(row: RowMapping) -> Edit:
    return Edit(
        number=row["number"],
        action=Action(row["action"]),
        target=row["target"],
        before=json.loads(row["before"]),
        after=json.loads(row["after"]),
        seconds=row["seconds"],
        clicks=row["clicks"],
        at=row["at"],
    )


def version_of(row: RowMapping) -> Version:
    """Read a row of the table."""
    return Version(
        number=row["number"],
        meaning=Meaning(row["meaning"]),
        signer=row["signer"],
        at=row["at"],
        language=row["language"],
        conclusion=row["conclusion"],
        folder=row["folder"],
        record=row["record"],
        products=tuple(json.loads(row["products"])),
        edits=row["edits"],
    )
