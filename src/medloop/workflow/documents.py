"""The DICOM objects that signed reports were filed as, and whose reading each of them tells."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from medloop.core.errors import InputError
from medloop.core.study import StudyUid
from medloop.dicom.header import read_header
from medloop.store import Store
from medloop.store.reading import Reading


@dataclass(frozen=True, slots=True)
class Documents:
    """Looks documents up by their readings; the headers in a folder are read once."""

    store: Store
    _known: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)

    def of(self, reading: Reading) -> frozenset[str]:
        """Name the objects, by SOP Instance UID, that reports of a reading were filed as."""
        signed = self.store.readings.versions(reading.id)
        return frozenset().union(*(self._inside(each.folder) for each in signed))

    def are_signed(self, reading: Reading) -> bool:
        """Whether a report of a reading was signed, so that there are documents, or will be."""
        return bool(self.store.readings.versions(reading.id))

    def told_by(self, study: StudyUid, readings: Collection[Reading]) -> frozenset[str]:
        """Name the objects of a study that tell what these readings say.

        What was made here and is neither of a result nor of another reading counts among them:
        where nobody can say any more whose it is, it is nobody's to see.
        """
        numbers = {each.id for each in readings}
        kept = self.store.results.of_study(study)
        others = (
            each for each in self.store.readings.of_study(study) if each.id not in numbers
        )
        known: frozenset[str] = frozenset().union(
            *(self._inside(each.folder) for each in kept), *(self.of(each) for each in others)
        )
        return frozenset(self.store.arrivals.own(study)) - known

    def _inside(self, folder: str) -> frozenset[str]:
        place = self.store.results_folder / folder
        try:
            changed = place.stat().st_mtime_ns
        except OSError:
            return frozenset()
        known = self._known.get(folder)
        if known is None or known[0] != changed:
            known = self._known[folder] = (changed, _uids(place))
        return known[1]


def _uids(folder: Path) -> frozenset[str]:
    found = set()
    for path in folder.glob("*.dcm"):
        try:
            found.add(read_header(path).uid)
        except InputError:  # it cannot be filed either
            continue
    return frozenset(found)
