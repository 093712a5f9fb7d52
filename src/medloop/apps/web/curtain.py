"""What somebody who still reads apart does not find: what others signed of the same result.

Every route that lists, counts or gives objects of studies asks here. A reading counts from its
beginning until it is handed in, or until its reader can no longer hand it in.
"""

from collections.abc import Collection
from dataclasses import dataclass

from medloop.apps.web.context import Context
from medloop.apps.web.reading_access import barred, note_seen, panel_of
from medloop.core.study import StudyUid
from medloop.store.reading import Purpose, Reading, ReadingState
from medloop.workflow.documents import Documents


@dataclass(frozen=True, slots=True)
class Curtain:
    """Stands between a reader and the documents of others."""

    context: Context
    documents: Documents

    def unfinished(self, name: str, study: str | None = None) -> tuple[Reading, ...]:
        """List somebody's readings apart that are still to be handed in, of a study or all."""
        if not self._is_apart:
            return ()
        mine = self.context.store.readings.all(reader=name, state=ReadingState.OPEN)
        return tuple(
            each
            for each in mine
            if each.purpose is Purpose.READ
            and study in (None, each.study)
            and self.context.site.reading.wanted(each.analysis) > 1
            and not barred(self.context, each)
        )

    def withheld(self, name: str, study: str | None = None) -> frozenset[str]:
        """Name the objects, by SOP Instance UID, that somebody does not find."""
        of_study: dict[StudyUid, list[Reading]] = {}
        for mine in self.unfinished(name, study):
            others = self.context.store.readings.of_job(mine.job)
            of_study.setdefault(mine.study, []).extend(
                each
                for each in others
                if each.reader != name and self.documents.are_signed(each)
            )
        return frozenset().union(
            *(self.documents.told_by(uid, others) for uid, others in of_study.items() if others)
        )

    def note(self, name: str, study: str, uids: Collection[str]) -> None:
        """Write down, once, that somebody was given what others signed of a result."""
        if not self._is_apart:
            return
        for each in self.context.store.readings.of_study(StudyUid(study)):
            if each.reader != name and not self.documents.of(each).isdisjoint(uids):
                panel = panel_of(self.context, each.job, each.analysis)
                note_seen(self.context, name, panel, each.job, each.study)

    @property
    def _is_apart(self) -> bool:
        """Whether any result is read by several."""
        reading = self.context.site.reading
        return max((reading.readers, *reading.readers_of.values())) > 1


def curtain_of(context: Context) -> Curtain:
    """Make the curtain of a node."""
    return Curtain(context, Documents(context.store))
