"""What has arrived: studies, series and instances, without pixels."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection, RowMapping, delete, func, select, update

from medloop.core.errors import InputError
from medloop.core.study import (
    Content,
    Instance,
    Notice,
    Patient,
    Scan,
    Series,
    SeriesUid,
    SopUid,
    Study,
    StudyUid,
)
from medloop.store import tables
from medloop.store.archive import Archive
from medloop.store.sql import ROWS, Database

SERIES_FACTS = (
    "modality",
    "description",
    "source",
    "body_part",
    "laterality",
    "rows",
    "columns",
    "slice_mm",
    "frame_of_reference",
)


@dataclass(frozen=True, slots=True)
class Conflict:
    """An instance that arrived again with other bytes: kept apart, and never analyzed."""

    uid: SopUid
    study: StudyUid
    kept_sha256: str
    other_sha256: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an arrival changed: instances new, already known, and in conflict."""

    new: int
    known: int
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """Studies by UID. Adding the same instance twice changes nothing."""

    database: Database
    archive: Archive

    def add(self, study: Study, *, now: datetime) -> Receipt:
        """Take in what a study holds; the instances' bytes are in the archive already.

        What was said first about a study stays; a series keeps the description that came with
        its newest instance.
        """
        rows = [row for series in study.series for row in _instances(study.uid, series)]
        rows = list({(row["uid"], row["sha256"]): row for row in rows}.values())
        with self.database.writing() as connection:
            self._add_study(connection, study, now)
            new = self._add_instances(connection, rows)
            conflicts = self._conflicts(connection, rows)
            if new:
                self._describe(connection, study, new, now)
            if conflicts:
                self._keep_apart(connection, conflicts, now)
        return Receipt(len(new), len(rows) - len(new) - len(conflicts), conflicts)

    def rebuild(self, study: Study) -> None:
        """Replace series and instances of a study by how it is split now."""
        lists, held = tables.series, tables.instances
        rows = [row for series in study.series for row in _instances(study.uid, series)]
        described = [
            {"study_uid": study.uid, "uid": series.uid, "position": n} | _facts(series)
            for n, series in enumerate(study.series)
        ]
        with self.database.writing() as connection:
            connection.execute(delete(held).where(held.c.study_uid == study.uid))
            connection.execute(delete(lists).where(lists.c.study_uid == study.uid))
            self.database.insert_new(connection, lists, described)
            self.database.insert_new(connection, held, rows)

    def study(self, uid: StudyUid) -> Study:
        """Look a study up; its instances' paths are in the archive.

        Raises
        ------
        InputError
            If no such study has arrived.
        """
        held, lists = tables.instances, tables.series
        with self.database.reading() as connection:
            found = connection.execute(
                select(tables.studies).where(tables.studies.c.uid == uid)
            ).mappings()
            head = found.one_or_none()
            if head is None:
                raise InputError("no such study has arrived")
            all_series = connection.execute(
                select(lists).where(lists.c.study_uid == uid).order_by(lists.c.position)
            ).mappings()
            described = list(all_series)
            instances = connection.execute(
                select(held)
                .where(held.c.study_uid == uid)
                .order_by(held.c.series_uid, held.c.position, held.c.uid)
            ).mappings()
            members = {
                key: tuple(self._instance(row) for row in rows)
                for key, rows in groupby(instances, key=lambda row: str(row["series_uid"]))
            }
        listed = (_series(row, members.get(row["uid"], ())) for row in described)
        return _study(head, tuple(series for series in listed if series.instances))

    def studies(self, *, quiet_since: datetime | None = None) -> tuple[StudyUid, ...]:
        """Name the studies, oldest arrival first; only those that have not grown since then."""
        heads = tables.studies
        asked = select(heads.c.uid).order_by(heads.c.arrived, heads.c.uid)
        if quiet_since is not None:
            asked = asked.where(heads.c.arrived <= quiet_since)
        with self.database.reading() as connection:
            return tuple(StudyUid(uid) for uid in connection.execute(asked).scalars())

    def settled(self, studies: Sequence[StudyUid]) -> Mapping[StudyUid, int]:
        """Count the instances of those of the studies that were split and routed."""
        heads, held = tables.studies, tables.instances
        asked = (
            select(heads.c.uid, func.count(held.c.uid))
            .outerjoin(held, held.c.study_uid == heads.c.uid)
            .where(heads.c.settled.is_not(None))
            .group_by(heads.c.uid)
        )
        found: dict[StudyUid, int] = {}
        with self.database.reading() as connection:
            for start in range(0, len(studies), ROWS):
                chunk = heads.c.uid.in_(studies[start : start + ROWS])
                found |= {StudyUid(uid): n for uid, n in connection.execute(asked.where(chunk))}
        return found

    def list_elsewhere(self, study: Study, *, now: datetime) -> None:
        """Take in a study whose objects stay in a PACS; those that are here too keep theirs.

        An instance that is not here has no hash, and its path leads nowhere.
        """
        with self.database.writing() as connection:
            self._add_study(connection, study, now)
            heads = tables.studies
            noted = update(heads).where(heads.c.uid == study.uid)
            told = _modalities(study)
            connection.execute(noted.values(arrived=now, settled=None, modalities=told))
        self.rebuild(study)

    def conflicts(self) -> tuple[Conflict, ...]:
        """List what arrived with the name of another, in order of arrival."""
        apart = tables.conflicts
        with self.database.reading() as connection:
            rows = connection.execute(select(apart).order_by(apart.c.arrived, apart.c.uid))
            return tuple(
                Conflict(
                    SopUid(row["uid"]),
                    StudyUid(row["study_uid"]),
                    row["kept_sha256"],
                    row["sha256"],
                )
                for row in rows.mappings()
            )

    def _add_study(self, connection: Connection, study: Study, now: datetime) -> None:
        patient = study.patient
        head = {
            "uid": study.uid,
            "name": study.name,
            "patient_name": patient.name,
            "patient_identifier": patient.identifier,
            "patient_birth_date": patient.birth_date,
            "patient_sex": patient.sex,
            "date": study.date,
            "description": study.description,
            "accession": study.accession,
            "arrived": now,
            "modalities": _modalities(study),
        }
        self.database.insert_new(connection, tables.studies, [head])
        counted = select(func.count()).where(tables.series.c.study_uid == study.uid)
        first = connection.execute(counted).scalar_one()
        rows = [
            {"study_uid": study.uid, "uid": series.uid, "position": first + n} | _facts(series)
            for n, series in enumerate(study.series)
        ]
        self.database.insert_new(connection, tables.series, rows)

    def _add_instances(
        self, connection: Connection, rows: list[dict[str, object]]
    ) -> tuple[RowMapping, ...]:
        """Insert after the instances that their series holds already, and return the new."""
        if not rows:
            return ()
        held = tables.instances
        ends = connection.execute(
            select(held.c.series_uid, func.max(held.c.position))
            .where(held.c.study_uid == rows[0]["study_uid"])
            .group_by(held.c.series_uid)
        )
        after = {series: last + 1 for series, last in ends}
        placed = [
            row | {"position": int(str(row["position"])) + after.get(row["series_uid"], 0)}
            for row in rows
        ]
        return self.database.insert_new(connection, held, placed)

    def _conflicts(
        self, connection: Connection, rows: list[dict[str, object]]
    ) -> tuple[Conflict, ...]:
        held = tables.instances
        kept: dict[str, str] = {}
        for start in range(0, len(rows), ROWS):
            names = [row["uid"] for row in rows[start : start + ROWS]]
            found = connection.execute(
                select(held.c.uid, held.c.sha256).where(held.c.uid.in_(names))
            )
            kept.update((row.uid, row.sha256) for row in found)
        return tuple(
            Conflict(
                SopUid(str(row["uid"])),
                StudyUid(str(row["study_uid"])),
                kept[str(row["uid"])],
                str(row["sha256"]),
            )
            for row in rows
            if kept[str(row["uid"])] != row["sha256"]
        )

    def _describe(
        self, connection: Connection, study: Study, new: tuple[RowMapping, ...], now: datetime
    ) -> None:
        grown = {row["series_uid"] for row in new}
        lists = tables.series
        for series in study.series:
            if series.uid in grown:
                connection.execute(
                    update(lists)
                    .where(lists.c.study_uid == study.uid, lists.c.uid == series.uid)
                    .values(_facts(series))
                )
        heads = tables.studies
        connection.execute(update(heads).where(heads.c.uid == study.uid).values(arrived=now))

    def _keep_apart(
        self, connection: Connection, conflicts: tuple[Conflict, ...], now: datetime
    ) -> None:
        rows = [
            {
                "uid": conflict.uid,
                "sha256": conflict.other_sha256,
                "study_uid": conflict.study,
                "kept_sha256": conflict.kept_sha256,
                "arrived": now,
            }
            for conflict in conflicts
        ]
        self.database.insert_new(connection, tables.conflicts, rows)

    def _instance(self, row: RowMapping) -> Instance:
        return Instance(
            uid=SopUid(row["uid"]),
            sop_class=row["sop_class"],
            path=self.archive.path(row["sha256"]) if row["sha256"] else Path(),
            sha256=row["sha256"],
            frames=row["frames"],
        )


