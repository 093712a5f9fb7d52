"""Each instance as it came, and which studies grew since they were last looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, func, or_, select, update

from medloop.core.arrival import Arrival
from medloop.core.study import SopUid, StudyUid
from medloop.store import tables
from medloop.store.sql import ROWS, Database

_BACKSLASH = "\\"
OWN = "medloop"  # the source of what analyses have made: shown, but never analyzed


class Outcome(StrEnum):
    """What became of an object that arrived."""

    STORED = "stored"
    KNOWN = "known"  # the same bytes arrived before
    CONFLICT = "conflict"  # its UID is that of other bytes: kept apart, never analyzed
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Kept:
    """An object whose bytes are in the archive, to be entered."""

    arrival: Arrival
    sha256: str
    size: int
    source: str


@dataclass(frozen=True, slots=True)
class Held:
    """An object in the archive, as the catalog knows it."""

    uid: SopUid
    sop_class: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Holding:
    """What a study holds, and how many of it are arrivals."""

    objects: tuple[Held, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Instances by SOP Instance UID. Entering one twice changes nothing."""

    database: Database

    def add(self, objects: Sequence[Kept], *, now: datetime) -> tuple[Outcome, ...]:
        """Enter objects, all or none; a study that gets new ones is open again."""
        first = {each.arrival.uid: each for each in reversed(objects)}
        rows = [_row(each, now) for each in reversed(first.values())]
        by_study: dict[StudyUid, list[Kept]] = {}
        for each in first.values():
            by_study.setdefault(each.arrival.study, []).append(each)
        with self.database.writing() as connection:
            heads = [_head(kept[-1].arrival, now) for _, kept in sorted(by_study.items())]
            self.database.insert_new(connection, tables.studies, heads)
            new = self.database.insert_new(connection, tables.arrivals, rows)
            fresh = {SopUid(row["uid"]) for row in new}
            for study, kept in sorted(by_study.items()):
                added = [each for each in kept if each.arrival.uid in fresh]
                if added:
                    self._grow(connection, study, added, now)
            held = self._held(connection, [uid for uid in first if uid not in fresh])
            held |= {uid: first[uid].sha256 for uid in fresh}
            clashes = [each for each in objects if held[each.arrival.uid] != each.sha256]
            self._keep_apart(connection, clashes, held, now)
        outcomes = []
        for each in objects:
            uid = each.arrival.uid
            if held[uid] != each.sha256:
                outcomes.append(Outcome.CONFLICT)
            else:
                outcomes.append(Outcome.STORED if uid in fresh else Outcome.KNOWN)
                fresh.discard(uid)
        return tuple(outcomes)

    def held(self, uids: Sequence[SopUid]) -> Mapping[SopUid, Held]:
        """Look instances up; those that never arrived are absent."""
        table = tables.arrivals
        found: dict[SopUid, Held] = {}
        with self.database.reading() as connection:
            for start in range(0, len(uids), ROWS):
                asked = select(table.c.uid, table.c.sop_class, table.c.sha256)
                chunk = table.c.uid.in_(uids[start : start + ROWS])
                for row in connection.execute(asked.where(chunk)):
                    found[SopUid(row.uid)] = Held(SopUid(row.uid), row.sop_class, row.sha256)
        return found

    def of(self, study: StudyUid) -> Holding:
        """List what a study holds, in the order of its series and their numbers.

        What analyses have made is left out; what arrived before arrivals were noted is listed.
        """
        came, old = tables.arrivals, tables.instances
        asked = select(came.c.uid, came.c.sop_class, came.c.sha256).where(
            came.c.study_uid == study, came.c.source != OWN
        )
        before = select(old.c.uid, old.c.sop_class, old.c.sha256).where(
            old.c.study_uid == study, old.c.sop_class != ""
        )
        order = (came.c.series_uid, came.c.number, came.c.uid)
        with self.database.reading() as connection:
            arrived = list(connection.execute(asked.order_by(*order)))
            earlier = list(connection.execute(before))
        found: dict[SopUid, Held] = {}
        for row in arrived + earlier:
            found.setdefault(SopUid(row.uid), Held(SopUid(row.uid), row.sop_class, row.sha256))
        return Holding(tuple(found.values()), len(arrived))

    def own(self, study: StudyUid) -> frozenset[SopUid]:
        """Name the objects of a study that were made here: results, signed reports."""
        came = tables.arrivals
        asked = select(came.c.uid).where(came.c.study_uid == study, came.c.source == OWN)
        with self.database.reading() as connection:
            return frozenset(SopUid(uid) for uid in connection.execute(asked).scalars())

    def counts(self, studies: Sequence[StudyUid]) -> Mapping[StudyUid, int]:
        """Count the arrivals of studies; those of which nothing arrived are absent.

        What analyses have made is not counted: it would stand for images that are missing.
        """
        came = tables.arrivals
        found: dict[StudyUid, int] = {}
        with self.database.reading() as connection:
            for start in range(0, len(studies), ROWS):
                asked = select(came.c.study_uid, func.count()).group_by(came.c.study_uid)
                asked = asked.where(came.c.source != OWN)
                chunk = came.c.study_uid.in_(studies[start : start + ROWS])
                found |= {StudyUid(uid): n for uid, n in connection.execute(asked.where(chunk))}
        return found

    def open(self, *, quiet_since: datetime) -> tuple[StudyUid, ...]:
        """Name studies that grew, and have been quiet since then or are complete.

        Those of files that are no DICOM objects, of which none is expected, are complete.
        """
        heads, came = tables.studies, tables.arrivals
        count = (
            select(func.count())
            .where(came.c.study_uid == heads.c.uid, came.c.source != OWN)
            .correlate(heads)
            .scalar_subquery()
        )
        is_due = or_(heads.c.arrived <= quiet_since, heads.c.expected <= count)
        asked = (
            select(heads.c.uid)
            .where(heads.c.settled.is_(None), is_due, or_(count > 0, heads.c.expected == 0))
            .order_by(heads.c.arrived, heads.c.uid)
        )
        with self.database.reading() as connection:
            return tuple(StudyUid(uid) for uid in connection.execute(asked).scalars())

    def close(self, study: StudyUid, *, count: int, now: datetime) -> bool:
        """Note that a study is settled with so many arrivals; False if there are more now."""
        heads, came = tables.studies, tables.arrivals
        counted = (
            select(func.count())
            .where(came.c.study_uid == study, came.c.source != OWN)
            .correlate(None)
        ).scalar_subquery()
        noted = update(heads).where(heads.c.uid == study, counted == count)
        with self.database.writing() as connection:
            lock = select(heads.c.uid).where(heads.c.uid == study).with_for_update()
            connection.execute(lock)
            return connection.execute(noted.values(settled=now)).rowcount > 0

    def expect(self, study: StudyUid, count: int) -> bool:
        """Note how many instances a study will have; False if nothing of it has arrived."""
        heads = tables.studies
        with self.database.writing() as connection:
            noted = update(heads).where(heads.c.uid == study).values(expected=count)
            return connection.execute(noted).rowcount > 0

    def _grow(
        self, connection: Connection, study: StudyUid, added: Sequence[Kept], now: datetime
    ) -> None:
        """Add modalities, and open the study again unless all that is new is our own."""
        heads = tables.studies
        known = connection.execute(
            select(heads.c.modalities).where(heads.c.uid == study).with_for_update()
        ).scalar_one()
        modalities = {each.arrival.modality for each in added}
        told = sorted({*known.split(_BACKSLASH), *modalities} - {""})
        noted = update(heads).where(heads.c.uid == study)
        connection.execute(noted.values(modalities=_BACKSLASH.join(told)))
        if any(each.source != OWN for each in added):
            connection.execute(noted.values(arrived=now, settled=None))

    def _held(self, connection: Connection, uids: Sequence[SopUid]) -> dict[SopUid, str]:
        table = tables.arrivals
        held: dict[SopUid, str] = {}
        for start in range(0, len(uids), ROWS):
            asked = select(table.c.uid, table.c.sha256)
            chunk = table.c.uid.in_(uids[start : start + ROWS])
            rows = connection.execute(asked.where(chunk))
            held.update((SopUid(row.uid), row.sha256) for row in rows)
        return held

    def _keep_apart(
        self,
        connection: Connection,
        clashes: Sequence[Kept],
        held: Mapping[SopUid, str],
        now: datetime,
    ) -> None:
        rows = [
            {
                "uid": each.arrival.uid,
                "sha256": each.sha256,
                "study_uid": each.arrival.study,
                "kept_sha256": held[each.arrival.uid],
                "arrived": now,
            }
            for each in clashes
        ]
        self.database.insert_new(connection, tables.conflicts, rows)


def _head(arrival: Arrival, now: datetime) -> dict[str, object]:
    patient = arrival.patient
    return {
        "uid": arrival.study,
        "name": arrival.study_name,
        "patient_name": patient.name,
        "patient_identifier": patient.identifier,
        "patient_birth_date": patient.birth_date,
        "patient_sex": patient.sex,
        "date": arrival.date,
        "description": arrival.description,
        "accession": arrival.accession,
        "arrived": now,
        "time": arrival.time,
        "referring": arrival.referring,
        "study_id": arrival.study_id,
    }


def _row(kept: Kept, now: datetime) -> dict[str, object]:
    arrival = kept.arrival
    return {
        "uid": arrival.uid,
        "sha256": kept.sha256,
        "study_uid": arrival.study,
        "series_uid": arrival.series,
        "sop_class": arrival.sop_class,
        "transfer_syntax": arrival.transfer_syntax,
        "number": arrival.number,
        "size": kept.size,
        "source": kept.source,
        "arrived": now,
        "header": arrival.header,
        "modality": arrival.modality,
        "step": arrival.step,
        "procedure": arrival.procedure,
    }
