"""The archive of the service: studies from the store's catalog, pixels from its files.

Where a PACS is the archive, the catalog lists what stays there, and pixels are fetched.
"""

from collections.abc import Callable
from dataclasses import dataclass

from medloop.core.errors import InputError
from medloop.core.study import Case, Selection, Study, StudyUid
from medloop.store import Store
from medloop.workflow.intake import read_case
from medloop.workflow.ports import Archive


@dataclass(frozen=True, slots=True)
class StoreArchive:
    """Studies that the store has received; every file is checked before it is read.

    What the catalog lists of a PACS is read `elsewhere`.
    """

    store: Store
    read: Callable[[Study, Selection], Case] = read_case
    elsewhere: Archive | None = None

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
            If the disk fails, or a PACS that has the images.
        """
        instances = [each for series in selection.series for each in series.instances]
        if not all(each.sha256 for each in instances):
            if self.elsewhere is None:
                raise InputError("images are in a PACS that is not this node's archive")
            return self.elsewhere.case(study, selection)
        for each in instances:
            self.store.archive.checked(each.sha256)
        return self.read(study, selection)
