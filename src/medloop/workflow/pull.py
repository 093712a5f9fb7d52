"""Fetching studies from a PACS: what a query finds, less what is here already.

What is fetched goes through reception a batch at a time, so whatever ends a pull early, the
next one fetches only the rest.
"""

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from medloop.core.errors import InputError, MedloopError, ServiceError
from medloop.core.retrieve import Held, Missing, Wanted, days_of, missing_of
from medloop.core.study import StudyUid
from medloop.store import Entry, Store
from medloop.store.arrivals import Outcome
from medloop.workflow.ports import Source
from medloop.workflow.reception import Reception, Stored

log = logging.getLogger(__name__)

_BATCH: Final = 64  # objects handed to reception at once
_PREFIX: Final = "pull-"
_STALE_S: Final = 24 * 3600.0
_WAITS: Final = 20  # for our receiver to index the first of what is sent to it
_WAIT_S: Final = 0.25

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A study that matches, and how many of its objects are here."""

    held: Held
    here: int

    @property
    def is_complete(self) -> bool:
        """Whether the PACS says how many objects it has, and so many are here."""
        return self.held.instances is not None and self.here >= self.held.instances


@dataclass(frozen=True, slots=True)
class Pulled:
    """What became of one study; `reason` says what went wrong, if anything did.

    `sent` objects went to our node's own receiver, which tells more of them; `refused` came
    and cannot be read.
    """

    study: StudyUid
    stored: int = 0
    known: int = 0
    conflicts: int = 0
    refused: int = 0
    sent: int = 0
    reason: str = ""

    @property
    def count(self) -> int:
        """How many objects came."""
        return self.stored + self.known + self.conflicts + self.refused + self.sent


def look(source: Source, wanted: Wanted, store: Store) -> tuple[Found, ...]:
    """Ask a PACS what it has, the newest first, and compare with what is here.

    Raises
    ------
    InputError
        If too many studies match.
    ServiceError
        If PACS or database cannot be reached.
    """
    held = source.find(wanted)
    counts = store.arrivals.counts([each.study for each in held])
    return tuple(Found(each, counts.get(each.study, 0)) for each in held)


@dataclass(frozen=True, slots=True)
class Pull:
    """From which PACS into which reception; `actor` stands in the audit."""

    source: Source
    reception: Reception
    actor: str
    sleep: Callable[[float], None] = time.sleep

    def studies(self, found: Sequence[Found], report: Report) -> Iterator[Pulled]:
        """Fetch what is missing of studies, one after another; a failure leaves the others.

        `report` is told how many objects of how many have come, as far as the PACS says.

        Raises
        ------
        ServiceError
            If archive or database cannot be written now.
        """
        total = sum(max((each.held.instances or 0) - each.here, 0) for each in found)
        done = 0
        _sweep(self.reception.store.root)
        for each in found:
            pulled = self.study(each.held, _from(report, done, total))
            done += pulled.count
            report(done, total)
            yield pulled

    def study(self, held: Held, came: Callable[[int], None]) -> Pulled:
        """Fetch what is missing of one study; `came` is told how many objects so far.

        Raises
        ------
        ServiceError
            If archive or database cannot be written now.
        """
        trouble: list[str] = []
        answers: list[Stored] = []
        missing = self._missing(held.study, trouble)
        try:
            scratch = tempfile.TemporaryDirectory(
                prefix=_PREFIX, dir=self.reception.store.root, ignore_cleanup_errors=True
            )
        except OSError as error:
            raise ServiceError(f"store cannot be written: {error.strerror}") from error
        with scratch as folder:
            fetched = self._fetched(held.study, missing, Path(folder), trouble)
            while batch := list(islice(fetched, _BATCH)):
                answers += self._keep(batch)
                came(len(answers))
        asked = sum(len(part.objects) for part in missing)
        sent = 0 if answers or trouble else asked  # a source that came back empty says why
        pulled = _summed(held.study, answers, sent, "; ".join(trouble))
        if held.instances is not None:
            self._expect(held.study, held.instances, waits=_WAITS if sent else 1)
        if pulled.count:
            self._record(pulled)
        return pulled

    def _missing(self, study: StudyUid, trouble: list[str]) -> tuple[Missing, ...]:
        try:
            listing = self.source.listing(study)
        except (InputError, ServiceError) as error:
            trouble.append(str(error))
            return ()
        if not listing:
            trouble.append(f"{self.source.name} lists no object of it")
        arrivals = self.reception.store.arrivals
        came = {each.uid for each in arrivals.of(study).objects}
        own = arrivals.held([each.uid for each in listing])  # our results, sent to this PACS
        return missing_of(listing, frozenset(came | own.keys()))

    def _fetched(
        self, study: StudyUid, missing: Sequence[Missing], folder: Path, trouble: list[str]
    ) -> Iterator[Path]:
        """Yield what comes; what goes wrong at the PACS is noted, not raised."""
        if not missing:
            return
        try:
            yield from self.source.fetch(study, missing, folder)
        except (InputError, ServiceError) as error:
            trouble.append(str(error))

    def _keep(self, paths: Sequence[Path]) -> tuple[Stored, ...]:
        answers = self.reception.store_now(paths, f"pull {self.source.name}")
        for path in paths:
            with suppress(OSError):
                path.unlink()
        return answers

    def _expect(self, study: StudyUid, count: int, *, waits: int) -> None:
        for turn in range(waits):
            if turn:
                self.sleep(_WAIT_S)
            if self.reception.expect(study, count):
                return

    def _record(self, pulled: Pulled) -> None:
        counts = {
            "new": pulled.stored,
            "known": pulled.known,
            "conflicts": pulled.conflicts,
            "refused": pulled.refused,
            "sent": pulled.sent,
        }
        details = {"source": self.source.name}
        details |= {key: str(count) for key, count in counts.items() if count}
        entry = Entry(self.reception.now(), self.actor, "pulled", pulled.study, details)
        self.reception.store.audit.append(entry)


@dataclass(frozen=True, slots=True)
class Rule:
    """What the node fetches by itself; `days` as a person writes them (`days_of`)."""

    source: Source
    every: timedelta
    days: str = ""
    wanted: Wanted = Wanted()  # noqa: RUF009 (it is frozen)

    def on(self, today: date) -> Wanted:
        """Say what is wanted today.

        Raises
        ------
        ValueError
            If the days mean nothing.
        """
        if not self.days:
            return self.wanted
        first, last = days_of(self.days, today=today)
        plain = self.wanted
        return Wanted(first, last, plain.modality, plain.patient, plain.accession, plain.study)


@dataclass(slots=True)
class Polling:
    """The rules of a node, and when each is due; for one thread.

    A study that brings nothing new, as one with objects that cannot be read, is not asked for
    again until the PACS has another number of objects of it.
    """

    rules: Sequence[Rule]
    reception: Reception
    _due: dict[int, datetime] = field(default_factory=dict)
    _fruitless: dict[StudyUid, int | None] = field(default_factory=dict)

    def poll(self, now: datetime) -> int:
        """Follow the rules that are due; returns how many objects came. Never raises."""
        came = 0
        for number, rule in enumerate(self.rules):
            if self._due.get(number, now) > now:
                continue
            try:
                came += self._follow(rule, now)
            except MedloopError as trouble:
                log.warning("%s: %s", rule.source.name, trouble)
            self._due[number] = max(self.reception.now(), now) + rule.every
        return came

    def _follow(self, rule: Rule, now: datetime) -> int:
        wanted = rule.on(now.astimezone().date())  # a day is a day of the hospital's clock
        found = look(rule.source, wanted, self.reception.store)
        due = [each for each in found if not each.is_complete and not self._is_idle(each)]
        came = 0
        pull = Pull(rule.source, self.reception, "node")
        for each, pulled in zip(due, pull.studies(due, _silent), strict=True):
            if pulled.reason:
                log.warning("pull: %s", pulled.reason)
            elif not pulled.stored + pulled.sent:
                self._fruitless[each.held.study] = each.held.instances
            came += pulled.stored + pulled.sent
        return came

    def _is_idle(self, found: Found) -> bool:
        study, count = found.held.study, found.held.instances
        return study in self._fruitless and self._fruitless[study] == count


def _summed(study: StudyUid, answers: Iterable[Stored], sent: int, reason: str) -> Pulled:
    outcomes = [answer.outcome for answer in answers]
    return Pulled(
        study,
        stored=outcomes.count(Outcome.STORED),
        known=outcomes.count(Outcome.KNOWN),
        conflicts=outcomes.count(Outcome.CONFLICT),
        refused=outcomes.count(Outcome.REFUSED),
        sent=sent,
        reason=reason,
    )


def _from(report: Report, start: int, total: int) -> Callable[[int], None]:
    return lambda count: report(start + count, total)


def _silent(_done: int, _total: int) -> None:
    """Report to nobody."""


def _sweep(root: Path) -> None:
    """Remove what killed pulls left half-fetched."""
    for left in root.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_S:
                shutil.rmtree(left, ignore_errors=True)
