"""The one place where DICOM objects come in: spooled, indexed, routed once a study is quiet."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from medloop.core.arrival import Arrival
from medloop.core.errors import InputError
from medloop.core.study import SopUid, Study, StudyUid
from medloop.dicom.arrival import is_same_object, read_arrival
from medloop.dicom.header import read_header
from medloop.dicom.series import studies_of
from medloop.store import Store
from medloop.store.arrivals import Held, Kept, Outcome
from medloop.store.spool import Spool, Spooled
from medloop.store.staging import Staged, Staging, chunks_of, staging
from medloop.workflow.ports import Analysis
from medloop.workflow.routing import Refusal, instances_of, route, urgency_of

log = logging.getLogger(__name__)

BATCH = 128  # objects indexed in one transaction


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one object; `uid` and `sop_class` are empty where it could not be read."""

    uid: SopUid
    sop_class: str
    outcome: Outcome
    reason: str = ""
    study: StudyUid = StudyUid("")  # noqa: RUF009 (a name for a string)
    series: str = ""


@dataclass(frozen=True, slots=True)
class Brought:
    """What bringing a study changed: instances new, known, in conflict; jobs that are new."""

    new: int
    known: int
    conflicts: tuple[SopUid, ...]
    jobs: int


@dataclass(frozen=True, slots=True)
class Reception:
    """Whatever brings objects brings them here. Any process may be killed at any moment.

    `analyses` are asked about every study that has been quiet for `quiet_s`; `urgency` is the
    priority of analyses and modalities, by name.
    """

    store: Store
    spool: Spool
    analyses: Sequence[Analysis] = ()
    quiet_s: float = 60.0
    now: Callable[[], datetime] = _now
    urgency: Mapping[str, int] = field(default_factory=dict)

    def store_now(self, objects: Sequence[bytes | Path], source: str) -> tuple[Stored, ...]:
        """Keep and index objects at once; what is answered is durable.

        Raises
        ------
        ServiceError
            If archive or database cannot be written now; sending again does no harm.
        """
        answers: list[Stored] = []
        for start in range(0, len(objects), BATCH):
            answers += self._store(objects[start : start + BATCH], source)
        return tuple(answers)

    def take_in(self, now: datetime) -> int:
        """Index everything that waits in the spool now; returns how many objects that were.

        Raises
        ------
        ServiceError
            If archive or database cannot be written now.
        """
        count = 0
        with self.spool.reading():
            while batch := self.spool.waiting(BATCH):
                self._index(batch, now)
                self.spool.done(batch)
                count += len(batch)
                if len(batch) < BATCH:  # what came meanwhile may wait for more
                    break
            self.spool.sweep()
        return count

    def bring(self, study: Study) -> Brought:
        """Take in a study that was gathered from files, and route it at once.

        Without analyses here, pictures and NIfTI are routed by the next who settles.

        Raises
        ------
        InputError
            If a file cannot be read.
        ServiceError
            If archive or database cannot be written now.
        """
        now = self.now()
        instances = [instance for series in study.series for instance in series.instances]
        if any(not instance.sop_class for instance in instances):  # pictures and NIfTI
            receipt = self.store.receive(study, now=now)
            self.expect(study.uid, 0)  # nothing more will come: whoever has analyses routes it
            jobs = self.settle_study(study.uid, now) if self.analyses else 0
            apart = tuple(conflict.uid for conflict in receipt.conflicts)
            return Brought(receipt.new, receipt.known, apart, jobs)
        answers = self.store_now([instance.path for instance in instances], "import")
        for each in answers:
            if each.outcome is Outcome.REFUSED:
                raise InputError(each.reason)
        outcomes = [each.outcome for each in answers]
        return Brought(
            new=outcomes.count(Outcome.STORED),
            known=outcomes.count(Outcome.KNOWN),
            conflicts=tuple(a.uid for a in answers if a.outcome is Outcome.CONFLICT),
            jobs=self.settle_study(study.uid, now),
        )

    def settle(self, now: datetime) -> int:
        """Split quiet studies into series and route them; returns how many studies.

        A study is not quiet while objects of it lie in the spool, as after a restart: they are
        indexed first.

        Raises
        ------
        ServiceError
            If archive or database cannot be reached now.
        """
        quiet_since = now - timedelta(seconds=self.quiet_s)
        due = self.store.arrivals.open(quiet_since=quiet_since)
        if due and self.take_in(now):
            due = self.store.arrivals.open(quiet_since=quiet_since)
        for uid in due:
            self.settle_study(uid, now)
        return len(due)

    def settle_study(self, uid: StudyUid, now: datetime) -> int:
        """Split and route one study as it is; returns how many jobs are new.

        A study that grows meanwhile stays open.

        Jobs wait before the study counts as settled: whoever is killed between does it again.

        Raises
        ------
        ServiceError
            If the database cannot be reached now.
        """
        held = self.store.arrivals.of(uid)
        jobs = 0
        if not held.objects:  # pictures or NIfTI: `bring` has made the study
            jobs = queue(self.store, self.store.catalog.study(uid), self.analyses, now=now)
        elif (study := self._study(uid, held.objects)) is not None:
            self.store.catalog.rebuild(study)
            jobs = queue(self.store, study, self.analyses, now=now, urgency=self.urgency)
        self.store.arrivals.close(uid, count=held.count, now=now)
        return jobs

    def expect(self, study: StudyUid, count: int) -> bool:
        """Note how many instances a study will have, so that it need not be quiet first.

        False if nothing of it has arrived yet.
        """
        return self.store.arrivals.expect(study, count)

    def intact(self, uids: Sequence[SopUid]) -> dict[SopUid, str]:
        """Name the SOP class of the objects that are durable and undamaged; others are absent.

        Raises
        ------
        ServiceError
            If database or disk cannot be read now.
        """
        found = {}
        for uid, held in self.store.arrivals.held(uids).items():
            try:
                self.store.archive.checked(held.sha256)
            except InputError as damage:
                log.error("%s", damage)  # noqa: TRY400 (no traceback for damaged files)
                continue
            found[uid] = held.sop_class
        return found

    def _store(self, objects: Sequence[bytes | Path], source: str) -> list[Stored]:
        answers: list[Stored | None] = [None] * len(objects)
        places: list[int] = []
        entering: list[tuple[Staged, Kept]] = []
        with staging(self.store.archive) as (stage, added):
            for place, each in enumerate(objects):
                try:
                    staged = stage.add(chunks_of(each))
                    added.append(staged)
                    arrival = read_arrival(staged.path)
                except InputError as bad:
                    answers[place] = Stored(SopUid(""), "", Outcome.REFUSED, str(bad))
                    continue
                places.append(place)
                entering.append((staged, _kept(arrival, staged, source)))
            outcomes = self._enter(stage, entering, self.now())
        for place, (_, kept), outcome in zip(places, entering, outcomes, strict=True):
            answers[place] = _answer(kept.arrival, outcome)
        return [answer for answer in answers if answer]

    def _index(self, batch: Sequence[Spooled], now: datetime) -> None:
        entering: list[tuple[Staged, Kept]] = []
        with staging(self.store.archive) as (stage, added):
            for spooled in batch:
                staged = stage.add(spooled.chunks())
                added.append(staged)
                if staged.sha256 != spooled.head.sha256:
                    # Torn when the machine lost power, before it was acknowledged.
                    log.warning("spool: an object was not complete; it was never acknowledged")
                    continue
                try:
                    arrival = read_arrival(staged.path)
                except InputError as bad:
                    log.error("archived %s, not indexed: %s", staged.sha256[:12], bad)  # noqa: TRY400
                    stage.keep([staged])
                    continue
                entering.append((staged, _kept(arrival, staged, spooled.head.source)))
            outcomes = self._enter(stage, entering, now)
        for (_, kept), outcome in zip(entering, outcomes, strict=True):
            if outcome is Outcome.CONFLICT:
                log.warning("another object has the UID of %s; kept apart", kept.sha256[:12])

    def _enter(
        self, stage: Staging, objects: Sequence[tuple[Staged, Kept]], now: datetime
    ) -> tuple[Outcome, ...]:
        """Let objects into archive and catalog, unless they are there in another wrapping."""
        held = self.store.arrivals.held([kept.arrival.uid for _, kept in objects])
        is_there = [
            self._is_there(staged, held.get(kept.arrival.uid)) for staged, kept in objects
        ]
        new = [each for each, is_known in zip(objects, is_there, strict=True) if not is_known]
        stage.keep([staged for staged, _ in new])
        found = self.store.arrivals.add([kept for _, kept in new], now=now) if new else ()
        outcomes = iter(found)
        return tuple(Outcome.KNOWN if known else next(outcomes) for known in is_there)

    def _is_there(self, staged: Staged, held: Held | None) -> bool:
        """Whether it is known, be it under another file meta group, which each inlet writes."""
        if held is None or held.sha256 == staged.sha256:
            return held is not None
        return is_same_object(self.store.archive.path(held.sha256), staged.path)

    def _study(self, uid: StudyUid, held: Iterable[Held]) -> Study | None:
        """Make a study of the headers of its files; those that are damaged are left out."""
        headers, hashes = [], {}
        for each in held:
            path = self.store.archive.path(each.sha256)
            try:
                header = read_header(path)
            except InputError as damage:
                log.error("object %s: %s", each.sha256[:12], damage)  # noqa: TRY400
                continue
            headers.append(header)
            hashes[path] = each.sha256
        found = [study for study in studies_of(headers) if study.uid == uid]
        if not found:
            return None
        (study,) = found
        return replace(
            study,
            series=tuple(
                replace(
                    series,
                    source=f"{study.name}/{series.uid}",
                    instances=tuple(
                        replace(instance, sha256=hashes[instance.path])
                        for instance in series.instances
                    ),
                )
                for series in study.series
            ),
        )


def queue(
    store: Store,
    study: Study,
    analyses: Sequence[Analysis],
    *,
    now: datetime,
    urgency: Mapping[str, int] | None = None,
) -> int:
    """Let every analysis that suits a study as it is now wait; returns how many are new.

    `urgency` is the priority of analyses and modalities, by name; the highest counts.
    """
    waiting = 0
    for answer in route([study], analyses):
        name = answer.analysis.name
        if isinstance(answer, Refusal):
            store.jobs.refuse(study.uid, name, answer.reason, now=now, is_bad=answer.is_bad)
        else:
            instances = instances_of(answer.selection)
            priority = urgency_of(answer, urgency or {})
            waiting += store.jobs.add(study.uid, name, instances, now=now, priority=priority)
    return waiting


def _kept(arrival: Arrival, staged: Staged, source: str) -> Kept:
    return Kept(arrival, staged.sha256, staged.size, source)


def _answer(arrival: Arrival, outcome: Outcome) -> Stored:
    reason = "another object has this UID; kept apart" if outcome is Outcome.CONFLICT else ""
    return Stored(
        arrival.uid, arrival.sop_class, outcome, reason, arrival.study, arrival.series
    )
