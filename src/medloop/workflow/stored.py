"""The archive of the service: studies from the store's catalog, pixels from its files."""

from collections.abc import Callable
from dataclasses import dataclass

from medloop.core.study import Case, Selection, Study, StudyUid
from medloop.store import Store
from medloop.workflow.intake import read_case


@dataclass(frozen=True, slots=True)
class StoreArchive:
    """Studies that the store has received; every file is checked before it is read."""

    store: Store
    read: Callable[[Study, Selection], Case] = read_case

    def study(self, uid: StudyUid) -> Study:
        """Look a study up, or raise `InputError`."""
        return self.store.catalog.study(uid)

    def case(self, study: Study, selection: Selection) -> Case:
        """Read the pixels of a selection.

        Raises
        ------
        InputError
            If a file is missing, was damaged in the archive, or holds no image.
        ServiceError
            If the disk fails.
        """
        for series in selection.series:
            for instance in series.instances:
                self.store.archive.checked(instance.sha256)
        return self.read(study, selection)
