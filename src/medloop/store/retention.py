"""What may leave the archive: old studies, whose results have reached everybody.

A study stays while a job of it waits, runs, is delivered or has failed, while a delivery is
open, while another object has the UID of one of its own, while somebody corrects a result of
it, and once a result was signed. What readers handed in leaves with it: export labels before.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, exists, func, select
from sqlalchemy.exc import IntegrityError

from medloop.core.study import StudyUid
from medloop.store.audit import Entry
from medloop.store.database import Store
from medloop.store.job import JobState
from medloop.store.metadata import forget_metadata
from medloop.store.named import still_named
from medloop.store.reading import ReadingState
from medloop.store.tables import (
    arrivals,
    conflicts,
    deliveries,
    edits,
    instances,
    jobs,
    readings,
    results,
    series,
    studies,
    versions,
)

YOUNGEST: Final = timedelta(hours=2)  # a study that grew since then stays
_ENDED: Final = (JobState.DONE.value, JobState.SKIPPED.value)


@dataclass(frozen=True, slots=True)
class Rules:
    """How long studies stay after their last image came, and how much of them; 0: no limit."""

    keep_days: int = 0
    max_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """A study that may leave, and by which rule."""

    study: StudyUid
    arrived: datetime
    size_bytes: int
    rule: str


def due(store: Store, rules: Rules, *, now: datetime) -> tuple[Due, ...]:
    """List the studies that the rules let go, oldest first; nothing is removed."""
    with store.database.reading() as connection:
        sizes = _sizes(store, connection)
        asked = select(studies.c.uid, studies.c.arrived).where(*_may_leave(now))
        rows = connection.execute(asked.order_by(studies.c.arrived, studies.c.uid)).all()
    excess = sum(sizes.values()) - rules.max_bytes if rules.max_bytes else 0
    found = []
    for uid, arrived in rows:
        size = sizes.get(uid, 0)
        age = now - arrived
        if rules.keep_days and age > timedelta(days=rules.keep_days):
            rule = f"{age.days} days old, kept for {rules.keep_days}"
        elif excess > 0:
            rule = f"archive is {excess / 1e9:.1f} GB over {rules.max_bytes / 1e9:.1f} GB"
        else:
            continue
        found.append(Due(StudyUid(uid), arrived, size, rule))
        excess -= size
    return tuple(found)


def remove(store: Store, one: Due, *, actor: str, now: datetime) -> bool:
    """Remove a study and its results, and note it; False if it has to stay by now.

    Rows go first, then files: what is killed between leaves files that nothing names.

    Raises
    ------
    ServiceError
        If database or disk cannot be written.
    """
    details = {"rule": one.rule, "bytes": str(one.size_bytes)}
    entry = Entry(now, actor, "study removed", one.study, details)
    try:
        with store.database.writing() as connection:
            locked = select(studies.c.uid).where(studies.c.uid == one.study, *_may_leave(now))
            if connection.execute(locked.with_for_update()).one_or_none() is None:
                return False
            hashes, folders = _files(connection, one.study)
            _delete(connection, one.study)
            store.audit.append_within(connection, entry)
    except IntegrityError:  # something of it arrived just now
        return False
    for name in {PurePosixPath(folder).parts[0] for folder in folders}:
        for kept in (store.results_folder, store.root / "viewing"):
            shutil.rmtree(kept / name, ignore_errors=True)  # with what killed workers left

    def is_named(sha256: str) -> bool:
        with store.database.reading() as connection:
            return bool(still_named(connection, [sha256]))

    forget_metadata(store.root / "metadata", one.study)
    for sha256 in hashes:
        store.archive.release(sha256, is_named)
    return True


def prune(store: Store, rules: Rules, *, actor: str, now: datetime) -> tuple[Due, ...]:
    """Remove all that the rules let go, and return it; raises as `remove` does."""
    found = due(store, rules, now=now)
    return tuple(each for each in found if remove(store, each, actor=actor, now=now))


def _may_leave(now: datetime) -> Iterator[ColumnElement[bool]]:
    its_jobs = select(jobs.c.id).where(jobs.c.study_uid == studies.c.uid)
    open_jobs = its_jobs.where(jobs.c.state.not_in(_ENDED))
    open_deliveries = (
        select(deliveries.c.id)
        .join(jobs, jobs.c.id == deliveries.c.job_id)
        .where(jobs.c.study_uid == studies.c.uid, deliveries.c.state != "done")
    )
    its_readings = (
        select(readings.c.id)
        .join(jobs, jobs.c.id == readings.c.job_id)
        .where(jobs.c.study_uid == studies.c.uid)
    )
    begun = its_readings.join(edits, edits.c.reading_id == readings.c.id).where(
        readings.c.state == ReadingState.OPEN.value
    )
    signed = its_readings.join(versions, versions.c.reading_id == readings.c.id)
    apart = select(conflicts.c.uid).where(conflicts.c.study_uid == studies.c.uid)
    yield studies.c.arrived <= now - YOUNGEST
    yield exists(its_jobs)
    yield ~exists(open_jobs)
    yield ~exists(open_deliveries)
    yield ~exists(apart)
    yield ~exists(begun)
    yield ~exists(signed)


def _sizes(store: Store, connection: Connection) -> dict[str, int]:
    """Sum the bytes of each study; what came by import is measured on the disk."""
    total = func.sum(arrivals.c.size)
    grouped = select(arrivals.c.study_uid, total).group_by(arrivals.c.study_uid)
    sizes = {uid: int(size) for uid, size in connection.execute(grouped)}
    imported = (
        select(instances.c.study_uid, instances.c.sha256)
        .outerjoin(arrivals, arrivals.c.uid == instances.c.uid)
        .where(arrivals.c.uid.is_(None), instances.c.sha256 != "")  # else it is in a PACS
    )
    for uid, sha256 in connection.execute(imported):
        with suppress(OSError):
            size = store.archive.path(sha256).stat().st_size
            sizes[uid] = sizes.get(uid, 0) + size
    return sizes


def _files(connection: Connection, study: StudyUid) -> tuple[list[str], list[str]]:
    """Name the objects of a study, readers' masks among them, and its results' folders."""
    hashes: set[str] = set()
    for table in (arrivals, instances):
        asked = select(table.c.sha256).where(table.c.study_uid == study, table.c.sha256 != "")
        hashes.update(connection.execute(asked).scalars())
    drawn = (
        select(edits.c.mask)
        .join(readings, readings.c.id == edits.c.reading_id)
        .join(jobs, jobs.c.id == readings.c.job_id)
        .where(jobs.c.study_uid == study, edits.c.mask.is_not(None))
    )
    hashes.update(connection.execute(drawn).scalars())
    kept = select(results.c.folder).join(jobs, jobs.c.id == results.c.job_id)
    folders = connection.execute(kept.where(jobs.c.study_uid == study)).scalars()
    return sorted(hashes), sorted(folder for folder in folders if folder)


def _delete(connection: Connection, study: StudyUid) -> None:
    its_jobs = select(jobs.c.id).where(jobs.c.study_uid == study)
    its_readings = select(readings.c.id).where(readings.c.job_id.in_(its_jobs))
    connection.execute(delete(edits).where(edits.c.reading_id.in_(its_readings)))
    for table in (deliveries, results, readings):
        connection.execute(delete(table).where(table.c.job_id.in_(its_jobs)))
    for table in (jobs, instances, series, arrivals):
        connection.execute(delete(table).where(table.c.study_uid == study))
    connection.execute(delete(studies).where(studies.c.uid == study))
