"""Studies that stay in a PACS: listed in the catalog by their headers, and routed."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from medloop.core.errors import InputError, MedloopError
from medloop.core.retrieve import Held
from medloop.core.study import Instance, Study, StudyUid
from medloop.store import Store
from medloop.workflow.ports import Analysis, Archive
from medloop.workflow.pull import Rule
from medloop.workflow.reception import queue

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Listing:
    """Looks into the PACS that is the archive, as its rule says; for one thread.

    A study is listed once it has had the same number of objects for `quiet_s`, and again when
    it has another one. Nothing of it is fetched.
    """

    rule: Rule
    archive: Archive
    store: Store
    analyses: Callable[[], Sequence[Analysis]]
    quiet_s: float
    urgency: Mapping[str, int] = field(default_factory=dict)
    _due: datetime | None = None
    _seen: dict[StudyUid, tuple[int, datetime]] = field(default_factory=dict)
    _listed: dict[StudyUid, int] = field(default_factory=dict)

    def poll(self, now: datetime) -> int:
        """Look if it is time to; returns how many studies were listed. Never raises."""
        if self._due is not None and self._due > now:
            return 0
        self._due = now + self.rule.every
        listed = 0
        try:
            for study in self._quiet(now):
                listed += self._list(study, now)
        except MedloopError as trouble:
            log.warning("%s: %s", self.rule.source.name, trouble)
        return listed

    def _quiet(self, now: datetime) -> tuple[StudyUid, ...]:
        """Name the studies that are to be listed now."""
        found = self.rule.source.find(self.rule.on(now.astimezone().date()))
        known = self.store.catalog.settled([each.study for each in found])
        seen = {}
        for each in found:
            count, before = self._count(each), self._seen.get(each.study)
            if count not in (known.get(each.study), self._listed.get(each.study)):
                is_same = before is not None and before[0] == count
                seen[each.study] = before if before and is_same else (count, now)
        self._seen = seen
        quiet_since = now - timedelta(seconds=self.quiet_s)
        return tuple(uid for uid, (_, since) in seen.items() if since <= quiet_since)

    def _count(self, held: Held) -> int:
        if held.instances is not None:
            return held.instances
        return len(self.rule.source.listing(held.study))

    def _list(self, uid: StudyUid, now: datetime) -> bool:
        try:
            study = self._with_ours(self.archive.study(uid))
            self.store.catalog.list_elsewhere(study, now=now)
            queue(self.store, study, self.analyses(), now=now, urgency=self.urgency)
            came = self.store.arrivals.of(uid).count
            self.store.arrivals.close(uid, count=came, now=now)
        except InputError as bad:
            log.warning("%s: a study cannot be listed: %s", self.rule.source.name, bad)
        # Objects that cannot be read make the count differ for ever.
        self._listed[uid] = self._seen.pop(uid)[0]
        return True

    def _with_ours(self, study: Study) -> Study:
        """Name the bytes of what is here all the same, as our own results are."""
        uids = [each.uid for series in study.series for each in series.instances]
        held = self.store.arrivals.held(uids)

        def named(each: Instance) -> Instance:
            return replace(each, sha256=held[each.uid].sha256) if each.uid in held else each

        series = (
            replace(each, instances=tuple(map(named, each.instances))) for each in study.series
        )
        return replace(study, series=tuple(series))
