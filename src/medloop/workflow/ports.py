"""What the workflow needs from the outside; implemented below or beside it, faked in tests."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from medloop.core.finding import Result
from medloop.core.retrieve import Held, Listed, Missing, Wanted
from medloop.core.study import Case, Selection, Study, StudyUid


class Analysis(Protocol):
    """One clinical question."""

    @property
    def name(self) -> str:
        """Short name, as in ``--analysis NAME``."""

    def select(self, study: Study) -> Sequence[Selection]:
        """Choose what to read, one selection a run, or raise `UnsuitableError`."""

    def analyze(self, case: Case) -> Result:
        """Answer the question. Pure: same pixels and weights, same result."""


class Archive(Protocol):
    """Where studies are kept."""

    def study(self, uid: StudyUid) -> Study:
        """Look a study up, without its pixels."""

    def case(self, study: Study, selection: Selection) -> Case:
        """Read the pixels of a selection, or raise `InputError`."""


class Destination(Protocol):
    """Where results go: a PACS node, a DICOMweb server, a folder."""

    def send(self, study: Study, products: Path) -> None:
        """Deliver the files in a result folder, or raise `ServiceError`."""


class Source(Protocol):
    """A PACS to pull studies from; each method raises `ServiceError` if it fails."""

    @property
    def name(self) -> str:
        """What the site calls it."""

    def find(self, wanted: Wanted) -> Sequence[Held]:
        """Ask which studies there are, the newest first."""

    def listing(self, study: StudyUid) -> Sequence[Listed]:
        """List the objects of a study."""

    def fetch(
        self, study: StudyUid, missing: Sequence[Missing], folder: Path
    ) -> Iterator[Path]:
        """Fetch objects into files below a folder, each yielded when it is whole.

        Nothing is yielded of what goes to a receiver of our node by another way.
        """