def _modalities(study: Study) -> str:
    return "\\".join(sorted({series.modality for series in study.series} - {""}))


def _instances(study: StudyUid, series: Series) -> list[dict[str, object]]:
    return [
        {
            "uid": instance.uid,
            "study_uid": study,
            "series_uid": series.uid,
            "position": position,
            "sop_class": instance.sop_class,
            "sha256": instance.sha256,
            "frames": instance.frames,
        }
        for position, instance in enumerate(series.instances)
    ]


def _facts(series: Series) -> dict[str, object]:
    facts = {name: getattr(series, name) for name in SERIES_FACTS}
    notices = json.dumps([(each.code, each.text, each.values) for each in series.notices])
    scan = json.dumps(asdict(series.scan))
    return facts | {"content": series.content.value, "scan": scan, "notices": notices}


def _series(row: RowMapping, instances: tuple[Instance, ...]) -> Series:
    return Series(
        uid=SeriesUid(row["uid"]),
        content=Content(row["content"]),
        instances=instances,
        scan=_scan(row["scan"]),
        notices=tuple(
            Notice(code, text, tuple((name, value) for name, value in values))
            for code, text, values in json.loads(row["notices"])
        ),
        **{name: row[name] for name in SERIES_FACTS},
    )


def _scan(stored: str) -> Scan:
    """Read what `asdict` wrote; JSON made a list of its tuple."""
    facts = json.loads(stored)
    return Scan(**facts | {"image_type": tuple(facts.get("image_type", ()))})


def _study(row: RowMapping, series: tuple[Series, ...]) -> Study:
    patient = Patient(
        name=row["patient_name"],
        identifier=row["patient_identifier"],
        birth_date=row["patient_birth_date"],
        sex=row["patient_sex"],
    )
    return Study(
        uid=StudyUid(row["uid"]),
        name=row["name"],
        series=series,
        patient=patient,
        date=row["date"],
        description=row["description"],
        accession=row["accession"],
    )
